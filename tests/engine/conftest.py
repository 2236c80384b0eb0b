"""Runs the checkout on Pulumi's engine through the sandbox, as `make up` does, in a copy of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest

from tests.checkouts import Checkout, Run
from tests.engine.fleets import FleetCheckout
from tests.engine.shared import once


@pytest.fixture(scope="session", autouse=True)
def quick_to_start(warm: Path) -> Iterator[None]:
    """Commands that are awaited run in a Python that has the SDKs loaded."""
    with mock.patch.object(Checkout, "python", str(warm)):
        yield


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, Run]:
    """A checkout after its first `make up`, and that run. No test changes it."""

    def make(folder: Path) -> tuple[Checkout, Run]:
        checkout = Checkout(folder)
        return checkout, checkout.up()

    return once(tmp_path_factory, "provisioned", make)


@pytest.fixture
def checkout(provisioned: tuple[Checkout, Run], tmp_path: Path) -> Checkout:
    """A provisioned checkout of the test's own."""
    return Checkout.twin(provisioned[0], tmp_path / "checkout")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout before its first run."""
    return Checkout(tmp_path / "checkout")


@pytest.fixture(scope="session")
def updated_fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[FleetCheckout, Run]:
    """A checkout after its first `./sre fleet up`, and that run. No test changes it."""

    def make(folder: Path) -> tuple[FleetCheckout, Run]:
        checkout = FleetCheckout(folder)
        with checkout.servers() as environment:
            return checkout, checkout.run("fleet up --format json", 300, **environment)

    return once(tmp_path_factory, "fleet", make)


@pytest.fixture
def fleet(updated_fleet: tuple[FleetCheckout, Run], tmp_path: Path) -> FleetCheckout:
    """One of the test's own."""
    return FleetCheckout.twin(updated_fleet[0], tmp_path / "checkout")


@pytest.fixture
def servers(fleet: FleetCheckout) -> Iterator[Mapping[str, str]]:
    with fleet.servers() as environment:
        yield environment
