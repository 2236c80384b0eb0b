"""All exceptions of teams, for lists of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from specs.exceptions import HardeningException
from specs.team import Team


@dataclass(frozen=True)
class ListedException:
    """An exception and whose it is."""

    team: str
    app: str
    exception: HardeningException

    @property
    def order(self) -> tuple[Any, ...]:
        """The one that ends first comes first."""
        return self.exception.until, self.team, self.app, self.exception.allow


def listed_exceptions(teams: Iterable[Team]) -> list[ListedException]:
    """Those of all apps; the one that ends first comes first."""
    found = (
        ListedException(team.name, app.name, exception)
        for team in teams
        for app in team.apps
        for exception in app.exceptions
    )
    return sorted(found, key=lambda each: each.order)
