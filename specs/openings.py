"""What a NetworkPolicy allows, by Kubernetes' rules: its defaults, peers and ports."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specs.network import LAST_PORT, NAMESPACE_NAME

INGRESS, EGRESS = "Ingress", "Egress"
# Where each direction has its rules, and where a rule has its peers.
_RULES = {INGRESS: ("ingress", "from"), EGRESS: ("egress", "to")}
_ALL_PORTS = (1, LAST_PORT)

Selector = Mapping[str, Any]


@dataclass(frozen=True)
class Opening:
    """One peer and one port that a policy opens for `pods`; None means any."""

    direction: str
    pods: Selector
    peer: Mapping[str, Any] | None
    port: Mapping[str, Any] | None

    def covers(self, other: "Opening") -> bool:
        """Whether this one allows everything that the other allows."""
        return (
            self.direction == other.direction
            and selects(self.pods, other.pods)
            and _peer_covers(self.peer, other.peer)
            and _port_covers(self.port, other.port)
        )

    def __str__(self) -> str:
        way = "from" if self.direction == INGRESS else "to"
        return f"{self.direction.lower()} {way} {_peer_shown(self.peer)}, {_port_shown(self.port)}"


def selected(policy: Mapping[str, Any]) -> Selector:
    """The pods of its namespace to which a policy applies; an empty selector means all."""
    return _spec(policy).get("podSelector") or {}


def directions(policy: Mapping[str, Any]) -> list[str]:
    """The directions in which a policy closes the pods that it selects, apart from its openings."""
    spec = _spec(policy)
    # Kubernetes' default: ingress, and egress if there are rules for it.
    return list(spec.get("policyTypes") or [INGRESS, *([EGRESS] if spec.get("egress") else [])])


def openings(policy: Mapping[str, Any], namespace: str) -> Iterator[Opening]:
    """Each peer with each port that a policy of that namespace opens."""
    for direction, (rules, peers) in _RULES.items():
        if direction not in directions(policy):
            continue
        for rule in _spec(policy).get(rules) or ():
            for peer in rule.get(peers) or [None]:
                for port in rule.get("ports") or [None]:
                    there = _in_namespace(peer, namespace)
                    yield Opening(direction, selected(policy), there, port)


def selects(known: Selector, selector: Selector) -> bool:
    """Whether `known` selects all that `selector` does: `selector` has all its requirements."""
    asked = _requirements(selector)
    return all(any(_implies(mine, theirs) for mine in asked) for theirs in _requirements(known))


def selects_all(policy: Mapping[str, Any]) -> bool:
    """Whether a policy applies to every pod of its namespace."""
    return selects(selected(policy), {})


def selector_shown(selector: Selector, everything: str) -> str:
    """A selector in a few words; `everything` is the text for an empty one."""
    return " and ".join(_asked_shown(_requirements(selector))) or everything


def block_covers(known: Mapping[str, Any], block: Mapping[str, Any]) -> bool:
    """Whether the addresses of one ipBlock are all in the other, `known`."""
    if not _contains(known["cidr"], block["cidr"]):
        return False
    left_out = block.get("except") or ()
    return all(
        any(_contains(out, hole) for out in left_out) or not _overlaps(hole, block["cidr"])
        for hole in known.get("except") or ()
    )


def protocol(port: Mapping[str, Any]) -> str:
    """A port's protocol; Kubernetes' default is TCP."""
    return port.get("protocol") or "TCP"


def port_range(port: Mapping[str, Any]) -> tuple[int, int]:
    """The first and last number of a port; every number for one by name, or without either."""
    first = port.get("port")
    return (first, port.get("endPort") or first) if isinstance(first, int) else _ALL_PORTS


def _spec(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = policy.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _in_namespace(peer: Mapping[str, Any] | None, namespace: str) -> Mapping[str, Any] | None:
    """The peer with its namespace: pods alone are in the policy's own namespace."""
    if peer and peer.get("podSelector") is not None and peer.get("namespaceSelector") is None:
        return {**peer, "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}}}
    return peer


def _peer_covers(known: Mapping[str, Any] | None, peer: Mapping[str, Any] | None) -> bool:
    if known is None or known == peer:
        return True
    if peer is None:
        return False
    ours, theirs = known.get("ipBlock"), peer.get("ipBlock")
    if ours or theirs:
        return ours is not None and theirs is not None and block_covers(ours, theirs)
    return all(
        selects(known.get(selector) or {}, peer.get(selector) or {})
        for selector in ("namespaceSelector", "podSelector")
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
    if port is None or protocol(known) != protocol(port):
        return False
    if isinstance(known.get("port"), str) or isinstance(port.get("port"), str):
        return known.get("port") in (None, port.get("port"))
    (low, high), (first, last) = port_range(known), port_range(port)
    return low <= first and last <= high


def _requirements(selector: Selector) -> list[tuple[str, str, frozenset[str]]]:
    """Key, operator and values of each of a selector's requirements."""
    labels = selector.get("matchLabels") or {}
    # In order: objects that the program makes have their labels in any.
    return [(key, "In", frozenset({value})) for key, value in sorted(labels.items())] + [
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
    namespaces = selector_shown(peer.get("namespaceSelector") or {}, "all")
    pods = selector_shown(peer.get("podSelector") or {}, "all pods")
    return f"{pods} of namespaces {namespaces}"


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
    return f"{first}{f'-{last}' if last else ''}/{protocol(port)}"
