"""Runs the checkout on Pulumi's engine through the sandbox, as `make up` does, in a copy of it."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.checkouts import Checkout, Run
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
