"""The files of `tests/field/` on real servers: their pods are admitted, and become ready."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from clients.kubernetes import Cluster, Object
from dryrun.recording import record_stack
from sandbox.ready import missing
from specs import exception_checks
from specs.settings import PREFIX
from tests.checkouts import Checkout
from tests.program import ROOT
from tests.servers.conftest import cluster_of, until
from tests.servers.test_guardrails import creation
from tests.test_field import ACCEPTED, BEFORE_THE_EXCEPTIONS_END, FIELD

pytestmark = pytest.mark.servers

TEAMS = [file.stem for file in ACCEPTED]
WORKLOADS = ("Deployment", "CronJob")
WITHOUT_OTHER_SERVERS = {f"{PREFIX}manage": {"harbor": False, "openbao": False}}


@dataclass(frozen=True)
class Field:
    """A cluster that has what the program makes of the files, but not yet the `workloads`."""

    admin: Cluster
    workloads: list[Object]

    def of(self, team: str) -> list[Object]:
        """The team's workloads."""
        return [each for each in self.workloads if each["metadata"]["namespace"] == team]

    def developer(self, team: str) -> Cluster:
        """One who may create pods in the team's namespace."""
        developer = self.admin.impersonating("somebody", f"{team}-developers")
        until(lambda: developer.may("create", "", "pods", team))
        return developer


@pytest.fixture(scope="module")
def field(servers: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Field:
    tenants = Path(shutil.copytree(FIELD, tmp_path_factory.mktemp("field") / "tenants"))
    for file in tenants.glob("*.yaml"):
        if file.stem not in TEAMS:
            file.unlink()
    today = {"return_value": BEFORE_THE_EXCEPTIONS_END}
    with mock.patch.object(exception_checks, "today", **today):
        recording = record_stack(ROOT, "dev", tenants, WITHOUT_OTHER_SERVERS)
    made = [each.inputs for each in recording.registrations if each.package == "kubernetes"]
    admin = cluster_of(servers)
    for object in made:
        if object["kind"] not in WORKLOADS:
            admin.apply(object, "test")
    return Field(admin, [object for object in made if object["kind"] in WORKLOADS])


@pytest.mark.parametrize("team", TEAMS)
def test_a_developer_may_create_the_pods(field: Field, team: str) -> None:
    developer, workloads = field.developer(team), field.of(team)
    assert workloads
    for workload in workloads:
        assert creation(developer, pod_of(workload)) == "", workload["metadata"]["name"]


@pytest.mark.parametrize("team", TEAMS)
def test_a_weakened_copy_of_a_pod_is_refused(field: Field, team: str) -> None:
    developer = field.developer(team)
    for weakened in weakened_copies(pod_of(field.of(team)[0])):
        assert creation(developer, weakened), weakened


@pytest.mark.parametrize("team", TEAMS)
def test_the_pods_become_ready(field: Field, team: str) -> None:
    for workload in field.of(team):
        field.admin.apply(workload, "test")
    for workload in field.of(team):
        path = field.admin.path_of(workload)
        until(lambda path=path: not missing(field.admin.call("GET", path)))


def pod_of(workload: Object) -> Object:
    """A pod as the workload makes it."""
    spec = workload["spec"]
    template = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    named = {key: workload["metadata"][key] for key in ("name", "namespace")}
    metadata = {**template["metadata"], **named}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def weakened_copies(pod: Object) -> Iterator[Object]:
    """The pod in its node's namespaces, privileged, as root, and with a capability."""
    for spec in ({"hostNetwork": True}, {"hostPID": True}):
        yield {**pod, "spec": {**pod["spec"], **spec}}
    [container] = pod["spec"]["containers"]
    for context in ({"privileged": True}, {"runAsUser": 0}, {"capabilities": {"add": ["NET_RAW"]}}):
        hardened = {**container["securityContext"], **context}
        containers = [{**container, "securityContext": hardened}]
        yield {**pod, "spec": {**pod["spec"], "containers": containers}}
