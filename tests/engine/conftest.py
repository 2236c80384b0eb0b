"""Runs the checkout on Pulumi's engine through the sandbox, as `make up` does, in a copy of it."""

from pathlib import Path

import pytest

from tests.checkouts import Checkout, Run


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, Run]:
    """A checkout after its first `make up`, and that run. Tests leave it as they found it."""
    checkout = Checkout(tmp_path_factory.mktemp("engine") / "checkout")
    return checkout, checkout.up()


@pytest.fixture
def checkout(provisioned: tuple[Checkout, Run], tmp_path: Path) -> Checkout:
    """A provisioned checkout of the test's own."""
    return Checkout.twin(provisioned[0], tmp_path / "checkout")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout before its first run."""
    return Checkout(tmp_path / "checkout")
