"""Runs of a cronjob: how many pods they have, when they are deleted, and whether any start."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.program import CRON_JOB, cronjob
from tests.written import app, place, reported, rows, warned

IT = "team-alpha/report"


def schedule(keys: str) -> str:
    return f"schedule: {{cron: '0 2 * * *', {keys}}}"


def test_a_run_of_several_pods_is_deleted_in_time(program: Program) -> None:
    keys = schedule("completions: 10, parallelism: 4, ttlSecondsAfterFinished: 0")
    run = program(cronjob(keys)).one(CRON_JOB, IT).spec["jobTemplate"]["spec"]
    assert (run["completions"], run["parallelism"], run["ttlSecondsAfterFinished"]) == (10, 4, 0)


def test_pods_that_share_a_queue_have_no_number_of_completions(program: Program) -> None:
    run = program(cronjob(schedule("parallelism: 1"))).one(CRON_JOB, IT).spec["jobTemplate"]["spec"]
    assert run["parallelism"] == 1
    assert "completions" not in run


@pytest.mark.parametrize(
    ("lifecycle", "suspend", "suspended"),
    [
        ("active", "false", False),
        ("active", "true", True),
        ("suspended", "false", True),
        ("suspended", "true", True),
    ],
)
def test_no_run_starts_if_the_team_or_the_cronjob_is_suspended(
    program: Program, lifecycle: str, suspend: str, suspended: bool
) -> None:
    file = cronjob(schedule(f"suspend: {suspend}")) + f"\nlifecycle: {lifecycle}\n"
    assert program(file).one(CRON_JOB, IT).spec.get("suspend", False) == suspended


@rows(
    {
        "no pod": (
            app(beside=schedule("parallelism: «0"), archetype="cronjob"),
            "parallelism: 0 is below 1; write 1 or more",
        ),
        "no completion": (
            app(beside=schedule("completions: «0"), archetype="cronjob"),
            "completions: 0 is below 1; write 1 or more",
        ),
        "less than no time": (
            app(beside=schedule("ttlSecondsAfterFinished: «-1"), archetype="cronjob"),
            "ttlSecondsAfterFinished: -1 is below 0; write 0 or more",
        ),
        "a mode": (
            app(beside=schedule("«completionMode: Indexed"), archetype="cronjob"),
            "completionMode: is not supported here; a run's pods are all alike; remove it",
        ),
    }
)
def test_what_could_not_run_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: apps[0].schedule.{said}"]


@pytest.mark.parametrize(
    ("keys", "pods"),
    [
        ("parallelism: 4", 4),
        ("parallelism: 4, completions: 9", 4),
        ("parallelism: 4, completions: 3", 3),
        ("completions: 3", 1),
    ],
)
def test_the_quota_holds_the_pods_that_work_at_once(tmp_path: Path, keys: str, pods: int) -> None:
    text = app(beside=schedule(keys), archetype="cronjob")
    assert reported(tmp_path, text + f"quota: {{pods: {pods}}}\n") == []
    (problem,) = reported(tmp_path, text + f"quota: {{pods: {pods - 1}}}\n")
    assert f"raise quota.pods to {pods}" in problem
    assert ("schedule.parallelism: " in problem) == (f"lower it to {pods - 1}" in problem)
    assert (pods > 1) == ("schedule.parallelism: " in problem)


def test_a_suspended_cronjob_takes_nothing(tmp_path: Path) -> None:
    text = app(beside=schedule("parallelism: 4, suspend: true"), archetype="cronjob")
    assert reported(tmp_path, text + "quota: {pods: 0}\n") == []


def test_pods_of_runs_that_overlap_cause_a_warning(tmp_path: Path) -> None:
    keys = "schedule: {cron: '*/30 * * * *', concurrencyPolicy: «Allow, parallelism: 3}"
    text, where = place(app(beside=keys, archetype="cronjob") + "quota: {pods: 5}\n")
    (warning,) = warned(tmp_path, text)
    assert warning.startswith(f"tenants/team-alpha.yaml:{where}: ")
    assert "only 5 of 6 pods of its runs fit beside the other apps at rest; set it to" in warning


def test_pods_that_work_at_once_cannot_share_a_volume_for_one(tmp_path: Path) -> None:
    volume = "volumes: [{name: data, path: /data, size: 1Gi, accessMode: «ReadWriteOnce}]"
    text, where = place(app(volume, schedule("parallelism: 2"), archetype="cronjob"))
    (problem,) = reported(tmp_path, text)
    assert problem.startswith(f"tenants/team-alpha.yaml:{where}: ")
    assert "set schedule.parallelism to 1, or write ReadWriteMany" in problem
