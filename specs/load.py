"""Reads one team's file: its model if it is valid, and every problem in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from specs.base import Spec
from specs.capacity import Capacity, capacity
from specs.checks import check_team
from specs.explain import ARCHETYPES, explain, meant_archetype, unknown_archetype
from specs.files import with_texts
from specs.fit import check_quota, full_scale
from specs.problem import Loc, Problem, one_a_place
from specs.repair import Repaired, repair_team
from specs.settings import Settings
from specs.source import Source
from specs.team import Team
from specs.warnings import check_warnings


@dataclass(frozen=True)
class TeamFile:
    """A team's file after reading.

    `team` is valid if `problems` is empty; otherwise it is a best guess. `warnings` do not block
    anything. `capacity` is None if the team is not what the file says.
    """

    source: Source
    team: Team | None
    problems: tuple[Problem, ...]
    # For each of `team.apps`, its index in the file: apps that cannot be parsed are left out.
    app_indices: tuple[int, ...] = ()
    warnings: tuple[Problem, ...] = ()
    capacity: Capacity | None = None

    def problem(self, loc: Loc, message: str) -> Problem:
        """A problem at a place in `team`, reported at its place in the file."""
        return self.source.problem(self.file_loc(loc), message)

    def file_loc(self, loc: Loc) -> Loc:
        """The place in the file that corresponds to a place in `team`."""
        if loc[:1] == ("apps",) and len(loc) > 1 and isinstance(loc[1], int):
            return ("apps", self.app_indices[loc[1]], *loc[2:])
        return loc


def load_team(file: Path, shown: str, settings: Settings) -> TeamFile:
    """Read and check `file`; problems name it as `shown`."""
    return check_source(Source(file, shown), settings)


def check_source(source: Source, settings: Settings) -> TeamFile:
    """Check a file that has been read."""
    name = source.file.stem
    problems = list(source.problems)
    if source.data is None:
        return TeamFile(source, None, tuple(problems))
    data, misnamed = _with_meant_archetypes(source)
    problems += misnamed
    repaired = Repaired()
    try:
        team = Team.model_validate(data)
        indices = tuple(range(len(team.apps)))
    except ValidationError as error:
        problems += (explain(source, data, Team, each) for each in error.errors(include_url=False))
        maybe, indices = repair_team(source, data, name, repaired)
        if maybe is None:
            return TeamFile(source, None, one_a_place(problems))
        team = maybe
    for loc in _left_empty(source, team, ()):
        problems.append(source.problem(loc, "is empty; write null for no limit, or an amount"))
        repaired.locs.add(loc)
    team, found = with_texts(team, source.file.parent)
    # The sums of a repaired file would be wrong.
    as_written = not problems
    loaded = TeamFile(source, team, (), indices)
    for loc, message in (*found, *check_team(team, settings, name)):
        if loaded.file_loc(loc) in repaired.quoted:
            problems.insert(0, loaded.problem(loc, message))
        elif not repaired.touches(loaded.file_loc(loc)):
            problems.append(loaded.problem(loc, message))
    warnings: tuple[Problem, ...] = ()
    amounts = capacity(team, settings) if as_written else None
    if amounts:
        problems += (loaded.problem(*finding) for finding in check_quota(amounts))
        if not problems:
            found = (*check_warnings(team, settings), *full_scale(amounts))
            warnings = tuple(loaded.problem(*finding) for finding in found)
    if not problems:
        source.forget_places()
    return TeamFile(source, team, one_a_place(problems), indices, warnings, amounts)


def _left_empty(source: Source, spec: Spec, at: Loc) -> Iterator[Loc]:
    """Keys whose null lifts a limit but that are empty: YAML reads an empty value as null too."""
    for name in spec.model_fields_set:
        field, value = type(spec).model_fields[name], getattr(spec, name)
        loc = (*at, field.alias or name)
        if isinstance(value, Spec):
            yield from _left_empty(source, value, loc)
        elif value is None and field.default is not None and not source.raw(loc):
            yield loc


def _with_meant_archetypes(source: Source) -> tuple[dict[str, Any], list[Problem]]:
    """The file's data with misspelt archetypes corrected, so that their apps are checked too."""
    problems: list[Problem] = []
    apps = source.data.get("apps")
    if not isinstance(apps, tuple):
        return source.data, problems
    entries = list(apps)
    for index, entry in enumerate(apps):
        if not isinstance(entry, dict) or entry.get("archetype") in list(ARCHETYPES):
            continue
        if meant := meant_archetype(source, index):
            problems.append(unknown_archetype(source, index))
            entries[index] = {**entry, "archetype": meant}
    return {**source.data, "apps": tuple(entries)}, problems
