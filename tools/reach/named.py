"""What a name stands for, and the platform's own names: its services, gateways and Prometheus."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from specs.hosts import plain
from specs.network import NAMESPACE_NAME
from specs.openings import EGRESS, INGRESS
from specs.settings import MONITORING, PlatformService, Settings
from tools.reach import ports
from tools.reach.edges import Kind, Node
from tools.reach.peers import Peer
from tools.reach.ports import Ports
from tools.reach.world import World


@dataclass(frozen=True)
class Named:
    """Nodes, or without any all of a namespace; and ports, if any are named.

    `shown` is the name as it was given, with what a name of the platform stands for.
    """

    nodes: tuple[Node, ...]
    shown: str
    team: str = ""
    asked: Ports = ports.ALL

    def has(self, node: Node) -> bool:
        """Whether the node is meant."""
        return node in self.nodes if self.nodes else node.team == self.team


def platform_names(world: World, settings: Settings) -> dict[str, Named]:
    """The nodes of each name, with the ports of a service.

    Those that no policy names become stations of the world: so the answer is no, not an error.
    """
    found = dict[str, Named]()
    if gateways := _of_kind(world, "gateway"):
        found["gateway"] = _named("gateway", gateways)
    prometheus = _of_kind(world, "prometheus") or [_station(world, MONITORING, {}, INGRESS)]
    found["prometheus"] = _named("prometheus", prometheus)
    for name, service in settings.network.platform.items():
        opened = ports.union(ports.number(port) for port in service.ports)
        found[name] = _named(name, _of_service(world, service), opened)
    return found


def _named(name: str, nodes: Iterable[Node], asked: Ports = ports.ALL) -> Named:
    named = tuple(nodes)
    return Named(named, f"{name} ({', '.join(node.shown for node in named)})", "", asked)


def _of_kind(world: World, kind: Kind) -> list[Node]:
    return sorted(node for node in world.stations if node.kind == kind)


def _of_service(world: World, service: PlatformService) -> Iterator[Node]:
    if service.namespace:
        yield _station(world, service.namespace, service.pod_labels or {}, EGRESS)
    for name in (*service.cidrs, *((plain(service.host),) if service.host else ())):
        yield Node("outside", "", name)


def _station(world: World, namespace: str, labels: Mapping[str, str], direction: str) -> Node:
    peer: dict[str, object] = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}}}
    if labels:
        peer["podSelector"] = {"matchLabels": dict(labels)}
    station = world.station(namespace, Peer(peer), direction)
    return world.stations.setdefault(station.node, station).node
