"""Which connections pass between running pods where network policies are enforced."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from clients.kubernetes import Cluster, Object
from sandbox.servers.keys import REAL_NODE
from sandbox.servers.parts import EXTERNAL_SECRETS, NODE, PACKETS
from sandbox.servers.processes import Process
from tests.checkouts import Checkout, finished
from tests.connections import (
    APP,
    CALLING,
    CONNECTIONS,
    DECLARED,
    LABELLED,
    PEERS,
    Connection,
    among_peers,
    answered,
    each_connection,
    each_declared,
    each_labelled,
)
from tests.servers.conftest import cluster_of, openbao_of, record_of, start, stored, until
from tests.servers.test_node import HOST, SECRETS, hardened, pods, pull_secret
from tests.written import KEYS_STACK
from tools.doctor.pods import is_ready
from tools.reach.world import world

pytestmark = pytest.mark.servers

STACK = "Pulumi.dev.yaml"
STORED = "plain text"
ENFORCED = "    authorization: enforce\n"
OUTSIDE = ("10.200.0.1", "10.201.1.1", "10.201.99.1")

# A refused packet is dropped without an answer, so only a timeout shows it. A port where nothing
# listens refuses the connection, which shows that packets pass both ways.
CONNECT = """
import socket, sys
place = (sys.argv[1], int(sys.argv[2]))
kind = socket.SOCK_STREAM if sys.argv[3] == "TCP" else socket.SOCK_DGRAM
with socket.socket(type=kind) as caller:
    caller.settimeout(3)
    try:
        caller.connect(place)
        if kind == socket.SOCK_DGRAM:
            caller.send(b"?")
            caller.recv(9)
        print("passes")
    except ConnectionRefusedError:
        print("passes")
    except TimeoutError:
        print("is dropped")
"""


class Place(NamedTuple):
    """One end of a connection: its network and its address."""

    network: str
    address: str


def pod_of(cluster: Cluster, namespace: str, app: str) -> Object:
    return next(
        pod
        for pod in pods(cluster, namespace)
        if app in (pod["metadata"]["name"], pod["metadata"].get("labels", {}).get(APP))
    )


def processes_of(pod: Object) -> list[Path]:
    """Their folders in /proc; none while its containers do not run, whatever its status says."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if f"pod{pod['metadata']['uid']}" in (process / "cgroup").read_text("utf-8"):
                found.append(process)
    return found


def environments_of(pod: Object) -> Iterator[list[str]]:
    """The variables of each of its processes."""
    processes = processes_of(pod)
    assert processes
    for process in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield (process / "environ").read_text("utf-8").split("\0")


def place_of(cluster: Cluster, namespace: str, app: str) -> Place:
    """Where one of the app's pods is."""
    pod = pod_of(cluster, namespace, app)
    return Place(f"{processes_of(pod)[0]}/ns/net", pod["status"]["podIP"])


def children(process: int | None) -> list[int]:
    return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split())]


def node_of(checkout: Checkout) -> int:
    """The first process in the node's network."""
    (first,) = children(Process(record_of(checkout).folder, NODE).pid)
    return first


def engine_of(checkout: Checkout) -> int:
    """The process that decides on connections."""
    (engine,) = (
        each
        for each in children(node_of(checkout))
        if "kube-network-policies" in Path(f"/proc/{each}/cmdline").read_text("utf-8")
    )
    return engine


def inside(network: str, *command: object) -> str:
    """The output of a command in a network; its files and rights are this process's."""
    arguments = ["nsenter", f"--net={network}", *map(str, command)]
    return subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True).stdout


def network(**changes: str) -> str:
    """What a stack's file says about the network."""
    return f"  sre-platform:network: {json.dumps({**KEYS_STACK['network'], **changes})}\n"


@pytest.fixture(scope="module")
def provisioned(with_node: Checkout) -> Checkout:
    """All teams, and two that call each other."""
    for file in CALLING:
        shutil.copy(file, with_node.folder / "tenants")
    istio = "  sre-platform:istio:\n"
    with_node.edit(STACK, istio, f"{network()}{istio}{ENFORCED}")
    start(with_node, f"{PACKETS} {EXTERNAL_SECRETS}")
    up_with_secrets(with_node)
    return with_node


def up_with_secrets(checkout: Checkout) -> None:
    """Run `make up`, and store the apps' secrets as soon as OpenBao can take them."""
    up = checkout.start("up")
    until(lambda: "sre/" in openbao_of(checkout).call("GET", "sys/mounts")["data"])
    for team, names in SECRETS.items():
        for name in names:
            stored(checkout, f"sre/{team}/{name}", f"value={STORED}")
    run = finished(up, 300)
    assert run.code == 0, run.output


def peer(namespace: str, name: str) -> Object:
    """A pod that only waits."""
    return hardened(
        {"name": name, "namespace": namespace, "labels": PEERS[namespace, name]},
        "harbor-pull",
        image=f"{HOST}/team-alpha/my-api:v1.0.0",
        command=["/bin/sleep", "infinity"],
        resources={"limits": {"cpu": "50m", "memory": "64Mi"}},  # the least that a team may use
    )


@contextmanager
def outside(node: str) -> Iterator[None]:
    """Addresses outside the cluster, in a network that is reached from the network `node`."""
    command = ["unshare", "--net", "sh", "-c", "echo apart; exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"apart\n"
        apart = f"/proc/{process.pid}/ns/net"
        ends = "outside0 type veth peer name outside1 netns"
        inside(node, "ip", "link", "add", *ends.split(), process.pid)
        for network, end, address in ((node, 0, "10.255.0.1"), (apart, 1, "10.255.0.2")):
            inside(network, "ip", "address", "add", f"{address}/30", "dev", f"outside{end}")
            inside(network, "ip", "link", "set", f"outside{end}", "up")
        inside(apart, "ip", "link", "set", "lo", "up")
        inside(apart, "ip", "route", "add", "default", "via", "10.255.0.1")
        for address in OUTSIDE:
            inside(apart, "ip", "address", "add", f"{address}/32", "dev", "lo")
            inside(node, "ip", "route", "add", f"{address}/32", "via", "10.255.0.2")
        try:
            yield
        finally:
            process.kill()  # which ends its network and both ends of the link


@pytest.fixture(scope="module")
def places(provisioned: Checkout) -> Iterator[Mapping[str, Place]]:
    """The places on the page: running pods, and addresses outside the cluster."""
    cluster = cluster_of(provisioned)
    own = ("databases", "stranger")
    for namespace in own:
        metadata = {"name": namespace}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "test")
    for namespace, name in PEERS:
        account = "v1", "ServiceAccount", namespace, "default"
        until(lambda account=account: cluster.get(*account))
        if namespace not in {*SECRETS, *(file.stem for file in CALLING)}:
            cluster.apply(pull_secret(provisioned, namespace), "test")
        cluster.apply(peer(namespace, name), "test")
    until(lambda: all(is_ready(pod_of(cluster, *each)) for each in PEERS))
    apps = [("team-alpha", "my-api"), ("team-alpha", "frontend"), ("team-beta", "order-processor")]
    found = {"/".join(each): place_of(cluster, *each) for each in (*apps, *PEERS)}
    found |= {address: Place("", address) for address in OUTSIDE}
    with outside(f"/proc/{node_of(provisioned)}/ns/net"):
        yield found
    for namespace, name in PEERS:
        cluster.delete("v1", "Pod", namespace, name)
    for namespace in own:
        cluster.delete("v1", "Namespace", None, namespace)


def tried(places: Mapping[str, Place], each: Connection) -> str:
    """Whether a connection passes."""
    source, target = places[each.source], places[each.target]
    connect = (sys.executable, "-c", CONNECT, target.address, each.port, each.protocol)
    return inside(source.network, *connect).strip()


def all_tried(
    places: Mapping[str, Place], connections: Sequence[Connection]
) -> Mapping[Connection, str]:
    """Whether each passes, once what decides on them knows all pods and policies.

    All are tried at once.
    """
    found: dict[Connection, str] = {}

    def as_the_page_says() -> bool:
        with ThreadPoolExecutor(8) as pool:
            seen = pool.map(partial(tried, places), connections)
            found.update(zip(connections, seen, strict=True))
        return all(found[each] == each.seen for each in connections)

    with suppress(AssertionError):  # each test tells of its own connection
        until(as_the_page_says)
    return found


@pytest.fixture(scope="module")
def seen(places: Mapping[str, Place]) -> Mapping[Connection, str]:
    """Whether each connection of the page passes."""
    return all_tried(places, CONNECTIONS)


@pytest.fixture(scope="module")
def seen_where_declared(
    provisioned: Checkout, places: Mapping[str, Place]
) -> Mapping[Connection, str]:
    """The same, once port 443 is open to those alone whose calls say so."""
    provisioned.edit(STACK, network(), network(httpsEgress="declared"))
    return all_tried_after_up(provisioned, places, DECLARED)


@pytest.fixture(scope="module")
def seen_where_labelled(
    provisioned: Checkout, places: Mapping[str, Place]
) -> Mapping[Connection, str]:
    """The same, once gateways are known by a label."""
    labels = "    gatewayPodLabels: {istio: gateway}\n"
    provisioned.edit(STACK, ENFORCED, ENFORCED + labels)
    return all_tried_after_up(provisioned, places, LABELLED)


def all_tried_after_up(
    checkout: Checkout, places: Mapping[str, Place], connections: Sequence[Connection]
) -> Mapping[Connection, str]:
    """The same for another stack."""
    checkout.up()
    return all_tried(places, connections)


def test_all_pods_run_with_the_secrets_that_the_operator_brings(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)

    def ready() -> list[Object]:
        return [pod for team in SECRETS for pod in pods(cluster, team) if is_ready(pod)]

    until(lambda: len(ready()) == 7)  # my-api and frontend twice, order-processor three times
    assert {pod["spec"]["nodeName"] for pod in ready()} == {REAL_NODE}
    my_api = pod_of(cluster, "team-alpha", "my-api")
    # A container that a probe has just ended is still ready for a moment, without its process.
    until(lambda: any(f"DATABASE_URL={STORED}" in each for each in environments_of(my_api)))


@each_connection
def test_a_connection_goes_as_the_page_says(
    seen: Mapping[Connection, str], connection: Connection
) -> None:
    assert seen[connection] == connection.seen


def test_reach_answers_what_passes(provisioned: Checkout, seen: Mapping[Connection, str]) -> None:
    assert as_answered(provisioned, CONNECTIONS) == seen


def as_answered(checkout: Checkout, connections: Sequence[Connection]) -> Mapping[Connection, str]:
    """What `./sre reach` answers about the objects of the cluster."""
    cluster = cluster_of(checkout)
    kinds = {
        "Namespace": "v1",
        "Deployment": "apps/v1",
        "CronJob": "batch/v1",
        "NetworkPolicy": "networking.k8s.io/v1",
    }
    known = world(
        among_peers(
            {**each, "kind": kind}
            for kind, version in kinds.items()
            for each in cluster.list(version, kind)
        )
    )
    return {each: answered(known, each) for each in connections}


# Below, the stack is another.


@each_declared
def test_a_connection_goes_as_the_page_says_where_port_443_is_declared(
    seen_where_declared: Mapping[Connection, str], connection: Connection
) -> None:
    assert seen_where_declared[connection] == connection.seen


def test_reach_answers_what_passes_where_port_443_is_declared(
    provisioned: Checkout, seen_where_declared: Mapping[Connection, str]
) -> None:
    assert as_answered(provisioned, DECLARED) == seen_where_declared


@each_labelled
def test_a_connection_goes_as_the_page_says_where_gateways_have_labels(
    seen_where_labelled: Mapping[Connection, str], connection: Connection
) -> None:
    assert seen_where_labelled[connection] == connection.seen


def test_reach_answers_what_passes_where_gateways_have_labels(
    provisioned: Checkout, seen_where_labelled: Mapping[Connection, str]
) -> None:
    assert as_answered(provisioned, LABELLED) == seen_where_labelled


# Below, what decides on connections fails.

ALLOWED = Connection("team-alpha/frontend", "team-alpha/my-api", "8080", "TCP", "passes")
DENIED = Connection("stranger/any", "team-alpha/my-api", "8080", "TCP", "is dropped")


def test_while_nothing_decides_no_connection_passes(
    provisioned: Checkout, places: Mapping[str, Place]
) -> None:
    engine = engine_of(provisioned)
    assert tried(places, ALLOWED) == "passes"
    os.kill(engine, signal.SIGSTOP)
    try:
        assert tried(places, ALLOWED) == "is dropped"
    finally:
        os.kill(engine, signal.SIGCONT)
    until(lambda: tried(places, ALLOWED) == "passes")


def test_if_the_engine_ends_the_node_ends_with_its_pods(
    provisioned: Checkout, places: Mapping[str, Place]
) -> None:
    node = Process(record_of(provisioned).folder, NODE)
    os.kill(engine_of(provisioned), signal.SIGKILL)
    until(lambda: not node.pid)
    assert any("kube-network-policies has ended with -9." in line for line in node.last_lines())
    assert not Path(places["team-alpha/my-api"].network).exists()
