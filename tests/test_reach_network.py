"""Who may reach whom by NetworkPolicies: by Kubernetes' rules, with both sides."""

from typing import Any

import pytest

from tests.reachable import (
    NAME,
    app,
    ask,
    deny_all,
    egress,
    ingress,
    labelled,
    named,
    namespace,
    policy,
    shown,
)
from tools.reach import matrix
from tools.reach.ports import number

A, B = namespace("a", env="test"), namespace("b", env="prod")
# a/one and b/two, both closed in both directions.
CLOSED = [A, B, app("a", "one"), app("b", "two"), deny_all("a"), deny_all("b")]
OUT = policy("a", "out", policyTypes=["Egress"], egress=[egress(named("b"))])
IN = policy("b", "in", ingress=[ingress(named("a"))])


@pytest.fixture(autouse=True, params=["one by one", "together"])
def searched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that stand for several pods are looked at one by one, or with those alike."""
    if request.param == "together":
        monkeypatch.setattr(matrix, "_MANY", 0)


def test_without_policies_everything_may_reach_everything() -> None:
    found = shown([A, B, app("a", "one"), app("b", "two")])
    assert "a/one -> b/two all ports" in found
    assert "b/two -> a/one all ports" in found
    assert "anywhere -> a/one all ports" in found


@pytest.mark.parametrize("given", [[OUT], [IN]])
def test_one_side_alone_opens_nothing(given: list[Any]) -> None:
    assert shown([*CLOSED, *given]) == []


def test_both_sides_open_an_edge_in_one_direction() -> None:
    assert shown([*CLOSED, OUT, IN]) == ["a/one -> b/two all ports"]


def test_policies_add_up() -> None:
    one = policy("b", "one", ingress=[ingress(named("a"), ports=[{"port": 1}])])
    two = policy("b", "two", ingress=[ingress(named("a"), ports=[{"port": 9}])])
    assert shown([*CLOSED, OUT, one, two]) == ["a/one -> b/two 1/TCP", "a/one -> b/two 9/TCP"]


def test_a_policy_without_types_and_egress_rules_leaves_egress_open() -> None:
    objects = [A, B, app("a", "one"), app("b", "two"), policy("a", "in"), deny_all("b"), IN]
    assert "a/one -> b/two all ports" in shown(objects)


def test_a_policy_that_selects_no_pod_opens_and_closes_nothing() -> None:
    elsewhere = labelled(app="three")
    opens = policy("b", "in", elsewhere, ingress=[ingress(named("a"))])
    assert shown([*CLOSED, OUT, opens]) == []
    closes = policy("b", "deny", elsewhere, policyTypes=["Ingress", "Egress"])
    assert "a/one -> b/two all ports" in shown([A, B, app("a", "one"), app("b", "two"), closes])


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ({"key": "env", "operator": "In", "values": ["test"]}, True),
        ({"key": "env", "operator": "In", "values": ["prod"]}, False),
        ({"key": "env", "operator": "NotIn", "values": ["prod"]}, True),
        ({"key": "env", "operator": "NotIn", "values": ["test"]}, False),
        ({"key": "none", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "env", "operator": "Exists"}, True),
        ({"key": "none", "operator": "Exists"}, False),
        ({"key": "none", "operator": "DoesNotExist"}, True),
        ({"key": "env", "operator": "DoesNotExist"}, False),
        ({"key": NAME, "operator": "In", "values": ["a", "c"]}, True),
        ({"key": NAME, "operator": "NotIn", "values": ["a"]}, False),
    ],
)
def test_namespaces_are_selected_by_expressions(expression: Any, met: bool) -> None:
    peer = {"namespaceSelector": {"matchExpressions": [expression]}}
    opens = policy("b", "in", ingress=[ingress(peer)])
    assert ("a/one -> b/two all ports" in shown([*CLOSED, OUT, opens])) is met
    assert ask([*CLOSED, OUT, opens], "a/one", "b/two").allowed is met


@pytest.mark.parametrize(
    ("labels", "met"),
    [({"env": "test"}, True), ({"env": "prod"}, False), ({"env": "test", NAME: "b"}, False)],
)
def test_namespaces_are_selected_by_all_labels(labels: dict[str, str], met: bool) -> None:
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress()])
    opens = policy("b", "in", ingress=[ingress({"namespaceSelector": labelled(**labels)})])
    assert ("a/one -> b/two all ports" in shown([*CLOSED, out, opens])) is met


@pytest.mark.parametrize(("label", "met"), [("one", True), ("two", False)])
def test_pods_of_a_namespace_need_both_selectors(label: str, met: bool) -> None:
    opens = policy("b", "in", ingress=[ingress(named("a", app=label))])
    assert ("a/one -> b/two all ports" in shown([*CLOSED, OUT, opens])) is met


def test_pods_alone_are_those_of_the_policys_own_namespace() -> None:
    opens = policy("b", "in", ingress=[ingress({"podSelector": {}})])
    assert shown([*CLOSED, OUT, opens]) == []


def test_an_empty_selector_of_namespaces_selects_all() -> None:
    opens = policy("b", "in", ingress=[ingress({"namespaceSelector": {}})])
    assert "a/one -> b/two all ports" in shown([*CLOSED, OUT, opens])


def ports_left(out: list[Any], into: list[Any], *containers: Any) -> list[str]:
    objects = [A, B, app("a", "one"), app("b", "two", *containers), deny_all("a"), deny_all("b")]
    objects += [
        policy("a", "out", policyTypes=["Egress"], egress=[egress(named("b"), ports=out)]),
        policy("b", "in", ingress=[ingress(named("a"), ports=into)]),
    ]
    return [line.rpartition("b/two ")[2] for line in shown(objects)]


@pytest.mark.parametrize(
    ("out", "into", "left"),
    [
        ([], [], ["all ports"]),
        ([{"port": 80}], [], ["80/TCP"]),
        ([{"port": 80}], [{"port": 81}], []),
        ([{"port": 80, "protocol": "UDP"}], [{"port": 80}], []),
        ([{"protocol": "UDP"}], [], ["all UDP ports"]),
        ([{"port": 400, "endPort": 500}], [{"port": 450, "endPort": 900}], ["450-500/TCP"]),
        ([{"port": 400, "endPort": 500}], [{"port": 500}], ["500/TCP"]),
        ([{"port": 400, "endPort": 500}], [{"port": 501}], []),
        ([{"port": 1}, {"port": 2}, {"port": 4}], [], ["1-2/TCP", "4/TCP"]),
        ([{"port": 1}, {"port": 4}], [{"port": 4}, {"port": 6}], ["4/TCP"]),
    ],
)
def test_a_port_must_be_open_on_both_sides(out: Any, into: Any, left: list[str]) -> None:
    assert ports_left(out, into) == left


@pytest.mark.parametrize("side", [0, 1])
def test_a_named_port_is_the_number_that_the_target_gives_the_name(side: int) -> None:
    container = {"name": "admin", "containerPort": 9000}
    named_port: list[Any] = [[], []]
    named_port[side] = [{"port": "admin"}]
    assert ports_left(*named_port, container) == ["9000/TCP"]
    assert ports_left(*named_port) == []  # its only port is called http
    udp = {**container, "protocol": "UDP"}
    assert ports_left(*named_port, udp) == []


def test_outside_addresses_are_a_block_without_its_exceptions() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress(block, ports=[{"port": 25}])])
    objects = [*CLOSED, out]
    assert shown(objects) == ["a/one -> 10.0.0.0/8 except 10.1.0.0/16 25/TCP"]
    assert ask(objects, "a/one", "10.2.0.1").allowed
    assert not ask(objects, "a/one", "10.1.0.1").allowed
    assert not ask(objects, "a/one", "11.0.0.1").allowed


@pytest.mark.parametrize(
    ("cidr", "except_", "open_to_hosts"),
    [
        ("0.0.0.0/0", ["10.0.0.0/8", "169.254.0.0/16"], True),
        ("::/0", ["fd00::/8"], True),
        ("10.0.0.0/8", [], False),
    ],
)
def test_all_addresses_but_some_open_a_port_to_hosts(
    cidr: str, except_: list[str], open_to_hosts: bool
) -> None:
    block = {"ipBlock": {"cidr": cidr, "except": except_}}
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress(block, ports=[{"port": 25}])])
    assert ask([*CLOSED, out], "a/one", "smtp.example.com", number(25)).allowed == open_to_hosts
    assert not ask([*CLOSED, out], "a/one", "smtp.example.com", number(26)).allowed
    assert not ask([*CLOSED, out], "a/one", "anywhere", number(25)).allowed
    assert not ask([*CLOSED, out], "a/one", "b/two", number(25)).allowed


def test_all_addresses_of_ipv4_are_an_end_of_their_own_without_those_of_ipv6() -> None:
    everything = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    opens = policy("a", "out", policyTypes=["Egress"], egress=[egress(everything)])
    assert shown([*CLOSED, opens]) == ["a/one -> 0.0.0.0/0 all ports"]
    assert ask([*CLOSED, opens], "a/one", "192.0.2.7").allowed
    assert not ask([*CLOSED, opens], "a/one", "2001:db8::7").allowed
    assert not ask([*CLOSED, opens], "a/one", "anywhere").allowed


def test_a_block_stands_for_no_pod_unless_it_is_of_all_addresses() -> None:
    narrow, wide = ({"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.0/8", "0.0.0.0/0"))
    for block, met in ((narrow, False), (wide, True)):
        opens = policy("b", "in", ingress=[ingress(block)])
        assert ask([*CLOSED, OUT, opens], "a/one", "b/two").allowed is met
        assert ("a/one -> b/two all ports" in shown([*CLOSED, OUT, opens])) is met


@pytest.mark.parametrize(
    ("out", "into", "met"),
    [
        ({"port": 443}, {"port": 443}, "443/TCP"),
        ({"port": 443}, {"port": 8443}, None),
        ({"port": 443}, {"port": 400, "endPort": 500}, "443/TCP"),
        ({"port": 400, "endPort": 500}, {"port": 443}, "443/TCP"),
        ({"port": 8080}, {"port": "http"}, "8080/TCP"),
        ({"port": "http"}, {"port": 8080}, "8080/TCP"),
        ({"protocol": "UDP"}, {"port": 443}, None),
    ],
)
def test_everyone_on_both_sides_is_an_edge_where_their_ports_meet(
    out: Any, into: Any, met: str | None
) -> None:
    objects = [
        *CLOSED,
        policy("a", "out", policyTypes=["Egress"], egress=[egress(ports=[out])]),
        policy("b", "in", ingress=[ingress(ports=[into])]),
    ]
    found = [line for line in shown(objects) if line.startswith("a/one -> b/two")]
    assert found == ([f"a/one -> b/two {met}"] if met else [])


def test_pods_that_are_not_among_the_objects_show_as_a_policy_selects_them() -> None:
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress(named("db", app="pg"))])
    into = policy("b", "in", ingress=[ingress(named("monitoring"))])
    assert shown([*CLOSED, out, into]) == [
        "a/one -> db/app=pg all ports",
        "monitoring/prometheus -> b/two all ports",
    ]


def test_what_is_open_to_everyone_is_one_edge_outside_the_teams() -> None:
    rules = [egress(named("db"), ports=[{"port": 5432}]), egress(ports=[{"port": 443}])]
    out = policy("a", "out", policyTypes=["Egress"], egress=rules)
    assert shown([*CLOSED, out]) == ["a/one -> anywhere 443/TCP", "a/one -> db/* 5432/TCP"]


def test_the_reasons_name_the_policies_of_both_sides() -> None:
    found = ask([*CLOSED, OUT, IN], "a/one", "b/two")
    assert [(reason.side, reason.policy) for reason in found.reasons] == [
        ("egress", "NetworkPolicy a/out"),
        ("ingress", "NetworkPolicy b/in"),
    ]


def test_no_says_which_side_stops_it_and_which_lets_it_through() -> None:
    found = ask([*CLOSED, OUT], "a/one", "b/two")
    assert [(reason.side, reason.policy, reason.allows) for reason in found.reasons] == [
        ("egress", "NetworkPolicy a/out", True),
        ("ingress", "NetworkPolicy b/deny", False),
    ]


def test_no_names_a_side_that_stops_it_where_both_open_other_ports() -> None:
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress(ports=[{"port": 80}])])
    into = policy("b", "in", ingress=[ingress(named("a"), ports=[{"port": 81}])])
    found = ask([*CLOSED, out, into], "a/one", "b/two")
    assert [(reason.text, reason.allows) for reason in found.reasons] == [
        ("opens 80/TCP to anywhere, in the cluster and outside", True),
        ("opens only 81/TCP from all pods of namespace a", False),
    ]


def test_an_app_may_ask_about_itself_and_is_not_listed() -> None:
    assert not ask(CLOSED, "a/one", "a/one").allowed
    objects = [
        *CLOSED,
        policy("a", "own", egress=[egress({"podSelector": {}})], ingress=[ingress()]),
    ]
    assert ask(objects, "a/one", "a/one").allowed
    assert not [line for line in shown(objects) if "a/one -> a/one" in line]


def test_twice_as_many_teams_are_twice_as_many_pairs_to_examine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examined: list[Any] = []
    monkeypatch.setattr(matrix, "edges_between", lambda *pair: examined.append(pair) or [])
    counts = []
    for teams in (10, 20):
        examined.clear()
        shown([each for number in range(teams) for each in _team(f"team-{number}", number)])
        counts.append(len(examined))
    assert counts[1] == 2 * counts[0]


def _team(name: str, number: int) -> list[Any]:
    """Two apps with the rules of every team, addresses of its own and a caller in another team."""
    block = {"ipBlock": {"cidr": f"10.{number}.0.0/16"}}
    out = [
        egress(named("kube-system"), ports=[{"port": 53}]),
        egress({"podSelector": {}}),
        egress(ports=[{"port": 443}]),
        egress(block),
    ]
    before = f"team-{number - number % 2}"
    into = [
        ingress(named("monitoring")),
        ingress({"podSelector": {}}),
        ingress(named(before, app="one"), ports=[{"port": 8080}]),
    ]
    return [
        *(namespace(name), app(name, "one"), app(name, "two"), deny_all(name)),
        policy(name, "out", policyTypes=["Egress"], egress=out),
        policy(name, "in", ingress=into),
    ]
