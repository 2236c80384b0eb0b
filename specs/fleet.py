"""The teams of a stack: their files, and values that two teams must not share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from specs.app import WebApp
from specs.handshake import (
    Others,
    check_handshakes,
    named_teams,
    partners,
    warn_of_handshakes,
)
from specs.http_ports import warn_of_http_ports
from specs.ingress import ALL, Ingress
from specs.load import TeamFile, load_team
from specs.names import nearest
from specs.namespace import selected_labels
from specs.partners import Partners
from specs.problem import WHOLE_FILE, Loc, Problem
from specs.settings import Settings
from specs.team import Team

SUFFIX = ".yaml"
_SELECTOR = "namespaceselector"  # in upper or lower case

# A claim that several apps of one team may share, each with its own paths.
_HOST = "host"


@dataclass(frozen=True)
class Fleet:
    """The stack's teams in the order of their names; not to be used if there are problems.

    `warnings` are for people to read. `partners` are the apps of any team that the calls and
    callers of these name, and that exist.
    """

    teams: tuple[Team, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    partners: Partners


@dataclass(frozen=True)
class TeamsFolder:
    """A folder of team files; `shown` is its name in messages."""

    path: Path
    shown: str

    def files(self) -> list[Path]:
        """The teams' files, by name."""
        return sorted(self.path.glob(f"*{SUFFIX}"))

    def names(self) -> list[str]:
        """The teams that have a file, by name."""
        return [file.stem for file in self.files()]

    def in_the_way(self, team: str) -> Iterator[Path]:
        """A file or folder in place of the team's new file, or mistaken for it."""
        for suffix in (SUFFIX, ".yml"):
            file = self.path / f"{team}{suffix}"
            if file.is_symlink() or file.exists():
                yield file

    def shown_as(self, file: Path) -> str:
        """The name of one of the folder's files in messages."""
        return f"{self.shown}/{file.name}"

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the folder itself, apart from the contents of its files."""
        if not self.path.is_dir():
            message = "no such folder; check the path"
            yield Problem(self.shown, 1, 1, WHOLE_FILE, message)
        elif not any(self.path.glob("*.y*ml")):
            message = "contains no team files; add one, such as team-alpha.yaml"
            yield Problem(self.shown, 1, 1, WHOLE_FILE, message)
        for file in sorted(self.path.glob("*.yml")):
            yield _misnamed(file, self.shown_as(file))


def validate_folder(folder: TeamsFolder, settings: Settings) -> Fleet:
    """Check all files of the folder."""
    files = [load_team(file, folder.shown_as(file), settings) for file in folder.files()]
    return _fleet(files, (), (), settings, folder.problems(), folder)


def validate_files(
    files: Sequence[tuple[Path, str]], folder: TeamsFolder, settings: Settings
) -> Fleet:
    """Check some files: the path of each and its name in messages.

    A file in the folder is checked against the others there.
    """
    named: dict[Path, tuple[Path, str]] = {}
    for file, shown in files:
        named.setdefault(file.resolve(), (file, shown))
    loaded = [load_team(file, shown, settings) for file, shown in named.values()]
    misnamed = [_misnamed(file, shown) for file, shown in named.values() if file.suffix == ".yml"]
    if not any(file.parent == folder.path.resolve() for file in named):
        return _fleet(loaded, (), (), settings, misnamed, None)
    return validate_loaded(loaded, folder, settings, misnamed)


def validate_loaded(
    loaded: Sequence[TeamFile],
    folder: TeamsFolder,
    settings: Settings,
    found: Iterable[Problem] = (),
) -> Fleet:
    """Check files that are in the folder, or will be, against the others there."""
    own = {file.source.file.resolve() for file in loaded}
    others = [file for file in folder.files() if file.resolve() not in own]
    return _beside(loaded, others, folder, settings, found)


def load_stack(folder: TeamsFolder, settings: Settings) -> Fleet:
    """The teams of the stack; of other teams' files, only claims and promises count."""
    if settings.teams == "*":
        return validate_folder(folder, settings)
    files = [folder.path / f"{name}{SUFFIX}" for name in sorted(settings.teams)]
    loaded = [load_team(file, folder.shown_as(file), settings) for file in files if file.exists()]
    others = [file for file in folder.files() if file not in files]
    return _beside(loaded, others, folder, settings, ())


def wrong_teams(
    teams: Sequence[str], known: Sequence[str], shown: str
) -> Iterator[tuple[int, str]]:
    """The index of each team that a stack lists twice or that has no file, and what to do.

    `known` are the teams that have a file in the folder `shown`.
    """
    for index, name in enumerate(teams):
        if name in teams[:index]:
            yield index, f"'{name}' is listed twice; remove one"
        elif name == "*":
            yield index, "'*' is not a team's name; write \"*\" without the list"
        elif name not in known:
            do = f"add {shown}/{name}{SUFFIX}, or remove an offboarded team here"
            if hint := nearest(name, known):
                do = f"did you mean {hint}? If it was offboarded, remove it here"
            yield index, f"'{name}' has no file in {shown}; {do}"


def _misnamed(file: Path, shown: str) -> Problem:
    message = f"is not read because of its extension; rename it to {file.stem}{SUFFIX}"
    return Problem(shown, 1, 1, WHOLE_FILE, message)


def _beside(
    loaded: Sequence[TeamFile],
    others: Sequence[Path],
    folder: TeamsFolder,
    settings: Settings,
    found: Iterable[Problem],
) -> Fleet:
    """The loaded files, checked against the others of the folder."""
    rivals = _rivals(loaded, others, folder, settings)
    called = _called(loaded, others, folder, settings)
    return _fleet(loaded, rivals, called, settings, found, folder)


def _called(
    loaded: Sequence[TeamFile], others: Iterable[Path], folder: TeamsFolder, settings: Settings
) -> list[TeamFile]:
    """Exactly the other files that calls and callers of the loaded ones name."""
    teams = {team for file in loaded if file.team for team in named_teams(file.team)}
    files = [file for file in others if file.stem in teams] if teams else []
    return [load_team(file, folder.shown_as(file), settings) for file in files]


def _rivals(
    loaded: Sequence[TeamFile], others: Iterable[Path], folder: TeamsFolder, settings: Settings
) -> list[TeamFile]:
    """Other files that may claim the same as a loaded file, or select by its labels.

    Only files that contain a claim's text, in any case, are parsed, or a label's if they select
    namespaces: the cost of one team's stack does not grow with the number of teams, even if all set
    the same label.
    """
    claims = {value for file in loaded for _, value, _ in _claims(file, settings)}
    labels = {label.lower() for file in loaded if file.team for label in file.team.namespace.labels}
    rivals = []
    for file in others:
        try:
            content = file.read_bytes().decode(errors="replace").lower()
        except OSError:  # that team's own stack reports it
            continue
        selecting = labels if _SELECTOR in content else ()
        if any(text in content for text in (*claims, *selecting)):
            rivals.append(load_team(file, folder.shown_as(file), settings))
    return rivals


def _fleet(
    files: Sequence[TeamFile],
    rivals: Sequence[TeamFile],
    called: Sequence[TeamFile],
    settings: Settings,
    found: Iterable[Problem],
    folder: TeamsFolder | None,
) -> Fleet:
    """`rivals` may claim what the files claim, and `called` are the others that they name."""
    problems = [*found, *(problem for file in files for problem in file.problems)]
    problems += _contested(files, rivals, settings)
    problems += (problem for file in files for problem in _served_twice(file))
    problems += _let_in(files, rivals)
    teams = tuple(file.team for file in files if file.team)
    known = {file.source.file.stem: file for file in (*called, *files)}
    others = Others(known, cache(folder.names) if folder else None)
    problems += check_handshakes(files, others)
    warnings = [warning for file in files for warning in file.warnings]
    warnings += warn_of_handshakes(files, others, settings)
    warnings += warn_of_http_ports(files, known.values(), settings)
    return Fleet(teams, tuple(sorted(problems)), tuple(sorted(warnings)), partners(files, known))


def _contested(
    files: Sequence[TeamFile], rivals: Iterable[TeamFile], settings: Settings
) -> Iterator[Problem]:
    """A problem at each claim that came second.

    Rivals come first, so that the problem is reported in the requested files.
    """
    owners: dict[tuple[str, str], tuple[TeamFile, Loc]] = {}
    for file in rivals:
        for kind, value, loc in _claims(file, settings):
            owners.setdefault((kind, value), (file, loc))
    for file in files:
        for kind, value, loc in _claims(file, settings):
            owner, place = owners.setdefault((kind, value), (file, loc))
            if owner is not file or (place != loc and kind != _HOST):
                taken = owner.problem(place, "")
                message = (
                    f"{kind} '{value}' is already used in {taken.file}:{taken.line}; choose another"
                )
                yield file.problem(loc, message)


def _served_twice(file: TeamFile) -> Iterator[Problem]:
    """A problem at each path of a host that another app of the same team serves as well."""
    owners: dict[tuple[str, str], tuple[int, Loc]] = {}
    for index, ingress in _ingresses(file):
        at: Loc = ("apps", index, "ingress")
        for host, host_loc in ingress.placed_hosts():
            for prefix, path_loc in ingress.placed_paths():
                loc = (*at, *(path_loc or host_loc))
                owner, place = owners.setdefault((host, prefix), (index, loc))
                if owner == index:  # one app's own paths are compared by themselves
                    continue
                taken = file.problem(place, "")
                what = f"host '{host}'" if prefix == ALL else f"'{host}{prefix}'"
                message = (
                    f"{what} is already used in {taken.file}:{taken.line}; choose another, or give "
                    "each app its own `ingress.paths`"
                )
                yield file.problem(loc, message)


def _let_in(files: Sequence[TeamFile], rivals: Sequence[TeamFile]) -> Iterator[Problem]:
    """A problem at each label by which a namespace would match another team's selector."""
    selected: dict[str, list[tuple[TeamFile, Loc]]] = {}
    for file in (*rivals, *files):
        for index, app in enumerate(file.team.apps if file.team else ()):
            for loc, label in selected_labels(app.network_policy):
                place: Loc = ("apps", index, "networkPolicy", *loc)
                selected.setdefault(label, []).append((file, place))
    for file in files:
        for label in file.team.namespace.labels if file.team else ():
            others = [each for each in selected.get(label, ()) if each[0] is not file]
            for owner, place in others[:1]:
                there = owner.problem(place, "")
                message = (
                    f"{there.file}:{there.line} selects namespaces by this label; remove it here, "
                    "or select by kubernetes.io/metadata.name there"
                )
                yield file.problem(("namespace", "labels", label), message)


def _claims(file: TeamFile, settings: Settings) -> Iterator[tuple[str, str, Loc]]:
    """What one team claims for itself: the kind, its value, and its place in the file."""
    if file.team is None or file.team.offboarding:
        return
    for index, ingress in _ingresses(file):
        for host, loc in ingress.placed_hosts():
            yield _HOST, host, ("apps", index, "ingress", *loc)
    if settings.openbao.oidc_accessor:
        # OpenBao ties a group of an OIDC mount to one identity group, and ignores case.
        for index, group in enumerate(file.team.developers):
            yield "developers' group", group.lower(), ("access", "developers", index)


def _ingresses(file: TeamFile) -> Iterator[tuple[int, Ingress]]:
    """The apps that are reached from outside, by their index."""
    if file.team is None or file.team.offboarding:
        return
    for index, app in enumerate(file.team.apps):
        if isinstance(app, WebApp) and app.ingress.enabled:
            yield index, app.ingress
