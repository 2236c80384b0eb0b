"""A team's file before it is written: its text, and the origin of each value."""

from pathlib import Path
from typing import Any

from specs.problem import Loc, Problem
from specs.source import Source
from tools.migration.app_draft import AppDraft
from tools.migration.team_text import AppText, app_entry, team_text
from tools.migration.tenant_draft import TenantDraft
from tools.migration.value import Value


class Draft(Source):
    """The file as it would be written; problems are reported at the origin of its values.

    `locs` has the place in the team's file for each reported problem.
    """

    def __init__(self, file: Path, shown: str, tenant: TenantDraft, apps: list[AppDraft]) -> None:
        self.entries: list[AppText] = [app_entry(app) for app in apps]
        text = team_text(tenant.team, tenant.keys, self.entries)
        super().__init__(file, shown, text=text)
        self.locs: dict[Problem, Loc] = {}
        self._origin: dict[str, Any] = {**tenant.keys, "apps": [app.entry for app in apps]}
        self._home = tenant.home

    def problem(self, loc: Loc, message: str, *, at_key: bool = False) -> Problem:
        """Like a Source's, but in the file that the value is from."""
        value, missing = self._find(loc)
        if value is None:
            key = "name" if self._home.kind == "Namespace" else "namespace"
            reported = self._home.problem(("metadata", key), message)
        else:
            reported = value.problem(message, missing, at_key=at_key)
        self.locs[reported] = loc
        return reported

    def raw(self, loc: Loc) -> str:
        """The scalar as typed at its origin."""
        value, missing = self._find(loc)
        if value is None or missing or loc[-1] == "archetype":  # there, it is the chart's name
            return super().raw(loc)
        return value.source.raw(value.loc) or super().raw(loc)

    def _find(self, loc: Loc) -> tuple[Value | None, Loc]:
        found: Any = self._origin
        for depth, step in enumerate(loc):
            if isinstance(found, Value):
                return found.find(loc[depth:])
            try:
                found = found[step]
            except (KeyError, IndexError):
                return None, ()
        return (found, ()) if isinstance(found, Value) else (None, ())
