"""Reads plain objects of Kubernetes' and Istio's APIs into what the questions of `reach` need."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from specs.fleet import TeamsFolder
from specs.network import NAMESPACE_NAME
from specs.openings import EGRESS, INGRESS, Selector
from specs.selectors import matches
from specs.settings import MONITORING, Settings
from tools.reach import ports
from tools.reach.edges import Node, Reason
from tools.reach.ends import Namespace, Outside, Pod, Station, container_ports, outside
from tools.reach.mesh import ROOT_NAMESPACE, Authorization, guard, read_authorization
from tools.reach.peers import Peer, Peers, by_name
from tools.reach.policies import NetworkPolicy, read_policy, side
from tools.reach.ports import Ports
from tools.reach.services import (
    Service,
    gateways_of,
    read_by_port,
    read_outside,
    read_service,
    routes,
)

Object = Mapping[str, Any]

# Kinds with a template of pods, and where it is.
TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
# What has a part in the world.
KINDS = (
    *TEMPLATES,
    "Namespace",
    "NetworkPolicy",
    "AuthorizationPolicy",
    "Service",
    "ServiceEntry",
    "VirtualService",
)

_ALL_PODS = "*"
_BY_APP_NAME = "app.kubernetes.io/name="


@dataclass(eq=False)
class World:
    """What the objects say about who may reach whom.

    `pods` are the apps' by namespace. Namespaces that others name and that are not among the
    objects have stations instead. `teams` are those of all stacks. `gateways` are the namespaces of
    Istio's gateways; `hosts` and `ranges` of addresses are those that ServiceEntries name, by the
    namespace that sees them, "*" for all; `by_port` are those of every address.
    """

    teams: frozenset[str] = frozenset()
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    pods: dict[str, list[Pod]] = field(default_factory=lambda: defaultdict(list))
    policies: dict[str, list[NetworkPolicy]] = field(default_factory=lambda: defaultdict(list))
    gateways: set[str] = field(default_factory=set)
    stations: dict[Node, Station] = field(default_factory=dict)
    _others: dict[tuple[Peer, str], list[Station | Outside]] = field(default_factory=dict)
    blocks: dict[Node, Outside] = field(default_factory=dict)
    services: dict[str, list[Service]] = field(default_factory=lambda: defaultdict(list))
    hosts: dict[str, list[Outside]] = field(default_factory=lambda: defaultdict(list))
    ranges: dict[str, list[Outside]] = field(default_factory=lambda: defaultdict(list))
    by_port: dict[str, list[tuple[Ports, Reason]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def every_pod(self) -> Iterator[Pod]:
        """The apps' pods."""
        for pods in self.pods.values():
            yield from pods

    def hosts_of(self, namespace: str) -> list[Outside]:
        """The hosts that ServiceEntries name for a namespace."""
        found: dict[Node, Outside] = {}
        for host in (*self.hosts.get(namespace, ()), *self.hosts.get("*", ())):
            before = found.get(host.node, Outside(host.node))
            found[host.node] = Outside(host.node, named=(*before.named, *host.named))
        return [*found.values()]

    def ranges_of(self, namespace: str) -> list[Outside]:
        """The ranges of addresses that ServiceEntries name for a namespace."""
        return [*self.ranges.get(namespace, ()), *self.ranges.get("*", ())]

    def ports_of(self, namespace: str) -> list[tuple[Ports, Reason]]:
        """The ports on which ServiceEntries let a namespace connect to every address."""
        return [*self.by_port.get(namespace, ()), *self.by_port.get("*", ())]

    def pods_of(self, peer: Peer) -> list[Pod]:
        """The apps' pods for which a peer stands."""
        asked = (peer.namespaces.get("matchLabels") or {}).items()
        if peer.names is not None:
            places = peer.names & self.pods.keys()
        elif asked:
            places = set.intersection(*(self._labelled.get(each, set()) for each in asked))
        else:
            places = self.pods.keys()
        return [pod for place in sorted(places) for pod in self.pods[place] if pod.within(peer)]

    @cached_property
    def _labelled(self) -> Mapping[tuple[str, str], set[str]]:
        """The namespaces that have pods, by each of their labels."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name in self.pods:
            for label in self.namespaces[name].labels.items():
                found[label].add(name)
        return found

    def named_elsewhere(self) -> list[Node]:
        """What policies and ServiceEntries name beside the apps' pods."""
        hosts = [host.node for hosts in self.hosts.values() for host in hosts]
        return [*self.stations, *self.blocks, *hosts]

    def others(self, peer: Peer, direction: str) -> Sequence[Station | Outside]:
        """What a peer stands for beside the apps' pods."""
        if (found := self._others.get((peer, direction))) is None:
            found = self._others[peer, direction] = [*self._read_others(peer, direction)]
        return found

    def _read_others(self, peer: Peer, direction: str) -> Iterator[Station | Outside]:
        if peer.block or peer.everyone:
            found = outside(peer)
            yield self.blocks.setdefault(found.node, found)
            return
        unknown = [None] if peer.names is None else sorted(peer.names - self.namespaces.keys())
        for name in unknown:
            station = self.station(name, peer, direction)
            yield self.stations.setdefault(station.node, station)

    def station(self, name: str | None, peer: Peer, direction: str) -> Station:
        """Pods of the namespace; without a name, of namespaces that have other labels."""
        if name is None:
            node = Node(
                "platform",
                "",
                f"{peer.pods_shown} of other {peer.namespaces_shown.removeprefix('all ')}",
            )
            return Station(node, peer.namespaces, peer.pods)
        # Different selectors are different nodes: what opens one need not open the other.
        pods = peer.pods_shown.removeprefix("pods ") if peer.pods else ""
        if not by_name(peer.namespaces):
            pods = f"{pods or _ALL_PODS} of {peer.namespaces_shown}"
        node = Node("platform", name, pods or _ALL_PODS)
        if name in self.teams:
            node = Node("app", name, pods.removeprefix(_BY_APP_NAME) or _ALL_PODS)
        elif direction == INGRESS and name in self.gateways:
            node = Node("gateway", name, pods or "gateway")
        elif direction == INGRESS and name == MONITORING and (not pods or "prometheus" in pods):
            node = Node("prometheus", name, pods or "prometheus")
        labels = {**(peer.namespaces.get("matchLabels") or {}), NAMESPACE_NAME: name}
        return Station(node, {**peer.namespaces, "matchLabels": labels}, peer.pods)


def stack_world(
    contents: Iterable[Object | None], folder: TeamsFolder, settings: Settings
) -> World:
    """The world of what the program creates for a stack's teams; None is passed over."""
    objects = (each for each in contents if each)
    return world(objects, folder.names(), settings.istio.gateway_namespaces)


def world(
    objects: Iterable[Object], teams: Iterable[str] = (), gateways: Iterable[str] = ()
) -> World:
    """The world of these objects; kinds that have no part in it are passed over.

    `teams` are names of teams whose objects may not be among them: their pods count as apps.
    `gateways` are namespaces of gateways, beside those that VirtualServices name.
    """
    by_kind: dict[str, list[Object]] = defaultdict(list)
    for each in objects:
        by_kind[each["kind"]].append(each)
    found = World(teams=frozenset(teams), gateways={*gateways})
    for each in by_kind["Namespace"]:
        name = each["metadata"]["name"]
        labels = each["metadata"].get("labels") or {}
        found.namespaces[name] = Namespace(name, {**labels, NAMESPACE_NAME: name})
    for kind, path in TEMPLATES.items():
        for each in by_kind[kind]:
            pod = _pod(each, path, found)
            found.pods[pod.namespace.name].append(pod)
    peers = Peers()
    for each in by_kind["NetworkPolicy"]:
        found.policies[each["metadata"]["namespace"]].append(read_policy(each, peers))
    for each in by_kind["Service"]:
        found.services[each["metadata"]["namespace"]].append(read_service(each))
    for each in by_kind["VirtualService"]:
        place = each["metadata"]["namespace"]
        found.gateways |= gateways_of(each)
        for pod, gateway, there, why in routes(each, found.services[place], found.pods[place]):
            pod.routes.append((gateway, there, why))
    for name in found.gateways - found.namespaces.keys():
        station = found.station(name, Peer({"namespaceSelector": _called(name)}), INGRESS)
        found.stations[station.node] = station
    for policy in chain.from_iterable(found.policies.values()):
        for direction, rules in policy.rules.items():
            for rule in rules:
                found.others(rule.peer, direction)
    for each in by_kind["ServiceEntry"]:
        for place, one in read_outside(each):
            (found.ranges if one.block else found.hosts)[place].append(one)
        for place, opened, why in read_by_port(each):
            found.by_port[place].append((opened, why))
    authorizations: dict[str, list[Authorization]] = defaultdict(list)
    for each in by_kind["AuthorizationPolicy"]:
        if policy := read_authorization(each):
            authorizations[policy.namespace].append(policy)
    for pod in found.every_pod():
        place = pod.namespace.name
        holding = {place: authorizations[place], ROOT_NAMESPACE: authorizations[ROOT_NAMESPACE]}
        pod.guard = guard(
            chain.from_iterable(holding.values()),
            pod.labels,
            pod.annotations,
            ports.union(
                pod.meant(each.opaque) for each in found.services[place] if each.selects(pod)
            ),
            sidecar=pod.sidecar,
        )
        pod.sides = _sides(pod, found.policies[pod.namespace.name])
    return found


def _called(name: str) -> Selector:
    return {"matchLabels": {NAMESPACE_NAME: name}}


def _pod(workload: Object, path: tuple[str, ...], found: World) -> Pod:
    metadata, template = workload["metadata"], workload
    for step in path:
        template = template[step]
    about, spec = template.get("metadata") or {}, template["spec"]
    place = metadata["namespace"]
    if place not in found.namespaces:
        found.namespaces[place] = Namespace(place, {NAMESPACE_NAME: place})
    sidecars = [
        each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"
    ]
    return Pod(
        Node("app", place, metadata["name"]),
        found.namespaces[place],
        about.get("labels") or {},
        container_ports([*spec["containers"], *sidecars]),
        spec.get("serviceAccountName") or "default",
        about.get("annotations") or {},
    )


def _sides(pod: Pod, policies: Iterable[NetworkPolicy]) -> dict[str, Any]:
    selecting = [each for each in policies if matches(each.pods, pod.labels)]
    return {direction: side(direction, selecting) for direction in (EGRESS, INGRESS)}
