"""Secrets on their way from OpenBao to a Secret, brought by the real operator."""

import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from sandbox.servers import parts
from sandbox.servers.processes import Process, stop
from tests.checkouts import Checkout, Run, finished
from tests.servers.conftest import BUILT_WITHIN, record_of, settle, stored, until
from tests.servers.status_readers import Reader

pytestmark = pytest.mark.servers

ALPHA, BETA = "team-alpha", "team-beta"
NAME = "my-api-db-credentials"
ROLE = "auth/kubernetes/role/external-secrets"
STORE = "ClusterSecretStore openbao-backend"
POLICY = "sys/policies/acl/external-secrets"
STACK = "Pulumi.dev.yaml"
ESO = "external-secrets.io/v1"


@pytest.fixture(scope="module")
def unattended(servers: Checkout) -> tuple[Checkout, Run]:
    """The first `up`, after the operator was there and before it is there again."""
    run = servers.run("servers", BUILT_WITHIN, PARTS=parts.EXTERNAL_SECRETS)
    assert run.code == 0, run.output
    assert f"Started again {parts.EXTERNAL_SECRETS} in" in run.output
    stop([operator(servers)])
    return servers, servers.run("up")


@pytest.fixture(scope="module")
def attended(unattended: tuple[Checkout, Run]) -> Checkout:
    """From here on the operator runs."""
    checkout, _ = unattended
    run = checkout.run("servers", PARTS=parts.EXTERNAL_SECRETS)
    assert run.code == 0, run.output
    assert f"Started again {parts.EXTERNAL_SECRETS} in" in run.output
    return checkout


@pytest.fixture
def viewer(
    attended: Checkout,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Reader:
    """A viewer of the team, who runs `./sre status`."""
    reader = Reader(attended, capsys, monkeypatch, tmp_path / "kubeconfig")
    reader.view(ALPHA)
    return reader


def operator(checkout: Checkout) -> Process:
    return Process(record_of(checkout).folder, parts.EXTERNAL_SECRETS)


def doctor(checkout: Checkout) -> Run:
    arguments = [sys.executable, "-m", "cli", "doctor", "--stack", "dev"]
    run = finished(checkout.start_program(arguments, {"PATH": os.defpath}), 120)
    return Run(run.code, " ".join(run.output.split()))  # the table breaks its lines


def values(cluster: Cluster, name: str = NAME, team: str = ALPHA) -> Mapping[str, str] | None:
    found = cluster.get("v1", "Secret", team, name)
    return found and {key: b64decode(text).decode() for key, text in found["data"].items()}


def external_secret(cluster: Cluster, name: str = NAME) -> Object:
    found = cluster.get(ESO, "ExternalSecret", ALPHA, name)
    assert found
    return found


def noted(object: Object | None, reason: str) -> bool:
    """Whether that is what the operator last noted on it."""
    conditions = (object or {}).get("status", {}).get("conditions", ())
    return [one["reason"] for one in conditions if one["type"] == "Ready"] == [reason]


def told_of(cluster: Cluster, name: str) -> list[str]:
    """What `kubectl describe` shows of an ExternalSecret's events."""
    events = cluster.list("v1", "Event", ALPHA)
    return [one["message"] for one in events if one["involvedObject"]["name"] == name]


def asked_again(cluster: Cluster, object: Object) -> None:
    """As `kubectl annotate ... force-sync=$(date +%s%N) --overwrite` does."""
    now = {"force-sync": datetime.now(UTC).isoformat()}
    patched(cluster, object, {"metadata": {"annotations": now}})


def patched(cluster: Cluster, object: Object, patch: Object) -> None:
    """As `kubectl patch --type=merge` does."""
    cluster.call("PATCH", cluster.path_of(object), patch, None, "application/merge-patch+json")


def foreign(name: str = "borrowed", kind: str = "ClusterSecretStore") -> Object:
    """Team-alpha's, for what is team-beta's."""
    remote = {"key": "sre/team-beta/harbor-pull", "property": "password"}
    return {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": ALPHA},
        "spec": {
            "secretStoreRef": {"kind": kind, "name": "openbao-backend"},
            "data": [{"secretKey": "value", "remoteRef": remote}],
        },
    }


def test_up_succeeds_while_the_operator_is_down_and_the_doctor_says_so(
    unattended: tuple[Checkout, Run], cluster: Cluster
) -> None:
    checkout, run = unattended
    assert run.code == 0, run.output
    assert values(cluster) is None
    told = doctor(checkout)
    assert told.code == 0, told.output
    never = "never looked at by the External Secrets Operator"
    assert f"openbao-backend was {never}" in told.output
    assert f"team-alpha/harbor-pull, team-alpha/my-api-db-credentials, {ALPHA}" in told.output
    assert told.output.count(never) == 2


def test_the_pull_secret_is_the_pull_robot_s_credential_as_a_kubelet_reads_it(
    attended: Checkout, cluster: Cluster, openbao: OpenBao
) -> None:
    until(lambda: values(cluster, "harbor-pull"))
    secret = cluster.get("v1", "Secret", ALPHA, "harbor-pull")
    assert secret
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    robot = openbao.read("sre/data/team-alpha/harbor-pull")
    assert robot
    login = robot["data"]
    found = values(cluster, "harbor-pull")
    assert found
    assert json.loads(found[".dockerconfigjson"]) == {
        "auths": {
            login["registry"]: {
                "username": login["username"],
                "password": login["password"],
                "auth": b64encode(f"{login['username']}:{login['password']}".encode()).decode(),
            }
        }
    }


def said(viewer: Reader, kind: str) -> dict[str, str | None]:
    """What `./sre status` says of secrets that do not arrive, each with its key in the file."""
    causes = viewer.app(ALPHA, "my-api")["causes"]
    return {cause["what"]: cause["key"] for cause in causes if cause["kind"] == kind}


def test_status_names_the_path_of_a_secret_that_is_not_stored_and_who_stores_it(
    viewer: Reader,
) -> None:
    expected = {
        f"OpenBao has no secret sre/{ALPHA}/{name} ({STORE})": f"apps[0].app.env[{index}].secretRef"
        for index, name in ((2, NAME), (3, "my-api-external-key"))
    }
    until(lambda: said(viewer, "secret-not-stored") == expected)
    assert f"`./sre secret set {ALPHA} {NAME}`" in viewer.run(ALPHA, "my-api")[1]


def test_a_value_that_is_stored_arrives_plain_under_the_key_value(
    attended: Checkout, cluster: Cluster
) -> None:
    until(lambda: noted(external_secret(cluster), "SecretSyncedError"))
    told = doctor(attended)
    assert f"{ALPHA}/{NAME}" in told.output
    assert f"kubectl describe externalsecret {NAME} -n {ALPHA}" in told.output
    stored(attended, f"sre/{ALPHA}/{NAME}", 'value=first "line"', "other=ignored")
    asked_again(cluster, external_secret(cluster))
    until(lambda: values(cluster) == {"value": 'first "line"'})


def test_a_changed_value_arrives_when_it_is_asked_for_again(
    attended: Checkout, cluster: Cluster
) -> None:
    stored(attended, f"sre/{ALPHA}/{NAME}", "value=second")
    asked_again(cluster, external_secret(cluster))
    until(lambda: values(cluster) == {"value": "second"})


def test_a_changed_value_arrives_by_itself_once_the_interval_is_over(
    attended: Checkout, cluster: Cluster
) -> None:
    before = external_secret(cluster)
    patched(cluster, before, {"spec": {"refreshInterval": "1s"}})
    stored(attended, f"sre/{ALPHA}/{NAME}", "value=third")
    until(lambda: values(cluster) == {"value": "third"})
    patched(cluster, before, {"spec": {"refreshInterval": before["spec"]["refreshInterval"]}})


def test_a_secret_that_somebody_deletes_or_changes_comes_back(
    attended: Checkout, cluster: Cluster
) -> None:
    def found() -> Object | None:
        return cluster.get("v1", "Secret", ALPHA, "harbor-pull")

    before = found()
    assert before
    cluster.delete("v1", "Secret", ALPHA, "harbor-pull")
    until(lambda: (new := found()) and new["metadata"]["uid"] != before["metadata"]["uid"])
    until(lambda: (new := found()) and new["data"] == before["data"])
    patched(cluster, before, {"data": {".dockerconfigjson": b64encode(b"{}").decode()}})
    until(lambda: (new := found()) and new["data"] == before["data"])


def test_another_team_s_path_is_refused_by_the_guardrail_alone(
    attended: Checkout, cluster: Cluster
) -> None:
    """The shared store could read it, which is why stacks keep the guardrails on."""
    developer = cluster.impersonating("somebody", "team-alpha-developers")
    with pytest.raises(RefusedError, match="a team's secrets are at sre/<team>/<name>"):
        developer.create(foreign())
    cluster.create(foreign())  # an administrator's, whom the guardrails let through
    try:
        until(lambda: values(cluster, "borrowed"))
    finally:
        cluster.delete(ESO, "ExternalSecret", ALPHA, "borrowed")


def test_a_team_s_own_store_reads_the_team_s_path_and_no_other(
    attended: Checkout, cluster: Cluster, openbao: OpenBao
) -> None:
    with stack(attended, "secretStore: tenant"):
        store = cluster.get(ESO, "SecretStore", ALPHA, "openbao-backend")
        assert store
        until(lambda: noted(cluster.get(ESO, "SecretStore", ALPHA, "openbao-backend"), "Valid"))
        stored(attended, f"sre/{ALPHA}/{NAME}", "value=fourth")
        asked_again(cluster, external_secret(cluster))
        until(lambda: values(cluster) == {"value": "fourth"})

        cluster.create(foreign("stolen", "SecretStore"))
        try:
            until(lambda: any("permission denied" in text for text in told_of(cluster, "stolen")))
            until(lambda: noted(external_secret(cluster, "stolen"), "SecretSyncedError"))
            assert values(cluster, "stolen") is None
        finally:
            cluster.delete(ESO, "ExternalSecret", ALPHA, "stolen")


def test_a_store_that_may_not_log_in_is_reported_and_what_has_arrived_stays(
    attended: Checkout, cluster: Cluster, openbao: OpenBao, viewer: Reader
) -> None:
    until(lambda: values(cluster) is not None)
    before = values(cluster)
    openbao.call("POST", ROLE, {"bound_service_account_names": "somebody-else"})
    store = cluster.get(ESO, "ClusterSecretStore", None, "openbao-backend")
    assert store
    asked_again(cluster, store)
    until(
        lambda: noted(
            cluster.get(ESO, "ClusterSecretStore", None, "openbao-backend"), "InvalidProviderConfig"
        )
    )
    told = doctor(attended)
    assert told.code == 1
    assert "openbao-backend is not ready" in told.output
    assert values(cluster) == before
    asked_again(cluster, external_secret(cluster))
    what = f"{STORE}, which fetches sre/{ALPHA}/{NAME} from OpenBao, is not ready"
    until(lambda: what in said(viewer, "secret-store"))

    settle(cluster)
    mended = attended.run("up --refresh")
    assert mended.steps("updated") == {"AuthBackendRole external-secrets"}, mended.output
    asked_again(cluster, store)
    until(lambda: noted(cluster.get(ESO, "ClusterSecretStore", None, "openbao-backend"), "Valid"))


def test_status_names_the_store_that_may_not_read_a_secret(
    attended: Checkout, cluster: Cluster, openbao: OpenBao, viewer: Reader
) -> None:
    before = openbao.call("GET", POLICY)["data"]["policy"]
    openbao.call("PUT", POLICY, {"policy": 'path "sre/data/other" { capabilities = ["read"] }'})
    asked_again(cluster, external_secret(cluster))
    what = f"{STORE} may not read sre/{ALPHA}/{NAME} in OpenBao"
    until(lambda: what in said(viewer, "secret-denied"))
    openbao.call("PUT", POLICY, {"policy": before})


def test_the_operator_has_the_rights_of_its_chart_and_no_more(
    attended: Checkout, cluster: Cluster
) -> None:
    itself = cluster.with_token(cluster.token("external-secrets", "external-secrets"))
    assert itself.may("create", "", "secrets", ALPHA)
    assert itself.may("create", "", "serviceaccounts/token", ALPHA)
    assert not itself.may("create", "", "pods", ALPHA)
    assert not itself.may("delete", "", "namespaces")
    log = operator(attended).log.read_text(encoding="utf-8")
    assert "forbidden" not in log


@contextmanager
def stack(checkout: Checkout, setting: str) -> Iterator[None]:
    """The stack with one more setting of External Secrets, and afterwards without."""
    checkout.edit(STACK, "config:\n", f"config:\n  sre-platform:externalSecrets: {{{setting}}}\n")
    checkout.up()
    try:
        yield
    finally:
        checkout.restore(STACK)
        checkout.up()
