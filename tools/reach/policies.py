"""NetworkPolicies: what each lets through, in the words that `./sre reach` reports."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from specs.openings import EGRESS, INGRESS, Selector, directions, openings, selected
from tools.reach import ports
from tools.reach.edges import Node, Reason, ReasonSide
from tools.reach.mesh import Guard, Identity
from tools.reach.peers import Peer, Peers
from tools.reach.ports import Ports

_SIDES: Mapping[str, ReasonSide] = {EGRESS: "egress", INGRESS: "ingress"}
_UNSELECTED = "no NetworkPolicy selects it, so everything is allowed"
EVERYONE = Peer(None)
_WAYS = {EGRESS: "to", INGRESS: "from"}


@dataclass(frozen=True, eq=False)
class Rule:
    """What one policy opens to one peer."""

    peer: Peer
    ports: Ports
    reason: Reason


@dataclass(frozen=True, eq=False)
class NetworkPolicy:
    """A policy: the pods that it selects, the directions that it closes, and what it opens."""

    name: str
    pods: Selector
    directions: Sequence[str]
    rules: Mapping[str, Sequence[Rule]]

    @property
    def shown(self) -> str:
        """Its kind, namespace and name."""
        return f"NetworkPolicy {self.name}"


@dataclass(frozen=True, eq=False)
class Side:
    """One direction of a pod: what its policies open together.

    `closed_by` are the policies that select it; without any, everything is open.
    """

    direction: str
    closed_by: Sequence[NetworkPolicy]
    rules: Sequence[Rule]

    @property
    def side(self) -> ReasonSide:
        """As reasons name it."""
        return _SIDES[self.direction]

    def lets(self, other: "End", target: "End", named: bool = False) -> list[tuple[Rule, Ports]]:
        """The rules that let the other end through, with the ports that this means at `target`.

        With `named`, rules for everyone do not count, unless no policy closes the direction.
        """
        rules = self.rules
        if named and self.closed_by:
            rules = [rule for rule in rules if not rule.peer.everyone]
        found = ((rule, target.meant(rule.ports)) for rule in rules if other.within(rule.peer))
        return [(rule, there) for rule, there in found if there]


class End(Protocol):
    """One end of a connection."""

    @property
    def node(self) -> Node:
        """As it is reported."""

    def within(self, peer: Peer) -> bool:
        """Whether a policy's peer stands for it, or for all of it."""

    def meant(self, opened: Ports) -> Ports:
        """The ports with the names that this end gives them resolved."""

    def policies(self, direction: str) -> Side:
        """The NetworkPolicies that hold it."""

    @property
    def identity(self) -> Identity:
        """As the mesh sees it."""

    @property
    def guard(self) -> Guard | None:
        """The AuthorizationPolicies that hold what comes in."""

    @property
    def routes(self) -> Sequence[tuple[str, Ports, Reason]]:
        """What VirtualServices send to it from gateways of a namespace, and to which ports."""


def read_policy(policy: Mapping[str, Any], peers: Peers) -> NetworkPolicy:
    """A NetworkPolicy of Kubernetes' API."""
    metadata = policy["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    opened: dict[str, dict[Peer, Ports]] = {EGRESS: {}, INGRESS: {}}
    for each in openings(policy, metadata["namespace"]):
        by_peer, peer = opened[each.direction], peers.of(each.peer)
        by_peer[peer] = by_peer.get(peer, ports.NONE) | ports.of(each.port)
    rules = {
        direction: [
            Rule(peer, open_ports, _opens(name, direction, peer, open_ports))
            for peer, open_ports in by_peer.items()
        ]
        for direction, by_peer in opened.items()
    }
    return NetworkPolicy(name, selected(policy), directions(policy), rules)


def side(direction: str, policies: Sequence[NetworkPolicy]) -> Side:
    """That direction of a pod which these policies select."""
    closing = [each for each in policies if direction in each.directions]
    rules = [rule for each in closing for rule in each.rules[direction]]
    return Side(direction, closing, rules) if closing else unheld(direction, _UNSELECTED)


def unheld(direction: str, why: str) -> Side:
    """A direction that no policy closes."""
    reason = Reason(_SIDES[direction], "", why)
    return Side(direction, (), [Rule(EVERYONE, ports.ALL, reason)])


def stopped(side: Side, other: End) -> Iterator[Reason]:
    """Why a side does not let the other end through: who closes it, and how near others come."""
    near = [rule for rule in side.rules if other.within(rule.peer)]
    for rule in near:
        text = f"opens only {rule.ports.shown} {_WAYS[side.direction]} {rule.peer.shown}"
        yield Reason(side.side, rule.reason.policy, text, allows=False)
    if not near:
        text = (
            f"closes {side.side}, and no policy opens it {_WAYS[side.direction]} {other.node.shown}"
        )
        for each in side.closed_by[:1]:
            yield Reason(side.side, each.shown, text, allows=False)


def _opens(name: str, direction: str, peer: Peer, opened: Ports) -> Reason:
    text = f"opens {opened.shown} {_WAYS[direction]} {peer.shown}"
    return Reason(_SIDES[direction], f"NetworkPolicy {name}", text)
