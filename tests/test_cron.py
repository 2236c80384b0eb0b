"""Schedules and time zones: what a CronJob accepts, and what the author reads otherwise."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from specs.cron import _ABBREVIATIONS, _WINDOWS_PLACES, check_schedule, check_timezone


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "0 2 * * *",
        "? ? ? ? ?",
        "*/15 0-23/2 1,15 * MON-FRI",
        "5/10 0 * jan,Jul sun",
        "059 007 * * *",
        "*/90 * * * *",
        "  0\t2 *  * * ",
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
        "@every 1h30m",
        "@every +1.5h",
        "@every .5m10s",
        "@every 1µs",
        "@every 1μs",
    ],
)
def test_a_schedule_that_kubernetes_runs_is_accepted(expression: str) -> None:
    check_schedule(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 * * * *", "minute '60' is not 0-59; write a number in that range, or '*' for any"),
        ("0 25 * * *", "hour '25' is not 0-23; write a number in that range, or '*' for any"),
        ("0 1-24 * * *", "hour '24' is not 0-23; write a number in that range, or '*' for any"),
        ("0 0 0 * *", "day of month '0' is not 1-31; write a number in that range, or '*' for any"),
        ("0 0 L * *", "day of month 'L' is not 1-31; write a number in that range, or '*' for any"),
        (
            "0 0 * 13 *",
            "month '13' is not 1-12; write a number in that range or a name such as JAN",
        ),
        (
            "0 0 * January *",
            "month 'January' is not 1-12; write a number in that range or a name such as JAN",
        ),
        ("0 0 * * 7", "day of week '7' is not 0-6; use 0 for Sunday"),
        ("0 0 * * 1-7", "day of week '7' is not 0-6; use 0 for Sunday"),
        (
            "0 0 * * FUN",
            "day of week 'FUN' is not 0-6; write a number in that range or a name such as MON",
        ),
        ("1- * * * *", "minute '1-' is not 0-59; write a number in that range, or '*' for any"),
        ("*-5 * * * *", "minute '*-5' is not 0-59; write a number in that range, or '*' for any"),
        ("+5 * * * *", "minute '+5' is not 0-59; write a number in that range, or '*' for any"),
        ("٣ * * * *", "minute '٣' is not 0-59; write a number in that range, or '*' for any"),
    ],
)
def test_a_value_outside_its_field_is_refused_by_the_fields_name(
    expression: str, message: str
) -> None:
    assert refusal(expression) == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("*/0 * * * *", "minute '*/0' has the step '0'; write a number above 0, as in '*/5'"),
        ("*/ * * * *", "minute '*/' has the step ''; write a number above 0, as in '*/5'"),
        ("* 1/2/3 * * *", "hour '1/2/3' has the step '2/3'; write a number above 0, as in '*/5'"),
        ("* 22-2 * * *", "hour '22-2' runs backwards; split it in two: 22-23,0-2"),
        ("* * * * FRI-SUN", "day of week 'FRI-SUN' runs backwards; split it in two: 5-6,0"),
        ("1,,2 * * * *", "minute '1,,2' has an extra ','; remove it"),
        ("* , * * *", "hour ',' has an extra ','; remove it"),
    ],
)
def test_a_malformed_step_range_or_list_is_refused(expression: str, message: str) -> None:
    assert refusal(expression) == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "the schedule is empty; write one such as '0 2 * * *'"),
        (" ", "the schedule is empty; write one such as '0 2 * * *'"),
        (
            "0 0 2 * * *",
            "'0 0 2 * * *' has 6 fields, but seconds are not supported; "
            "write minute, hour, day of month, month and day of week",
        ),
        (
            "0 2 * *",
            "'0 2 * *' has 4 fields, not 5; "
            "write minute, hour, day of month, month and day of week",
        ),
        (
            "hourly",
            "'hourly' has 1 field, not 5; write minute, hour, day of month, month and day of week",
        ),
    ],
)
def test_a_schedule_without_exactly_five_fields_is_refused(expression: str, message: str) -> None:
    assert refusal(expression) == message


@pytest.mark.parametrize("expression", ["TZ=UTC 0 2 * * *", "CRON_TZ=Europe/Berlin @daily", "TZ="])
def test_a_time_zone_in_the_expression_is_refused(expression: str) -> None:
    message = "the schedule contains a time zone; move it to schedule.timezone"
    assert refusal(expression) == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("@Daily", "'@Daily' is not a schedule; did you mean '@daily'?"),
        ("@anually", "'@anually' is not a schedule; did you mean '@annually'?"),
        (
            "@reboot",
            "'@reboot' is not a schedule; write five fields, '@every 1h' or one of @yearly, "
            "@annually, @monthly, @weekly, @daily, @midnight, @hourly",
        ),
    ],
)
def test_an_unknown_descriptor_is_refused(expression: str, message: str) -> None:
    assert refusal(expression) == message


@pytest.mark.parametrize(
    "duration", ["", "5", "1d", "1h 30m", " 1h", "-1h", "0s", "1H", ".h", "9999999h"]
)
def test_an_interval_that_is_not_a_go_duration_above_zero_is_refused(duration: str) -> None:
    message = f"'@every {duration}' has no valid duration; write one such as '@every 1h30m'"
    assert refusal(f"@every {duration}") == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 31 2 *", "day of month '31' does not exist in month '2'; use a day up to 29"),
        (
            "0 0 30,31 feb ?",
            "day of month '30,31' does not exist in month 'feb'; use a day up to 29",
        ),
        ("0 0 31 4,6 */1", "day of month '31' does not exist in month '4,6'; use a day up to 30"),
    ],
)
def test_a_day_that_none_of_its_months_has_is_refused(expression: str, message: str) -> None:
    assert refusal(expression) == message


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 29 2 *",
        "0 0 31 2,3 *",
        "0 0 31 2/1 *",
        "0 0 28-31 2 *",
        "0 0 31 2 1",
        "0 0 31 2 */2",
        "0 0 31 2 0-6",
    ],
)
def test_a_day_that_occurs_now_and_then_is_accepted(expression: str) -> None:
    check_schedule(expression)


@pytest.mark.parametrize(
    "name", ["UTC", "America/New_York", "Europe/Kyiv", "Etc/GMT+5", "America/Indiana/Knox"]
)
def test_a_zone_of_the_iana_database_is_accepted(name: str) -> None:
    check_timezone(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "America/New_Yrok",
            "'America/New_Yrok' is not a time zone; did you mean 'America/New_York'?",
        ),
        ("europe/berlin", "'europe/berlin' is not a time zone; did you mean 'Europe/Berlin'?"),
        ("utc", "'utc' is not a time zone; did you mean 'UTC'?"),
        (
            "PST",
            "'PST' is an abbreviation, not a time zone; write the IANA name of the place, such as "
            "'America/Los_Angeles'",
        ),
        (
            "GMT+8",
            "'GMT+8' is an offset from UTC, not a time zone; write 'Etc/GMT-8' (IANA inverts "
            "the sign), or a place such as 'Europe/Berlin'",
        ),
        (
            "-05:00",
            "'-05:00' is an offset from UTC, not a time zone; write 'Etc/GMT+5' (IANA inverts "
            "the sign), or a place such as 'Europe/Berlin'",
        ),
        (
            "UTC+5:30",
            "'UTC+5:30' is an offset from UTC, not a time zone; write the IANA name of the place, "
            "such as 'Asia/Kolkata'",
        ),
        ("UTC+0", "'UTC+0' is an offset from UTC, not a time zone; write 'Etc/UTC'"),
        (
            "GMT+15",
            "'GMT+15' is an offset from UTC, not a time zone; write an IANA name such as "
            "'Europe/Berlin'",
        ),
        (
            "CET+1",
            "'CET+1' is a POSIX rule, not a time zone; write an IANA name such as 'Europe/Berlin'",
        ),
        (
            "Eastern Standard Time",
            "'Eastern Standard Time' is a Windows name, not a time zone; write the IANA name, "
            "such as 'America/New_York'",
        ),
        ("Berlin", "'Berlin' is not a time zone; did you mean 'Europe/Berlin'?"),
        ("New York", "'New York' is not a time zone; did you mean 'America/New_York'?"),
        ("Local", "'Local' is not a time zone; write an IANA name such as 'Europe/Berlin'"),
        ("", "'' is not a time zone; write an IANA name such as 'Europe/Berlin'"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_one(name: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_timezone(name)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "name",
    ["../zoneinfo/UTC", "/usr/share/zoneinfo/UTC", "Europe", "Europe/", "posix/UTC", "UTC\n"],
)
def test_a_path_is_not_a_zone(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone; "):
        check_timezone(name)


def refusal(expression: str) -> str:
    with pytest.raises(ValueError) as error:
        check_schedule(expression)
    return str(error.value)


@pytest.mark.parametrize(
    "name",
    ["Europe/Munich", "Asia/Beijing", "Asia/Mumbai", "America/Boston", "Etc/GMT+13", "Etc/GMT+15"],
)
def test_another_city_or_offset_is_not_suggested_for_an_unknown_place(name: str) -> None:
    with pytest.raises(ValueError, match=r"; write an IANA name such as 'Europe/Berlin'$"):
        check_timezone(name)


@pytest.mark.parametrize("hours", range(-12, 15))
def test_the_zone_suggested_for_an_offset_has_that_offset(hours: int) -> None:
    with pytest.raises(ValueError) as refused:
        check_timezone(f"UTC{hours:+}")
    offered = str(refused.value).split("write '")[1].split("'")[0]
    check_timezone(offered)
    assert datetime.now(ZoneInfo(offered)).utcoffset() == timedelta(hours=hours)


def test_each_place_suggested_for_a_name_of_another_system_is_a_time_zone() -> None:
    for place in (*_ABBREVIATIONS.values(), *_WINDOWS_PLACES.values()):
        check_timezone(place)
    assert not [name for name in _ABBREVIATIONS if _is_zone(name)]


def _is_zone(name: str) -> bool:
    try:
        check_timezone(name)
    except ValueError:
        return False
    return True
