"""Metrics and alerts on their way: real operator, real Prometheus, and pods that only seem to run.

Prometheus reaches pods through a proxy, in which the tests see what it asks for and answer.
"""

import shutil
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from clients.kubernetes import Cluster, Object
from sandbox.servers import parts
from sandbox.servers.keys import Keys
from sandbox.servers.processes import Process, stop
from tests.checkouts import Checkout
from tests.parts.prometheus import ALPHA, Prometheus
from tests.program import web_app, worker
from tests.servers.conftest import (
    BUILT_WITHIN,
    cluster_of,
    doctor,
    port_of,
    record_of,
    stopped_at_the_end,
    until,
)

pytestmark = pytest.mark.parts

MONITORING = "monitoring.coreos.com/v1"
PLATFORM = MONITORING, "Prometheus", "monitoring", "platform"
MONITORED = "serviceMonitor: {path: /m, interval: 1s}\n"
ALERTS = """\
alerts:
  - name: QueueGrows
    expr: queue_length{job="consumer-metrics"} > 100
    for: 0s
    severity: critical
    summary: "{{ $labels.pod }} has {{ $value }}"
"""
QUEUE = "queue_length 7\n"
# Where the web-app, the worker and each sidecar serve metrics.
APPS = {(8080, "/m"): QUEUE, (9090, "/m"): QUEUE}
SIDECAR = (15020, "/stats/prometheus")
REJECTED = "InvalidConfiguration"


class Pods:
    """A proxy to pods of which each serves the `pages` by port and path, and nothing else."""

    def __init__(self, keys: Keys) -> None:
        self.pages: dict[tuple[int, str], str] = {}
        self.certificates: set[str] = set()  # that Prometheus has presented
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(keys.server_cert, keys.server_key)
        self._tls.load_verify_locations(keys.ca_cert)
        self._tls.verify_mode = ssl.CERT_REQUIRED

    def serve(self, port: int) -> ThreadingHTTPServer:
        pods = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                self._answer(url.port, url.path)

            def do_CONNECT(self) -> None:
                """The pod speaks TLS, and asks for a certificate."""
                self.send_response(200)
                self.end_headers()
                port = int(self.path.rpartition(":")[2])
                with suppress(OSError), pods._tls.wrap_socket(self.connection, True) as inner:
                    certificate: Mapping[str, Any] = inner.getpeercert() or {}
                    pods.certificates.add(str(certificate["subject"][0][0][1]))
                    request = inner.recv(65536).decode()
                    page = pods.pages.get((port, request.split()[1]))
                    status = "200 OK" if page else "503 Service Unavailable"
                    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n"
                    body = page or ""
                    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    inner.sendall((head + body).encode())
                self.close_connection = True

            def _answer(self, port: int | None, path: str) -> None:
                page = pods.pages.get((port or 80, path))
                self.send_response(200 if page else 503)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Servers with Prometheus, and a team whose apps it asks every second."""
    made = Checkout(tmp_path_factory.mktemp("prometheus") / "checkout")
    tenants = made.folder / "tenants"
    shutil.rmtree(tenants)
    tenants.mkdir()
    write(made, ALERTS)
    with stopped_at_the_end(made):
        run = made.run("servers", BUILT_WITHIN, PARTS="prometheus")
        assert run.code == 0, run.output
        assert f"{parts.PROMETHEUS_OPERATOR}, {parts.PROMETHEUS} in" in run.output
        # Alerts fire at once, not within half a minute.
        patched(cluster_of(made), PLATFORM, {"spec": {"evaluationInterval": "1s"}})
        made.up()
        yield made


def write(checkout: Checkout, alerts: str) -> None:
    """The team's file: a web-app, and a worker with these alerts."""
    files = [yaml.safe_load(each) for each in (web_app(MONITORED), worker(MONITORED + alerts))]
    team = {**files[0], "apps": [app for file in files for app in file["apps"]]}
    (checkout.folder / "tenants" / f"{ALPHA}.yaml").write_text(yaml.safe_dump(team))


def patched(cluster: Cluster, which: tuple[str, str, str, str], patch: Object) -> None:
    cluster.call("PATCH", cluster.path(*which), patch, None, "application/merge-patch+json")


@pytest.fixture(scope="module")
def serving(checkout: Checkout, keys: Keys) -> Iterator[Pods]:
    pods = Pods(keys)
    server = pods.serve(port_of(checkout, parts.PODS))
    yield pods
    server.shutdown()
    server.server_close()


@pytest.fixture
def pods(serving: Pods) -> Pods:
    """They serve what any setting of the stack asks for."""
    serving.pages = {**APPS, SIDECAR: QUEUE}
    serving.certificates.clear()
    return serving


@pytest.fixture(scope="module")
def prometheus(checkout: Checkout) -> Prometheus:
    return Prometheus(checkout)


@pytest.fixture(scope="module")
def certificates(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a sidecar would write them."""
    folder = tmp_path_factory.mktemp("prom-certs")
    for file, name in (
        (keys.ca_cert, "root-cert.pem"),
        (keys.server_cert, "cert-chain.pem"),
        (keys.server_key, "key.pem"),
    ):
        shutil.copyfile(file, folder / name)
    return folder


@pytest.fixture(scope="module")
def cluster(checkout: Checkout) -> Cluster:
    return cluster_of(checkout)


def scraped(checkout: Checkout, **metrics: Any) -> None:
    """Apply this setting of the stack."""
    checkout.restore("Pulumi.dev.yaml")
    file = checkout.folder / "Pulumi.dev.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    document["config"]["sre-platform:metrics"] = metrics
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    checkout.up()


def reads_all(prometheus: Prometheus) -> bool:
    """Whether it has the team's rules and the metrics of both apps."""
    return bool(prometheus.rules()) and prometheus.healthy() == {"my-api", "consumer"}


def test_by_default_it_reads_each_pod_s_metrics_from_the_sidecar(
    checkout: Checkout, pods: Pods, prometheus: Prometheus
) -> None:
    pods.pages = {
        SIDECAR: f"{QUEUE}envoy_server_uptime 1\nistio_requests_total 1\n"
        "istio_agent_scrape_failures_total 0\n"
    }
    until(lambda: prometheus.healthy() == {"my-api", "consumer"})
    for app, service in (("my-api", "my-api"), ("consumer", "consumer-metrics")):
        target = prometheus.targets()[app]
        address = target["labels"]["instance"]
        assert target["scrapePool"] == f"serviceMonitor/{ALPHA}/{app}/0"
        assert target["scrapeUrl"] == f"http://{address}/stats/prometheus"
        assert address.endswith(":15020")
        labels = {"namespace": ALPHA, "job": service, "service": service, "container": app}
        assert target["labels"].items() >= labels.items()
        assert target["labels"]["pod"].startswith(f"{app}-")
    # The proxy's own metrics are dropped, and its agent's are kept.
    kept = {"queue_length", "istio_agent_scrape_failures_total"}
    until(lambda: prometheus.names("my-api") == prometheus.names("consumer") == kept)


def test_an_alert_fires_with_the_labels_of_its_team(
    checkout: Checkout, pods: Pods, prometheus: Prometheus
) -> None:
    until(lambda: prometheus.rules() == {f"{ALPHA}/consumer: QueueGrows"})
    assert prometheus.alerts() == []
    pods.pages = {
        page: text.replace(QUEUE, "queue_length 101\n") for page, text in pods.pages.items()
    }
    until(prometheus.alerts)
    alert = prometheus.alerts()[0]
    assert (
        alert["labels"].items()
        >= {
            "alertname": "QueueGrows",
            "severity": "critical",
            "namespace": ALPHA,
            "team": ALPHA,
        }.items()
    )
    assert alert["annotations"] == {"summary": f"{alert['labels']['pod']} has 101"}


def test_a_pod_that_serves_no_metrics_there_is_a_target_that_is_down(
    pods: Pods, prometheus: Prometheus
) -> None:
    pods.pages = APPS
    until(lambda: {each["health"] for each in prometheus.targets().values()} == {"down"})
    said = {each["lastError"] for each in prometheus.targets().values()}
    assert said == {"server returned HTTP status 503 Service Unavailable"}


def test_with_plain_it_reads_them_from_the_app(
    checkout: Checkout, pods: Pods, prometheus: Prometheus
) -> None:
    scraped(checkout, scrape="plain")
    places = {"my-api": ("http", 8080, "/m"), "consumer": ("http", 9090, "/m")}
    until(lambda: prometheus.reads() == places)


def test_with_mesh_it_presents_the_certificate_of_the_folder_that_the_stack_names(
    checkout: Checkout, pods: Pods, prometheus: Prometheus, certificates: Path
) -> None:
    scraped(checkout, scrape="mesh", certificates=str(certificates))
    places = {"my-api": ("https", 8080, "/m"), "consumer": ("https", 9090, "/m")}
    until(lambda: prometheus.reads() == places)
    assert pods.certificates == {"sandbox"}


def test_where_monitors_may_read_no_files_those_of_mesh_are_rejected(
    checkout: Checkout,
    cluster: Cluster,
    pods: Pods,
    prometheus: Prometheus,
    certificates: Path,
) -> None:
    scraped(checkout, scrape="mesh", certificates=str(certificates))
    patched(cluster, PLATFORM, {"spec": {"arbitraryFSAccessThroughSMs": {"deny": True}}})
    until(lambda: not prometheus.targets())
    assert rejected(cluster, "ServiceMonitor") == {"consumer", "my-api"}
    assert "monitoring/platform rejects ServiceMonitors that read files" in doctor(checkout)
    patched(cluster, PLATFORM, {"spec": {"arbitraryFSAccessThroughSMs": None}})
    until(lambda: prometheus.healthy() == {"my-api", "consumer"})


def rejected(cluster: Cluster, kind: str) -> set[str]:
    """Names of objects of that kind that the operator has left out, as `kubectl describe` says."""
    events = [one for one in cluster.list("v1", "Event", ALPHA) if one["reason"] == REJECTED]
    objects = [event["involvedObject"] for event in events]
    return {object["name"] for object in objects if object["kind"] == kind}


def test_rules_that_the_operator_cannot_parse_are_left_out_with_an_event(
    checkout: Checkout, cluster: Cluster, prometheus: Prometheus
) -> None:
    """It was built with an older Prometheus than the one that runs, as validation warns."""
    until(prometheus.rules)
    recent = ALERTS.replace("queue_length{", "max_over_time(queue_length{").replace(
        "} > 100", "}[1m + 1m]) > 100"
    )
    write(checkout, recent)
    run = checkout.up()
    assert "a calculated duration needs Prometheus 3.14" in run.output
    until(lambda: not prometheus.rules())
    assert rejected(cluster, "PrometheusRule") == {"consumer"}
    write(checkout, ALERTS)
    checkout.up()
    until(prometheus.rules)


def test_without_the_operator_all_stays_as_it_is_and_up_succeeds(
    checkout: Checkout, cluster: Cluster, pods: Pods, prometheus: Prometheus
) -> None:
    until(lambda: reads_all(prometheus))
    stop([Process(record_of(checkout).folder, parts.PROMETHEUS_OPERATOR)])
    write(checkout, "")
    checkout.up()
    assert "QueueGrows" not in str(cluster.get(MONITORING, "PrometheusRule", ALPHA, "consumer"))
    assert reads_all(prometheus)
    assert "has not seen the last change" not in doctor(checkout)
    patched(cluster, PLATFORM, {"spec": {"evaluationInterval": "2s"}})
    assert "the Prometheus Operator has not seen the last change of monitoring/platform" in (
        doctor(checkout)
    )
    patched(cluster, PLATFORM, {"spec": {"evaluationInterval": "1s"}})
    write(checkout, ALERTS)
    checkout.up()
    run = checkout.run("servers", PARTS="prometheus")
    assert f"Started again {parts.PROMETHEUS_OPERATOR} in" in run.output


def test_what_prometheus_does_not_select_is_no_target_and_the_doctor_says_so(
    checkout: Checkout, cluster: Cluster, pods: Pods, prometheus: Prometheus
) -> None:
    """As where the operator's Helm chart is used with its default values."""
    assert "ok Kubernetes: Prometheus ServiceMonitor: 2 selected" in doctor(checkout)
    wanted = {"matchLabels": {"release": "monitoring"}}
    patched(cluster, PLATFORM, {"spec": {"serviceMonitorSelector": wanted, "ruleSelector": wanted}})
    until(lambda: not prometheus.targets() and not prometheus.rules())
    told = doctor(checkout)
    selects = "(monitoring/platform selects release=monitoring in all namespaces)"
    for unread in (
        f"ServiceMonitors {ALPHA}/consumer, {ALPHA}/my-api",
        f"PrometheusRules {ALPHA}/consumer, {ALPHA}/my-api, {ALPHA}/{ALPHA}-quota",
    ):
        assert f"no Prometheus selects the {unread} {selects} -> set the labels" in told

    scraped(checkout, labels={"release": "monitoring"}, scrape="plain")
    until(lambda: reads_all(prometheus))
    assert "no Prometheus selects" not in doctor(checkout)
