"""NetworkPolicies: whether two let the same through, or one less than the other."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

HINT = "write its rules under `networkPolicy` of the apps that need them"
WIDER = "which opens wider; accept that (--partial), or tell the platform team"

INGRESS, EGRESS = "Ingress", "Egress"
_PEERS = {INGRESS: "from", EGRESS: "to"}

_KEYS = {"podSelector", "policyTypes", "ingress", "egress"}
_EVERY_IPV4 = "0.0.0.0/0"

# What reading a policy raises that the API server would refuse.
_MALFORMED = (AttributeError, TypeError, ValueError)

# A peer and a port; None stands for everybody, and for all ports.
_Pair = tuple[Any, Any]


def same(one: Mapping[str, Any], other: Mapping[str, Any], *, is_ipv4: bool = False) -> bool:
    """Whether two NetworkPolicies let the same through, however they are written.

    With `is_ipv4`, all addresses of IPv4 are everybody.
    """
    try:
        return _policy(one, is_ipv4) == _policy(other, is_ipv4)
    except _MALFORMED:
        return False


def is_covered(policy: Mapping[str, Any], made: Iterable[Mapping[str, Any]]) -> bool:
    """Whether those made let everything through that this one does, to all pods of a namespace."""
    try:
        _, rules, others = _policy(policy, is_ipv4=True)
        known = [_policy(each, is_ipv4=True) for each in made]
        return not others and all(
            any(
                _covers(wide, pair)
                for every, ours, _ in known
                if not every
                for wide in ours.get(kind, ())
            )
            for kind, pairs in rules.items()
            for pair in pairs
        )
    except _MALFORMED:
        return False


def denies_all(policy: Mapping[str, Any]) -> bool:
    """Whether it lets nothing through, and so only closes what no other policy opens."""
    try:
        _, rules, others = _policy(policy, is_ipv4=False)
    except _MALFORMED:
        return False
    return not others and not any(rules.values())


def closed(policies: Iterable[Mapping[str, Any]]) -> set[str]:
    """The directions in which some policy closes all pods of a namespace, bar what is allowed."""
    found: set[str] = set()
    for policy in policies:
        try:
            selector, rules, _ = _policy(policy, is_ipv4=False)
        except _MALFORMED:
            continue
        if not selector:
            found |= rules.keys()
    return found


def directions(policy: Mapping[str, Any]) -> set[str]:
    """The directions that a sound policy is about."""
    return set(_policy(policy, is_ipv4=False)[1])


def _policy(policy: Mapping[str, Any], is_ipv4: bool) -> tuple[Any, dict[str, Any], frozenset[str]]:
    spec = policy.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    types = spec.get("policyTypes") or [INGRESS, *([EGRESS] if spec.get("egress") else [])]
    rules = {
        kind: frozenset(
            each for rule in spec.get(kind.lower()) or () for each in _allowed(rule, peers, is_ipv4)
        )
        for kind, peers in _PEERS.items()
        if kind in types
    }
    return _selector(spec.get("podSelector") or {}), rules, frozenset(spec.keys() - _KEYS)


def _allowed(rule: Any, peers: str, is_ipv4: bool) -> Iterator[_Pair]:
    """Each peer with each port."""
    for peer in [_peer(each, is_ipv4) for each in rule.get(peers) or ()] or [None]:
        for port in [_port(each) for each in rule.get("ports") or ()] or [None]:
            yield peer, port


def _peer(peer: Mapping[str, Any], is_ipv4: bool) -> Any:
    if is_ipv4 and dict(peer) == {"ipBlock": {"cidr": _EVERY_IPV4}}:
        return None
    known = {
        key: _selector(value) if key.endswith("Selector") else _frozen(value)
        for key, value in peer.items()
    }
    return frozenset(known.items())


def _port(port: Mapping[str, Any]) -> Any:
    return frozenset({"protocol": "TCP", **port}.items())


def _selector(selector: Mapping[str, Any] | None) -> Any:
    """Labels that must be equal are one way to write it, `In` with one value is another."""
    if selector is None:
        return None
    labels: set[Any] = {
        (key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()
    }
    for each in selector.get("matchExpressions") or ():
        labels.add((each.get("key"), each.get("operator"), tuple(sorted(each.get("values") or ()))))
    return frozenset(labels)


def _covers(wide: _Pair, narrow: _Pair) -> bool:
    return _peer_covers(wide[0], narrow[0]) and _port_covers(wide[1], narrow[1])


def _peer_covers(wide: Any, narrow: Any) -> bool:
    if wide is None or wide == narrow:
        return True
    if narrow is None:
        return False
    ours, theirs = dict(wide), dict(narrow)
    if "ipBlock" in ours and "ipBlock" in theirs:
        return _block_covers(dict(ours["ipBlock"]), dict(theirs["ipBlock"]))
    if "ipBlock" in ours or "ipBlock" in theirs:
        return False
    spaces = ours.get("namespaceSelector"), theirs.get("namespaceSelector")
    if spaces[0] is None or (spaces[1] is None and spaces[0]):
        fits = spaces == (None, None)
    else:
        fits = spaces[0] <= (spaces[1] or frozenset())
    pods: Sequence[Any] = [each.get("podSelector") or frozenset() for each in (ours, theirs)]
    return bool(fits and pods[0] <= pods[1])


def _block_covers(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
    try:
        ours, theirs = (ipaddress.ip_network(str(each.get("cidr"))) for each in (wide, narrow))
    except ValueError:
        return False
    is_inside = ours.version == theirs.version and theirs.subnet_of(ours)  # type: ignore[arg-type]
    return is_inside and not wide.get("except")


def _port_covers(wide: Any, narrow: Any) -> bool:
    if wide is None or wide == narrow:
        return True
    if narrow is None:
        return False
    ours, theirs = dict(wide), dict(narrow)
    return "port" not in ours and ours["protocol"] == theirs["protocol"]


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(inner)) for key, inner in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return frozenset(_frozen(inner) for inner in value)
    return value
