"""Which stack has which teams, and a warning for what no stack has, or a stack no longer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specs.fleet import TeamsFolder, wrong_teams
from specs.problem import Problem
from specs.settings import PREFIX
from specs.source import Source
from specs.stack_file import TEAMS, layers_of, stack_names

# Has all teams, to try the program, and its addresses from the environment; any other stack is for
# production.
SANDBOX = "dev"

_AT = ("config", TEAMS)


@dataclass(frozen=True)
class StackTeams:
    """A stack as far as its files can be read, and the teams that it lists, or all."""

    name: str
    source: Source
    config: Mapping[str, Any]
    teams: tuple[str, ...]
    all_teams: bool

    @property
    def platform(self) -> bool:
        """Whether it manages what all tenants share."""
        return self.config.get(f"{PREFIX}platform") is True

    @property
    def empty(self) -> bool:
        """Whether it has nothing to do."""
        return not (self.teams or self.all_teams or self.platform)


def stacks_of(root: Path, folder: TeamsFolder) -> Iterator[StackTeams]:
    """The project's stacks whose teams have their files in the folder, and that say which."""
    for name in stack_names(root):
        layers = layers_of(root, name)
        config = layers.config
        place = root / str(config.get(f"{PREFIX}tenants", "tenants"))
        teams = config.get(TEAMS)
        if place.resolve() == folder.path.resolve() and (isinstance(teams, tuple) or teams == "*"):
            listed = () if teams == "*" else tuple(map(str, teams))
            yield StackTeams(name, layers.source, config, listed, teams == "*")


def warn_of_stacks(root: Path, folder: TeamsFolder) -> Iterator[Problem]:
    """A warning for each team that no production stack has, and each stack whose teams are gone.

    Any stack but the sandbox's is for production. If there is none, no team needs one.
    """
    stacks = [stack for stack in stacks_of(root, folder) if stack.name != SANDBOX]
    names = folder.names()
    for stack in stacks:
        for index, message in wrong_teams(stack.teams, names, folder.shown):
            yield stack.source.problem((*_AT, index), message)
        if stack.empty:
            yield stack.source.problem(_AT, _left_over(stack.name))
    if not stacks or any(stack.all_teams for stack in stacks):
        return
    placed = {team for stack in stacks for team in stack.teams}
    for file in folder.files():
        if file.stem not in placed:
            yield Source(file, folder.shown_as(file)).problem(("team",), _nowhere(file.stem))


def _left_over(stack: str) -> str:
    return (
        f"is empty, so this stack has nothing to do; once `up` has deleted what it had, run "
        f"`pulumi stack rm {stack}`, which deletes this file too (docs/lifecycle.md#offboard)"
    )


def _nowhere(team: str) -> str:
    return (
        f"no production stack has {team}, so nothing deploys it; add Pulumi.{team}.yaml, or the "
        "name in another stack's file (docs/operations.md#add-or-move-a-team)"
    )
