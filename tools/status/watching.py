"""Follows a rollout by the API server's watches, until it ends or time is up."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from clients.http import RefusedError, UnreachableError
from clients.kubernetes import Cluster, Object
from specs.load import TeamFile
from specs.settings import Settings
from tools.status.cause import Weight
from tools.status.cluster_state import (
    CRON_JOBS,
    DEPLOYMENTS,
    EVENTS,
    EXTERNAL_SECRETS,
    JOBS,
    PODS,
    REPLICA_SETS,
    Listing,
    listing,
    paths,
    read,
)
from tools.status.look import completed
from tools.status.report import Status, TeamReport, report

_WATCHED = (DEPLOYMENTS, REPLICA_SETS, PODS, EVENTS, EXTERNAL_SECRETS, CRON_JOBS, JOBS)
_GONE = 410
# Some causes come with time alone, such as a probe that fails for too long.
_LOOK_AGAIN = 2.0  # seconds
_PAUSE = 0.1  # seconds between two watches, should a server end each at once


@dataclass(frozen=True)
class _Change:
    """What a watch saw: all objects of a kind, or one that is new, changed or gone."""

    plural: str
    listed: Listing | None = None
    object: Object | None = None
    deleted: bool = False


_Seen = _Change | RefusedError | UnreachableError


def follow(
    cluster: Cluster,
    file: TeamFile,
    settings: Settings,
    only: str | None,
    since: timedelta,
    patience: timedelta,
    show: Callable[[TeamReport], None],
) -> tuple[TeamReport, bool]:
    """The report in which the rollout ended, and whether it did before time was up.

    `show` gets each report on the way, also one that equals the one before.
    Raises RefusedError and UnreachableError.
    """
    assert file.team, "a file without problems has a team"
    end = time.monotonic() + patience.total_seconds()
    began = datetime.now(UTC)
    listed = paths(file.team, settings)
    state = read(cluster, listed, began - since, began)
    seen: queue.SimpleQueue[_Seen] = queue.SimpleQueue()
    stopped = threading.Event()
    for plural in _WATCHED:
        if plural in state.listed:
            path, version = listed[plural], state.versions[plural]
            feed = _Feed(cluster, plural, path, version, end, seen, stopped)
            threading.Thread(target=feed.run, daemon=True).start()
    objects = {plural: _by_uid(items) for plural, items in state.listed.items()}
    try:
        while True:
            now = report(file, settings, state, only)
            show(now)
            left = end - time.monotonic()
            ended = _has_ended(now)
            if ended or left <= 0:
                full = completed(cluster, file.team, settings, state, only)
                return report(file, settings, full, only), ended
            _take(seen, objects, min(left, _LOOK_AGAIN))
            state = replace(
                state,
                listed={plural: list(each.values()) for plural, each in objects.items()},
                now=datetime.now(UTC),
            )
    finally:
        stopped.set()


def _take(
    seen: "queue.SimpleQueue[_Seen]", objects: dict[str, dict[str, Object]], seconds: float
) -> None:
    """Apply what was seen, once there is something or so many seconds have passed."""
    try:
        change = seen.get(timeout=seconds)
        while True:
            if not isinstance(change, _Change):
                raise change
            _apply(change, objects)
            change = seen.get_nowait()
    except queue.Empty:
        return


def _apply(change: _Change, objects: dict[str, dict[str, Object]]) -> None:
    if change.listed:
        objects[change.plural] = _by_uid(change.listed.items)
    elif change.object and change.deleted:
        objects[change.plural].pop(change.object["metadata"]["uid"], None)
    elif change.object:
        objects[change.plural][change.object["metadata"]["uid"]] = change.object


@dataclass
class _Feed:
    """One kind's watch, in a thread of its own."""

    cluster: Cluster
    plural: str
    path: str
    version: str
    end: float
    seen: "queue.SimpleQueue[_Seen]"
    stopped: threading.Event

    def run(self) -> None:
        """Watch until the end; each watch goes on where the last one ended."""
        while not self.stopped.is_set() and (left := self.end - time.monotonic()) > 0:
            try:
                self._watch(int(left) + 1)
                self.stopped.wait(_PAUSE)
            except RefusedError as refusal:
                if refusal.status != _GONE or not self._list_anew():
                    self.seen.put(refusal)
                    return
            except UnreachableError as error:
                self.seen.put(error)
                return

    def _watch(self, seconds: int) -> None:
        for kind, each in self.cluster.watch(self.path, self.version, seconds):
            self.version = each["metadata"]["resourceVersion"]
            if kind != "BOOKMARK":
                self.seen.put(_Change(self.plural, object=each, deleted=kind == "DELETED"))
            if self.stopped.is_set():
                return

    def _list_anew(self) -> bool:
        """List and go on from there; False if that fails as well."""
        try:
            listed = listing(self.cluster, self.path)
        except (RefusedError, UnreachableError):
            return False
        self.version = listed.version
        self.seen.put(_Change(self.plural, listed))
        return True


def _by_uid(items: Sequence[Object]) -> dict[str, Object]:
    return {each["metadata"]["uid"]: each for each in items}


def _has_ended(of: TeamReport) -> bool:
    """Whether all apps run as wanted, or one is broken in a way that waiting does not fix.

    A broken version that is not the file's may be the one before. What may not be read cannot be
    followed.
    """
    if of.status in (Status.RUNNING, Status.UNKNOWN):
        return True
    return any(
        app.status is Status.BROKEN
        and any(each.cause.lasting for each in app.causes)
        and not any(each.cause.weight is Weight.DIFFERS for each in app.causes)
        for app in of.apps
    )
