"""NetworkPolicies: whether two allow the same, or one less than the other."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from specs.openings import Opening, directions, openings, selected, selects, selects_all

HINT = "write its rules under `networkPolicy` of the apps that need them"
WIDER = "which opens more; accept that (--partial), or contact the platform team"

_KEYS = {"podSelector", "policyTypes", "ingress", "egress"}
_PEER_KEYS = {"podSelector", "namespaceSelector", "ipBlock"}
_PORT_KEYS = {"port", "endPort", "protocol"}
_EVERY_IPV4 = "0.0.0.0/0"

# Errors when reading a policy that the API server would reject.
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)


def same(one: Mapping[str, Any], other: Mapping[str, Any], *, is_ipv4: bool = False) -> bool:
    """Whether two NetworkPolicies allow the same, however they are written.

    With `is_ipv4`, all addresses of IPv4 count as everyone.
    """
    try:
        return (
            set(directions(one)) == set(directions(other))
            and selects(selected(one), selected(other))
            and selects(selected(other), selected(one))
            and _all_covered(one, [other], is_ipv4)
            and _all_covered(other, [one], is_ipv4)
        )
    except _MALFORMED:
        return False


def is_covered(policy: Mapping[str, Any], made: Iterable[Mapping[str, Any]]) -> bool:
    """Whether those created allow everything that this one allows, to all pods of a namespace."""
    try:
        return _all_covered(policy, [each for each in made if selects_all(each)], is_ipv4=True)
    except _MALFORMED:
        return False


def denies_all(policy: Mapping[str, Any]) -> bool:
    """Whether it allows nothing, and so only closes what no other policy opens."""
    try:
        return not any(_openings(policy, is_ipv4=False))
    except _MALFORMED:
        return False


def closed(policies: Iterable[Mapping[str, Any]]) -> set[str]:
    """The directions in which some policy closes all pods of a namespace, apart from exceptions."""
    found: set[str] = set()
    for policy in policies:
        try:
            if selects_all(policy):
                found.update(directions(policy))
        except _MALFORMED:
            continue
    return found


def _all_covered(
    policy: Mapping[str, Any], others: Iterable[Mapping[str, Any]], is_ipv4: bool
) -> bool:
    """Whether the others together allow everything that the policy allows."""
    known = [opening for other in others for opening in _openings(other, is_ipv4)]
    return all(
        any(each.covers(opening) for each in known) for opening in _openings(policy, is_ipv4)
    )


def _openings(policy: Mapping[str, Any], is_ipv4: bool) -> Iterator[Opening]:
    """The policy's openings; ValueError if a key does not belong to a NetworkPolicy."""
    _refuse_others(policy.get("spec") or {}, _KEYS)
    for opening in openings(policy, namespace=""):  # the name makes no difference
        _refuse_others(opening.port or {}, _PORT_KEYS)
        if opening.peer is not None:
            _refuse_others(opening.peer, _PEER_KEYS)
            if not any(opening.peer.get(key) is not None for key in _PEER_KEYS):
                raise ValueError("a peer that is nobody")
            if is_ipv4 and dict(opening.peer) == {"ipBlock": {"cidr": _EVERY_IPV4}}:
                opening = replace(opening, peer=None)
        yield opening


def _refuse_others(mapping: Mapping[str, Any], keys: set[str]) -> None:
    if others := mapping.keys() - keys:
        raise ValueError(f"unknown: {others}")
