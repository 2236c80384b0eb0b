"""What NetworkPolicies let through, by namespace (NIST 800-53 SC-7).

Policies add up, so that one alone says little: held against each other is all that a namespace's
policies let through before and after, and which pods are closed unless a policy opens them.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.review.pair import Hit
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules

_IN, _OUT = "Ingress", "Egress"
_NAMESPACE = "kubernetes.io/metadata.name"
_ALL_PORTS = (0, 65535)

_Selector = Mapping[str, Any]
_Found = Iterator[tuple[RenderedObject, Hit]]


@dataclass(frozen=True)
class _Opening:
    """One peer and one port that a policy opens for the pods it selects; None is any of them."""

    policy: RenderedObject
    direction: str
    peer: Mapping[str, Any] | None
    port: Mapping[str, Any] | None

    @property
    def pods(self) -> _Selector:
        return self.policy.get("spec.podSelector") or {}

    def covers(self, other: "_Opening") -> bool:
        """Whether all that the other lets through, this one does."""
        return (
            self.direction == other.direction
            and _selects(self.pods, other.pods)
            and _peer_covers(self.peer, other.peer)
            and _port_covers(self.port, other.port)
        )

    def __str__(self) -> str:
        way = "from" if self.direction == _IN else "to"
        return (
            f"{self.direction.lower()} {way} {_peer_shown(self.peer)}, {_port_shown(self.port)} "
            f"({self.policy.name})"
        )


def network(base: Side, head: Side) -> _Found:
    """What is open after a change and was not before."""
    for namespace in sorted({each.place for each in head.of("NetworkPolicy", "Namespace")}):
        yield from _openings_found(_policies(base, namespace), _policies(head, namespace))
    for namespace in sorted({each.place for each in base.of("NetworkPolicy")}):
        # A namespace that goes takes its pods along.
        if f"kubernetes/_cluster/Namespace-{namespace}" in head.objects:
            yield from _isolation_lost(_policies(base, namespace), _policies(head, namespace))


def _policies(side: Side, namespace: str) -> list[RenderedObject]:
    return [each for each in side.of("NetworkPolicy") if each.place == namespace]


def _openings_found(before: list[RenderedObject], after: list[RenderedObject]) -> _Found:
    opened = [opening for policy in after for opening in _openings(policy)]
    # In a namespace that is new, what all its pods get is no more than every team has.
    known = [opening for policy in before for opening in _openings(policy)] if before else opened
    for opening in opened:
        mine = known if before else [each for each in known if not each.pods]
        if not any(each.covers(opening) for each in mine):
            yield opening.policy, Hit(Rules.NETWORK, str(opening))


def _isolation_lost(before: list[RenderedObject], after: list[RenderedObject]) -> _Found:
    for policy in before:
        for direction in _directions(policy):
            # One that stays and lets go of its pods is told, even while others still hold them.
            itself = [other for other in after if other.key == policy.key]
            if not any(_closes(other, direction, policy) for other in itself or after):
                pods = _selector_shown(policy.get("spec.podSelector") or {}, "all pods")
                detail = f"{direction.lower()} of {pods}: {policy.name} closed it"
                yield policy, Hit(Rules.ISOLATION, detail)


def _closes(other: RenderedObject, direction: str, policy: RenderedObject) -> bool:
    """Whether the other closes, in that direction, all pods that the policy does."""
    pods, closed = policy.get("spec.podSelector"), other.get("spec.podSelector")
    return direction in _directions(other) and _selects(closed, pods)


def _directions(policy: RenderedObject) -> list[str]:
    given = policy.get("spec.policyTypes")
    # Kubernetes' default: ingress, and egress where there are rules for it.
    return given or [_IN, *([_OUT] if policy.get("spec.egress") else [])]


def _openings(policy: RenderedObject) -> Iterator[_Opening]:
    for direction, rules, peers in ((_IN, "ingress", "from"), (_OUT, "egress", "to")):
        if direction not in _directions(policy):
            continue
        for rule in policy.get(f"spec.{rules}") or ():
            for peer in rule.get(peers) or [None]:
                for port in rule.get("ports") or [None]:
                    yield _Opening(policy, direction, _in_namespace(peer, policy.place), port)


def _in_namespace(peer: Mapping[str, Any] | None, namespace: str) -> Mapping[str, Any] | None:
    """The peer with its namespace named: pods alone are those of the policy's own."""
    if peer and "podSelector" in peer and "namespaceSelector" not in peer:
        return {**peer, "namespaceSelector": {"matchLabels": {_NAMESPACE: namespace}}}
    return peer


def _peer_covers(known: Mapping[str, Any] | None, peer: Mapping[str, Any] | None) -> bool:
    if known is None or known == peer:
        return True
    if peer is None:
        return False
    if "ipBlock" in known or "ipBlock" in peer:
        return (
            "ipBlock" in known
            and "ipBlock" in peer
            and _block_covers(known["ipBlock"], peer["ipBlock"])
        )
    return all(
        _selects(known.get(selector) or {}, peer.get(selector) or {})
        for selector in ("namespaceSelector", "podSelector")
    )


def _block_covers(known: Mapping[str, Any], block: Mapping[str, Any]) -> bool:
    if not _contains(known["cidr"], block["cidr"]):
        return False
    left_out = block.get("except") or ()
    return all(
        any(_contains(out, hole) for out in left_out) or not _overlaps(hole, block["cidr"])
        for hole in known.get("except") or ()
    )


def _contains(outer: str, inner: str) -> bool:
    wide, narrow = (ipaddress.ip_network(cidr, strict=False) for cidr in (outer, inner))
    return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


def _overlaps(one: str, other: str) -> bool:
    first, second = (ipaddress.ip_network(cidr, strict=False) for cidr in (one, other))
    return first.version == second.version and first.overlaps(second)


def _port_covers(known: Mapping[str, Any] | None, port: Mapping[str, Any] | None) -> bool:
    if known is None:
        return True
    if port is None or known.get("protocol", "TCP") != port.get("protocol", "TCP"):
        return False
    if isinstance(known.get("port"), str) or isinstance(port.get("port"), str):
        return known.get("port") == port.get("port") or "port" not in known
    (low, high), (first, last) = _range(known), _range(port)
    return low <= first and last <= high


def _range(port: Mapping[str, Any]) -> tuple[int, int]:
    first = port.get("port")
    return (first, port.get("endPort") or first) if isinstance(first, int) else _ALL_PORTS


def _selects(known: _Selector | None, selector: _Selector | None) -> bool:
    """Whether `known` selects all that `selector` does: each thing it asks for is asked for."""
    asked = _requirements(selector or {})
    return all(
        any(_implies(mine, theirs) for mine in asked) for theirs in _requirements(known or {})
    )


def _requirements(selector: _Selector) -> list[tuple[str, str, frozenset[str]]]:
    """Key, operator and values of each thing that a selector asks for."""
    labels = selector.get("matchLabels") or {}
    return [(key, "In", frozenset({value})) for key, value in labels.items()] + [
        (each["key"], each["operator"], frozenset(each.get("values") or ()))
        for each in selector.get("matchExpressions") or ()
    ]


def _implies(
    mine: tuple[str, str, frozenset[str]], theirs: tuple[str, str, frozenset[str]]
) -> bool:
    (key, operator, values), (other, wanted, allowed) = mine, theirs
    if key != other:
        return False
    if wanted == "Exists":
        return operator in ("Exists", "In")
    if wanted == "In":
        return operator == "In" and values <= allowed
    if wanted == "NotIn":
        return operator == "DoesNotExist" or (
            values >= allowed if operator == "NotIn" else operator == "In" and not values & allowed
        )
    return operator == wanted


def _peer_shown(peer: Mapping[str, Any] | None) -> str:
    if peer is None:
        return "anywhere"
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        without = ", ".join(block.get("except") or ())
        return f"{block['cidr']}{f' except {without}' if without else ''}"
    namespaces = _selector_shown(peer.get("namespaceSelector") or {}, "all")
    pods = _selector_shown(peer.get("podSelector") or {}, "all pods")
    return f"{pods} of namespaces {namespaces}"


def _selector_shown(selector: _Selector, everything: str) -> str:
    return " and ".join(_asked_shown(_requirements(selector))) or everything


def _asked_shown(asked: Iterable[tuple[str, str, frozenset[str]]]) -> Iterator[str]:
    for key, operator, values in asked:
        if operator == "In" and len(values) == 1:
            yield f"{key}={next(iter(values))}"
        else:
            yield " ".join(filter(None, (key, operator, ",".join(sorted(values)))))


def _port_shown(port: Mapping[str, Any] | None) -> str:
    if port is None:
        return "all ports"
    first, last = port.get("port", "all ports"), port.get("endPort")
    return f"{first}{f'-{last}' if last else ''}/{port.get('protocol', 'TCP')}"
