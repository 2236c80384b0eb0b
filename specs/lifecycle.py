"""What may become of a team that a stack has: it goes in steps, and never by a missing file.

NIST 800-53 AC-2 (access ends first), CP-9 (what is kept is let go of on purpose).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specs.fleet import SUFFIX, TeamsFolder
from specs.problem import WHOLE_FILE, Problem
from specs.team import Team

GUIDE = "docs/lifecycle.md"


@dataclass(frozen=True)
class Deployed:
    """A team as the last `up` that succeeded left it: its lifecycle, and each app's archetype."""

    lifecycle: str
    apps: Mapping[str, str]


def missing_steps(
    before: Mapping[str, Deployed],
    teams: Sequence[Team],
    folder: TeamsFolder,
    stack: str,
    moved: Collection[str],
) -> Iterator[Problem]:
    """A problem for each team of the stack that is gone without having been offboarded.

    `moved` are those that another stack has now.
    """
    now = {team.name for team in teams}
    new = sorted(now - before.keys())
    for name in sorted(before.keys() - now):
        lifecycle = before[name].lifecycle
        if lifecycle == "offboarding" or name in moved:
            continue
        file = folder.path / f"{name}{SUFFIX}"
        if file.exists():
            place = f"Pulumi.{stack}.yaml"
            gone = "is no longer among this stack's teams"
        else:
            place = folder.shown_as(file)
            gone = "has no file any more"
        renamed = (
            f"; {' and '.join(new)} would get nothing of {name}, as a team cannot be renamed"
            if new
            else ""
        )
        message = (
            f"{name} {gone}, but it is still {lifecycle}{renamed}; put it back, set `lifecycle: "
            f"offboarding` in its file, run `up`, and only then take it away ({GUIDE})"
        )
        yield Problem(place, 1, 1, WHOLE_FILE, message)


def maybe_renamed(before: Mapping[str, Deployed], teams: Sequence[Team]) -> Iterator[str]:
    """A line for each app that goes while one of its archetype comes: what that means if meant so.

    Objects are known by the app's name, so a new name means new objects.
    """
    for team in teams:
        had = before[team.name].apps if team.name in before else {}
        has = {app.name: app.archetype for app in team.deployed}
        for old in sorted(had.keys() - has.keys()):
            new = [name for name, kind in has.items() if name not in had and kind == had[old]]
            if new:
                yield (
                    f"{team.name}: the app {old} goes and {' or '.join(new)} comes. If that is a "
                    f"new name for it: all objects of {old} are deleted and made anew under the "
                    f"new name, and what calls {old} by its name no longer finds it ({GUIDE})"
                )
