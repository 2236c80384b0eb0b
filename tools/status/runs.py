"""A cronjob's runs: those that failed, and those that never began."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from clients.kubernetes import Object
from specs.app import CronJob
from specs.cron import Calendar, Days, Interval, parse_schedule
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import JOBS, moment
from tools.status.words import ago, short

_MOST = 1_000  # of missed runs, in one report


def causes(app: AppState) -> Iterator[Cause]:
    """Why the last run failed, and which did not take place."""
    if not isinstance(app.app, CronJob) or app.workload is None:
        return
    if app.jobs and (failed := _failure(app.jobs[0])):
        yield _failed(app, app.jobs[0], failed)
    spec = app.workload["spec"]
    if not spec.get("suspend") and spec.get("schedule") == app.app.schedule.cron:
        yield from _missed(app, app.app)


def _failure(job: Object) -> dict[str, str] | None:
    conditions = job.get("status", {}).get("conditions") or ()
    found: dict[str, str] | None = next(
        (each for each in conditions if each["type"] in ("Failed", "FailureTarget")
         and each["status"] == "True"), None
    )  # fmt: skip
    return found


def _failed(app: AppState, job: Object, failed: dict[str, str]) -> Cause:
    assert isinstance(app.app, CronJob)
    name, schedule = job["metadata"]["name"], app.app.schedule
    then = moment(failed.get("lastTransitionTime"))
    when = f" {ago(then, app.state.now)}" if then else ""
    if failed.get("reason") == "DeadlineExceeded":
        return Cause(
            "run-deadline",
            f"the last run ({name}) was ended{when} after {schedule.active_deadline_seconds}s, its "
            "time limit",
            "give it more time, or have it do less",
            ("schedule", "activeDeadlineSeconds"),
        )
    failures = job.get("status", {}).get("failed") or 0
    tried = f" after {failures} tries" if failures > 1 else ""
    # Of a pod that is left, there is a cause with its log.
    see = "" if app.pods else f"see `kubectl logs job/{name} -n {app.team.name}`; "
    return Cause(
        "run-failed",
        f"the last run ({name}) failed{when}{tried} ({short(failed.get('message', ''))})",
        f"{see}to run it again: `kubectl create job --from=cronjob/{app.app.name} "
        f"{app.app.name}-again -n {app.team.name}`",
        ("schedule", "backoffLimit") if not app.pods else None,
    )


def _missed(app: AppState, cronjob: CronJob) -> Iterator[Cause]:
    assert app.workload
    schedule, status = cronjob.schedule, app.workload.get("status", {})
    begun = moment(status.get("lastScheduleTime"))
    after = max(filter(None, (*_changes(app.workload), begun, app.state.since)))
    late = app.state.now - timedelta(seconds=schedule.starting_deadline_seconds)
    missed = list(due(schedule.cron, schedule.timezone, after, late))
    if not missed:
        return
    last = missed[-1].astimezone(ZoneInfo(schedule.timezone))
    count = f"{len(missed)} runs" if len(missed) > 1 else "a run"
    what = f"{count} did not begin, the last due at {last:%Y-%m-%d %H:%M} {schedule.timezone}"
    if status.get("active") and schedule.concurrency_policy == "Forbid":
        yield Cause(
            "runs-missed",
            f"{what}: the previous one still runs",
            "have it take less time, limit it (`activeDeadlineSeconds`), or allow several at once",
            ("schedule", "concurrencyPolicy"),
        )
        return
    yield Cause(
        "runs-missed",
        f"{what}, or within {schedule.starting_deadline_seconds}s after (startingDeadlineSeconds)",
        "allow more time, or ask the platform team whether the cluster was down",
        ("schedule", "startingDeadlineSeconds"),
        weight=Weight.WARNING if JOBS in app.state.unread else Weight.BROKEN,
    )


def _changes(workload: Object) -> Iterator[datetime | None]:
    """When it was created or changed: what it does now says nothing about the time before."""
    metadata = workload["metadata"]
    yield moment(metadata.get("creationTimestamp"))
    for entry in metadata.get("managedFields") or ():
        if "subresource" not in entry:
            yield moment(entry.get("time"))


def due(cron: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """When a schedule is due later than `after`, up to and including `until`; 1,000 at most."""
    yield from islice(_due(parse_schedule(cron), ZoneInfo(timezone), after, until), _MOST)


def _due(
    schedule: Calendar | Interval, zone: ZoneInfo, after: datetime, until: datetime
) -> Iterator[datetime]:
    if isinstance(schedule, Interval):  # counted from a run that is not known here
        step = timedelta(seconds=schedule.seconds)
        while (after := after + step) <= until:
            yield after
        return
    day = after.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        yield from (then for then in _on(day, schedule, zone) if after < then <= until)
        day += timedelta(days=1)


def _on(day: date, schedule: Calendar, zone: ZoneInfo) -> Iterator[datetime]:
    if not _is_a_day(day, schedule.days):
        return
    for minute in schedule.minutes:
        local = datetime.combine(day, time(minute // 60, minute % 60), zone)
        then = local.astimezone(UTC)
        if then.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            yield then  # others are skipped by the clock


def _is_a_day(day: date, days: Days) -> bool:
    if day.month not in days.months:
        return False
    in_month, in_week = day.day in days.days, day.isoweekday() % 7 in days.weekdays
    return in_month or in_week if days.either else in_month and in_week
