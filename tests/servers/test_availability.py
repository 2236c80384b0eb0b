"""What keeps apps available, as an API server takes it: nothing is lost, and strategies change."""

from collections.abc import Iterator
from typing import Any

import pytest

from clients.kubernetes import Cluster, Object
from tests.conftest import Program
from tests.program import AUTOSCALER, CRON_JOB, DEPLOYMENT, DISRUPTION_BUDGET, ROOT, Made, worker

pytestmark = pytest.mark.servers

FILE = ROOT / "tests" / "keys" / "availability.yaml"
KINDS = (DEPLOYMENT, AUTOSCALER, DISRUPTION_BUDGET, CRON_JOB)
MANAGER = "test-availability"


def elsewhere(made: Made, kind: str, name: str) -> Object:
    """The object in a namespace that every cluster has."""
    inputs = made.one(kind, name).inputs
    return {**inputs, "metadata": {**inputs["metadata"], "namespace": "default"}}


def lost(sent: Any, kept: Any) -> bool:
    """Whether something of what was sent is not there, or otherwise."""
    if isinstance(sent, dict):
        return not isinstance(kept, dict) or any(lost(v, kept.get(k)) for k, v in sent.items())
    if isinstance(sent, list):
        return len(sent) != len(kept) or any(map(lost, sent, kept))
    return bool(sent != kept)


def test_every_field_is_served(cluster: Cluster, program: Program) -> None:
    made = program(FILE.read_text(encoding="utf-8"))
    for kind in KINDS:
        for one in made.all(kind):
            sent = elsewhere(made, kind, one.name)
            kept = cluster.apply(sent, MANAGER, dry_run=True)
            assert not lost(sent["spec"], kept["spec"]), one


@pytest.fixture
def running(cluster: Cluster, program: Program) -> Iterator[Object]:
    """A Deployment of an app that says nothing about its strategy."""
    usual = elsewhere(program(worker("app: {replicas: 0}")), DEPLOYMENT, "team-alpha/consumer")
    yield cluster.apply(usual, MANAGER)
    cluster.delete("apps/v1", "Deployment", "default", "consumer")


@pytest.mark.usefixtures("running")
def test_an_app_may_be_recreated_from_now_on_and_back(cluster: Cluster, program: Program) -> None:
    for strategy in ("{type: Recreate}", "{maxSurge: 1}", "{}", "{type: Recreate}"):
        keys = f"app: {{replicas: 0}}\nstrategy: {strategy}"
        wanted = elsewhere(program(worker(keys)), DEPLOYMENT, "team-alpha/consumer")
        assert cluster.apply(wanted, MANAGER)["spec"]["strategy"] == wanted["spec"]["strategy"]
