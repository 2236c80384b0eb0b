"""The report on a team: each app's status, with the causes and their places in the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from specs.load import TeamFile
from specs.problem import Loc, Problem
from specs.settings import Settings
from specs.team import Team
from tools.status import (
    admission,
    crashes,
    deploying,
    drift,
    external_secrets,
    images,
    probes,
    routes,
    runs,
    scaling,
    scheduling,
    sidecars,
    starting,
)
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import ClusterState

# In this order: what stops a pod earlier comes first.
_CONCERNS = (
    deploying.causes,
    admission.causes,
    scheduling.causes,
    external_secrets.causes,
    images.causes,
    starting.causes,
    crashes.causes,
    probes.causes,
    sidecars.causes,
    runs.causes,
    routes.causes,
    drift.causes,
    scaling.causes,
)


class Status(StrEnum):
    """How an app is doing."""

    RUNNING = "running as wanted"
    ROLLING_OUT = "rolling out"
    BROKEN = "broken"
    DIFFERS = "differs from its file"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"


# The worst first.
NOT_AS_WANTED = (Status.BROKEN, Status.UNKNOWN, Status.ROLLING_OUT, Status.DIFFERS)


@dataclass(frozen=True)
class Placed:
    """A cause, and the place in the team's file where it can be mended, if it can be there."""

    cause: Cause
    place: Problem | None

    @property
    def said(self) -> str:
        """What is wrong and what to do, in one line."""
        said = self.place.message if self.place else f"{self.cause.what}; {self.cause.do}"
        return str(Problem("", 1, 1, "", said)).partition(":1:1: : ")[2]

    def __str__(self) -> str:
        """The same in the form of every problem, if it has a place."""
        return str(self.place) if self.place else self.said


@dataclass(frozen=True)
class AppReport:
    """An app's line, and the causes for what is not as wanted."""

    app: str
    archetype: str
    status: Status
    ready: int
    wanted: int
    version: str
    causes: Sequence[Placed]


@dataclass(frozen=True)
class TeamReport:
    """What is known of a team's apps; `unread` says why a kind could not be listed."""

    team: str
    apps: Sequence[AppReport]
    unread: Mapping[str, str]

    @property
    def status(self) -> Status:
        """The worst of the apps'."""
        for status in NOT_AS_WANTED:
            if any(app.status is status for app in self.apps):
                return status
        return Status.RUNNING


def app_states(
    team: Team, settings: Settings, state: ClusterState, only: str | None
) -> list[tuple[int, AppState]]:
    """The apps to report on, each with its index in `team.apps`."""
    return [
        (index, AppState(app, team, settings, state))
        for index, app in enumerate(team.apps)
        if app in team.deployed and only in (None, app.name)
    ]


def report(
    file: TeamFile, settings: Settings, state: ClusterState, only: str | None = None
) -> TeamReport:
    """The report on the team of a file without problems, or on one of its apps."""
    assert file.team, "a file without problems has a team"
    apps = app_states(file.team, settings, state, only)
    made = [_app(file, index, app) for index, app in apps]
    return TeamReport(file.team.name, made, state.unread)


def _app(file: TeamFile, index: int, app: AppState) -> AppReport:
    found = tuple(_once(cause for concern in _CONCERNS for cause in concern(app)))
    if not any(cause.weight is Weight.BROKEN for cause in found):
        found = (*deploying.overdue(app), *found)
    if deploying.suspended(app):
        found = tuple(
            replace(cause, weight=Weight.WARNING) if cause.weight is Weight.BROKEN else cause
            for cause in found
        )
    ready, wanted = deploying.pods(app)
    return AppReport(
        app.app.name,
        app.app.archetype,
        _status(app, found),
        ready,
        wanted,
        deploying.version(app),
        [_placed(file, index, cause) for cause in found],
    )


def _status(app: AppState, found: Sequence[Cause]) -> Status:
    if app.unread:
        return Status.UNKNOWN
    weights = {cause.weight for cause in found}
    if Weight.BROKEN in weights:
        return Status.BROKEN
    if not deploying.done(app):
        return Status.ROLLING_OUT
    if Weight.DIFFERS in weights:
        return Status.DIFFERS
    return Status.SUSPENDED if deploying.suspended(app) else Status.RUNNING


def _once(found: Iterator[Cause]) -> Iterator[Cause]:
    """Each cause once, though several pods have it; with the lines of the first that has some."""
    merged: dict[tuple[str, Loc | None, str], Cause] = {}
    for cause in found:
        key = cause.kind, cause.loc, cause.what
        known = merged.setdefault(key, cause)
        if cause.lines and not known.lines:
            merged[key] = replace(known, lines=cause.lines, do=cause.do)
    yield from merged.values()


def _placed(file: TeamFile, index: int, cause: Cause) -> Placed:
    if cause.loc is None:
        return Placed(cause, None)
    loc = cause.loc if cause.of_team else ("apps", index, *cause.loc)
    return Placed(cause, file.problem(loc, f"{cause.what}; {cause.do}"))
