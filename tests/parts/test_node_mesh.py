"""Sidecars and the gateway in real containers, where network policies hold too."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from binaries import istio
from clients.kubernetes import Cluster, Object
from sandbox.servers import container_node, mesh, parts
from sandbox.servers.keys import REAL_NODE
from sandbox.servers.processes import stop
from tests.checkouts import Checkout, Run, finished
from tests.optional import available
from tests.parts.sidecars import ASK
from tests.parts.test_mesh import ALPHA, BETA, HOST, NOBODYS, answer, asked, istiod
from tests.servers.conftest import cluster_of, start, stopped_at_the_end, until
from tests.servers.test_node import HOST as REGISTRY
from tests.servers.test_node import SECRETS, hardened, pods, pull_secret
from tests.servers.test_packets import inside, pod_of, processes_of, up_with_secrets
from tools.doctor.pods import is_ready

pytestmark = pytest.mark.parts

PARTS = f"{parts.ISTIO},{parts.PACKETS},{parts.EXTERNAL_SECRETS}"
SIDECAR, APP = "istio-proxy", "my-api"
MONITORING = "monitoring"
SLOW = 300  # seconds, for seven pods at once


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    available(container_node.require)
    available(istio.envoy)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("mesh") / "checkout")) as checkout:
        start(checkout, PARTS)
        up_with_secrets(checkout)
        yield checkout


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


def ready(cluster: Cluster) -> list[Object]:
    return [pod for team in SECRETS for pod in pods(cluster, team) if is_ready(pod)]


def sidecar(pod: Object) -> Object:
    """The status of its sidecar."""
    listed = pod["status"].get("initContainerStatuses", ())
    return next(each for each in listed if each["name"] == SIDECAR)


def status(checkout: Checkout, *words: str) -> Run:
    """What `./sre status` says."""
    arguments = [sys.executable, "-m", "cli", "status", *words]
    return finished(checkout.start_program(arguments, {"PATH": os.defpath}), 120)


def test_the_pods_of_the_shipped_teams_run_their_sidecar(cluster: Cluster) -> None:
    until(lambda: len(ready(cluster)) == 7, SLOW)
    for pod in ready(cluster):
        assert pod["spec"]["nodeName"] == REAL_NODE
        proxy = sidecar(pod)
        assert (proxy["image"], proxy["ready"]) == (mesh.PROXY_IMAGE, True)
        assert programs(pod) >= {"pilot-agent", "envoy"}


def test_a_request_by_host_arrives_at_a_pod(provisioned: Checkout) -> None:
    until(lambda: answer(provisioned, HOST, "/healthz") == (200, "ok\n"))
    assert asked(provisioned, NOBODYS) == 404


def test_plain_text_is_refused_in_the_cluster_and_the_scrape_answers(
    provisioned: Checkout, cluster: Cluster
) -> None:
    """Network policies let the platform's namespace of Prometheus reach every port."""
    cluster.apply(pull_secret(provisioned, MONITORING), "test")
    image = f"{REGISTRY}/{ALPHA}/{APP}:v1.0.0"
    command = ["/bin/sleep", "infinity"]
    metadata = {"name": "scraper", "namespace": MONITORING}
    cluster.apply(hardened(metadata, "harbor-pull", image=image, command=command), "test")
    until(lambda: is_ready(pod_of(cluster, MONITORING, "scraper")))
    network = f"{processes_of(pod_of(cluster, MONITORING, 'scraper'))[0]}/ns/net"
    address = pod_of(cluster, ALPHA, APP)["status"]["podIP"]

    def get(port: int, path: str) -> str:
        return inside(network, sys.executable, "-c", ASK, "GET", address, port, APP, path, "")

    assert get(8080, "/healthz").strip() == "ConnectionResetError"
    scraped = get(15020, "/stats/prometheus")
    assert scraped.startswith("200")
    assert "\nistio_agent_" in scraped
    cluster.delete("v1", "Pod", MONITORING, "scraper")


def test_a_job_completes_beside_its_sidecar(cluster: Cluster) -> None:
    scale(cluster, BETA, "order-processor", 1)  # makes room on a machine of two processors
    cronjob = cluster.get("batch/v1", "CronJob", BETA, "nightly-report")
    assert cronjob
    metadata = {"name": "by-hand", "namespace": BETA}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    cluster.create(job | {"spec": cronjob["spec"]["jobTemplate"]["spec"]})

    def of_job() -> Object:
        listed = cluster.list("v1", "Pod", BETA)
        return next(pod for pod in listed if pod["metadata"]["name"].startswith("by-hand"))

    def succeeded() -> bool:
        live = cluster.get("batch/v1", "Job", BETA, "by-hand")
        return bool(live and live.get("status", {}).get("succeeded"))

    until(succeeded, SLOW)
    assert sidecar(of_job())["state"]["terminated"]["reason"] == "Completed"
    cluster.delete("batch/v1", "Job", BETA, "by-hand")
    scale(cluster, BETA, "order-processor", 3)


def test_a_sidecar_that_starts_without_istiod_keeps_its_pod_from_ready(
    provisioned: Checkout, cluster: Cluster
) -> None:
    until(lambda: len(ready(cluster)) == 7, SLOW)
    pod = pod_of(cluster, ALPHA, APP)
    stop([istiod(provisioned)])
    for process in processes_of(pod):
        if name_of(process) == "pilot-agent":
            os.kill(int(process.name), signal.SIGKILL)
    until(lambda: len(ready(cluster)) == 6)

    def said() -> str:
        return status(provisioned, ALPHA, APP).output

    until(lambda: "the sidecar has no configuration" in said())
    assert "it does not reach istiod in istio-system" in said()
    until(lambda: asked(provisioned, HOST) in (200, 404))  # by the other pod
    start(provisioned, PARTS)
    until(lambda: len(ready(cluster)) == 7, SLOW)


def scale(cluster: Cluster, namespace: str, name: str, replicas: int) -> None:
    path = cluster.path("apps/v1", "Deployment", namespace, name)
    patch = {"spec": {"replicas": replicas}}
    cluster.call("PATCH", f"{path}/scale", patch, None, "application/merge-patch+json")


def programs(pod: Object) -> set[str]:
    """The names of its processes."""
    return {name_of(process) for process in processes_of(pod)}


def name_of(process: Path) -> str:
    return (process / "comm").read_text("utf-8").strip()
