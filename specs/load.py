"""Reads one team's file: its model where it is sound, and every problem in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from specs.app import AnyApp
from specs.base import LENIENT
from specs.checks import check_team
from specs.explain import (
    document_loc,
    explain,
    literals,
    meant_archetype,
    unknown_archetype,
)
from specs.names import nearest
from specs.problem import Loc, Problem, one_a_place
from specs.settings import Settings
from specs.source import Source, frozen
from specs.team import Team

# Each round fills in one level more of what is missing.
_MENDING_ROUNDS = 10

# What takes the place of a value by what pydantic says of it. What is missing becomes text first,
# and the next round says what it should have been.
_FILLED_WITH: dict[str, Callable[[], Any]] = {
    "missing": str,
    "model_type": dict,
    "tuple_type": lambda: [""],
    "too_short": lambda: [""],
    "string_too_short": lambda: "-",
}

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
    data, misnamed = _with_meant_archetypes(source)
    problems += misnamed
    mended = _Mended()
    try:
        team = Team.model_validate(data)
        indices = tuple(range(len(team.apps)))
    except ValidationError as error:
        problems += (explain(source, data, Team, each) for each in error.errors(include_url=False))
        maybe, indices = _mend_team(source, data, file.stem, mended)
        if maybe is None:
            return TeamFile(source, None, one_a_place(problems))
        team = maybe
    loaded = TeamFile(source, team, (), indices)
    for loc, message in check_team(team, settings, file.stem):
        if loaded.file_loc(loc) in mended.quoted:
            problems.insert(0, loaded.problem(loc, message))
        elif not mended.touches(loaded.file_loc(loc)):
            problems.append(loaded.problem(loc, message))
    if not problems:
        source.forget_places()
    return TeamFile(source, team, one_a_place(problems), indices)


@dataclass
class _Mended:
    """Where a file's values are not its own any more: checks there would tell of what is not."""

    locs: set[Loc] = field(default_factory=set)
    # Text that only lacked its quotes: what the checks say of it counts, and counts more.
    quoted: set[Loc] = field(default_factory=set)

    def touches(self, loc: Loc) -> bool:
        """Whether the value at `loc`, one around it or one inside it was mended."""
        return any(loc[: len(each)] == each[: len(loc)] for each in self.locs)


def _with_meant_archetypes(source: Source) -> tuple[dict[str, Any], list[Problem]]:
    """The file's data with misspelt archetypes put right, so that their apps are checked too."""
    problems: list[Problem] = []
    apps = source.data.get("apps")
    if not isinstance(apps, tuple):
        return source.data, problems
    entries = list(apps)
    for index, entry in enumerate(apps):
        meant = meant_archetype(source, index)
        if isinstance(entry, dict) and meant and entry.get("archetype") != meant:
            problems.append(unknown_archetype(source, index))
            entries[index] = {**entry, "archetype": meant}
    return {**source.data, "apps": tuple(entries)}, problems


def _mend_team(
    source: Source, data: dict[str, Any], name: str, mended: _Mended
) -> tuple[Team | None, tuple[int, ...]]:
    """A model of a file that has wrong values, so that the checks across keys can still run.

    Wrong values give way to what was plainly meant, or to the default; `mended` says where.
    """
    entries = data.get("apps")
    entries = entries if isinstance(entries, tuple) else ()
    apps = {
        index: app
        for index, entry in enumerate(entries)
        if (app := _mend(_APP, source, entry, ("apps", index), mended)) is not None
    }
    rest = {"team": name, **data, "apps": ()}
    team = _mend(_TEAM, source, rest, (), mended)
    if team is None:
        return None, ()
    return team.model_copy(update={"apps": tuple(apps.values())}), tuple(apps)


def _mend(adapter: TypeAdapter[Any], source: Source, data: Any, base: Loc, mended: _Mended) -> Any:
    data = _thawed(data)
    for _ in range(_MENDING_ROUNDS):
        try:
            return adapter.validate_python(frozen(data), context=LENIENT)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                _mend_value(source, data, base, each, mended)
    return None


def _mend_value(source: Source, data: Any, base: Loc, error: ErrorDetails, mended: _Mended) -> None:
    kind = error["type"]
    inner = document_loc(data, error["loc"], missing=kind == "missing")
    if not inner:
        mended.locs.add(base)
        return
    parent, key = data, inner[-1]
    for part in inner[:-1]:
        parent = parent[part]
    typed = source.raw((*base, *inner))
    if kind == "string_type" and typed and error["input"] is not None:
        mended.quoted.add((*base, *inner))
        parent[key] = typed
        return
    mended.locs.add((*base, *inner))
    if kind == "literal_error":
        parent[key] = nearest(typed, literals(error)) or literals(error)[0]
    elif kind in _FILLED_WITH:
        parent[key] = _FILLED_WITH[kind]()
    elif isinstance(parent, dict):
        parent.pop(key, None)
    else:  # a list keeps its places: its entries are told by number
        parent[key] = ""


def _thawed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _thawed(value) for key, value in data.items()}
    return [_thawed(value) for value in data] if isinstance(data, tuple) else data
