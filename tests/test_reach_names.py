"""What the command line of `./sre reach` may name, and what is listed between names."""

from typing import Any

import pytest

from tests.reachable import (
    app,
    ask,
    deny_all,
    egress,
    ingress,
    labelled,
    line,
    named,
    namespace,
    policy,
)
from tools.reach import ports
from tools.reach.answer import answer_for
from tools.reach.edges import Node
from tools.reach.names import UnknownNameError, find
from tools.reach.ports import Ports
from tools.reach.questions import listed
from tools.reach.world import world

SERVICE = {
    "kind": "Service",
    "metadata": {"name": "two", "namespace": "b"},
    "spec": {"selector": {"app": "two"}, "ports": [{"port": 80, "targetPort": "http"}]},
}
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8"}}
OBJECTS = [
    *(namespace("a"), namespace("b"), app("a", "one"), app("b", "two"), app("b", "three")),
    *(deny_all("a"), deny_all("b"), SERVICE),
    policy("a", "out", egress=[egress(named("b")), egress(BLOCK, ports=[{"port": 25}])]),
    policy(
        "b",
        "in",
        labelled(app="two"),
        ingress=[ingress(named("a"), ports=[{"port": 8080}, {"port": 9000}])],
    ),
    policy("b", "db", labelled(app="two"), policyTypes=["Egress"], egress=[egress(named("db"))]),
]
WORLD = world(OBJECTS)


@pytest.mark.parametrize(
    ("text", "node", "asked"),
    [
        ("b/two", Node("app", "b", "two"), ports.ALL),
        ("b/two:9000", Node("app", "b", "two"), ports.number(9000)),
        ("b/two:53/udp", Node("app", "b", "two"), ports.number(53, "UDP")),
        ("b/two:http", Node("app", "b", "two"), Ports(names=frozenset({("TCP", "http")}))),
        ("b/two:80", Node("app", "b", "two"), ports.number(8080)),  # the Service's port
        ("b/two:81", Node("app", "b", "two"), ports.number(81)),
        ("db/*", Node("platform", "db", "*"), ports.ALL),
        ("db/*:5432", Node("platform", "db", "*"), ports.number(5432)),
        ("10.0.0.0/8", Node("outside", "", "10.0.0.0/8"), ports.ALL),
        ("10.1.2.3", Node("outside", "", "10.1.2.3"), ports.ALL),
        ("10.1.2.3:25", Node("outside", "", "10.1.2.3"), ports.number(25)),
        ("fd00::1", Node("outside", "", "fd00::1"), ports.ALL),
        ("[fd00::1]:25", Node("outside", "", "fd00::1"), ports.number(25)),
        ("api.example.com:443", Node("outside", "", "api.example.com"), ports.number(443)),
        ("API.example.com.:443", Node("outside", "", "api.example.com"), ports.number(443)),
        ("anywhere", Node("outside", "", "anywhere"), ports.ALL),
    ],
)
def test_a_name_stands_for_one_thing_and_may_have_a_port(
    text: str, node: Node, asked: Ports
) -> None:
    found = find(WORLD, text)
    assert (found.nodes, found.asked) == ((node,), asked)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c", "no team or namespace 'c'; name a team, an app (TEAM/APP), "),
        ("b/tow", "b has no app 'tow'; did you mean b/two?"),
        ("b/x:80", "b has no app 'x'; choose from "),
        ("b:80", "a port needs an app; write b/APP:PORT, or b alone"),
        ("b/two:0", "'0' is not a port; write a number from 1 to 65535"),
        ("b/two:70000", "'70000' is not a port; write a number from 1 to 65535"),
        ("b/two:8080/ICMP", "'ICMP' is not a protocol of ports; write TCP, UDP or SCTP"),
        ("10.1.2.3:1/icmp", "'icmp' is not a protocol of ports; write TCP, UDP or SCTP"),
        ("b/two:https", "b/two has no port of that name; use a number, or http"),
        ("b/two:-1", "b/two has no port of that name; use a number, or http"),
        ("b/three:grpc", "b/three has no port of that name; use a number, or http"),
        ("two.b:80", "'two.b' is a name inside the cluster; name the pods it leads to"),
        ("two.b.svc", "is a name inside the cluster; name the pods it leads to, such as b/two"),
        ("two.b.svc.cluster.local.:80", "name the pods it leads to, such as b/two"),
        ("pg-0.pg.db.svc.cluster.local", "name the pods it leads to, such as db/APP"),
        ("10.0.0.0/33:80", "'10.0.0.0/33' is not a range of addresses; write one such as"),
        ("10.1.2", "'10.1.2' is not an address; write one such as 10.1.2.3"),
        ("10.1.2.300:80", "'10.1.2.300' is not an address; write one such as 10.1.2.3"),
        ("", "no team or namespace ''"),
    ],
)
def test_a_name_that_stands_for_nothing_gets_the_nearest(text: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        find(WORLD, text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("source", "target", "lines"),
    [
        ("a", "b", ["a/one -> b/two 8080/TCP", "a/one -> b/two 9000/TCP"]),
        ("b", "a", []),
        (None, "b/two:9000", ["a/one -> b/two 9000/TCP"]),
        (None, "b/two:http", ["a/one -> b/two 8080/TCP"]),
        (None, "b/two:9001", []),
        ("a", "10.9.9.9", ["a/one -> 10.9.9.9 25/TCP"]),
        (None, "10.9.9.9:26", []),
        ("b", "10.9.9.9", []),
        ("10.9.9.9", None, []),
        (None, "db", ["b/two -> db/* all ports"]),
    ],
)
def test_edges_are_listed_between_what_is_named(
    source: str | None, target: str | None, lines: list[str]
) -> None:
    ends = (find(WORLD, text) if text else None for text in (source, target))
    assert [line(edge) for edge in listed(WORLD, *ends)] == lines


def test_pods_of_a_team_whose_objects_are_elsewhere_are_its_apps() -> None:
    peer = named("c", **{"app.kubernetes.io/name": "web"})
    rules = [egress(peer, ports=[{"port": 8080}]), egress(ports=[{"port": 443}])]
    objects = [namespace("a"), app("a", "one"), deny_all("a"), policy("a", "x", egress=rules)]
    edge, _ = listed(world(objects, teams=["a", "c"]), None, None)
    assert (edge.target, edge.kind) == (Node("app", "c", "web"), "cross-team")
    assert edge.port == "8080/TCP"  # what is open to everyone is not repeated
    _, edge = listed(world(objects), None, None)
    assert (edge.target.shown, edge.kind) == ("c/app.kubernetes.io/name=web", "platform")


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"app.kubernetes.io/name": "web", "tier": "x"}, {"app.kubernetes.io/name": "web"}),
        ({"app": "prometheus"}, {}),
    ],
)
@pytest.mark.parametrize("place", ["c", "monitoring"])
def test_fewer_pods_elsewhere_are_a_place_of_their_own(
    place: str, few: dict[str, str], many: dict[str, str]
) -> None:
    policies = [
        policy("a", "few", labelled(app="one"), ingress=[ingress(named(place, **few))]),
        policy("a", "many", labelled(app="two"), ingress=[ingress(named(place, **many))]),
    ]
    pods = [namespace("a"), app("a", "one"), app("a", "two"), deny_all("a")]
    orders = (policies, policies[::-1])
    one, other = (listed(world([*pods, *each], ["a", "c"]), None, None) for each in orders)
    assert [line(edge) for edge in one] == [line(edge) for edge in other]
    assert {edge.target.app for edge in one} == {"one", "two"}


def test_a_namespace_that_is_named_in_two_ways_that_exclude_each_other_is_none() -> None:
    name = "kubernetes.io/metadata.name"
    not_c = [{"key": name, "operator": "NotIn", "values": ["c"]}]
    selector = {"matchLabels": {name: "c"}, "matchExpressions": not_c}
    rule = ingress({"namespaceSelector": selector})
    objects = [namespace("a"), app("a", "one"), deny_all("a"), policy("a", "x", ingress=[rule])]
    assert listed(world(objects), None, None) == []


@pytest.mark.parametrize(
    ("block", "yes", "no"),
    [
        ({"cidr": "0.0.0.0/0"}, ["anywhere", "0.0.0.0/0", "10.0.0.0/8"], ["::/0", "fd00::1"]),
        (
            {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]},
            ["anywhere", "0.0.0.0/0", "192.0.2.7", "10.0.0.0/7"],
            ["::/0", "10.1.0.0/16", "10.0.0.0/8"],
        ),
        (
            {"cidr": "8.0.0.0/6", "except": ["10.0.0.0/9", "10.128.0.0/9", "11.1.0.0/16"]},
            ["0.0.0.0/0", "8.0.0.0/7", "10.0.0.0/7", "11.0.0.0/8", "11.1.0.0/15"],
            ["anywhere", "::/0", "10.0.0.0/8", "10.1.0.0/16", "11.1.0.0/16", "12.0.0.0/8"],
        ),
        ({"cidr": "::/0"}, ["anywhere", "::/0", "fd00::/8"], ["0.0.0.0/0"]),
        ({"cidr": "10.200.0.0/16"}, ["10.0.0.0/8", "10.200.1.0/24"], ["anywhere", "10.9.0.0/16"]),
    ],
)
def test_a_range_may_be_reached_if_a_part_of_it_may(
    block: dict[str, Any], yes: list[str], no: list[str]
) -> None:
    rule = egress({"ipBlock": block}, ports=[{"port": 443}])
    known = world([namespace("a"), app("a", "one"), deny_all("a"), policy("a", "x", egress=[rule])])
    for allowed, names in ((True, yes), (False, no)):
        for name in names:
            target = find(known, f"{name}:443" if "::" not in name else f"[{name}]:443")
            found = answer_for(known, [Node("app", "a", "one")], target.nodes, target.asked)
            assert found.allowed is allowed, name
            assert bool(listed(known, None, target)) is allowed, name


def test_all_other_namespaces_have_a_name_that_reads() -> None:
    rule = egress({"namespaceSelector": {}}, ports=[{"port": 443}])
    known = world([namespace("a"), app("a", "one"), deny_all("a"), policy("a", "x", egress=[rule])])
    assert [line(edge) for edge in listed(known, None, None)] == [
        "a/one -> all pods of other namespaces 443/TCP"
    ]


def test_a_node_that_the_objects_do_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        ask(OBJECTS, "a/one", "b/four")


def test_a_service_of_a_team_whose_objects_are_elsewhere_is_no_host() -> None:
    with pytest.raises(UnknownNameError) as error:
        find(world(OBJECTS, teams=["a", "b", "c"]), "web.c:80")
    assert "'web.c' is a name inside the cluster" in str(error.value)
