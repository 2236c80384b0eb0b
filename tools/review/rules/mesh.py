"""What the mesh admits, and which places outside of it sidecars know (NIST 800-53 AC-4, SC-7)."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from specs.calls import NO_HOST
from specs.hosts import covers
from specs.network import network_of
from specs.openings import block_covers
from tools.reach.mesh import ROOT_NAMESPACE
from tools.review.pair import Hit, Pair, listed
from tools.review.rendered_objects import RenderedObject
from tools.review.review_findings import Rules
from tools.review.rules.workload import TEMPLATES

# What an entry names that has neither hosts nor addresses.
_EVERYWHERE = "every address"
_DRY_RUN = "istio.io/dry-run"
# What is compared by what it names, and not as it is written.
_READ = ("hosts", "addresses", "ports", "exportTo")
_OPERATION = ("ports", "paths", "methods")

# Who is admitted, to a port, a path and with a method; None: to any.
_Grant = tuple[str | None, ...]


def authorization_policy(pair: Pair) -> Iterator[Hit]:
    """Callers whom a policy newly admits, or to more; a policy that only records from now on."""
    shown = pair.object.shown
    if pair.before and _dry(pair.now) and not _dry(pair.was):
        yield Hit(Rules.MESH_AUDIT, f"{shown} refuses no one any more")
    now, was = pair.now("spec") or {}, pair.was("spec") or {}
    if now == was or (pair.before is None and _is_first(pair, now)):
        return
    if pair.before and _apart_from_rules(now) != _apart_from_rules(was):
        yield Hit(Rules.MESH_WIDER, f"{shown} applies to other pods, or in another way")
        return
    if now.get("action", "ALLOW") != "ALLOW":
        yield Hit(Rules.MESH_WIDER, f"{shown} does not only admit callers")
        return
    known = [grant for rule in was.get("rules") or () for grant in _grants(rule) or ()]
    for rule in now.get("rules") or ():
        if rule in (was.get("rules") or ()):
            continue
        grants = _grants(rule)
        if grants is None:
            yield Hit(Rules.MESH_WIDER, f"{shown} has a rule that no review reads")
            continue
        for grant in grants:
            if not any(_covers(each, grant) for each in known):
                yield Hit(Rules.MESH_WIDER, f"{shown} admits {_shown(grant)}")


def service_entry(pair: Pair) -> Iterator[Hit]:
    """What sidecars of a namespace newly know: hosts, ranges, their ports; and who else does."""
    shown = pair.object.shown
    known = [
        address
        for each in pair.base.of("ServiceEntry")
        if each.place == pair.object.place
        for address in _addresses(each)
    ]
    for place, port in _addresses(pair.object) if pair.after else ():
        if not any(_contains(one, place) and number == port for one, number in known):
            yield Hit(Rules.HOST_OUTSIDE, f"{place}:{port} ({shown})")
    if pair.now("spec.exportTo") != ["."] and pair.now("spec.exportTo") != pair.was(
        "spec.exportTo"
    ):
        yield Hit(Rules.HOST_OUTSIDE, f"{shown} applies to other namespaces, too")
    fields = sorted({*(pair.now("spec") or {}), *(pair.was("spec") or {})})
    led = [field for field in fields if field not in _READ]
    other = [field for field in led if pair.now(f"spec.{field}") != pair.was(f"spec.{field}")]
    if pair.before and other:
        yield Hit(Rules.HOST_OUTSIDE, f"{shown} leads elsewhere: {listed(other)}")


def policy_gone(pair: Pair) -> Iterator[Hit]:
    """What a policy's end means: without the last that admits only some callers, all are admitted.

    Of one that only records, or is for a gateway, nothing is known.
    """
    shown, spec = pair.object.shown, pair.was("spec") or {}
    if _dry(pair.was) or "targetRef" in spec or "targetRefs" in spec:
        return
    if spec.get("action", "ALLOW") != "ALLOW":
        if spec.get("action") in ("DENY", "CUSTOM"):
            yield Hit(Rules.MESH_WIDER, f"{shown} refuses no one any more")
    elif any(_guards(each, pair) for each in pair.head.of("AuthorizationPolicy")):
        yield Hit(
            Rules.NARROWER, f"{shown} is gone: callers that no other policy admits are refused"
        )
    elif _pods_gone(pair):
        yield Hit(Rules.NARROWER, f"{shown} is gone with its pods")
    else:
        detail = "is gone, and no other guards its pods: their sidecars admit everyone"
        yield Hit(Rules.MESH_WIDER, f"{shown} {detail}")


def entry_gone(pair: Pair) -> Iterator[Hit]:
    """What the end of an entry for hosts outside the mesh means: at most, they are refused."""
    spec = pair.was("spec") or {}
    if spec.get("location") != "MESH_EXTERNAL" or spec.get("endpoints"):
        return
    known = [
        address
        for each in pair.head.of("ServiceEntry")
        if each.place == pair.object.place
        for address in _addresses(each)
    ]
    for host, port in _addresses(pair.object):
        if not any(covers(one, host) and number == port for one, number in known):
            detail = f"{host}:{port} is no longer known; a mesh with REGISTRY_ONLY refuses it"
            yield Hit(Rules.NARROWER, f"{detail} ({pair.object.shown})")
            continue
        yield Hit(Rules.NARROWER, f"{host}:{port} stays known by another ({pair.object.shown})")


def _guards(other: RenderedObject, gone: Pair) -> bool:
    """Whether a policy admits only some callers to all pods that one which is gone guarded."""
    if other.place not in (gone.object.place, ROOT_NAMESPACE) or _dry(other.get):
        return False
    spec = other.get("spec") or {}
    if spec.get("action", "ALLOW") != "ALLOW" or "targetRef" in spec or "targetRefs" in spec:
        return False
    return _selected(spec).items() <= _selected(gone.was("spec")).items()


def _pods_gone(pair: Pair) -> bool:
    """Whether there were pods that a policy guarded, and there are none any more."""
    labels = _selected(pair.was("spec"))
    before, after = (
        any(
            each.place == pair.object.place
            and labels.items() <= (each.get(f"{path}.metadata.labels") or {}).items()
            for kind, path in TEMPLATES.items()
            for each in side.of(kind)
        )
        for side in (pair.base, pair.head)
    )
    return before and not after


def _selected(spec: Mapping[str, Any]) -> Mapping[str, str]:
    return (spec.get("selector") or {}).get("matchLabels") or {}


def _is_first(pair: Pair, spec: Mapping[str, Any]) -> bool:
    """Whether a new policy closes more than it opens: before the first one, everyone passes.

    Of a new namespace, only what applies to all its pods is what every team has.
    """
    place = pair.object.place
    if any(each.place == place for each in pair.base.of("AuthorizationPolicy")):
        return False
    existed = f"kubernetes/_cluster/Namespace-{place}" in pair.base.objects
    return existed or "selector" not in spec


def _apart_from_rules(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "rules"}


def _dry(get: Callable[[str], Any]) -> bool:
    return (get("metadata.annotations") or {}).get(_DRY_RUN) == "true"


def _grants(rule: Mapping[str, Any]) -> list[_Grant] | None:
    """Each caller with each port, path and method; None if the rule says anything else."""
    sources = [each.get("source") or {} for each in rule.get("from") or ()]
    operations = [each.get("operation") or {} for each in rule.get("to") or [{}]]
    known = {"principals"}, {"namespaces"}
    if set(rule) - {"from", "to"} or any(set(each) not in known for each in sources):
        return None
    if any(set(each) - set(_OPERATION) for each in operations):
        return None
    who = [
        f"{kind.removesuffix('s')} {name}"
        for source in sources
        for kind, names in source.items()
        for name in names
    ]
    return [
        (caller, *operation)
        for caller in (who if "from" in rule else [None])
        for each in operations
        for operation in product(*(each.get(key) or [None] for key in _OPERATION))
    ]


def _covers(known: _Grant, grant: _Grant) -> bool:
    return all(one in (None, other) for one, other in zip(known, grant, strict=True))


def _shown(grant: _Grant) -> str:
    caller, port, path, method = grant
    to = [f"port {port}" if port else "every port"]
    to += [each for each in (path, method) if each]
    return f"{caller or 'everyone'} to {' '.join(to)}"


def _addresses(entry: RenderedObject) -> list[tuple[str, int]]:
    """Each host or range with each port."""
    ports = [port.get("number", 0) for port in entry.get("spec.ports") or ()]
    ranges = [*(entry.get("spec.addresses") or ())]
    hosts = [host for host in entry.get("spec.hosts") or () if not host.endswith(NO_HOST)]
    return [(place, port) for place in [*hosts, *ranges] or [_EVERYWHERE] for port in ports]


def _contains(known: str, place: str) -> bool:
    """Whether a host, a wildcard or a range stands for all that another does."""
    if known == _EVERYWHERE or place == _EVERYWHERE:
        return known == place
    both = [network_of(each) for each in (known, place)]
    if all(both):
        return block_covers({"cidr": known}, {"cidr": place})
    return covers(known, place)
