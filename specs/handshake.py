"""What teams' apps promise each other: each call, and the entry in `callers` that answers it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specs.app import AnyApp, WebApp
from specs.call_checks import callable_apps, in_cluster, is_service_of, which
from specs.calls import Call, Caller
from specs.hosts import plain
from specs.load import TeamFile
from specs.names import nearest
from specs.partners import Partner, Partners
from specs.problem import WHOLE_FILE, Loc, Problem, key_path
from specs.readers import flow
from specs.settings import Settings
from specs.team import Team

# What a promise consists of, below an app: of one that is called, and of one that calls. An entry
# of `callers` for somebody else is no part of it.
_CALLED = ("archetype", "app.name", "app.port")
_CALLING = ("archetype", "app.name", "serviceAccount")


@dataclass(frozen=True)
class Others:
    """The teams that a file may name: the files of those that are named, and all their names.

    `names` is None if nobody knows which teams there are.
    """

    files: Mapping[str, TeamFile]
    names: Callable[[], Sequence[str]] | None


@dataclass(frozen=True)
class _Side:
    """One app with its file and its place there."""

    file: TeamFile
    team: Team
    app: AnyApp
    at: Loc

    @property
    def entry(self) -> str:
        """How another team's file names it."""
        return flow({"team": self.team.name, "app": self.app.name})

    @property
    def callers(self) -> Sequence[Caller]:
        """Those that it lists; a worker or cronjob has none."""
        return self.app.callers if isinstance(self.app, WebApp) else ()

    @property
    def shown(self) -> str:
        """How a message names it."""
        return f"{self.team.name}'s {self.app.name}"

    def line(self, *loc: str | int) -> str:
        """`FILE:LINE` of a place below it, or of what is around that."""
        there = self.file.problem((*self.at, *loc), "")
        return f"{there.file}:{there.line}"

    def problem(self, loc: Loc, message: str) -> Problem:
        """A problem at a place below it."""
        return self.file.problem((*self.at, *loc), message)

    def is_named_by(self, entry: Call | Caller) -> bool:
        """Whether another team's entry means it."""
        return (entry.team, entry.app) == (self.team.name, self.app.name)


def named_apps(team: Team) -> Iterator[tuple[str, str]]:
    """Team and app of every other team's app that the calls and callers of a team name."""
    for app in team.deployed:
        for call in app.calls:
            if call.app and call.team and call.team != team.name:
                yield call.team, call.app
        if isinstance(app, WebApp):
            yield from ((each.team, each.app) for each in app.callers if each.team != team.name)


def named_teams(team: Team) -> set[str]:
    """Other teams that the calls and callers of a team name, or may name in a host."""
    hosts = {call.host for app in team.deployed for call in app.calls if call.host}
    named = {other for other, _ in named_apps(team)} | {_namespace(host) for host in hosts}
    return named - {team.name, ""}


def teams_in(data: Any) -> Iterator[str]:
    """The teams that calls and callers in a team's file name, as it was read, right or wrong."""
    for _, entry in entries_in(data):
        if isinstance(team := entry.get("team"), str):
            yield team
        if isinstance(host := entry.get("host"), str) and (team := _namespace(host)):
            yield team


def entries_in(data: Any) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """The entries of calls and callers in a team's file, as it was read, and their places."""
    for at, app in _mappings(data, ("apps",)):
        for key in ("calls", "callers"):
            yield from _mappings(app, (*at, key))


def _mappings(holder: Any, loc: Loc) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Those in the list that `holder` has at the last key of `loc`, with their places."""
    found = holder.get(loc[-1]) if isinstance(holder, dict) else None
    for index, each in enumerate(found if isinstance(found, tuple) else ()):
        if isinstance(each, dict):
            yield (*loc, index), each


def partners(files: Iterable[TeamFile], known: Mapping[str, TeamFile]) -> Partners:
    """What the known files promise about the apps that `files` name.

    Apps of a team that is offboarding are gone, so they promise nothing.
    """
    named = {each for file in files if file.team for each in named_apps(file.team)}
    return {
        (team, name): Partner(app.account, app.app.port if isinstance(app, WebApp) else None)
        for team, name in sorted(named)
        if (app := _deployed(known, team, name))
    }


def _deployed(known: Mapping[str, TeamFile], team: str, name: str) -> AnyApp | None:
    file = known.get(team)
    apps = file.team.deployed if file and file.team else ()
    return next((app for app in apps if app.name == name), None)


def check_handshakes(files: Sequence[TeamFile], others: Others) -> Iterator[Problem]:
    """Report each call that the other side does not answer, at both sides if both are checked."""
    checked = {id(file) for file in files}
    for side in _sides(files):
        for index, call in enumerate(side.app.calls):
            at: Loc = ("calls", index)
            if _is_reported(side, at):
                continue
            if call.team:
                yield from _check_call(side, call, at, others, checked)
            elif call.host and _is_service(call.host, others):
                yield side.problem((*at, "host"), in_cluster(call.host))
        for index, caller in enumerate(side.callers):
            at = ("callers", index)
            if not _is_reported(side, at):
                yield from _check_caller(side, caller, at, others, checked)


def warn_of_handshakes(
    files: Sequence[TeamFile], others: Others, settings: Settings
) -> Iterator[Problem]:
    """Warn about calls that nothing answers now, and about callers that do not call."""
    for side in _sides(file for file in files if not file.problems):
        for index, call in enumerate(side.app.calls):
            other = others.files.get(call.team or "")
            if other and other.team and not other.team.running:
                message = (
                    f"{other.team.name} is {other.team.lifecycle}, so nothing answers; {_LATER}"
                )
                yield side.problem(("calls", index), message)
        for index, caller in enumerate(side.callers):
            other = others.files.get(caller.team)
            if other and other.team:
                for message in _doubts(side, other, other.team, caller, settings):
                    yield side.problem(("callers", index), message)


_LATER = "remove the call, or keep it for when the team is back"


def _sides(files: Iterable[TeamFile]) -> Iterator[_Side]:
    for file in files:
        for index, app in enumerate(file.team.deployed if file.team else ()):
            if file.team:
                yield _Side(file, file.team, app, ("apps", index))


def _check_call(
    side: _Side, call: Call, at: Loc, others: Others, checked: set[int]
) -> Iterator[Problem]:
    file = others.files.get(call.team or "")
    if file and file.team and file.team.offboarding:
        return
    there = _other(side, call, at, others, checked, lambda other: _lists(other, side))
    if isinstance(there, Problem):
        yield there
    if not isinstance(there, _Side):
        return
    if doubt := _doubt(there, _CALLED) or _unsaid(there, side):
        if id(there.file) not in checked:
            yield side.problem(at, f"{there.shown} has a mistake at {doubt}; have it fixed first")
    elif not isinstance(there.app, WebApp):
        message = (
            f"{there.shown} is a {there.app.archetype}, and only a web-app can be called; remove it"
        )
        yield side.problem((*at, "app"), message)
    elif not _lists(there, side):
        yield side.problem(
            at,
            f"{there.shown} does not list this app in its `callers`; have `{side.entry}` added "
            f"there ({there.line('callers')}), or remove the call",
        )
        if id(there.file) in checked:
            yield there.problem(
                ("callers",),
                f"does not list {side.shown}, which calls this app ({side.line(*at)}); add "
                f"`{side.entry}`, or have the call removed",
            )


def _check_caller(
    side: _Side, caller: Caller, at: Loc, others: Others, checked: set[int]
) -> Iterator[Problem]:
    there = _other(side, caller, at, others, checked, lambda other: _calls(other, side))
    if isinstance(there, Problem):
        yield there
    elif there and (doubt := _doubt(there, _CALLING)) and id(there.file) not in checked:
        yield side.problem(at, f"{there.shown} has a mistake at {doubt}; have it fixed first")


def _other(
    side: _Side,
    entry: Call | Caller,
    at: Loc,
    others: Others,
    checked: set[int],
    answers: Callable[[_Side], bool],
) -> _Side | Problem | None:
    """The app that an entry names, or a problem with the name; None if others report one."""
    if entry.team is None or entry.app is None or entry.team == side.team.name:
        return None
    file = others.files.get(entry.team)
    if file is None:
        return _no_team(side, entry.team, (*at, "team"), others)
    if there := _find(file, entry.app):
        return there
    if _is_readable(file):
        answering = [other for other in _sides([file]) if answers(other)]
        return side.problem((*at, "app"), _no_app(file, entry, answering))
    return None if id(file) in checked else side.problem(at, _unknown(file))


def _doubts(
    side: _Side, other: TeamFile, team: Team, caller: Caller, settings: Settings
) -> Iterator[str]:
    """Why an entry of `callers` may not be meant."""
    there = _find(other, caller.app)
    if team.offboarding:
        yield f"{team.name} is offboarding, so its apps no longer call; remove the entry"
        return
    if there is None:
        return
    if not _calls(there, side) and not _doubt(there, ["calls"]):
        own = {app.name for app in side.team.apps}
        gone = [
            call.app
            for call in there.app.calls
            if call.team == side.team.name and call.app and call.app not in own
        ]
        instead = f", but {gone[0]}, which this team does not have" if gone else ""
        yield (
            f"{there.shown} does not call this app{instead}; remove the entry, or have "
            f"`{side.entry}` added to its `calls` ({there.line('calls')})"
        )
    if settings.istio.authorization == "enforce" and not there.app.service_account.create:
        yield (
            f"{there.shown} has no ServiceAccount of its own, so the mesh lets in every app of "
            f"{team.name} without one; have `serviceAccount.create` turned on there "
            f"({there.line('serviceAccount')})"
        )


def _is_service(host: str, others: Others) -> bool:
    """Whether it is a Service of another team."""
    file = others.files.get(_namespace(host))
    return bool(file and file.team and is_service_of(file.team, host))


def _namespace(host: str) -> str:
    """The namespace in `<service>.<namespace>`, which may also be a public domain; or ""."""
    namespace = plain(host).partition(".")[2]
    return "" if "." in namespace else namespace


def _lists(there: _Side, side: _Side) -> bool:
    """Whether the other app names this one among its callers."""
    return any(side.is_named_by(caller) for caller in there.callers)


def _calls(there: _Side, side: _Side) -> bool:
    """Whether the other app calls this one."""
    return any(side.is_named_by(call) for call in there.app.calls)


def _find(file: TeamFile, name: str) -> _Side | None:
    for index, app in enumerate(file.team.apps if file.team else ()):
        if file.team and app.name == name:
            return _Side(file, file.team, app, ("apps", index))
    return None


def _no_team(side: _Side, team: str, at: Loc, others: Others) -> Problem | None:
    if others.names is None:
        return None
    hint = nearest(team, (name for name in others.names() if name != side.team.name))
    do = f"did you mean {hint}?" if hint else "name a team that has a file, or remove the entry"
    return side.problem(at, f"there is no team '{team}'; {do}")


def _no_app(file: TeamFile, entry: Call | Caller, answering: Sequence[_Side]) -> str:
    """That the other team has no such app; one that answers may be the same under a new name."""
    assert file.team
    assert entry.app
    said = f"{file.team.name} has no app '{entry.app}'"
    if answering and not nearest(entry.app, [each.app.name for each in answering]):
        names = " or ".join(each.app.name for each in answering)
        return f"{said}; did you mean {names}, which names this app?"
    is_call = isinstance(entry, Call)
    known = callable_apps(file.team) if is_call else [app.name for app in file.team.apps]
    return f"{said}; {which(entry.app, known)}"


def _is_readable(file: TeamFile) -> bool:
    """Whether all apps of the file are known."""
    return bool(file.team) and not any(
        problem.path == WHOLE_FILE or problem.path.startswith("apps") for problem in file.problems
    )


def _unknown(file: TeamFile) -> str:
    first = file.problems[0]
    return (
        f"its team's file has a mistake at {first.file}:{first.line}, so this entry cannot be "
        "checked; have it fixed first"
    )


def _doubt(there: _Side, promised: Sequence[str]) -> str | None:
    """`FILE:LINE` of a mistake in what an app promises, if there is one."""
    at = key_path(there.file.file_loc(there.at))
    return _mistake(there.file, lambda path: any(_is_within(path, f"{at}.{e}") for e in promised))


def _unsaid(there: _Side, side: _Side) -> str | None:
    """`FILE:LINE` of a mistake in `callers`, if it leaves open whether they list the other app."""
    entries = key_path(there.file.file_loc((*there.at, "callers")))
    for index, caller in enumerate(there.callers):
        if side.is_named_by(caller) and not _is_reported(there, ("callers", index)):
            return None
    return _mistake(there.file, lambda path: _is_within(path, entries))


def _mistake(file: TeamFile, concerns: Callable[[str], bool]) -> str | None:
    found = (f"{each.file}:{each.line}" for each in file.problems if concerns(each.path))
    return next(found, None)


def _is_reported(side: _Side, at: Loc) -> bool:
    """Whether something is wrong with an entry of a list itself, or with the list."""
    whole, entry = (key_path(side.file.file_loc((*side.at, *loc))) for loc in (at[:1], at))
    return any(each.path == whole or _is_within(each.path, entry) for each in side.file.problems)


def _is_within(path: str, around: str) -> bool:
    return path == around or path.startswith((f"{around}.", f"{around}["))
