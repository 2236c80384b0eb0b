"""Steps of a schedule that look like an interval but restart with each field."""

from collections.abc import Iterable, Iterator

from specs.cron import FIELDS, Calendar, Field, Interval, parse_item, parse_schedule

_HOURS, _MINUTES = 24, 60
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

# How many times of a day a message names.
_FEW = 4

# A field's step as a duration, if it has one.
_EVERY = {"minute": (1, "m"), "hour": (1, "h"), "day of month": (24, "h")}


def odd_steps(expression: str) -> Iterator[str]:
    """A message for each such step in a valid schedule."""
    schedule = parse_schedule(expression)
    if isinstance(schedule, Interval) or expression.startswith("@"):
        return
    texts = expression.split()
    for number, (field, text) in enumerate(zip(FIELDS, texts, strict=True)):
        alone = all(each in ("*", "?") for each in texts[number + 1 :])
        alone = alone and all(each.isdecimal() for each in texts[:number])
        for item in text.split(","):
            if said := _said(field, item, when(schedule), alone=alone):
                yield said


def when(schedule: Calendar) -> str:
    """When a schedule runs, in words: `every hour at minute 0`, `daily at 00:00`."""
    days = schedule.days
    on = []
    if len(days.months) < len(_MONTHS):
        on.append(f"in {_listed([_MONTHS[month - 1] for month in sorted(days.months)])}")
    of_month = f"on day {_listed(sorted(days.days))} of the month"
    of_week = f"on {_listed([_WEEKDAYS[day] for day in sorted(days.weekdays)])}"
    if days.either:
        on.append(f"{of_month} and {of_week}")
    elif len(days.days) < 31:
        on.append(of_month)
    elif len(days.weekdays) < len(_WEEKDAYS):
        on.append(of_week)
    return " ".join([*on, _times(schedule.minutes, daily=not on)])


def _times(minutes: tuple[int, ...], *, daily: bool) -> str:
    of_hour = sorted({minute % _MINUTES for minute in minutes})
    if len(minutes) == _HOURS * len(of_hour):
        return f"every hour at minute {_listed(of_hour)}"
    if len(minutes) > _FEW:
        return f"{len(minutes)} times a day"
    times = [f"{minute // _MINUTES:02}:{minute % _MINUTES:02}" for minute in minutes]
    return f"{'daily ' if daily else ''}at {_listed(times)}"


def _said(field: Field, item: str, comes: str, *, alone: bool) -> str | None:
    parsed = parse_item(field, item)
    numbers = parsed.numbers
    size = field.highest - field.lowest + 1
    single = parsed.step > 1 and len(numbers) == 1
    uneven = parsed.open and 2 * parsed.step > size and len(numbers) > 1
    if not (single or uneven):
        return None
    meant = ",".join(map(str, numbers))
    why = f"means {_listed(numbers)}{' only' if single else ''}"
    fix = f"write {meant} if you mean that"
    if parsed.open and alone and field.title in _EVERY:
        hours, unit = _EVERY[field.title]
        fix += f", or '@every {parsed.step * hours}{unit}' for the whole schedule"
    return f"{field.title} '{item}' {why}, so it runs {comes}; {fix}"


def _listed(items: Iterable[object]) -> str:
    texts = [str(item) for item in items]
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))
