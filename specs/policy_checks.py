"""What is wrong with network rules whose individual values are valid."""

import ipaddress
from collections.abc import Iterator, Sequence

from specs.network import (
    LAST_PORT,
    EgressRule,
    IngressRule,
    IPBlock,
    LabelSelector,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    network_of,
)
from specs.problem import Finding, Loc

# An `except` with this prefix length or a longer one leaves a block practically whole.
_SIZEABLE = 16


def check_policy(policy: NetworkPolicy, at: Loc) -> Iterator[Finding]:
    """What is wrong with rules whose individual values are valid; `at` is their place."""
    for key, peers, rules in (
        ("additionalIngress", "from", policy.additional_ingress),
        ("additionalEgress", "to", policy.additional_egress),
    ):
        for index, rule in enumerate(rules):
            yield from _check_rule(rule, peers, (*at, key, index))


def _check_rule(rule: IngressRule | EgressRule, key: str, at: Loc) -> Iterator[Finding]:
    for index, peer in enumerate(rule.peers):
        yield from _check_peer(peer, (*at, key, index))
    for index, port in enumerate(rule.ports):
        yield from _check_port_range(port, (*at, "ports", index))
    everyone = (
        not rule.peers
        or any(peer.selects_all for peer in rule.peers)
        or _all_addresses([peer.ip_block for peer in rule.peers if peer.ip_block])
    )
    if everyone and (not rule.ports or _all_ports(rule.ports)):
        yield at, f"allows everything; name who (`{key}`) or which `ports`"


def _all_addresses(blocks: Sequence[IPBlock]) -> bool:
    """Whether the blocks cover nearly all of IPv4 or IPv6, alone or together."""
    networks = [
        network
        for block in blocks
        if (network := network_of(block.cidr))
        and not any(
            excluded.prefixlen <= _SIZEABLE
            for text in block.except_
            if (excluded := network_of(text))
        )
    ]
    v4 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    return any(network.prefixlen == 0 for network in (*v4, *v6))


def _all_ports(ports: Sequence[NetworkPolicyPort]) -> bool:
    """Whether the entries cover every port of a protocol, alone or together."""
    for protocol in {port.protocol for port in ports}:
        ranges = [port.numbers for port in ports if port.protocol == protocol and port.numbers]
        next_port = 1
        for numbers in sorted(ranges, key=lambda numbers: numbers.start):
            if numbers.start <= next_port:
                next_port = max(next_port, numbers.stop)
        if next_port > LAST_PORT:
            return True
    return False


def _check_peer(peer: NetworkPolicyPeer, at: Loc) -> Iterator[Finding]:
    selectors = {"namespaceSelector": peer.namespace_selector, "podSelector": peer.pod_selector}
    given = [key for key, selector in selectors.items() if selector is not None]
    if peer.ip_block is None and not given:
        yield at, "selects nothing; add namespaceSelector, podSelector or ipBlock"
    elif peer.ip_block is not None and given:
        yield (*at, "ipBlock"), f"cannot be combined with {given[0]}; split it into two entries"
    for key, selector in selectors.items():
        if selector is not None:
            yield from _check_selector(selector, (*at, key))
    if peer.ip_block is not None:
        for index, excluded in enumerate(peer.ip_block.except_):
            if not _within(excluded, peer.ip_block.cidr):
                yield (
                    (*at, "ipBlock", "except", index),
                    f"{excluded} is not within {peer.ip_block.cidr}; remove it or widen `cidr`",
                )


def _within(inner: str, outer: str) -> bool:
    small, large = network_of(inner), network_of(outer)
    if small is None or large is None:
        return True
    return small.version == large.version and small != large and small.subnet_of(large)  # type: ignore[arg-type]


def _check_selector(selector: LabelSelector, at: Loc) -> Iterator[Finding]:
    for index, expression in enumerate(selector.match_expressions):
        needs_values = expression.operator in ("In", "NotIn")
        loc: Loc = (*at, "matchExpressions", index, "values")
        if needs_values and not expression.values:
            yield loc, f"must not be empty for {expression.operator}; add a value"
        elif not needs_values and expression.values:
            yield loc, f"applies only to In and NotIn, not to {expression.operator}; remove it"


def _check_port_range(port: NetworkPolicyPort, at: Loc) -> Iterator[Finding]:
    if port.end_port is None:
        return
    if not isinstance(port.port, int):
        yield (*at, "endPort"), "requires a number as `port`, the start of the range; add it"
    elif port.end_port < port.port:
        yield (*at, "endPort"), f"{port.end_port} is below `port` {port.port}; swap them"
