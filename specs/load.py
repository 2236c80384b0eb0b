"""Reads one team's file: its model where it is sound, and every problem in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from specs.app import AnyApp
from specs.base import LENIENT
from specs.checks import check_team
from specs.explain import document_loc, explain
from specs.problem import Loc, Problem
from specs.settings import Settings
from specs.source import Source, frozen
from specs.team import Team

_MENDING_ROUNDS = 5
_APP: TypeAdapter[Any] = TypeAdapter(AnyApp)
_TEAM: TypeAdapter[Any] = TypeAdapter(Team)


@dataclass(frozen=True)
class TeamFile:
    """A team's file as read.

    `team` is sound if `problems` is empty; otherwise it is what could be made of the file.
    """

    source: Source
    team: Team | None
    problems: tuple[Problem, ...]
    # For each of `team.apps`, its index in the file: apps that made no sense are left out.
    app_indices: tuple[int, ...] = ()

    def problem(self, loc: Loc, message: str) -> Problem:
        """A problem at a place in `team`, told where the file has it."""
        return self.source.problem(self.file_loc(loc), message)

    def file_loc(self, loc: Loc) -> Loc:
        """The place in the file of a place in `team`."""
        if loc[:1] == ("apps",) and len(loc) > 1 and isinstance(loc[1], int):
            return ("apps", self.app_indices[loc[1]], *loc[2:])
        return loc


def load_team(file: Path, shown: str, settings: Settings) -> TeamFile:
    """Reads and checks `file`; problems name it as `shown`."""
    source = Source(file, shown)
    problems = list(source.problems)
    if source.data is None:
        return TeamFile(source, None, tuple(problems))
    mended: set[Loc] = set()
    try:
        team = Team.model_validate(source.data)
        indices = tuple(range(len(team.apps)))
    except ValidationError as error:
        problems += (explain(source, Team, each) for each in error.errors(include_url=False))
        maybe, indices = _mend_team(source, file.stem, mended)
        if maybe is None:
            return TeamFile(source, None, _one_a_place(problems))
        team = maybe
    loaded = TeamFile(source, team, (), indices)
    for loc, message in check_team(team, settings, file.stem):
        if loaded.file_loc(loc) not in mended:
            problems.append(loaded.problem(loc, message))
    return TeamFile(source, team, _one_a_place(problems), indices)


def _one_a_place(problems: list[Problem]) -> tuple[Problem, ...]:
    """In the file's order; of several problems with one value, the first that was found."""
    first: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.line, problem.column, problem.path), problem)
    return tuple(sorted(first.values()))


def _mend_team(source: Source, name: str, mended: set[Loc]) -> tuple[Team | None, tuple[int, ...]]:
    """A model of a file that has wrong values, so that the checks across keys can still run.

    Wrong values give way to what was plainly meant, or to the default; `mended` says where.
    """
    entries = source.data.get("apps")
    entries = entries if isinstance(entries, tuple) else ()
    apps = {
        index: app
        for index, entry in enumerate(entries)
        if (app := _mend(_APP, source, entry, ("apps", index), mended)) is not None
    }
    rest = {"team": name, **source.data, "apps": ()}
    team = _mend(_TEAM, source, rest, (), mended)
    if team is None:
        return None, ()
    return team.model_copy(update={"apps": tuple(apps.values())}), tuple(apps)


def _mend(adapter: TypeAdapter[Any], source: Source, data: Any, base: Loc, mended: set[Loc]) -> Any:
    data = _thawed(data)
    for _ in range(_MENDING_ROUNDS):
        try:
            return adapter.validate_python(frozen(data), context=LENIENT)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                _mend_value(source, data, base, each, mended)
    return None


def _mend_value(
    source: Source, data: Any, base: Loc, error: ErrorDetails, mended: set[Loc]
) -> None:
    missing = error["type"] == "missing"
    loc = document_loc(source, (*base, *error["loc"]), missing=missing)
    mended.add(loc)
    parent, inner = data, loc[len(base) :]
    if not inner:
        return
    for depth, part in enumerate(inner[:-1]):
        # A list keeps its places or goes as a whole: its entries are told by number.
        if isinstance(inner[depth + 1], int) and len(inner) == depth + 2:
            inner = inner[: depth + 1]
            break
        try:
            parent = parent[part]
        except (KeyError, IndexError, TypeError):
            return
    key, typed = inner[-1], source.raw(loc)
    if not isinstance(parent, dict):
        return
    if missing:
        parent[key] = ""
    elif error["type"] == "string_type" and typed and parent.get(key) not in (None, typed):
        parent[key] = typed
    else:
        parent.pop(key, None)


def _thawed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _thawed(value) for key, value in data.items()}
    return [_thawed(value) for value in data] if isinstance(data, tuple) else data
