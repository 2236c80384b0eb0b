"""What the site shows of a stack: its teams, what they use, and what may reach what."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from specs.capacity import RESOURCES, Capacity, capacity
from specs.exception_checks import judged
from specs.exception_list import ListedException, listed_exceptions
from specs.fleet import Fleet, TeamsFolder, load_stack
from specs.problem import ProblemsError
from specs.settings import Settings
from specs.team import Team
from tools.page.live import Live, LiveTeam, per_cent
from tools.reach.edges import Edge
from tools.reach.matrix import edges
from tools.reach.world import KINDS, stack_world
from tools.rendering.documents import MadeObject, made_objects


@dataclass(frozen=True)
class Share:
    """The share of its quota that a team takes of one resource, in per cent, rounded up."""

    resource: str
    rest: int
    full: int


@dataclass(frozen=True)
class TeamFacts:
    """A team, and what concerns it: `edges` are those from and to its apps.

    `live` is what the cluster says of it; None if it was not asked.
    """

    team: Team
    capacity: Capacity
    edges: Sequence[Edge]
    objects: Sequence[MadeObject]
    live: LiveTeam | None = None

    @cached_property
    def exceptions(self) -> list[ListedException]:
        """Those of its apps; the one that ends first comes first."""
        return listed_exceptions([self.team])

    @property
    def tightest(self) -> Share | None:
        """The resource of which its apps take the largest share; None without any limit."""
        shares = [
            Share(resource, per_cent(self.capacity.rest[number], quota), per_cent(full, quota))
            for number, (resource, quota, full) in enumerate(
                zip(RESOURCES, self.capacity.quota, self.capacity.full, strict=True)
            )
            if quota is not None
        ]
        return max(shares, key=lambda share: (share.rest, share.full), default=None)

    @property
    def reaches(self) -> list[str]:
        """Other teams whose apps its apps may reach."""
        return sorted(
            {
                edge.target.team
                for edge in self.edges
                if edge.kind == "cross-team" and edge.source.team == self.team.name
            }
        )

    @property
    def reached_by(self) -> list[str]:
        """Other teams whose apps may reach its apps."""
        return sorted(
            {
                edge.source.team
                for edge in self.edges
                if edge.kind == "cross-team" and edge.target.team == self.team.name
            }
        )


@dataclass(frozen=True)
class FleetFacts:
    """The teams of a stack, by name, and the objects that all share.

    `live` is what the cluster says; None if it was not asked.
    """

    stack: str
    settings: Settings
    teams: Sequence[TeamFacts]
    shared: Sequence[MadeObject]
    live: Live | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        """The teams that have a page."""
        return frozenset(each.team.name for each in self.teams)

    @cached_property
    def exceptions(self) -> list[ListedException]:
        """Those of all teams; the one that ends first comes first."""
        return listed_exceptions(each.team for each in self.teams)


def read_fleet(folder: TeamsFolder, settings: Settings, *, expired: bool) -> Fleet:
    """The stack's teams; `expired`: exceptions that have expired are no problem.

    Raises ProblemsError for problems in files.
    """
    with judged(expiry=not expired):
        fleet = load_stack(folder, settings)
    if fleet.problems:
        raise ProblemsError(*fleet.problems)
    return fleet


def gather(
    root: Path,
    stack: str,
    settings: Settings,
    folder: TeamsFolder,
    teams: Sequence[Team],
    *,
    expired: bool,
    live: Live | None = None,
) -> FleetFacts:
    """What follows from the files of teams that have been checked."""
    names = [team.name for team in teams]
    made = [*made_objects(root, stack, names, folder.path, KINDS, expired=expired)]
    by_team: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges(stack_world((each.content for each in made), folder, settings)):
        for team in {node.team for node in (edge.source, edge.target) if node.kind == "app"}:
            by_team[team].append(edge)
    owned: defaultdict[str, dict[tuple[str, str, str], MadeObject]] = defaultdict(dict)
    for each in made:
        owned[each.team][each.server, each.kind, each.name] = each
    return FleetFacts(
        stack,
        settings,
        [
            TeamFacts(
                team,
                capacity(team, settings),
                by_team[team.name],
                [*owned[team.name].values()],
                live.teams[team.name] if live else None,
            )
            for team in teams
        ],
        [*owned[""].values()],
        live,
    )
