"""Steps of a schedule that do not run as they read: which cause a warning, and which do not."""

from pathlib import Path

import pytest

from specs.cron import Calendar, parse_schedule
from specs.steps import odd_steps, when
from tests.written import app, place, warned


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        (
            "*/90 * * * *",
            "minute '*/90' means 0 only, so it runs every hour at minute 0; "
            "write 0 if you mean that, or '@every 90m' for the whole schedule",
        ),
        (
            "0 */36 * * *",
            "hour '*/36' means 0 only, so it runs daily at 00:00; "
            "write 0 if you mean that, or '@every 36h' for the whole schedule",
        ),
        (
            "30 2 */40 * *",
            "day of month '*/40' means 1 only, so it runs on day 1 of the month at 02:30; "
            "write 1 if you mean that, or '@every 960h' for the whole schedule",
        ),
        (
            "0 0 1 */12 *",
            "month '*/12' means 1 only, so it runs in January on day 1 of the month at 00:00; "
            "write 1 if you mean that",
        ),
        (
            "0 0 * * */7",
            "day of week '*/7' means 0 only, so it runs on Sunday at 00:00; "
            "write 0 if you mean that",
        ),
        (
            "0 0 * * FRI/3",
            "day of week 'FRI/3' means 5 only, so it runs on Friday at 00:00; "
            "write 5 if you mean that",
        ),
        (
            "*/60 2 * * *",
            "minute '*/60' means 0 only, so it runs daily at 02:00; write 0 if you mean that",
        ),
        (
            "*/5 */24 * * *",
            "hour '*/24' means 0 only, so it runs 12 times a day; write 0 if you mean that",
        ),
        (
            "10-20/15 * * * *",
            "minute '10-20/15' means 10 only, so it runs every hour at minute 10; "
            "write 10 if you mean that",
        ),
        (
            "15/90 * * * *",
            "minute '15/90' means 15 only, so it runs every hour at minute 15; "
            "write 15 if you mean that, or '@every 90m' for the whole schedule",
        ),
        (
            "*/45 * * * *",
            "minute '*/45' means 0 and 45, so it runs every hour at minute 0 and 45; "
            "write 0,45 if you mean that, or '@every 45m' for the whole schedule",
        ),
        (
            "0 */18 * * *",
            "hour '*/18' means 0 and 18, so it runs daily at 00:00 and 18:00; "
            "write 0,18 if you mean that, or '@every 18h' for the whole schedule",
        ),
        (
            "30,*/90 8 * * 1-5",
            "minute '*/90' means 0 only, so it runs on Monday, Tuesday, Wednesday, Thursday and "
            "Friday at 08:00 and 08:30; write 0 if you mean that",
        ),
        (
            "0 0 */40 * 1",
            "day of month '*/40' means 1 only, so it runs on day 1 of the month and on Monday at "
            "00:00; write 1 if you mean that",
        ),
    ],
)
def test_a_step_beyond_its_field_causes_a_warning_with_when_it_runs(
    tmp_path: Path, cron: str, said: str
) -> None:
    text = app(beside=f"schedule:\n  cron: «'{cron}'", archetype="cronjob")
    text, where = place(text)
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].schedule.cron: warning: {said}"
    ]


@pytest.mark.parametrize(
    "cron",
    [
        "*/30 */12 * * *",
        "*/15 0-23/2 1,15 * MON-FRI",
        "5/10 0 * jan,Jul sun",
        "*/7 * * * *",
        "5/30 * * * *",
        "0 0 */2 * *",
        "0 0 1 */6 *",
        "0 0 * * */2",
        "0 0 5-5 * *",
        "0 0 5-5/1 * *",
        "? ? ? ? ?",
        "@monthly",
        "@every 90m",
    ],
)
def test_a_step_within_its_field_does_not(cron: str) -> None:
    assert list(odd_steps(cron)) == []


@pytest.mark.parametrize(
    ("cron", "comes"),
    [
        ("0 */6 * * *", "daily at 00:00, 06:00, 12:00 and 18:00"),
        ("0 */4 * * *", "6 times a day"),
        ("*/30 * * 6 *", "in June every hour at minute 0 and 30"),
        ("0 0 13 * 5", "on day 13 of the month and on Friday at 00:00"),
    ],
)
def test_when_a_schedule_runs_is_described_in_words(cron: str, comes: str) -> None:
    schedule = parse_schedule(cron)
    assert isinstance(schedule, Calendar)
    assert when(schedule) == comes
