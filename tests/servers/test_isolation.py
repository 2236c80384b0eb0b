"""The isolation matrix on real servers: it holds, it changes nothing, and it can fail."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from specs.fleet import TeamsFolder, load_stack
from specs.settings import Settings
from specs.stack_file import read_stack
from tests.checkouts import ROOT, Checkout, Run, finished
from tests.servers.conftest import cluster_of, openbao_of, record_of, until
from tools.isolation.attempts import Caller
from tools.isolation.matrix import MatrixRow, run
from tools.isolation.requests import Admin
from tools.isolation.samples import NAME
from tools.isolation.verdict import NOT_ASKED

pytestmark = pytest.mark.servers

RBAC = "rbac.authorization.k8s.io/v1"
POLICY_BINDING = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding")


def sre(checkout: Checkout, *arguments: str) -> Run:
    """`./sre`, by somebody who has named no server in the environment."""
    environment = {name: os.environ[name] for name in ("HOME", "PATH")}
    return finished(checkout.start_program(["./sre", *arguments], environment), 300)


def last_line(run: Run) -> str:
    return run.output.splitlines()[-1]


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    (servers.folder / ".venv").symlink_to(ROOT / ".venv")
    servers.up()
    return servers


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


@pytest.fixture
def openbao(provisioned: Checkout) -> OpenBao:
    return openbao_of(provisioned)


@pytest.fixture
def failed(provisioned: Checkout) -> Callable[[], list[MatrixRow]]:
    """The rows of the matrix that are not as expected now."""
    root = provisioned.folder
    settings, _ = read_stack(root, "dev")
    assert settings
    teams = load_stack(TeamsFolder(root / "tenants", "tenants"), settings).teams
    admin = partial(Admin, ca_cert=record_of(provisioned).ca_cert)

    def rows(settings: Settings = settings) -> list[MatrixRow]:
        asked = admin(cluster_of(provisioned), openbao_of(provisioned))
        return [row for row in run(teams, settings, asked) if not row.passed]

    return rows


def everything(cluster: Cluster, openbao: OpenBao) -> set[str]:
    """What a caller might have made, by kind and name."""
    kinds = {
        "v1": ("Namespace", "Secret", "Service", "ResourceQuota", "LimitRange"),
        "apps/v1": ("Deployment",),
        "networking.k8s.io/v1": ("NetworkPolicy", "Ingress"),
        "external-secrets.io/v1": ("ExternalSecret", "SecretStore", "ClusterSecretStore"),
        RBAC: ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
        POLICY_BINDING[0]: ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }
    objects = {
        f"{kind} {made['metadata'].get('namespace')}/{made['metadata']['name']}"
        for api_version, words in kinds.items()
        for kind in words
        for made in cluster.list(api_version, kind)
    }
    listed = ("sre/metadata/team-alpha", "sre/metadata/team-beta", "sys/policies/acl")
    listed = (*listed, "auth/kubernetes/role")
    answers = {path: openbao.call("LIST", path)["data"]["keys"] for path in listed}
    return objects | {f"{path}/{name}" for path, names in answers.items() for name in names}


def test_no_team_reaches_another_and_nothing_is_changed(
    provisioned: Checkout, cluster: Cluster, openbao: OpenBao
) -> None:
    before = everything(cluster, openbao)
    run = sre(provisioned, "isolation")
    assert last_line(run).endswith(" checks, all as expected."), run.output
    assert run.code == 0
    assert everything(cluster, openbao) == before
    assert NAME not in str(before)


def test_what_make_up_has_made_is_what_the_doctor_asks_for(provisioned: Checkout) -> None:
    run = sre(provisioned, "doctor", "--stack", "dev")
    assert run.code == 0, run.output


def test_the_page_has_the_tables_that_the_command_makes(provisioned: Checkout) -> None:
    page = provisioned.folder / "docs" / "isolation.md"
    committed = page.read_text(encoding="utf-8")
    run = sre(provisioned, "isolation", "--format", "markdown", "--write-docs")
    assert run.code == 0, run.output
    assert page.read_text(encoding="utf-8") == committed, "run `./sre isolation --write-docs`"
    tables = run.output.rpartition("\n\n")[0].strip()
    assert tables in committed


@pytest.fixture
def without_a_guardrail(cluster: Cluster) -> Iterator[str]:
    """The name of a policy that is bound to no namespace."""
    name = "sre-services"
    binding = cluster.get(*POLICY_BINDING, None, name)
    assert binding
    developer = cluster.impersonating("somebody", "team-alpha-developers")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": "team-alpha"},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    }

    def held() -> bool:
        try:
            developer.create(service, dry_run=True)
        except RefusedError:
            return True
        return False

    cluster.delete(*POLICY_BINDING, None, name)
    until(lambda: not held())
    yield name
    cluster.create(without_server_fields(binding))
    until(held)


def bindings(cluster: Cluster, namespace: str) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.list(RBAC, "RoleBinding", namespace)}


def without_server_fields(made: dict) -> dict:
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in made["metadata"].items() if key in kept}
    return {**made, "metadata": metadata}


def test_a_guardrail_that_is_gone_shows_in_its_rows(
    failed: Callable[[], list[MatrixRow]], without_a_guardrail: str
) -> None:
    rows = failed()
    assert {row.expected for row in rows} == {f"refused by {without_a_guardrail}"}
    assert {row.seen for row in rows} == {"allowed"}
    assert {row.who for row in rows} == {"team-alpha developer", "team-beta developer"}


def test_a_group_that_is_bound_nowhere_fails_all_its_checks(
    failed: Callable[[], list[MatrixRow]], cluster: Cluster
) -> None:
    binding = cluster.get(RBAC, "RoleBinding", "team-alpha", "team-alpha-viewers")
    assert binding
    cluster.delete(RBAC, "RoleBinding", "team-alpha", "team-alpha-viewers")
    try:
        # On a busy machine, a list was seen that still had it.
        until(lambda: "team-alpha-viewers" not in bindings(cluster, "team-alpha"))
        rows = failed()
    finally:
        cluster.create(without_server_fields(binding))
        viewer = cluster.impersonating("somebody", "team-alpha-viewers")
        until(lambda: viewer.may("list", "", "pods", "team-alpha"))
    why = "selects nothing: no RoleBinding in team-alpha for team-alpha-viewers"
    assert {(row.who, row.seen) for row in rows} == {("team-alpha viewer", why)}


def test_a_robot_without_a_credential_fails_all_its_checks(
    failed: Callable[[], list[MatrixRow]], openbao: OpenBao
) -> None:
    path = "sre/data/team-beta/harbor-push"
    stored = openbao.read(path)
    assert stored
    openbao.call("DELETE", path)
    try:
        rows = failed()
    finally:
        openbao.call("POST", path, {"data": stored["data"]})
    assert {(row.who, row.seen) for row in rows} == {("team-beta robot", NOT_ASKED)}


@pytest.fixture
def with_stores_of_their_own(provisioned: Checkout) -> Iterator[Checkout]:
    """Provisioned with a SecretStore in each team's namespace, and no shared store."""
    old = "config:\n"
    new = f"{old}  sre-platform:externalSecrets: {{secretStore: tenant}}\n"
    provisioned.edit("Pulumi.dev.yaml", old, new)
    provisioned.up()
    yield provisioned
    provisioned.restore("Pulumi.dev.yaml")
    provisioned.up()


def test_a_store_of_a_team_s_own_reads_no_other_team_s_secrets(
    with_stores_of_their_own: Checkout,
) -> None:
    run = sre(with_stores_of_their_own, "isolation")
    assert last_line(run).endswith(" checks, all as expected."), run.output
    lines = [line.split("  ") for line in run.output.splitlines() if "hand out another" in line]
    outcomes = {tuple(cell.strip() for cell in line if cell) for line in lines}
    refused = ("hand out another team's secret", "refused by OpenBao", "refused by OpenBao")
    assert outcomes == {
        (f"{team} {Caller.STORE}", *refused) for team in ("team-alpha", "team-beta")
    }
