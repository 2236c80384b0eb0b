"""`./sre status --watch` follows a rollout by watches, to its end or until time is up."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from specs.load import TeamFile, load_team
from tests import written
from tests.cluster_objects import (
    IMAGE,
    TEAM,
    autoscaler,
    container,
    deployment,
    kinds,
    pod,
    replica_set,
    running,
    waiting,
)
from tools.status.as_text import Progress
from tools.status.report import TeamReport
from tools.status.watching import follow

NEW = IMAGE.replace("v1.0.0", "v1.1.0")
TEXT = written.app(image="{repository: harbor.sre.internal/team-alpha/my-api, tag: v1.1.0}")
WITHIN = timedelta(seconds=30)
_LONG = 60  # seconds, more than any test takes


class Watched:
    """A cluster that has some objects, and later others.

    `later`: by the plural, what a watch sees in its turn; an int is an error of that status.
    """

    def __init__(self, *objects: Object) -> None:
        self.objects: dict[str, list[Object]] = {}
        for each in objects:
            self.objects.setdefault(f"{each['kind'].lower()}s", []).append(versioned(each))
        self.later: dict[str, list[tuple[str, Object] | int]] = {}
        self.asked: list[tuple[str, str]] = []
        self.done = threading.Event()

    def call(self, method: str, path: str) -> Any:
        assert method == "GET"
        plural = path.rpartition("/")[2]
        self.asked.append(("list", plural))
        return {
            "metadata": {"resourceVersion": "1"},
            "items": self.objects.get(plural, []),
        }

    def watch(self, path: str, version: str, seconds: int) -> Iterator[tuple[str, Object]]:
        plural = path.rpartition("/")[2]
        self.asked.append((f"watch {version}", plural))
        changes = self.later.get(plural, [])
        while changes:
            change = changes.pop(0)
            if isinstance(change, int):
                raise RefusedError("the API server", change, "no")
            kind, each = change
            yield kind, versioned(each, "2")
        self.done.wait(_LONG)

    def text(self, path: str, query: object) -> str:
        return "no database"


def versioned(each: Object, version: str = "1") -> Object:
    return {**each, "metadata": {**each["metadata"], "resourceVersion": version}}


@pytest.fixture
def file(tmp_path: Path) -> TeamFile:
    path = tmp_path / f"{TEAM}.yaml"
    path.write_text(TEXT)
    return load_team(path, f"tenants/{TEAM}.yaml", written.settings())


@pytest.fixture
def reports() -> list[TeamReport]:
    return []


def followed(
    cluster: Watched, file: TeamFile, reports: list[TeamReport], patience: timedelta = WITHIN
) -> tuple[TeamReport, bool]:
    try:
        return follow(
            cast("Cluster", cluster),
            file,
            written.settings(),
            None,
            timedelta(hours=1),
            patience,
            reports.append,
        )
    finally:
        cluster.done.set()


OLD = deployment(ready=1)
OLD_SET = replica_set(OLD)
STARTING = deployment(image=NEW)
SET = replica_set(STARTING, 2)
READY = deployment(image=NEW, ready=1)
UP = running(SET, containers=[container(image=NEW)])


def test_it_waits_for_the_file_s_version_and_ends_once_it_runs(
    file: TeamFile, reports: list[TeamReport]
) -> None:
    cluster = Watched(OLD, OLD_SET, running(OLD_SET), autoscaler())
    cluster.later["deployments"] = [("MODIFIED", STARTING), ("MODIFIED", READY)]
    cluster.later["replicasets"] = [("ADDED", SET)]
    cluster.later["pods"] = [("ADDED", UP), ("DELETED", running(OLD_SET))]
    report, in_time = followed(cluster, file, reports)
    assert (report.status, in_time) == ("running as wanted", True)
    assert reports[0].status == "differs from its file"


def test_it_ends_early_where_waiting_mends_nothing(
    file: TeamFile, reports: list[TeamReport]
) -> None:
    cluster = Watched(STARTING, SET, autoscaler())
    broken = pod(SET, own=waiting("ImagePullBackOff", "manifest unknown"))
    cluster.later["pods"] = [("ADDED", broken)]
    report, in_time = followed(cluster, file, reports)
    assert (report.status, in_time) == ("broken", True)
    assert kinds(report.apps[0]) == ["image-missing"]


def test_a_version_before_the_file_s_that_is_broken_does_not_end_it(
    file: TeamFile, reports: list[TeamReport]
) -> None:
    of = deployment()
    owner = replica_set(of)
    broken = pod(owner, own=waiting("ImagePullBackOff", "manifest unknown"))
    cluster = Watched(of, owner, broken, autoscaler())
    cluster.later["deployments"] = [("MODIFIED", READY)]
    cluster.later["replicasets"] = [("ADDED", SET)]
    cluster.later["pods"] = [("DELETED", broken), ("ADDED", UP)]
    report, in_time = followed(cluster, file, reports)
    assert (report.status, in_time) == ("running as wanted", True)


def test_it_ends_when_time_is_up(file: TeamFile, reports: list[TeamReport]) -> None:
    cluster = Watched(STARTING, SET, autoscaler())
    report, in_time = followed(cluster, file, reports, timedelta(0))
    assert (report.status, in_time) == ("rolling out", False)


def test_a_watch_that_is_too_old_lists_anew(file: TeamFile, reports: list[TeamReport]) -> None:
    cluster = Watched(STARTING, SET, UP, autoscaler())
    cluster.later["deployments"] = [410, ("MODIFIED", READY)]
    report, in_time = followed(cluster, file, reports)
    assert (report.status, in_time) == ("running as wanted", True)
    assert cluster.asked.count(("list", "deployments")) == 2


def test_a_watch_that_is_forbidden_is_an_error(file: TeamFile, reports: list[TeamReport]) -> None:
    cluster = Watched(STARTING, SET, autoscaler())
    cluster.later["pods"] = [403]
    with pytest.raises(RefusedError, match="403"):
        followed(cluster, file, reports)


def test_progress_shows_each_change_once(file: TeamFile, reports: list[TeamReport]) -> None:
    cluster = Watched(STARTING, SET, autoscaler())
    cluster.later["pods"] = [("ADDED", UP)]
    cluster.later["deployments"] = [("MODIFIED", READY)]
    followed(cluster, file, reports)
    progress = Progress()
    seen = (reports[0], reports[0], reports[-1])
    lines = [line for each in seen for line in progress.lines(each)]
    assert lines == [
        "my-api  rolling out  0/1  v1.1.0",
        "my-api  running as wanted  1/1  v1.1.0",
    ]
