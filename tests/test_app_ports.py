"""Ports: protocols, the Service's own port, further ports, and who reaches them."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    APP,
    DEPLOYMENT,
    NETWORK_POLICY,
    SERVICE,
    SERVICE_MONITOR,
    VIRTUAL_SERVICE,
    Made,
    web_app,
)
from tests.written import app, place, reported, rows, warned

IT = "team-alpha/my-api"
IN = "apps[0].app"
OUTSIDE = "ingress: {enabled: true, host: my-api.apps.sre.example.com}"
SIDECARS = "is used by Istio's sidecar in every pod; use another port such as 8080"
NAMES = "is not a port's name; write up to 15 lower-case letters, digits and '-', such as admin"


def of(program: Program, in_app: str, beside: str = "", **settings: Any) -> Made:
    return program(web_app(f"app: {{{in_app}}}\n{beside}"), **settings)


def service_ports(made: Made) -> list[dict[str, Any]]:
    return made.one(SERVICE, IT).spec["ports"]


def test_what_is_not_said_stays_as_it_is(program: Program) -> None:
    said, unsaid = (of(program, keys, OUTSIDE) for keys in ("protocol: http, ports: []", ""))
    assert [one.inputs for one in said.resources] == [one.inputs for one in unsaid.resources]


@pytest.mark.parametrize("protocol", ["http2", "grpc", "tcp", "tls"])
def test_the_service_says_what_is_spoken_in_name_and_app_protocol(
    program: Program, protocol: str
) -> None:
    made = of(program, f"protocol: {protocol}, port: 5000")
    named = {"name": protocol, "protocol": "TCP"}
    assert service_ports(made) == [
        {**named, "port": 5000, "targetPort": "http", "appProtocol": protocol}
    ]
    assert made.one(DEPLOYMENT, IT).container["ports"] == [
        {"name": "http", "protocol": "TCP", "containerPort": 5000}
    ]


def test_the_service_has_another_port_than_the_app_and_further_ones(program: Program) -> None:
    keys = (
        "servicePort: 80, ports: [{name: admin, port: 9000}, {name: sql, port: 1, protocol: tcp}]"
    )
    made = of(program, keys, OUTSIDE)
    tcp = {"protocol": "TCP"}
    assert service_ports(made) == [
        {"name": "http", "port": 80, "targetPort": "http", **tcp},
        {"name": "admin", "port": 9000, "targetPort": "admin", **tcp, "appProtocol": "http"},
        {"name": "sql", "port": 1, "targetPort": "sql", **tcp, "appProtocol": "tcp"},
    ]
    container = made.one(DEPLOYMENT, IT).container
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("http", 8080),
        ("admin", 9000),
        ("sql", 1),
    ]
    (route,) = made.one(VIRTUAL_SERVICE, IT).spec["http"]
    assert route["route"][0]["destination"]["port"] == {"number": 80}
    address = made.recording.given[APP, IT]["address"]
    assert address == "my-api.team-alpha.svc.cluster.local:80"


def test_further_ports_are_open_to_the_namespace_but_not_to_the_gateway(program: Program) -> None:
    keys = "servicePort: 80, ports: [{name: admin, port: 9000}]"
    made = of(program, keys, OUTSIDE, metrics={"scrape": "plain"})
    rules = made.one(NETWORK_POLICY, IT).spec["ingress"]
    opened = [[port["port"] for port in rule["ports"]] for rule in rules]
    assert opened == [[8080], [8080], [8080, 9000]]
    gateway, prometheus, namespace = (str(rule["from"]) for rule in rules)
    assert "istio-system" in gateway
    assert "monitoring" in prometheus
    assert namespace == "[{'podSelector': {}}]"


@pytest.mark.parametrize("protocol", ["http", "grpc", "tcp"])
def test_metrics_are_read_from_the_port_of_that_name(program: Program, protocol: str) -> None:
    keys = f"protocol: {protocol}, ports: [{{name: metrics, port: 9090}}]"
    made = of(program, keys, metrics={"scrape": "plain"})
    (endpoint,) = made.one(SERVICE_MONITOR, IT).spec["endpoints"]
    assert endpoint["port"] == "metrics"
    assert "'port': 9090" in str(made.one(NETWORK_POLICY, IT).spec["ingress"][0])
    merged = of(program, keys).one(DEPLOYMENT, IT).pod_template["metadata"]["annotations"]
    assert merged["prometheus.io/port"] == "9090"


@pytest.mark.parametrize("protocol", ["grpc", "tcp", "tls"])
def test_without_http_there_are_no_metrics_to_read(program: Program, protocol: str) -> None:
    made = of(program, f"protocol: {protocol}")
    assert made.names(SERVICE_MONITOR) == []
    annotations = made.one(DEPLOYMENT, IT).pod_template["metadata"]["annotations"]
    assert not any(key.startswith("prometheus") for key in annotations)
    assert "monitoring" not in str(made.one(NETWORK_POLICY, IT).spec["ingress"])


@pytest.mark.parametrize(
    ("protocol", "check"),
    [
        ("http2", {"httpGet": {"path": "/healthz", "port": "http"}}),
        ("grpc", {"grpc": {"port": 8080}}),
        ("tcp", {"tcpSocket": {"port": "http"}}),
        ("tls", {"tcpSocket": {"port": "http"}}),
    ],
)
def test_it_is_probed_in_its_protocol(
    program: Program, protocol: str, check: dict[str, Any]
) -> None:
    keys = f"protocol: {protocol}, probes: {{startup: {{}}, readiness: {{path: /up, port: 9000}}}}"
    container = of(program, keys).one(DEPLOYMENT, IT).container
    kinds = ("httpGet", "tcpSocket", "grpc", "exec")
    for probe in ("startupProbe", "livenessProbe"):
        assert {kind: container[probe][kind] for kind in kinds if kind in container[probe]} == check
    assert container["readinessProbe"]["httpGet"] == {"path": "/up", "port": 9000}


def test_a_protocol_that_is_corrected_restarts_no_pod(program: Program) -> None:
    probes = "probes: {liveness: {path: /}, readiness: {path: /}}"
    before, after = (
        of(program, f"protocol: {protocol}, {probes}").one(DEPLOYMENT, IT).pod_template
        for protocol in ("http", "http2")
    )
    assert before == after


def test_http2_has_its_metrics_at_the_service_s_port_of_that_name(program: Program) -> None:
    made = of(program, "protocol: http2", metrics={"scrape": "plain"})
    (endpoint,) = made.one(SERVICE_MONITOR, IT).spec["endpoints"]
    assert endpoint["port"] == service_ports(made)[0]["name"] == "http2"


def test_grpc_is_reached_through_the_gateway(program: Program) -> None:
    assert of(program, "protocol: grpc", OUTSIDE).names(VIRTUAL_SERVICE) == [IT]


@rows(
    {
        "an unknown protocol": (
            app("protocol: «udp"),
            f"{IN}.protocol: 'udp' is not one of http, http2, grpc, tcp, tls; "
            "use http, http2, grpc, tcp or tls",
        ),
        "Kubernetes' protocol": (
            app("ports: [{name: admin, port: 9000, protocol: «TCP}]"),
            f"{IN}.ports[0].protocol: 'TCP' is not one of http, http2, grpc, tcp, tls; "
            "did you mean tcp?",
        ),
        "the main port's name": (
            app("ports: [{name: «http, port: 9000}]"),
            f"{IN}.ports[0].name: 'http' is the name of `app.port`; choose another",
        ),
        "the main port's name, by its protocol": (
            app("protocol: grpc\nports: [{name: «grpc, port: 9000}]"),
            f"{IN}.ports[0].name: 'grpc' is the name of `app.port`; choose another",
        ),
        "a name that the sidecar has": (
            app("ports: [{name: «http-envoy-prom, port: 9000}]"),
            f"{IN}.ports[0].name: 'http-envoy-prom' is the name of a port of Istio's sidecar; "
            "choose another",
        ),
        "a name twice": (
            app("ports: [{name: admin, port: 9000}, {name: «admin, port: 9001}]"),
            f"{IN}.ports[1].name: 'admin' is the name of ports[0]; choose another",
        ),
        "a name that Kubernetes refuses": (
            app("ports: [{name: «Admin, port: 9000}]"),
            f"{IN}.ports[0].name: 'Admin' {NAMES}",
        ),
        "a name with two hyphens": (
            app("ports: [{name: «ad--min, port: 9000}]"),
            f"{IN}.ports[0].name: 'ad--min' {NAMES}",
        ),
        "the main port": (
            app("ports: [{name: admin, port: «8080}]"),
            f"{IN}.ports[0].port: 8080 is `app.port`; choose another",
        ),
        "the Service's port": (
            app("servicePort: 9000\nports: [{name: admin, port: «9000}]"),
            f"{IN}.ports[0].port: 9000 is `app.servicePort`; choose another",
        ),
        "a port twice": (
            app("ports: [{name: admin, port: 9000}, {name: other, port: «9000}]"),
            f"{IN}.ports[1].port: 9000 is ports[0].port; choose another",
        ),
        "a port of the sidecar": (
            app("ports: [{name: admin, port: «15021}]"),
            f"{IN}.ports[0].port: 15021 {SIDECARS}",
        ),
        "a Service's port of the sidecar": (
            app("servicePort: «15001"),
            f"{IN}.servicePort: 15001 {SIDECARS}",
        ),
        "ingress of an app without HTTP": (
            app(
                "protocol: tcp",
                "ingress: {enabled: «true, host: my-api.apps.sre.example.com}",
            ),
            "apps[0].ingress.enabled: is true, but the gateway takes only HTTP, and "
            "`app.protocol` is tcp; turn it off, or change the protocol",
        ),
        "metrics of an app without HTTP": (
            app("protocol: grpc", "serviceMonitor: «{enabled: true}"),
            "apps[0].serviceMonitor: has nothing to read: `app.protocol` is grpc, and metrics "
            "come over HTTP; add `{name: metrics, port: 9090}` to `app.ports`, or remove it",
        ),
        "a port with metrics, but without HTTP": (
            app("ports: [{name: metrics, port: 9090, protocol: «tcp}]"),
            f"{IN}.ports[0].protocol: is tcp, but Prometheus reads metrics over HTTP; "
            "write http, or rename the port",
        ),
        "a port beside a check that has none": (
            app("protocol: tcp\nprobes: {liveness: {port: «9000}}"),
            f"{IN}.probes.liveness.port: applies only to `path`; add that",
        ),
        "ports of a worker": (
            app("«ports: [{name: admin, port: 9000}]", archetype="worker"),
            f"{IN}.ports: does not fit a worker, only a web-app; remove it or change `archetype`",
        ),
        "another target": (
            app("ports: [{name: admin, port: 80, «targetPort: 9000}]"),
            f"{IN}.ports[0].targetPort: is not supported here; the Service has the same port as "
            "the app; remove it",
        ),
    }
)
def test_a_wrong_port_is_reported(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_a_low_port_is_warned_about_but_not_that_of_the_service(tmp_path: Path) -> None:
    text, where = place(app("servicePort: 80\nports: [{name: admin, port: «443}]"))
    (warning,) = warned(tmp_path, text)
    head = f"tenants/team-alpha.yaml:{where}: {IN}.ports[0].port: warning: 443 is below 1024"
    assert warning.startswith(head)


def test_a_network_rule_may_name_any_of_its_ports(tmp_path: Path) -> None:
    rules = "additionalIngress: [{from: [{podSelector: {}}], ports: [{port: «%s}]}]"
    beside = f"networkPolicy: {{{rules}}}"
    ports = "protocol: grpc\nports: [{name: admin, port: 9000}]"
    for name in ("http", "admin"):
        assert warned(tmp_path, app(ports, beside % name).replace("«", "")) == []
    text, where = place(app(ports, beside % "grpc"))
    (warning,) = warned(tmp_path, text)
    assert where in warning
    assert warning.endswith("use http (8080, TCP) or admin (9000, TCP), or the port's number")
