"""Clusters with network policies as hypothesis draws them, and questions about connections.

Policies are drawn in every form that the API server accepts. There are few names and labels, so
that selectors select something.
"""

import ipaddress
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar

from hypothesis import strategies as st

from specs.network import LAST_PORT, NAMESPACE_NAME
from tests.connections import Object, workload

T = TypeVar("T", str, tuple[int, str])

NAMESPACES = ("blue", "green", "red")
_APPS = ("api", "web", "batch")
_OWN_LABELS = {"role": ("", "front", "back"), "canary": ("", "yes")}
_POD_LABELS = {"app": _APPS, **_OWN_LABELS}
_NAMESPACE_LABELS = {NAMESPACE_NAME: NAMESPACES, "tier": ("", "one", "two"), "open": ("yes",)}
_PORT_NAMES = ("http", "metrics", "dns")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
# Some near each other. No range that begins at one has pods, but for that of all addresses.
_AROUND = ("10.1.2.0", "10.1.3.255", "10.200.0.1", "192.0.2.7", "2001:db8::", "2001:db8:0:1::7")

_numbers = st.sampled_from((1, 53, 80, 82, 8080, LAST_PORT))


@dataclass(frozen=True)
class Question:
    """May a connection be made? Ends are apps, as `namespace/name`, or addresses outside."""

    source: str
    target: str
    port: int
    protocol: str


@dataclass(frozen=True)
class Cluster:
    """Its objects, and questions about it."""

    objects: list[Object]
    asked: list[Question] = field(repr=False)


def questions(
    apps: Collection[str], addresses: Collection[str], ports: Iterable[tuple[int, str]]
) -> list[Question]:
    """All between two apps, and between an app and an address, in both directions."""
    pairs = [*product(apps, apps), *product(apps, addresses), *product(addresses, apps)]
    return [Question(*pair, *port) for pair, port in product(pairs, ports)]


def interesting_ports(objects: Sequence[Object]) -> set[tuple[int, str]]:
    """Those that policies and pods name, by their numbers, and those beside them."""
    of_pods = [port for each in objects for port in _ports_of_pods(each)]
    of_rules = [port for rule in _rules_of(objects) for port in rule.get("ports", ())]
    found = {(80, "TCP"), (53, "UDP")}
    for port in (*of_pods, *of_rules):
        named = port.get("containerPort", port.get("port"))
        if isinstance(named, int):
            numbers = {named - 1, named, port.get("endPort", named), port.get("endPort", named) + 1}
        else:  # of a name, those of pods that have it, whatever their protocol
            numbers = {each["containerPort"] for each in of_pods if each.get("name") == named}
        found |= {(number, port.get("protocol", "TCP")) for number in numbers}
    return {(number, protocol) for number, protocol in found if 1 <= number <= LAST_PORT}


def interesting_addresses(objects: Iterable[Object]) -> set[str]:
    """The first and last of each range of a policy, and those just outside it."""
    blocks = list(_blocks_of(objects))
    holes = [hole for block in blocks for hole in block.get("except", ())]
    return {*_AROUND, *_edges([block["cidr"] for block in blocks]), *_edges(holes)}


def _ports_of_pods(workload: Object) -> Iterator[Object]:
    if workload["kind"] == "Deployment":
        for container in workload["spec"]["template"]["spec"]["containers"]:
            yield from container.get("ports", ())


def _blocks_of(objects: Iterable[Object]) -> Iterator[Object]:
    for rule in _rules_of(objects):
        for peer in (*rule.get("from", ()), *rule.get("to", ())):
            if block := peer.get("ipBlock"):
                yield block


def _rules_of(objects: Iterable[Object]) -> Iterator[Object]:
    for each in objects:
        if each["kind"] == "NetworkPolicy":
            yield from each["spec"].get("ingress", ())
            yield from each["spec"].get("egress", ())


def _edges(cidrs: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for cidr in cidrs:
        network = ipaddress.ip_network(cidr, strict=False)
        first, last = network.network_address, network.broadcast_address
        found |= {str(first), str(last)}
        if int(first) > 0:
            found.add(str(first - 1))
        if int(last) < 2**network.max_prefixlen - 1:
            found.add(str(last + 1))
    return found


def _labels(known: Mapping[str, Iterable[str]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {}, optional={key: st.sampled_from(tuple(values)) for key, values in known.items()}
    )


def _expressions(known: Mapping[str, Iterable[str]]) -> st.SearchStrategy[Object]:
    def of_key(key: str) -> st.SearchStrategy[Object]:
        values = st.lists(st.sampled_from(tuple(known[key])), min_size=1, max_size=2, unique=True)
        named = {"key": st.just(key)}
        return st.fixed_dictionaries(
            named | {"operator": st.sampled_from(("In", "NotIn")), "values": values}
        ) | st.fixed_dictionaries(named | {"operator": st.sampled_from(("Exists", "DoesNotExist"))})

    return st.sampled_from(sorted(known)).flatmap(of_key)


def _selectors(known: Mapping[str, Iterable[str]]) -> st.SearchStrategy[Object]:
    # Most ask for one thing: what asks for more seldom selects anything.
    one_label = st.sampled_from(sorted(known)).flatmap(
        lambda key: st.sampled_from(tuple(known[key])).map(lambda value: {key: value})
    )
    expression = _expressions(known)
    several = st.fixed_dictionaries(
        {},
        optional={
            "matchLabels": _labels(known),
            "matchExpressions": st.lists(expression, max_size=2),
        },
    )
    return (
        st.just({})
        | one_label.map(lambda labels: {"matchLabels": labels})
        | expression.map(lambda one: {"matchExpressions": [one]})
        | several
    )


_pods, _spaces = _selectors(_POD_LABELS), _selectors(_NAMESPACE_LABELS)


@st.composite
def _blocks(draw: st.DrawFn) -> Object:
    """An `ipBlock`; ranges that begin within a network are as valid as their networks."""
    start = ipaddress.ip_address(draw(st.sampled_from(_AROUND)))
    # Whether a pod has one of the addresses is unknown, unless a block has all of them or few.
    prefix = draw(st.integers(8, start.max_prefixlen)) if draw(st.integers(0, 4)) else 0
    block: Object = {"cidr": f"{start}/{prefix}"}
    if 0 < prefix < start.max_prefixlen and draw(st.booleans()):
        network = ipaddress.ip_network(block["cidr"], strict=False)
        within = [each for each in _AROUND if ipaddress.ip_address(each) in network]
        holes = st.builds(
            "{}/{}".format,
            st.sampled_from(within),
            st.integers(prefix + 1, start.max_prefixlen),
        )
        block["except"] = draw(st.lists(holes, max_size=2, unique=True))
    return {"ipBlock": block}


_peers = (
    st.fixed_dictionaries({"podSelector": _pods})
    | st.fixed_dictionaries({"namespaceSelector": _spaces})
    | st.fixed_dictionaries({"namespaceSelector": _spaces, "podSelector": _pods})
    | _blocks()
    | _blocks()
)


@st.composite
def _ports(draw: st.DrawFn) -> Object:
    port: Object = {}
    if protocol := draw(st.sampled_from((None, *_PROTOCOLS))):
        port["protocol"] = protocol
    kind = draw(st.sampled_from(("number", "number", "name", "name", "range", "range", "any")))
    if kind == "name":
        port["port"] = draw(st.sampled_from(_PORT_NAMES))
    elif kind != "any":
        port["port"] = draw(_numbers)
    if kind == "range":
        port["endPort"] = min(LAST_PORT, port["port"] + draw(st.sampled_from((0, 1, 1000))))
    return port


def _rules(peers: str) -> st.SearchStrategy[list[Object]]:
    # Few rules are for everyone, or for every port: beside those, others make no difference.
    whom = st.lists(_peers, min_size=1, max_size=2)
    which = st.lists(_ports(), min_size=1, max_size=3)
    narrow = st.fixed_dictionaries({peers: whom, "ports": which})
    wide = st.fixed_dictionaries(
        {}, optional={peers: st.just([]) | whom, "ports": st.just([]) | which}
    )
    return st.lists(narrow | narrow | wide, max_size=3)


@st.composite
def _policies(draw: st.DrawFn, number: int) -> Object:
    both = ["Ingress", "Egress"]
    types = st.sampled_from((["Ingress"], ["Egress"], both, both))
    spec = draw(
        st.fixed_dictionaries(
            {"podSelector": st.just({}) | _pods},
            optional={"policyTypes": types, "ingress": _rules("from"), "egress": _rules("to")},
        )
    )
    metadata = {"name": f"policy-{number}", "namespace": draw(st.sampled_from(NAMESPACES))}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return {**kind, "metadata": metadata, "spec": spec}


@st.composite
def _containers_ports(draw: st.DrawFn) -> list[Object]:
    names = draw(st.lists(st.sampled_from(_PORT_NAMES), min_size=1, max_size=3, unique=True))
    numbers = [draw(_numbers) for _ in names]
    protocols = [draw(st.sampled_from((None, *_PROTOCOLS))) for _ in names]
    return [
        {"name": name, "containerPort": number} | ({"protocol": protocol} if protocol else {})
        for name, number, protocol in zip(names, numbers, protocols, strict=True)
    ]


@st.composite
def networks(draw: st.DrawFn) -> list[Object]:
    """The objects of a cluster."""
    labels = {key: values for key, values in _NAMESPACE_LABELS.items() if key != NAMESPACE_NAME}
    objects: list[Object] = [
        {"kind": "Namespace", "metadata": {"name": name, "labels": draw(_labels(labels))}}
        for name in NAMESPACES
    ]
    places = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(_APPS))
    apps = draw(st.lists(places, min_size=5, max_size=7, unique=True))
    for space, name in apps:
        labels = {"app": name, **draw(_labels(_OWN_LABELS))}
        objects.append(workload(space, name, labels, draw(_containers_ports())))
    objects += [draw(_policies(number)) for number in range(draw(st.integers(3, 10)))]
    return objects


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """With 150 questions."""
    objects = draw(networks())
    apps = [each["metadata"] for each in objects if each["kind"] == "Deployment"]
    choose = random.Random(draw(st.integers(0, 2**32)))
    numbers = interesting_ports(objects)
    others = {(number, protocol) for number, _ in numbers for protocol in _PROTOCOLS} - numbers
    holes = _edges(hole for block in _blocks_of(objects) for hole in block.get("except", ()))
    possible = questions(
        [f"{app['namespace']}/{app['name']}" for app in apps],
        _some(choose, 5, holes, interesting_addresses(objects) - holes),
        _some(choose, 8, numbers, others),
    )
    return Cluster(objects, choose.sample(possible, 150))


def _some(choose: random.Random, count: int, first: set[T], others: set[T]) -> list[T]:
    """So many, most of the first."""
    taken = choose.sample(sorted(first), min(count * 3 // 4, len(first)))
    return taken + choose.sample(sorted(others), count - len(taken))
