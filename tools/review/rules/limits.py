"""How much may be used, and how much must stay (NIST 800-53 SC-5, SC-6, CP-10)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from specs.capacity import RESOURCES, UNLIMITED
from specs.quantity import parse
from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules

# A Deployment's `maxUnavailable`, unless set.
_MISSING = "25%"


def resource_quota(pair: Pair) -> Iterator[Hit]:
    """A namespace's quota."""
    before, after = pair.was("spec.hard") or {}, pair.now("spec.hard") or {}
    if pair.before is None:
        for resource in RESOURCES:
            if resource not in after and resource not in UNLIMITED:
                yield Hit(Rules.NO_LIMIT, f"{resource}: no limit")
    yield from _raised(before, after, "")


def limit_range(pair: Pair) -> Iterator[Hit]:
    """A container's limits, and the least that it must request."""
    if pair.before is None:
        return
    before, after = (
        _by_type(limits) for limits in (pair.was("spec.limits"), pair.now("spec.limits"))
    )
    for kind in before:
        most, former = after.get(kind, {}).get("max") or {}, before[kind].get("max") or {}
        yield from _raised(former, most, f"{kind} ")
        least, former = after.get(kind, {}).get("min") or {}, before[kind].get("min") or {}
        for resource, bound in sorted(former.items()):
            if resource not in least:
                yield Hit(Rules.NO_LIMIT, f"{kind} {resource} at least {bound} -> no minimum")


def autoscaler(pair: Pair) -> Iterator[Hit]:
    """The number of pods that an autoscaler keeps, and whether it adds any."""
    least, former = pair.now("spec.minReplicas", 1), pair.was("spec.minReplicas", 1)
    if pair.before is None:
        former = _replicas(pair)
    if least < former:
        yield Hit(Rules.LESS_SPARE, f"{pair.object.name}: minReplicas {former} -> {least}")
    adds, added = (get("spec.behavior.scaleUp.selectPolicy") for get in (pair.now, pair.was))
    if pair.before and adds != added and adds == "Disabled":
        yield Hit(Rules.LESS_SPARE, f"{pair.object.name}: no pod is added any more")


def _replicas(pair: Pair) -> int:
    """How many pods a new autoscaler's Deployment had before."""
    place = pair.object.place, pair.object.name
    deployments = pair.base.of("Deployment")
    found = [each.get("spec.replicas") for each in deployments if (each.place, each.name) == place]
    return next((replicas for replicas in found if isinstance(replicas, int)), 0)


def disruption_budget(pair: Pair) -> Iterator[Hit]:
    """The number of pods that stay while nodes are drained."""
    (key, bound), (former_key, former) = (_bound(value) for value in (pair.now, pair.was))
    if pair.before is None or (key, bound) == (former_key, former):
        return
    higher = _comparable(bound, former) and _number(bound) > _number(former)
    lower = _comparable(bound, former) and _number(bound) < _number(former)
    if key != former_key:
        yield Hit(Rules.LESS_SPARE, f"{pair.object.name}: {former_key} {former} -> {key} {bound}")
    elif not (higher if key == "minAvailable" else lower):
        yield Hit(Rules.LESS_SPARE, f"{pair.object.name}: {key} {former} -> {bound}")


def _bound(value: Callable[[str], Any]) -> tuple[str, Any]:
    """Which of the two bounds a disruption budget has, and what it is."""
    missing = value("spec.maxUnavailable")
    if missing is not None:
        return "maxUnavailable", missing
    return "minAvailable", value("spec.minAvailable")


def rollout(pair: Pair) -> Iterator[Hit]:
    """How many pods of a Deployment may be missing while a new version replaces the old one."""
    now, was = pair.now("spec.strategy") or {}, pair.was("spec.strategy") or {}
    if pair.before is None or was.get("type") == "Recreate":
        return
    missing, former = (
        (each.get("rollingUpdate") or {}).get("maxUnavailable", _MISSING) for each in (now, was)
    )
    if now.get("type") == "Recreate":
        yield Hit(Rules.LESS_SPARE, f"{pair.object.shown}: no pod runs while it rolls out")
    elif missing != former and not (
        _comparable(missing, former) and _number(missing) < _number(former)
    ):
        yield Hit(Rules.LESS_SPARE, f"{pair.object.shown}: maxUnavailable {former} -> {missing}")


def _raised(before: Mapping[str, Any], after: Mapping[str, Any], of: str) -> Iterator[Hit]:
    for resource, bound in sorted(before.items()):
        if resource not in after:
            yield Hit(Rules.NO_LIMIT, f"{of}{resource} {bound} -> no limit")
        elif parse(str(after[resource])) > parse(str(bound)):
            yield Hit(Rules.QUOTA, f"{of}{resource} {bound} -> {after[resource]}")


def _by_type(limits: Any) -> dict[str, Mapping[str, Any]]:
    return {each.get("type", ""): each for each in limits or ()}


def _comparable(one: Any, other: Any) -> bool:
    """Whether both are numbers of pods, or both percentages."""
    return str(one).endswith("%") == str(other).endswith("%")


def _number(value: Any) -> float:
    text = str(value).removesuffix("%")
    return float(text) if text.isdigit() else 0
