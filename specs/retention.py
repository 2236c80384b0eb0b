"""Whether Harbor's retention keeps the images that a team runs.

In each repository it keeps the images pushed last, in use or not, and deletes the others
(goharbor/harbor: src/pkg/retention/policy/rule/latestps).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from specs.image import Image
from specs.problem import Finding, Loc
from specs.team import Team

KEPT: Loc = ("registry", "retention", "mostRecentlyPushed")

_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?")

# How many versions a message names.
_FEW = 5

# As much of a digest as tells two apart: `sha256:` and 8 digits.
_DIGEST_SHOWN = 15


def check_retention(team: Team) -> Iterator[Finding]:
    """Report a retention that keeps fewer images than versions of one repository in use."""
    kept, running = team.registry.retention.most_recently_pushed, _most_versions(team)
    if running and len(running[1]) > kept:
        repository, versions = running
        yield (
            KEPT,
            f"keeps {kept} in each repository, but the apps run {len(versions)} versions of "
            f"{repository} ({_listed(versions)}), so Harbor deletes images in use; "
            f"keep at least {len(versions)}",
        )


def warn_of_retention(team: Team) -> Iterator[Finding]:
    """Warn if it keeps just as many: the next push deletes one before the file stops naming it."""
    kept, running = team.registry.retention.most_recently_pushed, _most_versions(team)
    if running and len(running[1]) == kept:
        repository, versions = running
        yield (
            KEPT,
            f"keeps {kept} in each repository, exactly as many as run from {repository} "
            f"({_listed(versions)}), so the next push there deletes one that is in use; "
            f"keep at least {kept + 1}",
        )


def is_older(tag: str, than: str) -> bool:
    """Whether a tag is an earlier version than another; False if that is unclear."""
    one, other = _VERSION.fullmatch(tag), _VERSION.fullmatch(than)
    return bool(one and other and _order(one) < _order(other))


def _most_versions(team: Team) -> tuple[str, list[str]] | None:
    """The repository of the team's project with the most versions in use, and these versions."""
    images: dict[str, list[Image]] = {}
    for image in (each for app in team.deployed for each in app.app.images):
        if image.repository.split("/")[1:2] == [team.name]:
            images.setdefault(image.repository, []).append(image)
    versions = {repository: _versions(each) for repository, each in images.items()}
    if not versions:
        return None
    repository = max(sorted(versions), key=lambda each: len(versions[each]))
    return repository, versions[repository]


def _versions(images: Sequence[Image]) -> list[str]:
    """What differs for certain: Harbor keeps digests, and one may have several tags."""
    pinned = {(image.digest, image.tag) for image in images if image.digest}
    tags = dict(sorted(pinned))
    digests = Counter(tag for _, tag in pinned)
    return sorted(
        {
            *(
                tag if digests[tag] == 1 else f"{tag}@{digest[:_DIGEST_SHOWN]}"
                for digest, tag in tags.items()
            ),
            *(image.tag for image in images if image.tag not in digests),
        }
    )


def _listed(versions: list[str]) -> str:
    more = len(versions) - _FEW
    return ", ".join(versions[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _order(version: re.Match[str]) -> tuple[object, ...]:
    """The order of Semantic Versioning: a pre-release is lower than its release."""
    numbers = [int(number) for number in version[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    if version[2] is None:
        return (numbers, True)
    before = [
        (not part.isdecimal(), int(part) if part.isdecimal() else part)
        for part in version[2].split(".")
    ]
    return (numbers, False, before)
