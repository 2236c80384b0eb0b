"""A team's Harbor project: who may pull, what is checked, how much is kept and how long."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules

# Retention counts for which a higher number keeps more.
_KEPT = ("mostRecentlyPushed", "mostRecentlyPulled", "nDaysSinceLastPull", "nDaysSinceLastPush")
_UNTAGGED = "untaggedArtifacts"
_SCHEDULES = ("Weekly", "Daily", "Hourly")


def project(pair: Pair) -> Iterator[Hit]:
    """A Harbor project."""
    name = pair.object.name
    if _now_off(pair, "enableContentTrustCosign"):
        yield Hit(Rules.SIGNATURES, f"Harbor project {name} serves unsigned images")
    if _now_off(pair, "vulnerabilityScanning"):
        yield Hit(Rules.SCAN, f"Harbor project {name}")
    if _truth(pair.now("public")) and not _truth(pair.was("public")):
        yield Hit(Rules.PUBLIC, f"Harbor project {name}")
    if _truth(pair.now("forceDestroy")) and not _truth(pair.was("forceDestroy")):
        yield Hit(Rules.UNPROTECTED, f"Harbor project {name} is deleted with its images")
    if pair.before and _gib(pair.now("storageQuota")) > _gib(pair.was("storageQuota")):
        yield Hit(Rules.QUOTA, f"storage {pair.was('storageQuota')} -> {pair.now('storageQuota')}")


def retention(pair: Pair) -> Iterator[Hit]:
    """Which images a project keeps."""
    if pair.before is None:
        return
    before, after = _rules(pair.was("rules")), _rules(pair.now("rules"))
    for what, rule in before.items():
        yield from _kept_less(what, rule, after.get(what))
    schedule, former = pair.now("schedule"), pair.was("schedule")
    if schedule != former and _often(schedule) >= _often(former):
        yield Hit(Rules.FEWER_KEPT, f"cleaned up {schedule} instead of {former}")


def _kept_less(
    what: tuple[str, str], before: Mapping[str, Any], after: Mapping[str, Any] | None
) -> Iterator[Hit]:
    if after is None:
        yield Hit(Rules.FEWER_KEPT, f"no rule keeps repositories {what[0]}, tags {what[1]}")
        return
    for field in sorted(before.keys() | after.keys()):
        now, was = after.get(field), before.get(field)
        if now == was:
            continue
        if field not in (*_KEPT, _UNTAGGED):
            yield Hit(Rules.UNKNOWN, f"retention: {field} {was} -> {now}")
        elif (now or 0) < (was or 0):
            yield Hit(Rules.FEWER_KEPT, f"{field} {was} -> {now}")


def _truth(value: Any) -> bool:
    # The provider represents some of its booleans as text.
    return value is True or str(value).lower() == "true"


def _now_off(pair: Pair, field: str) -> bool:
    return not _truth(pair.now(field)) and (pair.before is None or _truth(pair.was(field)))


def _gib(quota: Any) -> float:
    return float("inf") if quota in (None, -1) else quota


def _often(schedule: Any) -> int:
    return _SCHEDULES.index(schedule) if schedule in _SCHEDULES else len(_SCHEDULES)


def _rules(rules: Any) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(each.get("repoMatching"), each.get("tagMatching")): each for each in rules or ()}
