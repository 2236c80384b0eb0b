"""The servers of `make servers`, in a copy of the checkout."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from clients import administrator
from clients.kubernetes import Cluster
from clients.local_servers import Servers, environment_file, running
from clients.openbao import OpenBao
from sandbox.official import CHOICE, STAND_IN
from sandbox.ready import missing
from sandbox.servers import container_node, parts
from tests.checkouts import Checkout, Run, finished
from tests.optional import available
from tests.warm_python import warm_python

# The files that take longest begin first, or one process works on when all others are done.
LONGEST = (
    "test_faults.py",
    "test_up.py",
    "test_status.py",
    "test_node.py",
    "test_node_keys.py",
    "test_fields.py",
    "test_adopt_releases.py",
    "test_lifecycle.py",
    "test_external_secrets_operator.py",
    "test_isolation.py",
    "test_secret.py",
    "test_status_node.py",
    "test_packets.py",
    "test_servers.py",
    "test_capacity.py",
    "test_field.py",
    "test_adopt.py",
)
BUILT_WITHIN = 40 * 60  # seconds; where the programs are cached, a start takes ten
WITHIN = 300  # seconds; on a busy machine, what takes ten of them may take a hundred
# What a node could change on the machine.
FOLDERS = ("/var/lib/kubelet", "/var/lib/containerd", "/var/log/containers", "/var/log/pods")
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders files; within one, tests build on each other."""

    def place(item: pytest.Item) -> int:
        here = item.path.parent.name == "servers" and item.path.name in LONGEST
        return LONGEST.index(item.path.name) if here else len(LONGEST)

    items.sort(key=place)


def until(holds: Callable[[], object], within: float = WITHIN) -> None:
    """Wait for that to come true; `within` is in seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def nothing_differs(checkout: Checkout) -> None:
    """Assert that a refreshing preview changes nothing once autoscalers have acted."""
    settle(cluster_of(checkout))
    preview = checkout.run("preview --refresh")
    assert preview.code == 0, preview.output
    assert preview.count("unchanged") == len(checkout.resources()), preview.output


def settle(cluster: Cluster) -> None:
    """Wait until each Deployment has as many pods as its autoscaler wants, all of them ready.

    `up` does not: a new Deployment is ready with one pod, and its autoscaler adds the others some
    seconds later. In between, a refresh finds it unfinished, and would update it.
    """
    until(lambda: not list(_unsettled(cluster)))


def _unsettled(cluster: Cluster) -> Iterator[str]:
    least = {
        (each["metadata"]["namespace"], each["spec"]["scaleTargetRef"]["name"]): each["spec"]
        for each in cluster.list("autoscaling/v2", "HorizontalPodAutoscaler")
    }
    for each in cluster.list("apps/v1", "Deployment"):
        place = each["metadata"]["namespace"], each["metadata"]["name"]
        minimum = least[place]["minReplicas"] if place in least else 0
        # An autoscaler leaves a Deployment without pods alone.
        if 0 < each["spec"]["replicas"] < minimum or missing({**each, "kind": "Deployment"}):
            yield "/".join(place)


def record_of(checkout: Checkout) -> Servers:
    servers = running(checkout.folder)
    assert servers, "no servers are running there"
    return servers


def cluster_of(checkout: Checkout) -> Cluster:
    return administrator.cluster(record_of(checkout))


def port_of(checkout: Checkout, listener: str) -> int:
    """That of one of `sandbox.servers.parts.LISTENERS`."""
    known = json.loads((record_of(checkout).folder / "ports.json").read_text(encoding="utf-8"))
    number: int = known[listener]
    return number


def openbao_of(checkout: Checkout) -> OpenBao:
    return administrator.openbao(record_of(checkout))


def sourced(checkout: Checkout, **environment: str) -> dict[str, str]:
    """What a shell with nothing but `environment` has once it has read the environment file."""
    file = shlex.quote(str(environment_file(record_of(checkout).folder)))
    shell = ["/bin/sh", "-c", f". {file} && env -0"]
    shown = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)


def stored(checkout: Checkout, path: str, *pairs: str) -> None:
    """With the command of the guide."""
    bao = [str(parts.BAO), "kv", "put", path, *pairs]
    subprocess.run(bao, env=sourced(checkout), check=True, capture_output=True)


def doctor(checkout: Checkout) -> str:
    """What `./sre doctor` prints about the cluster, in one line; no check fails."""
    command = [sys.executable, "-m", "cli", "doctor", "--stack", "dev", "--server", "kubernetes"]
    run = finished(checkout.start_program(command, {"PATH": os.defpath}), 120)
    assert run.code == 0, run.output
    return " ".join(run.output.split())  # the table breaks its lines


def left_running(checkout: Checkout) -> list[str]:
    """Command lines of processes that name a file of the checkout."""
    listed = subprocess.run(
        ["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if str(checkout.folder) in line]


IMPATIENT = """
import sys
from sandbox import engine, real_kubernetes
real_kubernetes.READY_WITHIN = int(sys.argv[1])
real_kubernetes.SILENT_FOR = int(sys.argv[1]) / 2
sys.exit(engine.run("up"))
"""


def impatient_up(checkout: Checkout, seconds: int = 3) -> Run:
    """`make up`, but waiting for seconds where it would for minutes."""
    command = [sys.executable, "-c", IMPATIENT, str(seconds)]
    environment = {**os.environ, CHOICE: STAND_IN}
    return finished(checkout.start_program(command, environment), 300)


@contextmanager
def stopped_at_the_end(checkout: Checkout) -> Generator[Checkout]:
    try:
        yield checkout
    finally:
        run = checkout.run("servers-down")
        assert run.code == 0, run.output
        assert left_running(checkout) == []


@contextmanager
def started(checkout: Checkout) -> Generator[Checkout]:
    """Its servers run until the end."""
    with stopped_at_the_end(checkout):
        run = checkout.run("servers", within=BUILT_WITHIN)
        assert run.code == 0, run.output
        yield checkout


@pytest.fixture(scope="module", autouse=True)
def _commands(request: pytest.FixtureRequest) -> None:
    """They run warm, but for those that get signals; some modules here start no servers."""
    if request.node.get_closest_marker("servers"):
        request.getfixturevalue("_warm_commands")


@pytest.fixture(scope="session")
def _warm_commands() -> Iterator[None]:
    """A Python that has the packages loaded runs what `Checkout.run` is given."""
    with (
        warm_python(
            "sandbox.engine", "sandbox.real", "components", "sandbox.servers.commands"
        ) as python,
        mock.patch.object(Checkout, "python", str(python)),
    ):
        yield


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose servers run until a module's end: a worker has those of one at a time."""
    with started(Checkout(tmp_path_factory.mktemp("servers") / "checkout")) as checkout:
        yield checkout


@pytest.fixture
def cluster(servers: Checkout) -> Cluster:
    return cluster_of(servers)


@pytest.fixture
def openbao(servers: Checkout) -> OpenBao:
    return openbao_of(servers)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout without servers; what a test starts there is stopped."""
    with stopped_at_the_end(Checkout(tmp_path / "checkout")) as checkout:
        yield checkout


@pytest.fixture(scope="session")
def before() -> object:
    """What a node could change for the whole machine, while none runs yet."""
    return machine()


@pytest.fixture(scope="module")
def with_node(before: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout of the file's own whose servers run, with a node that runs containers."""
    available(container_node.require)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("node") / "checkout")) as checkout:
        start(checkout, parts.NODE)
        yield checkout


def start(checkout: Checkout, named: str) -> None:
    """`make servers PARTS=...`."""
    run = checkout.run("servers", BUILT_WITHIN, PARTS=named)
    assert run.code == 0, run.output


def machine() -> object:
    """What a node could change for all."""
    mounts = Path("/proc/self/mounts").read_text("utf-8")
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    settings = [Path("/proc/sys", name).read_text("ascii") for name in SYSCTLS]
    return mounts, links, settings, [Path(folder).exists() for folder in FOLDERS]
