"""The servers of `make servers`, in a copy of the checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from sandbox.servers.record import Servers, running
from tests.checkouts import Checkout

BUILT_WITHIN = 40 * 60  # seconds; where the programs are cached, a start takes ten


def record_of(checkout: Checkout) -> Servers:
    servers = running(checkout.folder)
    assert servers, "no servers run there"
    return servers


def cluster_of(checkout: Checkout) -> Cluster:
    """As an administrator."""
    return Cluster(kubeconfig=record_of(checkout).kubeconfig)


def openbao_of(checkout: Checkout) -> OpenBao:
    """With the root token."""
    servers = record_of(checkout)
    environment = servers.environment
    return OpenBao(environment["BAO_ADDR"], environment["BAO_TOKEN"], servers.ca_cert)


def _started(checkout: Checkout) -> Iterator[Checkout]:
    try:
        run = checkout.run("servers", within=BUILT_WITHIN)
        assert run.code == 0, run.output
        yield checkout
    finally:
        checkout.run("servers-down")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose servers run. Tests leave them as they found them."""
    yield from _started(Checkout(tmp_path_factory.mktemp("servers") / "checkout"))


@pytest.fixture
def cluster(servers: Checkout) -> Cluster:
    return cluster_of(servers)


@pytest.fixture
def openbao(servers: Checkout) -> OpenBao:
    return openbao_of(servers)


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """As `servers`, but a module's own, to kill, stop and start."""
    yield from _started(Checkout(tmp_path_factory.mktemp("own") / "checkout"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout without servers; what a test starts there is stopped."""
    checkout = Checkout(tmp_path / "checkout")
    yield checkout
    checkout.run("servers-down")
