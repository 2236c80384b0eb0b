"""How a team leaves a stack: in steps, and never because a file is missing.

NIST 800-53 AC-2 (access ends first), CP-9 (data is given up deliberately).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from specs.claims import Claims
from specs.fleet import SUFFIX, TeamsFolder
from specs.problem import WHOLE_FILE, Problem
from specs.settings import PREFIX, Settings
from specs.team import Team

GUIDE = "docs/lifecycle.md"
ADOPT_GUIDE = "docs/migration.md"


# How many of a team's remaining objects a message names.
_NAMED = 3


@dataclass(frozen=True)
class Deployed:
    """A team in the stack's state.

    `apps`: each app's archetype. `left`: `Kind name` of what offboarding removes or closes and has
    not yet; empty once a team is offboarded. `held`: what its apps do not have yet, because they
    run under other names. `claims`: its volumes.
    """

    apps: Mapping[str, str]
    left: tuple[str, ...]
    held: tuple[str, ...] = ()
    claims: Claims = field(default_factory=dict)


def cut_short(
    before: Mapping[str, Deployed], teams: Sequence[Team], settings: Settings, stack: str
) -> Iterator[Problem]:
    """A problem for each team whose takeover would be cut short.

    Objects that are held back would be created beside those that they wait for: two routes for one
    host.
    """
    for name in sorted(before.keys() & {team.name for team in teams}):
        if before[name].held and not settings.adopt:
            message = (
                f"still held back: {'; '.join(before[name].held)}; put `{PREFIX}adopt: true` back "
                f"and finish the move ({ADOPT_GUIDE})"
            )
            yield Problem(f"Pulumi.{stack}.yaml", 1, 1, f"{PREFIX}adopt", message)


def missing_steps(
    before: Mapping[str, Deployed],
    teams: Sequence[Team],
    folder: TeamsFolder,
    stack: str,
) -> Iterator[Problem]:
    """A problem for each team of the stack that is gone without having been offboarded."""
    now = {team.name for team in teams}
    new = sorted(now - before.keys())
    for name in sorted(before.keys() - now):
        if not before[name].left:
            continue
        file = folder.path / f"{name}{SUFFIX}"
        if file.exists():
            place = f"Pulumi.{stack}.yaml"
            gone = "is no longer among this stack's teams"
        else:
            place = folder.shown_as(file)
            gone = "no longer has a file"
        renamed = (
            f"; {' and '.join(new)} would not take over {name}'s objects, as a team cannot "
            "be renamed"
            if new
            else ""
        )
        message = (
            f"{name} {gone}, but {_still_there(before[name].left)}{renamed}; put it back, set "
            "`lifecycle: offboarding` in its file, run `up` until it succeeds, and only then "
            f"remove it ({GUIDE})"
        )
        yield Problem(place, 1, 1, WHOLE_FILE, message)


def _still_there(left: Sequence[str]) -> str:
    named, more = list(left[:_NAMED]), len(left) - _NAMED
    if more > 0:
        named.append(f"{more} more")
    if len(named) == 1:
        return f"{named[0]} is still there"
    return f"{', '.join(named[:-1])} and {named[-1]} are still there"


def maybe_renamed(before: Mapping[str, Deployed], teams: Sequence[Team]) -> Iterator[str]:
    """A line for each app that goes while one of its archetype comes, in case a rename is meant.

    Objects are known by the app's name, so a new name means new objects.
    """
    for team in teams:
        had = before[team.name].apps if team.name in before else {}
        has = {app.name: app.archetype for app in team.deployed}
        for old in sorted(had.keys() - has.keys()):
            new = [name for name, kind in has.items() if name not in had and kind == had[old]]
            if new:
                yield (
                    f"{team.name}: the app {old} is removed and {' or '.join(new)} is added. If "
                    "you are "
                    f"renaming it: all objects of {old} are deleted and recreated under the "
                    f"new name, and callers of {old} no longer find it ({GUIDE})"
                )
