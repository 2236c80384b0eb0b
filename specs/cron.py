"""Whether a Kubernetes CronJob can run with a schedule and its time zone."""

import pkgutil
import re
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

from specs.names import nearest


class Field(NamedTuple):
    """A field's title, its bounds, and the names that count up from the lower bound."""

    title: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    hint: str = "write a number in that range, or '*' for any"


class CronItem(NamedTuple):
    """One item of a field's list: every `step`-th number from `low` to `high`.

    `open`: it has no end of its own, and so continues to the field's.
    """

    low: int
    high: int
    step: int
    open: bool

    @property
    def numbers(self) -> range:
        """The numbers that it allows."""
        return range(self.low, self.high + 1, self.step)


class _Values(NamedTuple):
    """The numbers that a field allows. `every`: it contains a '*' or '?' without a step."""

    numbers: frozenset[int]
    every: bool


class Days(NamedTuple):
    """The days on which a schedule runs.

    If both the day of month and the weekday (0 is Sunday) are restricted, either is enough.
    """

    months: frozenset[int]
    days: frozenset[int]
    weekdays: frozenset[int]
    either: bool


class Calendar(NamedTuple):
    """A schedule of five fields: the minutes of a day (0 to 1439), in order, and the days."""

    minutes: tuple[int, ...]
    days: Days


class Interval(NamedTuple):
    """A schedule of `@every`, in whole seconds."""

    seconds: int


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, _MONTHS, "write a number in that range or a name such as JAN"),
    Field("day of week", 0, 6, _WEEKDAYS, "write a number in that range or a name such as MON"),
)

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_EVERY = "@every "
_DURATION_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the micro sign
    "μs": 10**3,  # U+03BC, the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONGEST_DURATION = 2**63 - 1  # nanoseconds, in Go

# An offset from UTC, such as UTC+2, GMT-05:30, Etc/UTC+2 or +08:00.
_OFFSET = re.compile(
    r"(?:(?:(?:Etc/)?(?:UTC|UT)|GMT|Z) ?)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.I
)
# A zone with its offset and a second one for the summer, such as CET-1CEST; or without: CET+1.
_POSIX = re.compile(r"[A-Z]{3,5}[+-]?[0-9]{1,2}(?::[0-9]{2})?(?:[A-Z]{3,5}.*)?")
_WINDOWS = re.compile(r"(.+) (?:Standard|Daylight|Summer) Time")
_NUMBERS = re.compile("[+-]?[0-9]+")

# Common names for the time of a place. None is in the database; EST and CET are.
_ABBREVIATIONS = {
    "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "MDT": "America/Denver",
    "CST": "America/Chicago", "CDT": "America/Chicago", "EDT": "America/New_York",
    "AST": "America/Halifax", "ADT": "America/Halifax", "BRT": "America/Sao_Paulo",
    "BST": "Europe/London", "WEST": "Europe/Lisbon", "CEST": "Europe/Berlin",
    "MEZ": "Europe/Berlin", "MESZ": "Europe/Berlin", "EEST": "Europe/Athens",
    "MSK": "Europe/Moscow", "SAST": "Africa/Johannesburg", "IST": "Asia/Kolkata",
    "PKT": "Asia/Karachi", "SGT": "Asia/Singapore", "HKT": "Asia/Hong_Kong",
    "JST": "Asia/Tokyo", "KST": "Asia/Seoul", "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney", "AWST": "Australia/Perth", "ACST": "Australia/Adelaide",
    "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland",
}  # fmt: skip

# The most common time zone names of Windows (Unicode CLDR: windowsZones).
_WINDOWS_PLACES = {
    "Pacific": "America/Los_Angeles", "Mountain": "America/Denver", "Central": "America/Chicago",
    "Eastern": "America/New_York", "Atlantic": "America/Halifax",
    "E. South America": "America/Sao_Paulo", "GMT": "Europe/London",
    "W. Europe": "Europe/Berlin", "Central Europe": "Europe/Budapest",
    "Romance": "Europe/Paris", "Central European": "Europe/Warsaw", "GTB": "Europe/Bucharest",
    "FLE": "Europe/Kiev", "E. Europe": "Europe/Chisinau", "Turkey": "Europe/Istanbul",
    "Russian": "Europe/Moscow", "South Africa": "Africa/Johannesburg", "Israel": "Asia/Jerusalem",
    "Arabian": "Asia/Dubai", "India": "Asia/Kolkata", "China": "Asia/Shanghai",
    "Singapore": "Asia/Singapore", "Tokyo": "Asia/Tokyo", "Korea": "Asia/Seoul",
    "AUS Eastern": "Australia/Sydney", "New Zealand": "Pacific/Auckland",
}  # fmt: skip

# What the two checks accept, as far as a regular expression can express it: the form, not the
# numbers.
_VALUES = r"[0-9A-Za-z*?,/-]+"
SCHEDULE = (
    rf"{'|'.join(_DESCRIPTORS)}|{_EVERY}\+?({_DURATION_PART})+|\s*{_VALUES}(\s+{_VALUES}){{4}}\s*"
)
TIMEZONE = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"


def check_schedule(expression: str) -> None:
    """Raise ValueError unless `expression` is a schedule that a CronJob accepts and that occurs."""
    parse_schedule(expression)


@lru_cache
def parse_schedule(expression: str) -> Calendar | Interval:
    """When a CronJob runs. Raise ValueError unless the API server accepts it and it occurs.

    The dialect is that of github.com/robfig/cron/v3 `ParseStandard`, which the API server calls:
    minute, hour, day of month, month, day of week; or a descriptor such as `@daily` or `@every
    1h30m`. Some expressions are rejected although that parser accepts them: those that it does not
    read as written (`1,,2`, `*-5`, `+5`, an `@every` of zero or less), and days that no month has.
    """
    if not expression.strip():
        raise ValueError("the schedule is empty; write one such as '0 2 * * *'")
    if expression.startswith(("TZ=", "CRON_TZ=")):
        raise ValueError("the schedule contains a time zone; move it to schedule.timezone")
    if expression.startswith(_EVERY):
        return _interval(expression)
    if expression.startswith("@"):
        return _descriptor(expression)
    return _fields(expression)


def check_timezone(name: str) -> None:
    """Raise ValueError unless `name` is in the IANA time zone database, spelled exactly."""
    if name in _zones():
        return
    kind, instead = "", "write an IANA name such as 'Europe/Berlin'"
    if offset := _OFFSET.fullmatch(name):
        kind, instead = "an offset from UTC, ", _fixed(*offset.groups())
    elif place := _ABBREVIATIONS.get(name):
        kind, instead = "an abbreviation, ", f"write the IANA name of the place, such as {place!r}"
    elif windows := _WINDOWS.fullmatch(name):
        place = _WINDOWS_PLACES.get(windows[1], "Europe/Berlin")
        kind, instead = "a Windows name, ", f"write the IANA name, such as {place!r}"
    elif _POSIX.fullmatch(name):
        kind = "a POSIX rule, "
    elif meant := _meant(name):
        instead = f"did you mean {meant!r}?"
    raise ValueError(f"{name!r} is {kind}not a time zone; {instead}")


def _fixed(sign: str, hours: str, minutes: str | None) -> str:
    """The zone with a fixed offset from UTC, whose name has the opposite sign."""
    if int(minutes or 0):
        return "write the IANA name of the place, such as 'Asia/Kolkata'"
    if int(hours) == 0:
        return "write 'Etc/UTC'"
    turned = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"
    if turned not in _zones():
        return "write an IANA name such as 'Europe/Berlin'"
    return f"write {turned!r} (IANA inverts the sign), or a place such as 'Europe/Berlin'"


def _meant(name: str) -> str | None:
    """The zone that `name` misspells, compared part by part, as another city is another zone."""
    parts = name.replace(" ", "_").split("/")
    alike = [
        zone
        for zone, own in _zones_like(len(parts), tuple(_NUMBERS.findall(name)))
        if all(nearest(part, [each], 0.75) for part, each in zip(parts, own, strict=True))
    ]
    if meant := nearest(name, alike):
        return meant
    # Only a city.
    cities = [zone for zone in _zones() if zone.rpartition("/")[2].lower() == parts[-1].lower()]
    return min(cities, key=len) if len(parts) == 1 and cities else None


@cache
def _zones_like(parts: int, numbers: tuple[str, ...]) -> tuple[tuple[str, list[str]], ...]:
    """The zones of so many parts with these numbers in them, and the parts of each."""
    return tuple(
        (zone, own)
        for zone in _zones()
        if len(own := zone.split("/")) == parts and tuple(_NUMBERS.findall(zone)) == numbers
    )


@cache
def _zones() -> frozenset[str]:
    """The names in the tzdata package: the same on every machine, unlike /usr/share/zoneinfo."""
    listing = pkgutil.get_data("tzdata", "zones")
    assert listing is not None, "the tzdata package contains a list of its zones"
    return frozenset(listing.decode().split())


def _descriptor(text: str) -> Calendar:
    if text in _DESCRIPTORS:
        return _fields(_DESCRIPTORS[text])
    if meant := nearest(text, _DESCRIPTORS):
        raise ValueError(f"{text!r} is not a schedule; did you mean {meant!r}?")
    known = ", ".join(_DESCRIPTORS)
    raise ValueError(
        f"{text!r} is not a schedule; write five fields, '@every 1h' or one of {known}"
    )


def _interval(text: str) -> Interval:
    duration = text.removeprefix(_EVERY).removeprefix("+")
    nanoseconds = Decimal(0)
    if re.fullmatch(f"(?:{_DURATION_PART})+", duration):
        for number, unit in re.findall(_DURATION_PART, duration):
            nanoseconds += Decimal(number) * _NANOSECONDS[unit]
    if not 0 < nanoseconds <= _LONGEST_DURATION:
        raise ValueError(f"{text!r} has no valid duration; write one such as '@every 1h30m'")
    return Interval(max(1, int(nanoseconds // 10**9)))  # as robfig/cron rounds it


def _fields(expression: str) -> Calendar:
    texts = expression.split()
    if len(texts) == 6:
        raise ValueError(
            f"{expression!r} has 6 fields, but seconds are not supported; "
            "write minute, hour, day of month, month and day of week"
        )
    if len(texts) != 5:
        raise ValueError(
            f"{expression!r} has {len(texts)} field{'s' if len(texts) > 1 else ''}, not 5; "
            "write minute, hour, day of month, month and day of week"
        )
    values = [_parse_field(field, text) for field, text in zip(FIELDS, texts, strict=True)]
    minutes, hours, days, months, weekdays = values
    if weekdays.every and not days.every:
        longest = max(_LONGEST_MONTHS[month - 1] for month in months.numbers)
        if min(days.numbers) > longest:
            raise ValueError(
                f"day of month {texts[2]!r} does not exist in month {texts[3]!r}; "
                f"use a day up to {longest}"
            )
    either = not (days.every or weekdays.every)
    return Calendar(
        tuple(
            60 * hour + minute
            for hour in sorted(hours.numbers)
            for minute in sorted(minutes.numbers)
        ),
        Days(months.numbers, days.numbers, weekdays.numbers, either),
    )


def _parse_field(field: Field, text: str) -> _Values:
    numbers: set[int] = set()
    every = False
    for item in text.split(","):
        if not item:
            raise ValueError(f"{field.title} {text!r} has an extra ','; remove it")
        parsed = parse_item(field, item)
        every = every or (item[0] in "*?" and parsed.step == 1)
        numbers.update(parsed.numbers)
    return _Values(frozenset(numbers), every)


def parse_item(field: Field, item: str) -> CronItem:
    """Raise ValueError unless the item is valid in the field."""
    span, slash, step_text = item.partition("/")
    step = _parse_step(field, item, step_text) if slash else 1
    if span in ("*", "?"):
        return CronItem(field.lowest, field.highest, step, open=True)
    low_text, dash, high_text = span.partition("-")
    low = high = _parse_number(field, span, low_text)
    if dash:
        high = _parse_number(field, span, high_text)
    elif slash:
        high = field.highest
    if low > high:
        raise ValueError(
            f"{field.title} {span!r} runs backwards; "
            f"split it in two: {_span(low, field.highest)},{_span(field.lowest, high)}"
        )
    return CronItem(low, high, step, open=bool(slash) and not dash)


def _parse_number(field: Field, span: str, text: str) -> int:
    if text.lower() in field.names:
        return field.lowest + field.names.index(text.lower())
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
    if field.lowest <= number <= field.highest:
        return number
    hint = "use 0 for Sunday" if field.names is _WEEKDAYS and number == 7 else field.hint
    shown = span if text in ("", "*", "?") else text
    raise ValueError(f"{field.title} {shown!r} is not {field.lowest}-{field.highest}; {hint}")


def _parse_step(field: Field, item: str, text: str) -> int:
    step = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    if step == 0:
        raise ValueError(
            f"{field.title} {item!r} has the step {text!r}; write a number above 0, as in '*/5'"
        )
    return step


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
