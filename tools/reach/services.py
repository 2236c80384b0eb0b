"""Names that stand for pods and hosts: Services, VirtualServices and ServiceEntries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specs.calls import NO_HOST
from specs.settings import namespace_of_gateway
from tools.reach import ports
from tools.reach.edges import Node, Reason
from tools.reach.ends import Outside, Pod
from tools.reach.peers import Labels
from tools.reach.ports import Ports

Object = Mapping[str, Any]

_EVERYWHERE = "*"
# Istio: Protocol Selection.
_OPAQUE = ("tcp", "tls", "https", "mongo", "mysql", "redis")
_NAMES = "names it; a mesh enforces names only with REGISTRY_ONLY, and NetworkPolicies the port"
_RANGE = "names it, which only a mesh with REGISTRY_ONLY asks for"
_BY_PORT = (
    "has no addresses for this port of TCP, so even a mesh with REGISTRY_ONLY lets every address "
    "through"
)
_OWN_MESH = "mesh"  # stands for all sidecars in a VirtualService's `gateways`


@dataclass(frozen=True, eq=False)
class Service:
    """A Service: whose pods, and which port of theirs each of its own leads to.

    `opaque`: those ports of theirs on which, to Istio, something else than HTTP is spoken.
    """

    namespace: str
    name: str
    selector: Labels
    ports: Mapping[int, Ports]
    opaque: Ports

    def selects(self, pod: Pod) -> bool:
        """Whether connections to it go to the pod."""
        here = pod.namespace.name == self.namespace and bool(self.selector)
        return here and self.selector.items() <= pod.labels.items()


def read_service(service: Object) -> Service:
    """A Service of Kubernetes' API."""
    metadata, spec = service["metadata"], service.get("spec") or {}
    leads: dict[int, Ports] = {}
    opaque = ports.NONE
    for each in spec.get("ports") or ():
        target, protocol = each.get("targetPort", each["port"]), each.get("protocol", "TCP")
        there = leads[each["port"]] = ports.of({"port": target, "protocol": protocol})
        if (each.get("appProtocol") or each.get("name", "").partition("-")[0]) in _OPAQUE:
            opaque |= there
    selector = spec.get("selector") or {}
    return Service(metadata["namespace"], metadata["name"], selector, leads, opaque)


def gateways_of(virtual_service: Object) -> set[str]:
    """The namespaces of the gateways that a VirtualService is for."""
    place = virtual_service["metadata"]["namespace"]
    named = virtual_service["spec"].get("gateways") or ()
    return {
        namespace_of_gateway(each) if "/" in each else place for each in named if each != _OWN_MESH
    }


def routes(
    virtual_service: Object, services: Iterable[Service], pods: Iterable[Pod]
) -> Iterator[tuple[Pod, str, Ports, Reason]]:
    """Each pod that it sends requests to, from which namespace's gateway, and on which ports."""
    metadata, spec = virtual_service["metadata"], virtual_service["spec"]
    hosts = ", ".join(spec.get("hosts") or ())
    policy = f"VirtualService {metadata['namespace']}/{metadata['name']}"
    known = {f"{each.name}.{each.namespace}": each for each in services}
    for name, number in sorted(_destinations(spec, metadata["namespace"])):
        if (service := known.get(name)) is None:
            continue
        there = service.ports.get(number, ports.NONE)
        if not number:
            there = ports.union(service.ports.values())
        for pod in (each for each in pods if service.selects(each)):
            meant = pod.meant(there)
            reason = Reason("egress", policy, f"sends it requests for {hosts}, to {meant.shown}")
            for gateway in gateways_of(virtual_service):
                yield pod, gateway, meant, reason


def read_outside(entry: Object) -> Iterator[tuple[str, Outside]]:
    """What a ServiceEntry names, each with the namespace that sees it, or "*".

    Ranges of addresses, or else hosts.
    """
    metadata, spec = entry["metadata"], entry["spec"]
    opened = ports.union(ports.number(each["number"]) for each in spec.get("ports") or ())
    policy = f"ServiceEntry {metadata['namespace']}/{metadata['name']}"
    by_name, by_address = (((opened, Reason("mesh", policy, text)),) for text in (_NAMES, _RANGE))
    found = [Outside(Node("outside", "", host), named=by_name) for host in hosts_of(spec)]
    found += [
        Outside(Node("outside", "", cidr), {"cidr": cidr}, by_address)
        for cidr in spec.get("addresses") or ()
    ]
    yield from ((place, each) for place in _seen_in(entry) for each in found)


def read_by_port(entry: Object) -> Iterator[tuple[str, Ports, Reason]]:
    """The ports on which a ServiceEntry lets every address through, by who sees it as above.

    Of a TCP connection, a sidecar knows the address alone.
    """
    metadata, spec = entry["metadata"], entry["spec"]
    opened = ports.union(
        ports.number(each["number"])
        for each in spec.get("ports") or ()
        if each.get("protocol") == "TCP"
    )
    if opened and not spec.get("addresses"):
        policy = f"ServiceEntry {metadata['namespace']}/{metadata['name']}"
        for place in _seen_in(entry):
            yield place, opened, Reason("mesh", policy, _BY_PORT)


def _seen_in(entry: Object) -> list[str]:
    """The namespaces that see a ServiceEntry, or "*"."""
    places = entry["spec"].get("exportTo") or [_EVERYWHERE]
    return [entry["metadata"]["namespace"] if place == "." else place for place in places]


def hosts_of(spec: Object) -> list[str]:
    """Those of a ServiceEntry that exist, and do not just stand for addresses."""
    return [host for host in spec.get("hosts") or () if not host.endswith(NO_HOST)]


def _destinations(spec: Object, namespace: str) -> set[tuple[str, int]]:
    """`NAME.NAMESPACE` of each Service that it sends requests to, and the port, or 0."""
    found = set()
    for kind in ("http", "tcp", "tls"):
        for rule in spec.get(kind) or ():
            for each in rule.get("route") or ():
                name, _, rest = each["destination"]["host"].partition(".")
                place = rest.split(".")[0] or namespace
                number = (each["destination"].get("port") or {}).get("number", 0)
                found.add((f"{name}.{place}", number))
    return found
