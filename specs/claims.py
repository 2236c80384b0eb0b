"""Volumes that exist already: what may change about them, and which stay without an app.

NIST 800-53 CP-9, SI-12.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specs.base import storage
from specs.fleet import SUFFIX, TeamsFolder
from specs.problem import Finding, Loc, Problem
from specs.source import Source
from specs.team import Team
from specs.volumes import Volume

_GUIDE = "docs/lifecycle.md#volumes"


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim in the stack's state.

    `kept`: it stays when it is no longer in the team's file. `size` is None if it never came to be
    as a whole.
    """

    name: str
    kept: bool
    size: str | None = None
    access_modes: tuple[str, ...] = ()
    storage_class: str | None = None


Claims = Mapping[str, Claim]  # of one team, by name


def kept(team: Team, before: Claims) -> tuple[Claim, ...]:
    """Claims that are no longer in the team's file, and stay."""
    named = {app.claim(volume) for app in team.apps for volume in app.app.volumes}
    return tuple(before[name] for name in sorted(before.keys() - named) if before[name].kept)


def without_app(before: Mapping[str, Claims], teams: Sequence[Team]) -> Iterator[str]:
    """A line for each team with claims that stay although no app uses them."""
    for team in teams:
        found = kept(team, before.get(team.name, {}))
        if named := ", ".join(f"{claim.name} ({claim.size})" for claim in found):
            yield f"{team.name}: volumes that no app uses stay with their data: {named} ({_GUIDE})"


def refused_changes(
    before: Mapping[str, Claims], teams: Sequence[Team], folder: TeamsFolder
) -> Iterator[Problem]:
    """A problem for each change of a volume that the API server would refuse."""
    for team in teams:
        if found := list(_refused(team, before.get(team.name, {}))):
            file = folder.path / f"{team.name}{SUFFIX}"
            source = Source(file, folder.shown_as(file))
            yield from (source.problem(*finding) for finding in found)


def _refused(team: Team, before: Claims) -> Iterator[Finding]:
    for number, app in enumerate(team.apps):
        for index, volume in enumerate(app.app.volumes):
            if claim := before.get(app.claim(volume)):
                at: Loc = ("apps", number, "app", "volumes", index)
                yield from _differing(volume, claim, at)


def _differing(volume: Volume, claim: Claim, at: Loc) -> Iterator[Finding]:
    if claim.size is None:
        return
    move = f"or add a volume under another name and copy the data ({_GUIDE})"
    if volume.size.units < storage(claim.size).units:
        yield (
            (*at, "size"),
            f"{volume.size} is below {claim.size}, the size of {claim.name}, and a volume cannot "
            f"shrink; write {claim.size} or more, {move}",
        )
    had = ", ".join(claim.access_modes)
    if volume.access_mode != had:
        yield (
            (*at, "accessMode"),
            f"{volume.access_mode} is not the access mode of {claim.name}, which cannot change; "
            f"write {had}, {move}",
        )
    # Without a class in the file, the claim keeps the one that it has.
    if volume.storage_class is not None and volume.storage_class != claim.storage_class:
        do = f"write {claim.storage_class}" if claim.storage_class else "leave it out"
        yield (
            (*at, "storageClass"),
            f"{volume.storage_class} is not the class of {claim.name}, which cannot change; "
            f"{do}, {move}",
        )
