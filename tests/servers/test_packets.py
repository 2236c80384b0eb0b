"""Connections between pods that run, where network policies are enforced: which pass."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from clients.kubernetes import Cluster, Object
from sandbox.servers.keys import REAL_NODE
from sandbox.servers.parts import EXTERNAL_SECRETS, PACKETS
from tests.checkouts import Checkout, finished
from tests.servers.conftest import cluster_of, openbao_of, start, stored, until
from tests.servers.test_node import HOST, SECRETS, is_ready, pods, pull_secret

pytestmark = pytest.mark.servers

STORED = "plain text"
APP = "app.kubernetes.io/name"
OTHERS = ("kube-system", "istio-system", "monitoring", "stranger")
MY_API, FRONTEND = ("team-alpha", "my-api"), ("team-alpha", "frontend")
WORKER = ("team-beta", "order-processor")
DNS, GATEWAY, PROMETHEUS, STRANGER = ((namespace, "peer") for namespace in OTHERS)

LISTEN = """
import socket, sys
port = int(sys.argv[1])
if sys.argv[2] == "tcp":
    with socket.create_server(("", port)) as server:
        print("listens", flush=True)
        while True:
            server.accept()[0].close()
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("", port))
print("listens", flush=True)
while True:
    data, sender = server.recvfrom(9)
    server.sendto(data, sender)
"""
# A packet that is refused is dropped: there is no answer to await, only silence.
CONNECT = """
import socket, sys
place = (sys.argv[1], int(sys.argv[2]))
kind = socket.SOCK_STREAM if sys.argv[3] == "tcp" else socket.SOCK_DGRAM
with socket.socket(type=kind) as caller:
    caller.settimeout(3)
    try:
        caller.connect(place)
        if kind == socket.SOCK_DGRAM:
            caller.send(b"?")
            caller.recv(9)
        print("passes")
    except TimeoutError:
        print("is dropped")
"""


class Pod(NamedTuple):
    network: str
    address: str


Pods = dict[tuple[str, str], Pod]


def pod_of(cluster: Cluster, namespace: str, app: str) -> Pod:
    found = next(
        pod for pod in pods(cluster, namespace) if pod["metadata"].get("labels", {}).get(APP) == app
    )
    process, *_ = processes_of(found)
    return Pod(f"--net={process}/ns/net", found["status"]["podIP"])


def processes_of(pod: Object) -> list[Path]:
    """Their folders in /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if f"pod{pod['metadata']['uid']}" in (process / "cgroup").read_text("utf-8"):
                found.append(process)
    assert found
    return found


def inside(pod: Pod, program: str, *arguments: object) -> list[str]:
    """A command in the pod's network; its files and rights are this process's."""
    return ["nsenter", pod.network, sys.executable, "-c", program, *map(str, arguments)]


def peer(namespace: str) -> Object:
    metadata = {"name": "peer", "namespace": namespace, "labels": {APP: "peer"}}
    spec = {
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": f"{HOST}/team-alpha/my-api:v1.0.0"}],
        "imagePullSecrets": [{"name": "harbor-pull"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def provisioned(with_node: Checkout) -> Checkout:
    """All teams, with their apps' secrets in OpenBao."""
    start(with_node, f"{PACKETS} {EXTERNAL_SECRETS}")
    up = with_node.start("up")
    until(lambda: "sre/" in openbao_of(with_node).call("GET", "sys/mounts")["data"])
    for team, names in SECRETS.items():
        for name in names:
            stored(with_node, f"sre/{team}/{name}", f"value={STORED}")
    run = finished(up, 300)
    assert run.code == 0, run.output
    return with_node


@pytest.fixture(scope="module")
def running(provisioned: Checkout) -> Iterator[Pods]:
    """A pod of each app, and one in each other namespace; some listen where no app does."""
    cluster = cluster_of(provisioned)
    for namespace in OTHERS:
        if namespace == "stranger":
            metadata = {"name": namespace}
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "test")
        until(lambda name=namespace: cluster.get("v1", "Namespace", None, name))
        cluster.apply(pull_secret(provisioned, namespace), "test")
        account = "v1", "ServiceAccount", namespace, "default"
        until(lambda account=account: cluster.get(*account))
        cluster.apply(peer(namespace), "test")
    until(lambda: all(is_ready(pod) for name in OTHERS for pod in pods(cluster, name)))
    known = (MY_API, FRONTEND, WORKER, DNS, GATEWAY, PROMETHEUS, STRANGER)
    found = {name: pod_of(cluster, *name) for name in known}
    with ExitStack() as stack:
        for name, port, protocol in (
            (DNS, 53, "tcp"),
            (DNS, 53, "udp"),
            (STRANGER, 53, "udp"),
            (STRANGER, 443, "tcp"),
            (WORKER, 5555, "tcp"),
        ):
            command = inside(found[name], LISTEN, port, protocol)
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout
            assert process.stdout.readline() == b"listens\n"
        yield found
    cluster.delete("v1", "Namespace", None, "stranger")
    for namespace in OTHERS[:3]:
        cluster.delete("v1", "Pod", namespace, "peer")


def test_all_pods_run_with_the_secrets_that_the_operator_brings(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)

    def ready() -> list[Object]:
        return [pod for team in SECRETS for pod in pods(cluster, team) if is_ready(pod)]

    until(lambda: len(ready()) == 7)  # my-api and frontend twice, order-processor three times
    found = ready()
    assert {pod["spec"]["nodeName"] for pod in found} == {REAL_NODE}
    my_api = next(pod for pod in found if pod["metadata"]["labels"][APP] == "my-api")
    environments = [(one / "environ").read_text("utf-8") for one in processes_of(my_api)]
    assert any(f"DATABASE_URL={STORED}\0" in environment for environment in environments)


@pytest.mark.parametrize(
    ("source", "target", "port", "protocol", "seen"),
    [
        # The same namespace.
        (MY_API, FRONTEND, 3000, "tcp", "passes"),
        (FRONTEND, MY_API, 8080, "tcp", "passes"),
        # The platform reaches every app, and nobody else does.
        (GATEWAY, MY_API, 8080, "tcp", "passes"),
        (PROMETHEUS, MY_API, 8080, "tcp", "passes"),
        (PROMETHEUS, WORKER, 9090, "tcp", "passes"),
        (STRANGER, MY_API, 8080, "tcp", "is dropped"),
        (STRANGER, WORKER, 9090, "tcp", "is dropped"),
        (DNS, MY_API, 8080, "tcp", "is dropped"),
        # Between teams, both files must agree, on one port.
        (MY_API, WORKER, 9090, "tcp", "passes"),
        (MY_API, WORKER, 5555, "tcp", "is dropped"),
        (FRONTEND, WORKER, 9090, "tcp", "is dropped"),
        (WORKER, MY_API, 8080, "tcp", "is dropped"),
        (WORKER, FRONTEND, 3000, "tcp", "is dropped"),
        # DNS there and nowhere else, HTTPS everywhere, and nothing else.
        (MY_API, DNS, 53, "udp", "passes"),
        (MY_API, DNS, 53, "tcp", "passes"),
        (MY_API, DNS, 8080, "tcp", "is dropped"),
        (MY_API, STRANGER, 53, "udp", "is dropped"),
        (MY_API, STRANGER, 443, "tcp", "passes"),
        (MY_API, STRANGER, 8080, "tcp", "is dropped"),
        # Where no policy is, nothing is dropped.
        (STRANGER, DNS, 8080, "tcp", "passes"),
    ],
)
def test_a_connection(
    running: Pods,
    source: tuple[str, str],
    target: tuple[str, str],
    port: int,
    protocol: str,
    seen: str,
) -> None:
    command = inside(running[source], CONNECT, running[target].address, port, protocol)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{seen}\n"
