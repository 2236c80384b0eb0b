"""Volumes: what becomes of their data (NIST 800-53 CP-9, SI-12)."""

from collections.abc import Iterator

from specs.quantity import parse
from specs.volumes import ON_REMOVAL
from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules

_SIZE = "spec.resources.requests.storage"


def claim(pair: Pair) -> Iterator[Hit]:
    """A PersistentVolumeClaim: changes that `up` refuses."""
    if pair.before is None:
        return
    size, former = pair.now(_SIZE), pair.was(_SIZE)
    if parse(str(size)) < parse(str(former)):
        yield Hit(Rules.VOLUME, f"{pair.object.shown}: {former} -> {size}")
    mode, former = pair.now("spec.accessModes"), pair.was("spec.accessModes")
    if mode != former:
        yield Hit(Rules.VOLUME, f"{pair.object.shown}: {', '.join(former)} -> {', '.join(mode)}")
    name, former = pair.now("spec.storageClassName"), pair.was("spec.storageClassName")
    if name is not None and name != former:
        yield Hit(Rules.VOLUME, f"{pair.object.shown}: class {former or '(default)'} -> {name}")


def stays(pair: Pair) -> bool:
    """Whether a claim that is no longer in the team's file is kept, as long as the team is."""
    assert pair.before is not None
    annotations = pair.before.get("metadata.annotations") or {}
    return annotations.get(ON_REMOVAL) != "delete" and pair.object.team in pair.head.teams
