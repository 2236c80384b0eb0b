"""Who may reach whom by AuthorizationPolicies, gateways' routes and ServiceEntries."""

from typing import Any

import pytest

from tests.reachable import (
    app,
    ask,
    authorization,
    deny_all,
    egress,
    ingress,
    named,
    namespace,
    policy,
    shown,
)
from tools.reach import ports
from tools.reach.edges import Edge
from tools.reach.matrix import edges
from tools.reach.world import world

MESH = {"istio-injection": "enabled"}
APPS = [namespace("a", **MESH), namespace("b", **MESH), app("a", "one"), app("b", "two")]
ONE = "cluster.local/ns/a/sa/one"


def source(**keys: Any) -> dict[str, Any]:
    return {"from": [{"source": keys}]}


def to(**keys: Any) -> dict[str, Any]:
    return {"to": [{"operation": keys}]}


def texts(objects: Any, side: str = "mesh") -> list[str]:
    found = ask(objects, "a/one", "b/two", ports.number(8080)).reasons
    return [f"{each.policy} {each.text}" for each in found if each.side == side]


def admitted(objects: Any, port: int = 8080) -> bool:
    return ask(objects, "a/one", "b/two", ports.number(port)).allowed


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ({}, True),
        (source(principals=[ONE]), True),
        (source(principals=["cluster.local/ns/a/sa/other"]), False),
        (source(principals=["cluster.local/ns/a/*"]), True),
        (source(principals=["*/ns/a/sa/one"]), True),
        (source(principals=["*"]), True),
        (source(notPrincipals=[ONE]), False),
        (source(namespaces=["a"]), True),
        (source(namespaces=["b", "c"]), False),
        (source(notNamespaces=["a"]), False),
        (source(namespaces=["a"], principals=["cluster.local/ns/a/sa/other"]), False),
        (source(serviceAccounts=["a/one"]), True),
        (source(serviceAccounts=["one"]), False),  # of the policy's own namespace
        (to(ports=["8080"]), True),
        (to(ports=["9000"]), False),
        (to(notPorts=["8080"]), False),
    ],
)
def test_allow_admits_whom_a_rule_stands_for_and_deny_refuses_them(rule: Any, met: bool) -> None:
    assert admitted([*APPS, authorization("b", "x", rule)]) is met
    assert admitted([*APPS, authorization("b", "x", rule, action="DENY")]) is not met


def test_allow_without_rules_admits_nobody_and_deny_without_rules_refuses_nobody() -> None:
    assert not admitted([*APPS, authorization("b", "x")])
    assert admitted([*APPS, authorization("b", "x", action="DENY")])


def test_one_of_several_allow_policies_is_enough_and_deny_comes_first() -> None:
    other, mine = (
        authorization("b", "other", source(namespaces=["c"])),
        authorization("b", "me", {}),
    )
    assert not admitted([*APPS, other])
    assert admitted([*APPS, other, mine])
    assert not admitted([*APPS, mine, authorization("b", "x", {}, action="DENY")])


def test_a_policy_holds_only_the_pods_that_it_selects() -> None:
    nobody = {"app": "three"}
    assert admitted([*APPS, authorization("b", "x", pods=nobody)])
    assert not admitted([*APPS, authorization("b", "x", pods={"app": "two"})])
    assert admitted([*APPS, authorization("c", "x")])
    assert not admitted([*APPS, authorization("istio-system", "x")])
    assert admitted([*APPS, authorization("b", "x", targetRefs=[{"kind": "Gateway"}])])


def test_an_audit_or_a_dry_run_stops_nothing() -> None:
    assert admitted([*APPS, authorization("b", "x", {}, action="AUDIT")])
    tried = authorization("b", "x")
    tried["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    assert texts([*APPS, tried]) == [
        "AuthorizationPolicy b/x would refuse it, but only records that (dry run)"
    ]
    assert admitted([*APPS, tried])


def test_a_dry_run_that_would_admit_admits_nobody_whom_the_others_refuse() -> None:
    tried = authorization("b", "tried", {})
    tried["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    assert not admitted([*APPS, tried, authorization("b", "x", source(namespaces=["c"]))])


def test_paths_and_methods_limit_an_edge_and_the_reason_says_how() -> None:
    limited = to(ports=["8080"], methods=["GET"], paths=["/v1/*"])
    assert texts([*APPS, authorization("b", "x", {**source(principals=[ONE]), **limited})]) == [
        "AuthorizationPolicy b/x admits it on 8080/TCP; only methods GET; only paths /v1/*"
    ]
    refused = authorization("b", "x", to(paths=["/admin"]), action="DENY")
    assert admitted([*APPS, refused])
    assert texts([*APPS, refused]) == [
        "AuthorizationPolicy b/x refuses requests: only paths /admin"
    ]


@pytest.mark.parametrize(
    "about",
    [to(paths=["/v1"]), to(methods=["GET"]), source(requestPrincipals=["x/y"])],
)
def test_rules_about_requests_admit_nobody_where_no_http_is_spoken_and_refuse_all(
    about: Any,
) -> None:
    objects = [*APPS, speaking("tcp")]
    assert not admitted([*objects, authorization("b", "x", about)])
    assert not admitted([*objects, authorization("b", "x", about, action="DENY")])
    objects = [*APPS, speaking("grpc")]
    assert admitted([*objects, authorization("b", "x", about)])
    assert admitted([*objects, authorization("b", "x", about, action="DENY")])


def speaking(protocol: str) -> dict[str, Any]:
    """The Service of b/two, by Istio's names of protocols."""
    port = {"name": f"{protocol}-main", "port": 80, "targetPort": "http"}
    return {**SERVICE, "spec": {**SERVICE["spec"], "ports": [port]}}


def test_without_a_sidecar_a_source_has_no_identity_and_a_target_no_guard() -> None:
    plain = namespace("a")
    objects = [plain, *APPS[1:], authorization("b", "x", source(namespaces=["a"]))]
    assert not admitted(objects)
    out = app("b", "two", **{"sidecar.istio.io/inject": "false"})
    assert admitted([plain, APPS[1], APPS[2], out, authorization("b", "x")])


@pytest.mark.parametrize(("port", "met"), [(15020, True), (15090, True), (8080, False)])
def test_the_sidecars_own_ports_do_not_pass_it(port: int, met: bool) -> None:
    assert admitted([*APPS, authorization("b", "x")], port) is met


def test_excluded_ports_do_not_pass_the_sidecar_and_neither_does_udp() -> None:
    two = app("b", "two")
    two["spec"]["template"]["metadata"]["annotations"] = {
        "traffic.sidecar.istio.io/excludeInboundPorts": "9000, 9001"
    }
    objects = [*APPS[:3], two, authorization("b", "x")]
    assert admitted(objects, 9001)
    assert not admitted(objects, 9002)
    assert ask(objects, "a/one", "b/two", ports.number(53, "UDP")).allowed


def test_the_mesh_and_the_network_must_both_let_it_through() -> None:
    objects = [*APPS, deny_all("a"), deny_all("b")]
    objects += [
        policy("a", "out", policyTypes=["Egress"], egress=[egress(named("b"))]),
        policy("b", "in", ingress=[ingress(named("a"), ports=[{"port": 8080}, {"port": 9000}])]),
    ]
    assert shown(objects) == ["a/one -> b/two 8080/TCP", "a/one -> b/two 9000/TCP"]
    by_mesh = authorization("b", "x", {**source(principals=[ONE]), **to(ports=["8080"])})
    assert shown([*objects, by_mesh]) == ["a/one -> b/two 8080/TCP"]


def test_no_says_whom_the_mesh_admits() -> None:
    admits = authorization("b", "x", {**source(namespaces=["c"]), **to(ports=["8080"])})
    assert texts([*APPS, admits]) == [
        "AuthorizationPolicy b/x admits only namespaces c on 8080/TCP"
    ]
    elsewhere = authorization("b", "z", to(ports=["9000"]), action="DENY")
    assert texts([*APPS, admits, elsewhere]) == texts([*APPS, admits])
    other = authorization("b", "y", {**source(namespaces=["a"]), **to(ports=["8080"])})
    into = policy("b", "in", ingress=[ingress(named("a"), ports=[{"port": 9000}])])
    found = ask([*APPS, other, into], "a/one", "b/two")
    assert [(each.side, each.allows) for each in found.reasons] == [
        ("egress", True),
        ("ingress", True),
        ("mesh", False),
    ]
    assert texts([*APPS, authorization("b", "x", {}, action="DENY")]) == [
        "AuthorizationPolicy b/x refuses it"
    ]


def virtual_service(*gateways: str) -> dict[str, Any]:
    route = {"destination": {"host": "two.b.svc.cluster.local", "port": {"number": 80}}}
    return {
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "b"},
        "spec": {
            "hosts": ["two.example.com"],
            "gateways": [*gateways],
            "http": [{"route": [route]}],
        },
    }


SERVICE: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "two", "namespace": "b"},
    "spec": {"selector": {"app": "two"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def test_a_gateway_is_whom_a_policy_lets_in_from_a_gateways_namespace() -> None:
    opens = policy("b", "in", ingress=[ingress(named("gateways", istio="gateway"))])
    objects = [*APPS, deny_all("a"), deny_all("b"), opens, SERVICE]
    assert shown(objects) == ["gateways/istio=gateway -> b/two all ports"]
    (edge,) = edges_of([*objects, virtual_service("gateways/main")])
    assert edge.source.kind == "gateway"
    assert "sends it requests for two.example.com, to 8080/TCP" in [
        reason.text for reason in edge.reasons
    ]


def test_a_gateway_proves_its_namespace_and_prometheus_may() -> None:
    opens = policy("b", "in", ingress=[ingress(named("gateways")), ingress(named("monitoring"))])
    objects = [*APPS, deny_all("a"), deny_all("b"), opens, SERVICE, virtual_service("gateways/x")]
    callers = source(namespaces=["gateways", "monitoring"])
    found = {
        edge.source.kind: [reason.text for reason in edge.reasons if reason.side == "mesh"]
        for edge in edges_of([*objects, authorization("b", "x", {**callers, **to(ports=["8080"])})])
        if edge.port == "8080/TCP"
    }
    assert found == {
        "gateway": ["admits it on 8080/TCP"],
        "prometheus": [
            "admits it on 8080/TCP; if it proves to have namespaces gateways, monitoring"
        ],
    }


def service_entry(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "one-api", "namespace": "a"}
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    return {
        "kind": "ServiceEntry",
        "metadata": metadata,
        "spec": {"hosts": ["api.example.com"], "ports": ports, **spec},
    }


def test_a_host_is_reached_where_a_policy_opens_its_port_to_everyone() -> None:
    closed = [*APPS, deny_all("a"), deny_all("b")]
    out = policy("a", "out", policyTypes=["Egress"], egress=[egress(ports=[{"port": 443}])])
    assert shown([*closed, service_entry()]) == []
    assert shown([*closed, out, service_entry()]) == [
        "a/one -> anywhere 443/TCP",
        "a/one -> api.example.com 443/TCP",
    ]
    assert "api.example.com" in "".join(shown([*closed, out, service_entry(exportTo=["."])]))
    assert "api.example.com" not in "".join(shown([*closed, out, service_entry(exportTo=["c"])]))


def test_a_host_that_several_entries_name_is_one_edge_for_each_port() -> None:
    other = service_entry(ports=[{"number": 443}, {"number": 80}])
    other["metadata"]["name"] = "other"
    objects = [*APPS, service_entry(), other]
    found = [each for each in edges_of(objects) if each.target.app == "api.example.com"]
    assert [edge.port for edge in found if edge.source.app == "one"] == ["80/TCP", "443/TCP"]
    assert [each.policy for each in found[1].reasons if each.side == "mesh"] == [
        "ServiceEntry a/one-api",
        "ServiceEntry a/other",
    ]


def test_the_reason_says_what_holds_a_hosts_name() -> None:
    objects = [*APPS, service_entry()]
    (known,) = [
        e.text for e in ask(objects, "a/one", "api.example.com").reasons if e.side == "mesh"
    ]
    assert "REGISTRY_ONLY" in known
    for name, port in (("other.example.com", 443), ("api.example.com", 80)):
        other = ask(objects, "a/one", name, ports.number(port))
        assert other.allowed
        assert "no ServiceEntry names it" in other.reasons[-1].text


def test_a_wildcard_host_stands_for_all_names_below_it() -> None:
    objects = [*APPS, service_entry(hosts=["*.example.com"])]
    for name, known in (("api.example.com", True), ("example.com", False)):
        reason = ask(objects, "a/one", name).reasons[-1]
        assert (reason.policy == "ServiceEntry a/one-api") is known


RANGE = {"hosts": ["10-1-0-0-16.one.invalid"], "addresses": ["10.1.0.0/16"]}


def test_a_name_that_stands_for_a_range_is_no_host() -> None:
    named = service_entry(**RANGE)
    assert shown([*APPS, named]) == shown(APPS)
    all_of_them = service_entry(hosts=["0-0-0-0-0.one.invalid"])
    assert shown([*APPS, all_of_them]) == shown(APPS)


@pytest.mark.parametrize(
    ("to", "port", "known"),
    [
        ("10.1.0.0/16", 443, True),
        ("10.1.2.0/24", 443, True),
        ("10.1.2.3", 443, True),
        ("10.1.2.3", 80, False),
        ("10.0.0.0/8", 443, False),
        ("10.2.0.1", 443, False),
        ("2001:db8::1", 443, False),
    ],
)
def test_the_reason_says_which_entry_names_an_address(to: str, port: int, known: bool) -> None:
    found = ask([*APPS, service_entry(**RANGE)], "a/one", to, ports.number(port))
    assert found.allowed
    named = [each for each in found.reasons if each.policy == "ServiceEntry a/one-api"]
    assert bool(named) is known
    assert all("REGISTRY_ONLY" in each.text for each in named)
    assert "outside the cluster, no NetworkPolicy applies" in [each.text for each in found.reasons]


@pytest.mark.parametrize("to", ["other.example.com", "10.1.2.3"])
@pytest.mark.parametrize(
    ("protocol", "names", "port", "known"),
    [
        ("TCP", {}, 5432, True),
        ("TCP", {}, 5433, False),
        ("TLS", {}, 5432, False),
        ("TCP", {"exportTo": ["c"]}, 5432, False),
        ("TCP", {"addresses": ["192.0.2.0/24"]}, 5432, False),
    ],
)
def test_the_reason_says_which_entry_lets_every_address_through(
    to: str, protocol: str, names: dict[str, Any], port: int, known: bool
) -> None:
    entry = service_entry(ports=[{"number": 5432, "name": "x", "protocol": protocol}], **names)
    found = ask([*APPS, entry], "a/one", to, ports.number(port))
    assert found.allowed
    said = {each.policy: each.text for each in found.reasons}
    assert ("lets every address through" in said.get("ServiceEntry a/one-api", "")) is known
    if "example" in to:
        assert any("no ServiceEntry names it" in text for text in said.values()) is not known


def test_an_entry_that_names_a_range_stops_no_other_port() -> None:
    out = policy(
        "a", "out", policyTypes=["Egress"], egress=[egress({"ipBlock": {"cidr": "10.1.0.0/16"}})]
    )
    found = ask([*APPS, out, service_entry(**RANGE)], "a/one", "10.1.2.3")
    assert found.ports == ("all ports",)


def edges_of(objects: Any) -> list[Edge]:
    return [*edges(world(objects))]


def test_a_source_is_shown_in_one_way_whatever_the_order_of_its_keys() -> None:
    keys = {"principals": ["x"], "namespaces": ["c"]}
    for order in (keys, dict(reversed(keys.items()))):
        assert texts([*APPS, authorization("b", "allow", source(**order))]) == [
            "AuthorizationPolicy b/allow admits only namespaces c or principals x"
        ]
