"""`./sre status` on cronjobs: runs that failed, and runs that never began."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.kubernetes import Object
from tests import written
from tests.cluster_objects import NOW, Looked, at, container, event, kinds, made, pod, said
from tools.status.report import AppReport
from tools.status.runs import due

FILE = "tenants/team-alpha.yaml"
NAME = "nightly"
NIGHTLY = written.app(archetype="cronjob", name=NAME)


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


def cronjob(last: str | None = "2026-11-29T02:00:00Z", **spec: Any) -> Object:
    template = {"spec": {"containers": [container(NAME)]}}
    job = {"spec": {"template": template}}
    status = {"lastScheduleTime": last} if last else {}
    made_one = made("CronJob", NAME, {"schedule": "0 2 * * *", "jobTemplate": job, **spec}, status)
    made_one["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z"
    return made_one


def job(of: Object, *conditions: Object, number: int = 1, **status: Any) -> Object:
    one = made("Job", f"{NAME}-{number}", {}, {"conditions": list(conditions), **status}, of)
    one["metadata"]["creationTimestamp"] = at(600 - number)
    return one


def failed(reason: str, message: str = "") -> Object:
    return {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": at(300),
    }


def keys(report: AppReport) -> list[str]:
    return [placed.place.path for placed in report.causes if placed.place]


def test_a_cronjob_whose_last_run_succeeded_runs_as_wanted(looked: Looked) -> None:
    of = cronjob()
    app = looked.app(NIGHTLY, of, job(of, {"type": "Complete", "status": "True"}, succeeded=1))
    assert (app.status, said(app), app.version) == ("running as wanted", [], "v1.0.0")


def test_a_run_that_took_too_long_is_mended_at_its_time_limit(looked: Looked) -> None:
    of = cronjob()
    app = looked.app(NIGHTLY, of, job(of, failed("DeadlineExceeded")))
    assert (app.status, kinds(app)) == ("broken", ["run-deadline"])
    assert keys(app) == ["apps[0].schedule.activeDeadlineSeconds"]
    assert "was ended 5h ago after 3600s" in said(app)[0]


def test_a_run_that_failed_shows_why_its_pod_ended(looked: Looked) -> None:
    of = cronjob()
    last = job(of, failed("BackoffLimitExceeded", "Job has reached the backoff limit"), failed=4)
    ended = {"state": {"terminated": {"exitCode": 3, "reason": "Error"}}, "ready": False}
    broken = pod(last, app=NAME, own=ended, phase="Failed")
    app = looked.app(NIGHTLY, of, last, broken)
    assert kinds(app) == ["crash", "run-failed"]
    assert "the app ends with exit code 3" in said(app)[0]
    assert "the last run (nightly-1) failed 5h ago after 4 tries" in said(app)[1]


def test_a_failure_before_the_last_run_is_over(looked: Looked) -> None:
    of = cronjob()
    before = job(of, failed("BackoffLimitExceeded"), number=1)
    last = job(of, {"type": "Complete", "status": "True"}, number=2, succeeded=1)
    assert said(looked.app(NIGHTLY, of, before, last)) == []


def test_a_run_that_is_refused_has_a_cause(looked: Looked) -> None:
    of = cronjob()
    last = job(of)
    refused = event(
        last,
        "FailedCreate",
        'Error creating: pods "nightly-1-x" is forbidden: exceeded quota: team-alpha-quota, '
        "requested: pods=1, used: pods=20, limited: pods=20",
    )
    app = looked.app(NIGHTLY, of, last, refused)
    assert (kinds(app), keys(app)) == (["quota"], ["quota.pods"])


def test_a_run_that_never_began_is_missed(looked: Looked) -> None:
    app = looked.app(NIGHTLY, cronjob("2026-11-28T02:00:00Z"))
    assert (app.status, keys(app)) == ("broken", ["apps[0].schedule.startingDeadlineSeconds"])
    assert "a run did not begin, the last due at 2026-11-29 02:00 Etc/UTC" in said(app)[0]


def test_a_run_that_never_began_since_the_last_change_is_missed(looked: Looked) -> None:
    of = changed_since(cronjob("2026-11-28T02:00:00Z"))
    of["metadata"]["managedFields"][0]["time"] = "2026-11-29T01:00:00Z"
    assert kinds(looked.app(NIGHTLY, of)) == ["runs-missed"]


def test_a_run_that_waits_for_the_one_before_says_so(looked: Looked) -> None:
    of = cronjob("2026-11-28T02:00:00Z")
    of["status"]["active"] = [{"name": "nightly-1"}]
    app = looked.app(NIGHTLY, of)
    assert keys(app) == ["apps[0].schedule.concurrencyPolicy"]
    assert "the previous one still runs" in said(app)[0]


def changed_since(of: Object) -> Object:
    """Its status is written later still: that is no change of it."""
    entries = [{"time": "2026-11-29T09:00:00Z"}, {"time": at(), "subresource": "status"}]
    return {**of, "metadata": {**of["metadata"], "managedFields": entries}}


@pytest.mark.parametrize(
    ("of", "hours"),
    [
        (cronjob("2026-11-28T02:00:00Z", suspend=True), 24),
        (changed_since(cronjob("2026-11-28T02:00:00Z")), 24),
        (cronjob("2026-11-28T02:00:00Z"), 2),
        (cronjob(), 24),
    ],
)
def test_no_run_is_missed_that_is_not_wanted_or_long_ago(
    looked: Looked, of: Object, hours: int
) -> None:
    assert "runs-missed" not in kinds(looked.app(NIGHTLY, of, hours=hours))


def test_a_cronjob_that_starts_no_runs_differs_from_its_file(looked: Looked) -> None:
    app = looked.app(NIGHTLY, cronjob(suspend=True))
    assert (app.status, keys(app)) == ("differs from its file", ["apps[0].schedule.suspend"])


def test_another_schedule_than_the_file_s_differs(looked: Looked) -> None:
    app = looked.app(NIGHTLY, cronjob("2026-11-28T03:00:00Z", schedule="0 3 * * *"))
    assert keys(app) == ["apps[0].schedule.cron"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"),
    [
        ("0 2 * * *", "Etc/UTC", "2026-11-28T02:00", "2026-11-29T12:00", ["11-29 02:00"]),
        ("0 2 * * *", "America/New_York", "2026-11-29T00:00", "2026-11-29T12:00",
         ["11-29 07:00"]),
        ("*/30 11 * * 0", "Etc/UTC", "2026-11-22T12:00", "2026-11-29T12:00",
         ["11-29 11:00", "11-29 11:30"]),
        # Summer time begins: 02:30 does not exist on that day.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00", ["03-30 00:30"]),
        ("0 0 13 * 5", "Etc/UTC", "2026-11-12T12:00", "2026-11-20T12:00",
         ["11-13 00:00", "11-20 00:00"]),
        ("@every 6h", "Etc/UTC", "2026-11-29T00:00", "2026-11-29T12:00",
         ["11-29 06:00", "11-29 12:00"]),
    ],
)  # fmt: skip
def test_when_a_schedule_is_due(
    cron: str, zone: str, after: str, until: str, expected: list[str]
) -> None:
    times = due(cron, zone, moment(after), moment(until))
    assert [f"{time:%m-%d %H:%M}" for time in times] == expected


def test_a_schedule_of_every_minute_is_not_counted_without_end() -> None:
    assert len(list(due("* * * * *", "Etc/UTC", moment("2020-01-01T00:00"), NOW))) == 1_000
