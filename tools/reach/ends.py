"""The two ends of a connection: an app's pods, other pods, and what is outside the cluster."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specs.openings import EGRESS, INGRESS, Selector, block_covers, selects
from specs.selectors import matches
from tools.reach import ports
from tools.reach.edges import Node, Reason
from tools.reach.mesh import Guard, Identity
from tools.reach.peers import Labels, Peer
from tools.reach.policies import EVERYONE, Rule, Side, unheld
from tools.reach.ports import Ports

ANYWHERE = "anywhere"

_INJECT = "sidecar.istio.io/inject"
_BOTH = (EGRESS, INGRESS)
_STATION = "the NetworkPolicies of its namespace are unknown, so it counts as open"
_STATION_SIDES = {each: unheld(each, _STATION) for each in _BOTH}
_OUTSIDE = "outside the cluster, no NetworkPolicy applies"
_OUTSIDE_SIDES = {each: unheld(each, _OUTSIDE) for each in _BOTH}
_UNNAMED = Reason(
    "ingress", "", "no ServiceEntry names it: only a mesh with REGISTRY_ONLY refuses it"
)


@dataclass(frozen=True)
class ContainerPort:
    """A port that a container declares."""

    name: str
    number: int
    protocol: str


@dataclass(frozen=True)
class Namespace:
    """A namespace, with the label that the API server adds."""

    name: str
    labels: Labels


@dataclass(eq=False)
class Pod:
    """All pods of an app: they are made from one template."""

    node: Node
    namespace: Namespace
    labels: Labels
    ports: tuple[ContainerPort, ...]
    account: str
    annotations: Labels
    sides: Mapping[str, Side] = field(default_factory=dict)
    guard: Guard | None = None
    routes: list[tuple[str, Ports, Reason]] = field(default_factory=list)

    @property
    def sidecar(self) -> bool:
        """Whether Istio adds a sidecar, by the labels of its injection."""
        wanted = self.labels.get(_INJECT, self.annotations.get(_INJECT))
        if wanted is not None:
            return wanted == "true"
        labels = self.namespace.labels
        if (enabled := labels.get("istio-injection")) is not None:
            return enabled == "enabled"
        return "istio.io/rev" in labels or "istio.io/rev" in self.labels

    @property
    def identity(self) -> Identity:
        """Its ServiceAccount; none without a sidecar, which would prove it."""
        return Identity(self.namespace.name, self.account, proven=self.sidecar)

    def within(self, peer: Peer) -> bool:
        """A pod's address is not known, so that no block stands for it but the one of all."""
        if peer.everyone:
            return True
        if peer.block or (peer.names is not None and self.namespace.name not in peer.names):
            return False
        return matches(peer.namespaces, self.namespace.labels) and matches(peer.pods, self.labels)

    def meant(self, opened: Ports) -> Ports:
        """Names are those of the containers' ports."""
        if not opened.names:
            return opened
        named = (
            ports.number(each.number, each.protocol)
            for each in self.ports
            if (each.protocol, each.name) in opened.names
        )
        return ports.union([Ports(opened.ranges), *named])

    def policies(self, direction: str) -> Side:
        """Those of its namespace that select it."""
        return self.sides[direction]


@dataclass(frozen=True, eq=False)
class Station:
    """Pods that are not among the objects: those that a policy's peer selects."""

    node: Node
    namespaces: Selector
    pods: Selector
    guard: Guard | None = None
    routes: Sequence[tuple[str, Ports, Reason]] = ()

    @property
    def identity(self) -> Identity:
        """Its account is not known, nor whether anything but a gateway proves an identity."""
        proven = True if self.node.kind == "gateway" else None
        return Identity(self.node.team or None, None, proven=proven)

    def within(self, peer: Peer) -> bool:
        """Whether the peer's selectors follow from its own."""
        if peer.everyone or peer.block:
            return peer.everyone
        return selects(peer.namespaces, self.namespaces) and selects(peer.pods, self.pods)

    def meant(self, opened: Ports) -> Ports:
        """Its containers are not known, so that names stay."""
        return opened

    def policies(self, direction: str) -> Side:
        """Unknown."""
        return _STATION_SIDES[direction]


@dataclass(frozen=True, eq=False)
class Outside:
    """Addresses outside the cluster; a host, whose addresses are unknown; or anywhere.

    `named`: the ports with which ServiceEntries name it, and the reasons; `by_port`: the ports on
    which they let every address through.
    """

    node: Node
    block: Mapping[str, Any] | None = None
    named: tuple[tuple[Ports, Reason], ...] = ()
    by_port: tuple[tuple[Ports, Reason], ...] = ()
    guard: Guard | None = None
    routes: Sequence[tuple[str, Ports, Reason]] = ()

    @property
    def identity(self) -> Identity:
        """None: what is outside is in no mesh."""
        return Identity(None, None, self.block, proven=False)

    @property
    def everything(self) -> bool:
        """Whether it is anywhere, or has all addresses of IPv4 or IPv6."""
        return self.node.app == ANYWHERE or Peer({"ipBlock": self.block}).everyone

    def within(self, peer: Peer) -> bool:
        """Whether the peer's block has all its addresses; a host may have any.

        A block of all addresses with exceptions, such as private ones, opens nearly every host.
        """
        if peer.given is None:
            return True
        if self.block:
            return bool(peer.block and block_covers(peer.block, self.block))
        nearly_all = (peer.block or {}).get("cidr", "").endswith("/0")
        return (peer.everyone or nearly_all) and not self.everything

    def meant(self, opened: Ports) -> Ports:
        """Nothing outside has a port's name."""
        return Ports(opened.ranges)

    def policies(self, direction: str) -> Side:
        """None; a host's ports are those that the mesh knows."""
        if direction == EGRESS or self.node.app == ANYWHERE:
            return _OUTSIDE_SIDES[direction]
        rules = [Rule(EVERYONE, *each) for each in (*self.named, *self.by_port)]
        if self.block:
            rules = [*_OUTSIDE_SIDES[direction].rules, *rules]
        elif not self.named:
            unnamed = ports.ALL - ports.union(there for there, _ in self.by_port)
            rules = [Rule(EVERYONE, unnamed, _UNNAMED), *rules]
        return Side(direction, (), rules)


def outside(peer: Peer) -> Outside:
    """The addresses of a peer's block; without one, anywhere."""
    return Outside(Node("outside", "", peer.shown if peer.block else ANYWHERE), peer.block)


def named_outside(name: str) -> Outside:
    """Addresses as an address or a CIDR; else a host."""
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return Outside(Node("outside", "", name))
    return Outside(Node("outside", "", name), {"cidr": name})


def container_ports(containers: Iterable[Mapping[str, Any]]) -> tuple[ContainerPort, ...]:
    """Those that containers declare."""
    return tuple(
        ContainerPort(each.get("name", ""), each["containerPort"], each.get("protocol") or "TCP")
        for container in containers
        for each in container.get("ports") or ()
    )
