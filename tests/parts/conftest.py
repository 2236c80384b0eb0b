"""The servers of `make servers PARTS=...`, in a copy of the checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from binaries.console import UserError
from sandbox.servers import container_node
from tests.checkouts import Checkout
from tests.servers.conftest import BUILT_WITHIN, stopped_at_the_end

FOLDERS = ("/var/lib/kubelet", "/var/lib/containerd", "/var/log/containers", "/var/log/pods")
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")


@pytest.fixture(scope="session")
def before() -> object:
    """What a node could change for the whole machine, while none runs yet."""
    return machine()


@pytest.fixture(scope="session")
def with_node(before: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose servers run, with a node that runs containers."""
    try:
        container_node.require()
    except UserError as error:
        pytest.skip(str(error))
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("node") / "checkout")) as checkout:
        start(checkout)
        yield checkout


def start(checkout: Checkout, part: str = "node") -> None:
    run = checkout.run("servers", BUILT_WITHIN, PARTS=part)
    assert run.code == 0, run.output


def machine() -> object:
    """What a node could change for all."""
    mounts = Path("/proc/self/mounts").read_text("utf-8")
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    settings = [Path("/proc/sys", name).read_text("ascii") for name in SYSCTLS]
    return mounts, links, settings, [Path(folder).exists() for folder in FOLDERS]
