"""How many runs of a schedule can be active at once."""

from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

from specs.cron import Calendar, Days, Interval, parse_schedule

_DAY = 24 * 60  # minutes
# After 28 years, weekdays and leap days repeat (from 1901 to 2099).
_FIRST, _CYCLE = date(2000, 1, 1), 28 * 365 + 7


@lru_cache
def most_at_once(expression: str, seconds: int) -> int:
    """The most runs active at once if each takes `seconds`; at least 1.

    By the calendar: changes to and from daylight saving time are ignored.
    """
    schedule = parse_schedule(expression)
    if isinstance(schedule, Interval):
        return _parts(seconds, schedule.seconds)
    return _most_within(schedule, _parts(seconds, 60))


def _parts(whole: int, part: int) -> int:
    return -(-whole // part)


def _most_within(schedule: Calendar, minutes: int) -> int:
    """The most runs that begin within this many minutes, counted from the first of them."""
    a_day, before = len(schedule.minutes), _days_before(schedule.days)
    cycles, minutes = divmod(minutes, _CYCLE * _DAY)
    most = 0
    # Windows begin at one of the day's minutes and end some days later.
    for first in range(a_day):
        days, end = divmod(schedule.minutes[first] + minutes, _DAY)
        begun = sum(minute < end for minute in schedule.minutes)
        if days == 0:
            most = max(most, begun - first)
        else:
            between, full = _most_days(schedule.days, days)
            most = max(most, a_day - first + max(between * a_day, full * a_day + begun))
    return most + cycles * before[_CYCLE] * a_day


@lru_cache
def _days_before(days: Days) -> tuple[int, ...]:
    """For each day of the cycle, and its end: the number of earlier days on which it runs."""
    dates = (_FIRST + timedelta(number) for number in range(_CYCLE))
    return tuple(accumulate((_comes_on(days, day) for day in dates), initial=0))


def _comes_on(days: Days, day: date) -> bool:
    of_month, of_week = day.day in days.days, day.isoweekday() % 7 in days.weekdays
    fits = of_month or of_week if days.either else of_month and of_week
    return day.month in days.months and fits


@lru_cache
def _most_days(days: Days, later: int) -> tuple[int, int]:
    """The most days on which the schedule runs between one of its days and `later` days on.

    Then the same if it also runs on the last of these, or -1 if it never does.
    """
    before = _days_before(days)
    total = before[_CYCLE]

    def until(day: int) -> int:
        cycles, day = divmod(day, _CYCLE)
        return cycles * total + before[day]

    most = with_last = -1
    for day in range(_CYCLE):
        if until(day + 1) > until(day):
            between = until(day + later) - until(day + 1)
            most = max(most, between)
            if until(day + later + 1) > until(day + later):
                with_last = max(with_last, between)
    return most, with_last
