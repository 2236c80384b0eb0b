"""How many runs of a schedule can be under way at once."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import islice

import hypothesis
import pytest
from hypothesis import strategies as st

from specs.overlap import most_at_once

_DAY = 86400

# Weekdays and leap days repeat after this many; a run may begin in one such time and end in the
# next.
_YEARS = 28
_FIRST = date(2001, 1, 1)

# A field as written, the numbers it means, and whether it is a '*' alone.
Field = tuple[str, frozenset[int], bool]


def fields(least: int, most: int, few: int) -> st.SearchStrategy[Field]:
    """At most `few` numbers, unless it is a '*' where all are few enough."""
    every = frozenset(range(least, most + 1))
    lists = st.sets(st.sampled_from(sorted(every)), min_size=1, max_size=few).map(
        lambda numbers: (",".join(map(str, sorted(numbers))), frozenset(numbers), False)
    )
    spans = st.tuples(st.integers(least, most), st.integers(0, few - 1)).map(
        lambda span: (
            f"{span[0]}-{min(span[0] + span[1], most)}",
            frozenset(range(span[0], min(span[0] + span[1], most) + 1)),
            False,
        )
    )
    steps = st.integers(-(-len(every) // few), most).map(
        lambda step: (f"*/{step}", frozenset(range(least, most + 1, step)), step == 1)
    )
    return st.one_of(
        lists, spans, steps, *([st.just(("*", every, True))] if len(every) <= few else [])
    )


def most_under_way(starts: Iterable[int], seconds: int) -> int:
    """Looked at whenever one begins, in the order of their beginnings."""
    under_way: list[int] = []
    most = ended = 0
    for start in starts:
        under_way.append(start)
        while under_way[ended] + seconds <= start:
            ended += 1
        most = max(most, len(under_way) - ended)
    return most


@hypothesis.given(
    minute=fields(0, 59, 2),
    hour=fields(0, 23, 2),
    day=fields(1, 31, 31),
    month=fields(1, 12, 12),
    weekday=fields(0, 6, 7),
    seconds=st.one_of(
        st.integers(1, 3 * _DAY),
        st.integers(1, 120).map(lambda days: days * _DAY),
        st.integers(1, 800 * _DAY),
    ),
)
def test_as_many_runs_as_overlap_in_28_years(
    minute: Field, hour: Field, day: Field, month: Field, weekday: Field, seconds: int
) -> None:
    expression = " ".join(field[0] for field in (minute, hour, day, month, weekday))
    begin = sorted(3600 * hours + 60 * minutes for hours in hour[1] for minutes in minute[1])
    starts = [
        number * _DAY + second
        for number in range(_YEARS * 366 + seconds // _DAY)
        if comes_on(_FIRST + timedelta(number), day, month, weekday)
        for second in begin
    ]
    hypothesis.assume(starts)  # never on a 31 February, and refused where it is checked
    assert most_at_once(expression, seconds) == most_under_way(starts, seconds)


def comes_on(one: date, day: Field, month: Field, weekday: Field) -> bool:
    """Days of the month and of the week add up where neither is a '*' (man 5 crontab)."""
    days = (one.day in day[1], (one.weekday() + 1) % 7 in weekday[1])
    wanted = all(days) if day[2] or weekday[2] else any(days)
    return one.month in month[1] and wanted


@hypothesis.given(
    minute=fields(0, 59, 60), hour=fields(0, 23, 24), seconds=st.integers(1, 3 * _DAY)
)
def test_as_many_runs_as_overlap_in_a_few_days(minute: Field, hour: Field, seconds: int) -> None:
    begin = sorted(3600 * hours + 60 * minutes for hours in hour[1] for minutes in minute[1])
    starts = (day * _DAY + second for day in range(seconds // _DAY + 3) for second in begin)
    assert most_at_once(f"{minute[0]} {hour[0]} * * *", seconds) == most_under_way(starts, seconds)


@hypothesis.given(period=st.integers(1, 5000), seconds=st.integers(1, 20_000))
def test_as_many_runs_as_overlap_of_an_interval(period: int, seconds: int) -> None:
    starts = islice(range(0, 10**9, period), seconds // period + 2)
    assert most_at_once(f"@every {period}s", seconds) == most_under_way(starts, seconds)


@pytest.mark.parametrize(
    ("expression", "seconds", "runs"),
    [
        ("0 2 * * *", 3600, 1),
        ("0 2 * * *", _DAY, 1),  # the last one ends as the next begins
        ("0 2 * * *", _DAY + 1, 2),
        ("* * * * *", 3600, 60),
        ("*/7 * * * *", 240, 1),
        ("*/7 * * * *", 241, 2),  # from minute 56 to the full hour it is four
        ("55,5 23,0 * * *", 601, 2),  # across midnight
        ("0 12 * * 1-5", 3 * _DAY, 3),
        ("0 0 28-31 * *", 7 * _DAY, 4),
        ("0 0 29 2 *", 8 * 365 * _DAY, 2),
        ("0 0 29 2 *", 2**31 - 1, 18),
        ("* * * * *", 2**31 - 1, 35_791_395),
        ("@every 1h30m", 5400, 1),
        ("@every 1h30m", 5401, 2),
        ("@every 1500ms", 3, 3),  # counted in whole seconds
        ("@daily", 2 * _DAY, 2),
    ],
)
def test_runs_at_once(expression: str, seconds: int, runs: int) -> None:
    assert most_at_once(expression, seconds) == runs
