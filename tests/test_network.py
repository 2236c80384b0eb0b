"""NetworkPolicies: what may talk to what, in a namespace and to an app."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import ARCHETYPES, NETWORK_POLICY, one_of_each, team_file, web_app, worker


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _port(number: int) -> list[dict[str, Any]]:
    return [{"port": number, "protocol": "TCP"}]


ALL_PODS: dict[str, Any] = {}
TO_DNS = {
    "to": [_namespace("kube-system")],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}
SAME_NAMESPACE = [{"podSelector": {}}]
TO_HTTPS = {"ports": [{"port": 443, "protocol": "TCP"}]}

TENANT_POLICIES = {
    "default-deny-all": {"podSelector": ALL_PODS, "policyTypes": ["Ingress", "Egress"]},
    "allow-dns": {"podSelector": ALL_PODS, "policyTypes": ["Egress"], "egress": [TO_DNS]},
    "allow-monitoring": {
        "podSelector": ALL_PODS,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [_namespace("monitoring")]}],
    },
    "allow-istio-gateway": {
        "podSelector": ALL_PODS,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [_namespace("istio-system")]}],
    },
    "allow-same-namespace": {
        "podSelector": ALL_PODS,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": SAME_NAMESPACE}],
        "egress": [{"to": SAME_NAMESPACE}],
    },
    "allow-https-egress": {
        "podSelector": ALL_PODS,
        "policyTypes": ["Egress"],
        "egress": [TO_HTTPS],
    },
    "allow-istio-control-plane": {
        "podSelector": ALL_PODS,
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        **_namespace("istio-system"),
                        "podSelector": {"matchLabels": {"app": "istiod"}},
                    }
                ],
                "ports": _port(15012),
            }
        ],
    },
}

DATABASE = {
    "to": [
        {
            **_namespace("databases"),
            "podSelector": {"matchLabels": {"app": "postgresql"}},
        }
    ],
    "ports": [{"port": 5432, "protocol": "TCP"}],
}


@pytest.mark.parametrize("name", TENANT_POLICIES)
def test_a_namespace_starts_with_the_policy(program: Program, name: str) -> None:
    policy = program(team_file()).one(NETWORK_POLICY, f"team-alpha/{name}")
    assert policy.metadata["name"] == name
    assert policy.metadata["namespace"] == "team-alpha"
    assert policy.spec == TENANT_POLICIES[name]


def test_a_namespace_starts_with_no_other_policies(program: Program) -> None:
    names = program(team_file()).names(NETWORK_POLICY)
    assert names == sorted(f"team-alpha/{name}" for name in TENANT_POLICIES)


def test_every_gateway_of_the_stack_may_reach_the_namespace(program: Program) -> None:
    gateways = ["edge/public", "istio-system/sre-gateway", "edge/partners"]
    made = program(team_file(), istio={"gateways": gateways})
    policy = made.one(NETWORK_POLICY, "team-alpha/allow-istio-gateway")
    assert policy.spec["ingress"] == [{"from": [_namespace("edge"), _namespace("istio-system")]}]


def test_the_stack_says_where_the_control_plane_is(program: Program) -> None:
    plane = {"namespace": "mesh", "podLabels": {"app": "istiod", "istio.io/rev": "stable"}}
    made = program(team_file(), istio={"controlPlane": plane})
    policy = made.one(NETWORK_POLICY, "team-alpha/allow-istio-control-plane")
    istiod = {**_namespace("mesh"), "podSelector": {"matchLabels": plane["podLabels"]}}
    assert policy.spec["egress"] == [{"to": [istiod], "ports": _port(15012)}]


def test_a_stack_without_a_control_plane_opens_no_port_for_it(program: Program) -> None:
    names = program(team_file(), istio={"controlPlane": None}).names(NETWORK_POLICY)
    assert "team-alpha/allow-istio-control-plane" not in names
    assert "team-alpha/allow-istio-gateway" in names


def test_a_stack_can_admit_the_gateways_pods_alone(program: Program) -> None:
    keys = "ingress: {enabled: true, host: a.example.com}"
    made = program(web_app(keys), istio={"gatewayPodLabels": {"istio": "gateway"}})
    gateway = {
        **_namespace("istio-system"),
        "podSelector": {"matchLabels": {"istio": "gateway"}},
    }
    everyone = made.one(NETWORK_POLICY, "team-alpha/allow-istio-gateway")
    assert everyone.spec["ingress"] == [{"from": [gateway]}]
    own = made.one(NETWORK_POLICY, "team-alpha/my-api")
    assert own.spec["ingress"][0] == {"from": [gateway], "ports": _port(8080)}


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_an_app_s_policy_covers_its_pods_only_and_both_directions(
    program: Program, archetype: str
) -> None:
    policy = program(one_of_each()).one(NETWORK_POLICY, f"team-alpha/{archetype}")
    assert policy.spec["podSelector"] == {
        "matchLabels": {
            "app.kubernetes.io/name": archetype,
            "app.kubernetes.io/instance": archetype,
        }
    }
    assert policy.spec["policyTypes"] == ["Ingress", "Egress"]
    assert policy.spec["egress"] == [TO_DNS, {"to": SAME_NAMESPACE}, TO_HTTPS]


def test_a_web_app_admits_monitoring_and_its_namespace_to_its_port(program: Program) -> None:
    policy = program(web_app("app: {port: 9443}")).one(NETWORK_POLICY, "team-alpha/my-api")
    assert policy.spec["ingress"] == [
        {"from": [_namespace("monitoring")], "ports": _port(15020)},
        {"from": SAME_NAMESPACE, "ports": _port(9443)},
    ]


def test_a_web_app_with_ingress_admits_the_namespace_of_its_own_gateway_too(
    program: Program,
) -> None:
    keys = "ingress: {enabled: true, host: a.example.com, gateway: edge/public}"
    gateways = {"gateways": ["istio-system/sre-gateway", "edge/public"]}
    policy = program(web_app(keys), istio=gateways).one(NETWORK_POLICY, "team-alpha/my-api")
    assert policy.spec["ingress"] == [
        {"from": [_namespace("edge")], "ports": _port(8080)},
        {"from": [_namespace("monitoring")], "ports": _port(15020)},
        {"from": SAME_NAMESPACE, "ports": _port(8080)},
    ]


@pytest.mark.parametrize("archetype", ["worker", "cronjob"])
def test_a_worker_or_cronjob_admits_prometheus_to_its_metrics_alone(
    program: Program, archetype: str
) -> None:
    keys = "serviceMonitor: {enabled: true, port: 7070}"
    policy = program(one_of_each(keys, ARCHETYPES[1:])).one(
        NETWORK_POLICY, f"team-alpha/{archetype}"
    )
    assert policy.spec["ingress"] == [{"from": [_namespace("monitoring")], "ports": _port(15020)}]


@pytest.mark.parametrize("archetype", ["worker", "cronjob"])
def test_a_worker_or_cronjob_without_metrics_admits_no_traffic_by_itself(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each("serviceMonitor: {enabled: false}"))
    policy = made.one(NETWORK_POLICY, f"team-alpha/{archetype}")
    assert "Ingress" in policy.spec["policyTypes"]
    assert "ingress" not in policy.spec


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_additional_rules_stand_beside_the_default_ones(program: Program, archetype: str) -> None:
    keys = """
    networkPolicy:
      additionalIngress:
        - from:
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-beta}}
              podSelector: {matchLabels: {app: upstream-service}}
          ports: [{port: 8080, protocol: TCP}]
      additionalEgress:
        - to:
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: databases}}
              podSelector: {matchLabels: {app: postgresql}}
          ports: [{port: 5432}]
    """
    plain = program(one_of_each()).one(NETWORK_POLICY, f"team-alpha/{archetype}").spec
    policy = program(one_of_each(keys)).one(NETWORK_POLICY, f"team-alpha/{archetype}").spec
    upstream = {
        "from": [
            {
                **_namespace("team-beta"),
                "podSelector": {"matchLabels": {"app": "upstream-service"}},
            }
        ],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
    assert policy["ingress"] == [*plain.get("ingress", []), upstream]
    assert policy["egress"] == [*plain["egress"], DATABASE]


def test_a_rule_keeps_every_part_that_kubernetes_knows(program: Program) -> None:
    keys = """
    networkPolicy:
      additionalIngress:
        - from:
            - namespaceSelector:
                matchExpressions:
                  - {key: tier, operator: In, values: [front, back]}
                  - {key: retired, operator: DoesNotExist}
              podSelector: {}
          ports: [{port: http}]
      additionalEgress:
        - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.9.0.0/16]}}]
          ports: [{port: 30000, endPort: 32767, protocol: UDP}, {protocol: SCTP}]
        - to: [{podSelector: {matchLabels: {role: cache}}}]
        - ports: [{port: 25}]
    """
    spec = program(worker(keys)).one(NETWORK_POLICY, "team-alpha/consumer").spec
    assert spec["ingress"][1:] == [
        {
            "from": [
                {
                    "namespaceSelector": {
                        "matchExpressions": [
                            {"key": "tier", "operator": "In", "values": ["front", "back"]},
                            {"key": "retired", "operator": "DoesNotExist"},
                        ]
                    },
                    "podSelector": {},
                }
            ],
            "ports": [{"port": "http", "protocol": "TCP"}],
        }
    ]
    assert spec["egress"][3:] == [
        {
            "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}}],
            "ports": [
                {"port": 30000, "endPort": 32767, "protocol": "UDP"},
                {"protocol": "SCTP"},
            ],
        },
        {"to": [{"podSelector": {"matchLabels": {"role": "cache"}}}]},
        {"ports": [{"port": 25, "protocol": "TCP"}]},
    ]


def test_an_app_can_do_without_a_policy_of_its_own(program: Program) -> None:
    made = program(one_of_each("networkPolicy: {enabled: false}"))
    assert made.names(NETWORK_POLICY) == sorted(f"team-alpha/{name}" for name in TENANT_POLICIES)
