"""What calls and callers open: in NetworkPolicies, for the mesh, and nothing besides."""

import re
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    ADMISSION_POLICY,
    AUTHORIZATION_POLICY,
    DEPLOYMENT,
    NETWORK_POLICY,
    SERVICE_ENTRY,
    Made,
    Resource,
    cronjob,
    merged,
    read_yaml,
    team_file,
    web_app,
    worker,
)
from tests.written import ISTIO

DECLARED = "namespace: {internalTraffic: declared}"
ENFORCED: dict[str, Any] = {"istio": {**ISTIO, "authorization": "enforce"}}
ONLY_DECLARED: dict[str, Any] = {"network": {"httpsEgress": "declared"}}
PLATFORM: dict[str, Any] = {
    "databases": {"namespace": "databases", "podLabels": {"app": "postgresql"}, "ports": [5432]},
    "kafka": {"namespace": "kafka", "ports": [9092, 9093]},
    "kubernetes-api": {"cidrs": ["10.0.0.1/32", "10.0.0.2/32"], "ports": [6443]},
    "mail": {"host": "smtp.example.com", "ports": [587]},
    "vault": {"host": "vault.example.com", "ports": [443]},
}


def _of(team: str, file: str) -> str:
    """The same apps, as another team's."""
    apps = read_yaml(file)["apps"]
    for app in apps:
        image = app["app"]["image"]
        image["repository"] = image["repository"].replace("/team-alpha/", f"/{team}/")
    return team_file(*apps, team=team)


def _inside(*files: str) -> str:
    """A team whose apps may call each other only as they say."""
    return team_file(*read_yaml(merged(*files))["apps"], keys=DECLARED)


def _policy(made: Made, name: str) -> Resource:
    return made.one(NETWORK_POLICY, name)


def _pods(team: str, app: str) -> dict[str, Any]:
    """The peer that is an app's pods."""
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": app}
    namespace = {"kubernetes.io/metadata.name": team}
    return {
        "namespaceSelector": {"matchLabels": namespace},
        "podSelector": {"matchLabels": labels},
    }


def _ports(*numbers: int) -> list[dict[str, Any]]:
    return [{"port": number, "protocol": "TCP"} for number in numbers]


def _rules_added(made: Made, without: Made, name: str, direction: str) -> list[Any]:
    """What one policy opens in one run and not in the other, which opens nothing else."""
    before = _policy(without, name).spec[direction]
    after = _policy(made, name).spec[direction]
    assert [rule for rule in after if rule in before] == before
    return [rule for rule in after if rule not in before]


# Two teams

CALLER = _of("team-beta", worker("calls: [{team: team-alpha, app: my-api}]"))
CALLED = web_app("{app: {port: 9443}, callers: [{team: team-beta, app: consumer}]}")


def test_a_call_opens_exactly_the_other_app_s_port_on_both_sides(program: Program) -> None:
    made = program(CALLED, CALLER)
    without = program(web_app("app: {port: 9443}"), _of("team-beta", worker()))
    assert _rules_added(made, without, "team-beta/consumer", "egress") == [
        {"to": [_pods("team-alpha", "my-api")], "ports": _ports(9443)}
    ]
    assert _rules_added(made, without, "team-alpha/my-api", "ingress") == [
        {"from": [_pods("team-beta", "consumer")], "ports": _ports(9443)}
    ]
    changed = {"team-beta/consumer", "team-alpha/my-api"}
    for name in set(made.names(NETWORK_POLICY)) - changed:
        assert _policy(made, name).spec == _policy(without, name).spec, name
    assert _policy(made, "team-beta/consumer").spec.get("ingress") == _policy(
        without, "team-beta/consumer"
    ).spec.get("ingress")
    assert (
        _policy(made, "team-alpha/my-api").spec["egress"]
        == _policy(without, "team-alpha/my-api").spec["egress"]
    )


def test_the_port_is_the_container_s_not_the_service_s(program: Program) -> None:
    called = web_app(
        "{app: {port: 8443, servicePort: 80}, callers: [{team: team-beta, app: consumer}]}"
    )
    egress = _policy(program(called, CALLER), "team-beta/consumer").spec["egress"]
    assert egress[-1]["ports"] == _ports(8443)


def test_a_stack_of_one_team_opens_its_own_side(program: Program) -> None:
    both = program(CALLED, CALLER)
    for team, name in (("team-alpha", "my-api"), ("team-beta", "consumer")):
        alone = program(CALLED, CALLER, teams=[team])
        mine = f"{team}/{name}"
        assert _policy(alone, mine).spec == _policy(both, mine).spec
        assert all(each.startswith(f"{team}/") for each in alone.names(NETWORK_POLICY))


def test_an_entry_in_callers_opens_nothing_at_the_caller(program: Program) -> None:
    silent = _of("team-beta", worker())
    assert (
        _policy(program(CALLED, silent), "team-beta/consumer").spec
        == _policy(program(silent), "team-beta/consumer").spec
    )


# One team

FRONT = web_app("calls: [{app: ledger}]", name="front")
LEDGER = web_app("app: {port: 9000, ports: [{name: admin, port: 9001}]}", name="ledger")


def test_a_team_whose_traffic_is_open_only_documents_its_own_calls(program: Program) -> None:
    silent = merged(web_app(name="front"), LEDGER)
    said, unsaid = program(merged(FRONT, LEDGER)), program(silent)
    assert said.names(NETWORK_POLICY) == unsaid.names(NETWORK_POLICY)
    for name in said.names(NETWORK_POLICY):
        assert _policy(said, name).spec == _policy(unsaid, name).spec


def test_a_team_can_close_its_namespace_inside(program: Program) -> None:
    made = program(_inside(FRONT, LEDGER, cronjob()), **ENFORCED)
    assert "team-alpha/allow-same-namespace" not in made.names(NETWORK_POLICY)
    assert "team-alpha/default-deny-all" in made.names(NETWORK_POLICY)
    everyone = {"podSelector": {}}
    for policy in made.all(NETWORK_POLICY):
        for rule in (*policy.spec.get("egress", ()), *policy.spec.get("ingress", ())):
            assert everyone not in (*rule.get("to", ()), *rule.get("from", ())), policy.name


def test_its_own_calls_then_open_both_sides_and_nothing_else(program: Program) -> None:
    made = program(_inside(FRONT, LEDGER, cronjob()), **ENFORCED)
    without = program(_inside(web_app(name="front"), LEDGER, cronjob()), **ENFORCED)
    assert _rules_added(made, without, "team-alpha/front", "egress") == [
        {"to": [_pods("team-alpha", "ledger")], "ports": _ports(9000)}
    ]
    assert _rules_added(made, without, "team-alpha/ledger", "ingress") == [
        {"from": [_pods("team-alpha", "front")], "ports": _ports(9000)}
    ]
    assert _policy(made, "team-alpha/report").spec == _policy(without, "team-alpha/report").spec


def test_the_gateway_and_prometheus_still_reach_a_namespace_that_is_closed_inside(
    program: Program,
) -> None:
    ledger = web_app("ingress: {enabled: true, host: a.example.com}", name="ledger")
    ingress = _policy(program(_inside(ledger), **ENFORCED), "team-alpha/ledger").spec["ingress"]
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in ingress
        for peer in rule["from"]
    ]
    assert namespaces == ["istio-system", "monitoring"]


# Outside the teams


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (
            "{cidr: 10.200.0.0/16, port: 8443}",
            {"to": [{"ipBlock": {"cidr": "10.200.0.0/16"}}], "ports": _ports(8443)},
        ),
        ("{host: db.example.com, port: 5432}", {"ports": _ports(5432)}),
        (
            "{platform: databases}",
            {
                "to": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": "databases"}
                        },
                        "podSelector": {"matchLabels": {"app": "postgresql"}},
                    }
                ],
                "ports": _ports(5432),
            },
        ),
        (
            "{platform: kafka}",
            {
                "to": [
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kafka"}}}
                ],
                "ports": _ports(9092, 9093),
            },
        ),
        (
            "{platform: kubernetes-api}",
            {
                "to": [
                    {"ipBlock": {"cidr": "10.0.0.1/32"}},
                    {"ipBlock": {"cidr": "10.0.0.2/32"}},
                ],
                "ports": _ports(6443),
            },
        ),
        ("{platform: mail}", {"ports": _ports(587)}),
    ],
)
def test_a_call_that_leaves_the_teams_opens_exactly_its_ports(
    program: Program, call: str, rule: dict[str, Any]
) -> None:
    made = program(worker(f"calls: [{call}]"), network={"platform": PLATFORM})
    without = program(worker(), network={"platform": PLATFORM})
    assert _rules_added(made, without, "team-alpha/consumer", "egress") == [rule]


@pytest.mark.parametrize("call", ["{host: api.example.com}", "{platform: vault}"])
def test_port_443_is_open_to_hosts_anyway(program: Program, call: str) -> None:
    made = program(worker(f"calls: [{call}]"), network={"platform": PLATFORM})
    without = program(worker(), network={"platform": PLATFORM})
    assert _rules_added(made, without, "team-alpha/consumer", "egress") == []


def test_several_hosts_share_one_rule(program: Program) -> None:
    hosts = {"a.example.com": 80, "b.example.com": 25, "c.example.com": 80}
    calls = ", ".join(f"{{host: {host}, port: {port}}}" for host, port in hosts.items())
    egress = _policy(program(worker(f"calls: [{calls}]")), "team-alpha/consumer").spec["egress"]
    assert egress[-1] == {"ports": _ports(25, 80)}


# Port 443


def _opens_https(policy: Resource) -> bool:
    """Whether it opens port 443 of any address."""
    return any(
        not rule.get("to")
        and any(port.get("port") in (None, 443) for port in rule.get("ports") or [{}])
        for rule in policy.spec.get("egress", ())
    )


def test_a_stack_can_close_port_443(program: Program) -> None:
    made = program(merged(web_app(), worker(), cronjob()), **ONLY_DECLARED)
    assert "team-alpha/allow-https-egress" not in made.names(NETWORK_POLICY)
    assert not any(_opens_https(policy) for policy in made.all(NETWORK_POLICY))


@pytest.mark.parametrize("call", ["{host: api.example.com}", "{platform: vault}"])
def test_port_443_is_then_open_to_apps_that_call_a_host(program: Program, call: str) -> None:
    network = {"httpsEgress": "declared", "platform": PLATFORM}
    made = program(merged(web_app(f"calls: [{call}]"), worker()), network=network)
    opened = [policy.name for policy in made.all(NETWORK_POLICY) if _opens_https(policy)]
    assert opened == ["team-alpha/my-api"]


def test_addresses_open_port_443_to_themselves_alone(program: Program) -> None:
    made = program(web_app("calls: [{cidr: 10.200.0.0/16, port: 443}]"), **ONLY_DECLARED)
    assert not any(_opens_https(policy) for policy in made.all(NETWORK_POLICY))
    assert _policy(made, "team-alpha/my-api").spec["egress"][-1] == {
        "to": [{"ipBlock": {"cidr": "10.200.0.0/16"}}],
        "ports": _ports(443),
    }


# By identity


def _admits(made: Made, name: str) -> list[dict[str, Any]]:
    """The rules of an app's AuthorizationPolicy."""
    policy = made.one(AUTHORIZATION_POLICY, name)
    assert policy.spec["action"] == "ALLOW"
    app = name.rpartition("/")[2]
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": app}
    assert policy.spec["selector"] == {"matchLabels": labels}
    return policy.spec["rules"]


def _admitted(team: str, account: str, **operation: list[str]) -> dict[str, Any]:
    source = {"principals": [f"cluster.local/ns/{team}/sa/{account}"]}
    return {"from": [{"source": source}], "to": [{"operation": operation}]}


def test_without_authorization_the_mesh_decides_nothing(program: Program) -> None:
    assert program(CALLED, CALLER).names(AUTHORIZATION_POLICY) == []


def test_a_caller_is_admitted_by_its_account_to_the_main_port_alone(program: Program) -> None:
    made = program(CALLED, CALLER, **ENFORCED)
    assert _admits(made, "team-alpha/my-api") == [
        _admitted("team-beta", "consumer", ports=["9443"])
    ]
    own = {"allow-istio-gateway", "allow-same-namespace"}
    assert set(made.names(AUTHORIZATION_POLICY)) == {
        "team-alpha/my-api",
        *(f"{team}/{name}" for team in ("team-alpha", "team-beta") for name in own),
    }


def test_a_caller_without_an_account_of_its_own_has_its_namespace_s(program: Program) -> None:
    calls = "calls: [{team: team-alpha, app: my-api}]"
    caller = worker(f"{{{calls}, serviceAccount: {{create: false}}}}")
    made = program(CALLED, _of("team-beta", caller), **ENFORCED)
    assert _admits(made, "team-alpha/my-api") == [_admitted("team-beta", "default", ports=["9443"])]


def test_each_caller_has_its_own_paths_and_methods(program: Program) -> None:
    one = "{team: team-beta, app: consumer, paths: [/v1/*, /healthz], methods: [GET, HEAD]}"
    called = web_app(f"callers: [{one}, {{team: team-beta, app: report}}]")
    both = merged(
        worker("calls: [{team: team-alpha, app: my-api}]"),
        cronjob("calls: [{team: team-alpha, app: my-api}]"),
    )
    assert _admits(program(called, _of("team-beta", both), **ENFORCED), "team-alpha/my-api") == [
        _admitted(
            "team-beta",
            "consumer",
            ports=["8080"],
            paths=["/v1/*", "/healthz"],
            methods=["GET", "HEAD"],
        ),
        _admitted("team-beta", "report", ports=["8080"]),
    ]


@pytest.mark.parametrize(
    ("mode", "annotations"), [("enforce", None), ("audit", {"istio.io/dry-run": "true"})]
)
def test_an_audit_refuses_no_caller(program: Program, mode: str, annotations: Any) -> None:
    made = program(CALLED, CALLER, istio={**ISTIO, "authorization": mode})
    policy = made.one(AUTHORIZATION_POLICY, "team-alpha/my-api")
    assert policy.metadata.get("annotations") == annotations


def test_a_namespace_closed_inside_admits_an_app_s_own_callers_by_identity(
    program: Program,
) -> None:
    made = program(_inside(FRONT, LEDGER, cronjob()), metrics={"scrape": "mesh"}, **ENFORCED)
    assert _admits(made, "team-alpha/ledger") == [_admitted("team-alpha", "front", ports=["9000"])]
    # The gateway and Prometheus still pass, and nobody else.
    assert made.names(AUTHORIZATION_POLICY) == [
        "team-alpha/allow-istio-gateway",
        "team-alpha/allow-monitoring",
        "team-alpha/ledger",
    ]


def test_a_namespace_open_inside_admits_itself_as_a_whole(program: Program) -> None:
    made = program(merged(FRONT, LEDGER), **ENFORCED)
    assert made.names(AUTHORIZATION_POLICY) == [
        "team-alpha/allow-istio-gateway",
        "team-alpha/allow-same-namespace",
    ]


def test_callers_are_admitted_before_the_app_starts(program: Program) -> None:
    made = program(CALLED, CALLER, **ENFORCED)
    policy = str(made.one(AUTHORIZATION_POLICY, "team-alpha/my-api"))
    assert policy in made.one(DEPLOYMENT, "team-alpha/my-api").depends_on


# Hosts outside the mesh


@pytest.mark.parametrize(
    ("calls", "name", "ports", "resolution"),
    [
        ("{host: api.stripe.com}", "api-stripe-com", [(443, "TLS")], "DNS"),
        ("{host: API.Stripe.com.}", "api-stripe-com", [(443, "TLS")], "DNS"),
        ("{host: a.example.com, port: 80}", "a-example-com", [(80, "HTTP")], "DNS"),
        ("{host: a.example.com, port: 5432}", "a-example-com", [(5432, "TCP")], "NONE"),
        ("{host: '*.example.com'}", "any-example-com", [(443, "TLS")], "NONE"),
        (
            "{host: a.example.com, port: 8443}, {host: a.example.com}",
            "a-example-com",
            [(443, "TLS"), (8443, "TCP")],
            "NONE",
        ),
        ("{platform: mail}", "smtp-example-com", [(587, "TCP")], "NONE"),
        ("{platform: vault}", "vault-example-com", [(443, "TLS")], "DNS"),
    ],
)
def test_a_host_is_known_to_the_team_s_sidecars_alone(
    program: Program, calls: str, name: str, ports: list[tuple[int, str]], resolution: str
) -> None:
    made = program(worker(f"calls: [{calls}]"), network={"platform": PLATFORM})
    assert made.names(SERVICE_ENTRY) == [f"team-alpha/consumer-{name}"]
    entry = made.one(SERVICE_ENTRY, f"team-alpha/consumer-{name}")
    assert (entry.metadata["namespace"], entry.metadata["name"]) == (
        "team-alpha",
        f"consumer-{name}",
    )
    host = name.replace("any-", "*-").replace("-", ".")
    assert entry.spec == {
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "exportTo": ["."],
        "ports": [
            {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}
            for number, protocol in ports
        ],
        "resolution": resolution,
    }


def test_a_host_that_several_apps_call_has_the_same_ports_for_all(program: Program) -> None:
    apps = (
        worker("calls: [{host: a.example.com}, {host: b.example.com}]"),
        cronjob("calls: [{host: A.example.com, port: 5432}]"),
    )
    made = program(merged(*apps))
    found = {
        each.metadata["name"]: (
            [port["number"] for port in each.spec["ports"]],
            each.spec["resolution"],
        )
        for each in made.all(SERVICE_ENTRY)
    }
    assert found == {
        "consumer-a-example-com": ([443, 5432], "NONE"),
        "report-a-example-com": ([443, 5432], "NONE"),
        "consumer-b-example-com": ([443], "DNS"),
    }


@pytest.mark.parametrize(
    ("calls", "addresses"),
    [
        ("{cidr: 10.200.0.0/16, port: 8443}", {"10-200-0-0-16": ("10.200.0.0/16", [8443])}),
        (
            "{cidr: 10.200.0.0/16, port: 443}, {cidr: 10.200.0.0/16, port: 80}",
            {"10-200-0-0-16": ("10.200.0.0/16", [80, 443])},
        ),
        ('{cidr: "2001:DB8::/32", port: 443}', {"2001-db8---32": ("2001:db8::/32", [443])}),
        ('{cidr: "::1/128", port: 443}', {"0--1-128": ("::1/128", [443])}),
        (
            "{platform: kubernetes-api}",
            {"10-0-0-1-32": ("10.0.0.1/32", [6443]), "10-0-0-2-32": ("10.0.0.2/32", [6443])},
        ),
        (
            "{platform: kubernetes-api}, {cidr: 10.0.0.1/32, port: 443}",
            {"10-0-0-1-32": ("10.0.0.1/32", [443, 6443]), "10-0-0-2-32": ("10.0.0.2/32", [6443])},
        ),
    ],
)
def test_addresses_are_known_to_the_team_s_sidecars_alone(
    program: Program, calls: str, addresses: dict[str, tuple[str, list[int]]]
) -> None:
    made = program(worker(f"calls: [{calls}]"), network={"platform": PLATFORM})
    found = {each.metadata["name"]: each.spec for each in made.all(SERVICE_ENTRY)}
    assert found == {
        f"consumer-{dashed}": {
            "hosts": [f"{dashed}.consumer.invalid"],
            "addresses": [cidr],
            "location": "MESH_EXTERNAL",
            "exportTo": ["."],
            "ports": [
                {"number": number, "name": f"tcp-{number}", "protocol": "TCP"} for number in ports
            ],
            "resolution": "NONE",
        }
        for dashed, (cidr, ports) in addresses.items()
    }


@pytest.mark.parametrize(
    ("cidr", "host"), [("0.0.0.0/0", "0-0-0-0-0"), ("0.0.0.0/1", "0-0-0-0-1"), ("::/0", "0---0")]
)
def test_all_addresses_are_known_by_their_port(program: Program, cidr: str, host: str) -> None:
    made = program(worker(f'calls: [{{cidr: "{cidr}", port: 8443}}]'))
    entry = made.one(SERVICE_ENTRY, f"team-alpha/consumer-{host}")
    assert entry.spec["hosts"] == [f"{host}.consumer.invalid"]
    assert "addresses" not in entry.spec


def test_the_name_that_stands_for_a_range_has_labels_that_dns_allows(program: Program) -> None:
    name, cidr = "a" * 52, "2001:db8:1111:2222:3333:4444:5555:6666/128"
    calls = f'calls: [{{cidr: "{cidr}", port: 443}}]'
    image = {"repository": f"harbor.sre.internal/team-alpha/{name}", "tag": "v1"}
    file = team_file(
        {"archetype": "worker", "app": {"name": name, "image": image}, **read_yaml(calls)}
    )
    (entry,) = program(file).all(SERVICE_ENTRY)
    (host,) = entry.spec["hosts"]
    for label in host.split("."):
        assert re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label)


def test_pods_of_the_platform_have_no_service_entry(program: Program) -> None:
    made = program(worker("calls: [{platform: databases}]"), network={"platform": PLATFORM})
    assert made.names(SERVICE_ENTRY) == []


def test_an_app_starts_once_its_sidecar_may_know_its_hosts(program: Program) -> None:
    made = program(worker("calls: [{host: api.example.com}]"))
    entry = str(made.one(SERVICE_ENTRY, "team-alpha/consumer-api-example-com"))
    assert entry in made.one(DEPLOYMENT, "team-alpha/consumer").depends_on


def test_a_team_cannot_undo_what_calls_say(program: Program) -> None:
    policy = program(team_file(), platform=True, **ENFORCED).one(
        ADMISSION_POLICY, "sre-platform-only"
    )
    kept = {
        (group, resource)
        for rule in policy.spec["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert kept >= {
        ("networking.k8s.io", "networkpolicies"),
        ("security.istio.io", "authorizationpolicies"),
        ("networking.istio.io", "serviceentries"),
        ("networking.istio.io", "sidecars"),
    }
