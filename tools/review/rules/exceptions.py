"""Exceptions from the hardening, as a Deployment or CronJob lists them (NIST 800-53 CM-6)."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from specs.exceptions import EXCEPTIONS_ANNOTATION, controls
from tools.review.pair import Hit, Pair
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules

_Listed = Mapping[str, Mapping[str, str]]  # by what each allows


def exceptions(pair: Pair) -> Iterator[Hit]:
    """Each that is new, ends on another day, or has another owner or reason; and each that ends."""
    now, was = _listed(pair.now), _listed(pair.was)
    for allow, one in now.items():
        before, owner = was.get(allow), f"{one['ticket']}, approved by {one['approvedBy']}"
        if before == one:
            continue
        if before is None:
            said = f"{allow} until {one['until']} ({owner}): {one['reason']}"
        elif before["until"] == one["until"]:
            said = f"{allow} until {one['until']} is changed ({owner}): {one['reason']}"
        else:
            days = f"{before['until']} -> {one['until']}"
            said = f"{allow} until {days} ({owner}): {one['reason']}"
        sooner = before is not None and {**one, "until": ""} == {**before, "until": ""}
        sooner = sooner and one["until"] < before["until"]
        yield Hit(Rules.EXCEPTION_ENDED if sooner else Rules.EXCEPTION, said, controls(allow))
    for allow in was.keys() - now.keys():
        yield Hit(Rules.EXCEPTION_ENDED, f"{allow} is no longer allowed", controls(allow))


def exceptions_differ(pair: Pair) -> bool:
    """Whether the app that an object is named after has other exceptions than before."""
    was, now = (_exceptions_of(pair.object, side) for side in (pair.base, pair.head))
    return was != now


def _exceptions_of(named: RenderedObject, side: Side) -> list[_Listed]:
    keys = (f"kubernetes/{named.place}/{kind}-{named.name}" for kind in ("Deployment", "CronJob"))
    return [_listed(side.objects[key].get) for key in keys if key in side.objects]


def _listed(get: Callable[..., Any]) -> _Listed:
    annotations = get("metadata.annotations") or {}
    listed = json.loads(annotations.get(EXCEPTIONS_ANNOTATION, "[]"))
    return {each["allow"]: each for each in listed}
