"""Connections between sidecars that run: mutual TLS, identities, and Prometheus's scrapes."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from clients.kubernetes import Cluster, Object
from sandbox.servers import mesh as gateways
from sandbox.servers import parts
from sandbox.servers.parts import Parts
from sandbox.servers.processes import Process, stop
from tests.checkouts import Checkout
from tests.parts.prometheus import ALPHA, Prometheus
from tests.parts.sidecars import CERTIFICATES, Network, Networks, missing
from tests.servers.conftest import (
    cluster_of,
    port_of,
    record_of,
    start,
    stopped_at_the_end,
    until,
)

pytestmark = pytest.mark.parts

BETA = "team-beta"
SERVICE = f"my-api.{ALPHA}.svc.cluster.local:8080"
HOST = "my-api.apps.sre.example.com"
STACK = "Pulumi.dev.yaml"
NAME = "app.kubernetes.io/name"
CERTIFICATE = r'^istio_agent_cert_expiry_seconds\{resource_name="default"\} (\S+)$'
DAY = 86_400  # seconds: how long a certificate of the mesh is valid


class Mesh(NamedTuple):
    """The callers, and what they call: the Service's address and port, and a pod's.

    `certificates` is the folder to which the pod's agent writes what istiod gives it.
    """

    checkout: Checkout
    cluster: Cluster
    networks: Networks
    callers: Mapping[str, Network]
    service: str
    pod: str
    certificates: Path
    listens: int


def pods(cluster: Cluster, namespace: str, label: str, value: str) -> list[Object]:
    return [
        pod
        for pod in cluster.list("v1", "Pod", namespace)
        if pod["metadata"]["labels"].get(label) == value and pod["status"].get("podIP")
    ]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    checkout = Checkout(tmp_path_factory.mktemp("mesh") / "checkout")
    checkout.edit(f"tenants/{ALPHA}.yaml", 'interval: "30s"', "interval: 1s")
    with sidecars(checkout, parts.PROMETHEUS) as networks:
        yield running(checkout, networks)


@contextmanager
def sidecars(checkout: Checkout, *more: str) -> Iterator[Networks]:
    """Where sidecars of the checkout's pods can run: its stack is up, with istiod and `more`."""
    if lacking := missing():
        pytest.skip(lacking)
    with (
        TemporaryDirectory() as folder,  # sidecars could not read pytest's
        stopped_at_the_end(checkout),
        ExitStack() as stack,
    ):
        start(checkout, " ".join((parts.ISTIO, *more)))
        checkout.up()
        Path(folder).chmod(0o755)
        istiod = port_of(checkout, parts.ISTIOD_CONFIGURATION)
        yield Networks(stack, Path(folder), cluster_of(checkout), istiod)


def running(checkout: Checkout, networks: Networks) -> Mesh:
    cluster = cluster_of(checkout)
    apps = start_my_api(cluster, networks)
    callers = {
        "frontend": networks.start_pod(pods(cluster, ALPHA, NAME, "frontend")[0]),
        "order-processor": networks.start_pod(pods(cluster, BETA, NAME, "order-processor")[0]),
        "stranger": networks.add("10.0.0.250"),  # kwok has no node with so many pods here
        "gateway": gateway(checkout, cluster, networks),
    }
    service = cluster.get("v1", "Service", ALPHA, "my-api")
    assert service
    mesh = Mesh(
        checkout,
        cluster,
        networks,
        callers,
        service["spec"]["clusterIP"],
        apps[0]["status"]["podIP"],
        networks.folder(apps[0]) / CERTIFICATES,
        port_of(checkout, parts.GATEWAY),
    )
    for caller in ("frontend", "order-processor"):
        until(lambda caller=caller: call(mesh, caller).startswith("200"))
    return mesh


def start_my_api(
    cluster: Cluster, networks: Networks, former: Collection[Object] = ()
) -> list[Object]:
    """Start its pods once there are two, as its autoscaler wants, and none of the former."""
    gone = {pod["metadata"]["name"] for pod in former}

    def found() -> list[Object]:
        return pods(cluster, ALPHA, NAME, "my-api")

    until(lambda: len(found()) == 2 and not gone & {pod["metadata"]["name"] for pod in found()})
    for pod in found():
        networks.start_pod(pod)
    return found()


def gateway(checkout: Checkout, cluster: Cluster, networks: Networks) -> Network:
    """The gateway of `make servers`, moved to where it reaches pods."""
    folder = record_of(checkout).folder
    stop([Process(folder, parts.GATEWAY)])
    (pod,) = pods(cluster, gateways.NAMESPACE, "istio", "ingressgateway")
    network = networks.add(pod["status"]["podIP"])
    here = Parts(folder)
    here.ports = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
    network.forward(here.ports[parts.ISTIOD_CONFIGURATION])
    command = gateways.gateway_command(networks.agent, networks.envoy, here)
    with (folder / "logs" / "moved-gateway.log").open("wb") as log:
        networks.start(network.inside(*command), env={"PATH": parts.PATH}, stdout=log, stderr=log)
    return network


def call(mesh: Mesh, caller: str) -> str:
    """What a caller gets from my-api's Service."""
    return mesh.callers[caller].get(mesh.service, 8080, SERVICE)


def from_outside(mesh: Mesh, host: str = HOST) -> str:
    """What the gateway answers."""
    trust = record_of(mesh.checkout).folder / "gateway.crt"
    return mesh.callers["gateway"].get("127.0.0.1", mesh.listens, host, trust=trust)


def identity(namespace: str, account: str) -> str:
    return f"URI=spiffe://cluster.local/ns/{namespace}/sa/{account}"


def test_apps_call_each_other_over_mutual_tls(mesh: Mesh) -> None:
    answer = call(mesh, "frontend")
    assert answer.startswith("200")
    assert f"By={identity(ALPHA, 'my-api')[4:]}" in answer
    assert identity(ALPHA, "frontend") in answer


def test_requests_from_outside_arrive_with_the_gateway_s_identity(mesh: Mesh) -> None:
    until(lambda: from_outside(mesh).startswith("200"))
    assert identity(gateways.NAMESPACE, gateways.GATEWAY_ACCOUNT) in from_outside(mesh)
    assert from_outside(mesh, "nobody.apps.sre.example.com").startswith("404")


def test_a_caller_without_a_certificate_is_refused(mesh: Mesh) -> None:
    stranger = mesh.callers["stranger"]
    assert stranger.get(mesh.pod, 8080, SERVICE) == "ConnectionResetError"


def test_metrics_are_read_from_outside_the_mesh_and_only_at_the_sidecar_s_port(mesh: Mesh) -> None:
    stranger = mesh.callers["stranger"]
    merged = stranger.get(mesh.pod, 15020, mesh.pod, "/stats/prometheus")
    assert merged.startswith("200")
    assert "\napp_requests_total 7" in merged
    (left,) = re.findall(CERTIFICATE, merged, re.MULTILINE)
    assert DAY - 3600 < float(left) <= DAY  # an alert compares it
    assert stranger.get(mesh.pod, 8080, mesh.pod, "/metrics") == "ConnectionResetError"


def test_probes_reach_the_app_through_its_agent(mesh: Mesh) -> None:
    stranger = mesh.callers["stranger"]
    assert stranger.get(mesh.pod, 15020, mesh.pod, "/app-health/my-api/readyz").startswith("200")


def test_with_authorization_identities_decide(mesh: Mesh) -> None:
    assert identity(BETA, "order-processor") in call(mesh, "order-processor")
    old = "  sre-platform:istio:\n"
    mesh.checkout.edit(STACK, old, f"{old}    authorization: enforce\n")
    try:
        mesh.checkout.up()
        until(lambda: call(mesh, "order-processor") == "403 RBAC: access denied")
        assert call(mesh, "frontend").startswith("200")
        assert from_outside(mesh).startswith("200")
        stranger = mesh.callers["stranger"]
        assert stranger.get(mesh.pod, 8080, SERVICE) == "ConnectionResetError"
        # Port 15020 and health checks need no policy.
        assert stranger.get(mesh.pod, 15020, mesh.pod, "/stats/prometheus").startswith("200")
    finally:
        mesh.checkout.restore(STACK)
        mesh.checkout.up()
    until(lambda: call(mesh, "order-processor").startswith("200"))


@pytest.fixture(scope="module")
def prometheus(mesh: Mesh) -> Prometheus:
    """It connects as somebody without a sidecar."""
    mesh.networks.proxy(mesh.callers["stranger"], port_of(mesh.checkout, parts.PODS))
    return Prometheus(mesh.checkout)


def test_prometheus_reads_what_the_sidecar_s_agent_serves(
    mesh: Mesh, prometheus: Prometheus
) -> None:
    until(lambda: prometheus.reads().get("my-api") == ("http", 15020, "/stats/prometheus"))
    until(lambda: "app_requests_total" in prometheus.names("my-api"))


def test_an_alert_sees_when_the_certificate_of_each_pod_expires(
    mesh: Mesh, prometheus: Prometheus
) -> None:
    rule = f"{ALPHA}/my-api/defaults", "AppCertificateExpires"
    until(lambda: prometheus.watched(*rule))
    names = {pod["metadata"]["name"] for pod in pods(mesh.cluster, ALPHA, NAME, "my-api")}
    until(lambda: prometheus.values(prometheus.watched(*rule)).keys() == names)
    left = prometheus.values(prometheus.watched(*rule))
    assert all(DAY - 3600 < each <= DAY for each in left.values()), left


def test_with_mesh_prometheus_reads_apps_over_mutual_tls_with_a_certificate_of_istiod(
    mesh: Mesh, prometheus: Prometheus
) -> None:
    former = pods(mesh.cluster, ALPHA, NAME, "my-api")
    metrics = f"{{scrape: mesh, certificates: {mesh.certificates}}}"
    istio = "  sre-platform:istio:\n"
    mesh.checkout.edit(STACK, istio, f"  sre-platform:metrics: {metrics}\n{istio}")
    mesh.checkout.up()
    start_my_api(mesh.cluster, mesh.networks, former)
    until(lambda: prometheus.reads().get("my-api") == ("https", 8080, "/metrics"))
