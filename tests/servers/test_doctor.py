"""`./sre doctor` on an API server and an OpenBao that say what they mean."""

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from sandbox.servers.keys import Keys
from specs.settings import PREFIX, Settings
from tests.checkouts import Checkout
from tests.conftest import Program
from tests.doctored import DoctorReport, ask
from tests.program import Made, web_app
from tests.servers.conftest import record_of, until
from tools.doctor.cluster_checks import ClusterChecks
from tools.doctor.openbao_checks import OpenBaoChecks
from tools.doctor.pods import is_ready, labelled

pytestmark = pytest.mark.servers

FOREIGN = ("HARBOR_", "VAULT_", "BAO_", "SRE_", "KUBECONFIG")
RBAC = "rbac.authorization.k8s.io"
ADMISSION, ESO = "admissionregistration.k8s.io/v1", "ExternalSecret"
# What a platform's pipeline needs for teams: no more than that passes, and less does not.
RULES = [
    {"apiGroups": [""], "resources": [
        "namespaces", "resourcequotas", "limitranges", "serviceaccounts", "services", "configmaps",
    ], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["pods", "persistentvolumeclaims"],
     "verbs": ["list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
    {"apiGroups": ["autoscaling", "batch", "policy", "networking.k8s.io", "networking.istio.io",
                   "monitoring.coreos.com", "external-secrets.io"],
     "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": ["*"]},
    {"apiGroups": ["admissionregistration.k8s.io"],
     "resources": ["validatingadmissionpolicies"], "verbs": ["list"]},
]  # fmt: skip
MAY_BIND = {
    "apiGroups": [RBAC],
    "resources": ["clusterroles"],
    "resourceNames": ["edit", "view"],
    "verbs": ["bind"],
}


@pytest.fixture(autouse=True)
def _bare(servers: Checkout) -> Iterator[None]:
    """No server but the checkout's is named; put back at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with mock.patch.dict(os.environ, {**kept, **record_of(servers).environment}, clear=True):
        yield


@pytest.fixture
def team(program: Program) -> Made:
    return program(web_app("ingress: {enabled: true, host: a.example.com}"))


def settings(**config: Any) -> Settings:
    config = {"teams": "*", "kubernetes": {"clusterIdentifier": "test"}, **config}
    return Settings.model_validate({PREFIX + key: value for key, value in config.items()})


def of_the_cluster(made: Made, **config: Any) -> DoctorReport:
    objects = [one.inputs for one in made.of_package("kubernetes")]
    return ask("Kubernetes", ClusterChecks(settings(**config), objects))


def of_openbao(made: Made, **config: Any) -> DoctorReport:
    registered = [(one.type, one.inputs) for one in made.of_package("vault")]
    return ask("OpenBao", OpenBaoChecks(settings(**config), registered))


def test_the_sandbox_s_servers_have_what_its_stack_needs(servers: Checkout) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    run = subprocess.run(
        [sys.executable, "-m", "cli", "doctor", "--stack", "dev"],
        cwd=servers.folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert "on the servers that `make servers` started" in run.stdout
    assert record_of(servers).environment["VAULT_TOKEN"] not in run.stdout


@dataclass
class Pipeline:
    """An identity of the cluster's with rights of its own, and the name of its ClusterRole."""

    cluster: Cluster
    name: str

    @property
    def user(self) -> str:
        return f"system:serviceaccount:default:{self.name}"

    def may(self, *rules: Any) -> None:
        """These, and nothing else that matters; from now on, the API server knows them."""
        marked = secrets.token_hex(4)
        mark = {"apiGroups": ["doctor"], "resources": [marked], "verbs": ["get"]}
        role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": self.name}}
        self.cluster.apply({**role, "rules": [*rules, mark]}, "test")
        itself = self.cluster.impersonating(self.user)
        until(lambda: itself.may("get", "doctor", marked))


@pytest.fixture
def pipeline(servers: Checkout, cluster: Cluster, tmp_path: Path) -> Iterator[Pipeline]:
    """KUBECONFIG is that of this identity, which has RULES and may bind the teams' roles."""
    # A name of its own: what the last test deletes goes in its own time.
    made = Pipeline(cluster, f"doctor-{secrets.token_hex(4)}")
    metadata = {"name": made.name}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": made.name},
        "subjects": [{"kind": "ServiceAccount", "name": made.name, "namespace": "default"}],
    }
    cluster.apply({**account, "metadata": {**metadata, "namespace": "default"}}, "test")
    cluster.apply(binding, "test")
    made.may(MAY_BIND, *RULES)
    kubeconfig = yaml.safe_load(record_of(servers).kubeconfig.read_text())
    kubeconfig["users"][0]["user"] = {"token": cluster.token("default", made.name)}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    os.environ["KUBECONFIG"] = str(tmp_path / "kubeconfig")
    yield made
    cluster.delete(f"{RBAC}/v1", "ClusterRoleBinding", None, made.name)
    cluster.delete(f"{RBAC}/v1", "ClusterRole", None, made.name)
    cluster.delete("v1", "ServiceAccount", "default", made.name)


OWN_STORES = {"externalSecrets": {"secretStore": "tenant"}}


def test_a_pipeline_with_rights_enough_for_a_team_passes(
    pipeline: Pipeline, program: Program
) -> None:
    told = of_the_cluster(program(web_app(), **OWN_STORES), **OWN_STORES)
    assert told.failed() == {}, told.text
    assert told.found("Kubernetes: identity") == pipeline.user


def test_what_a_pipeline_may_not_do_is_reported_one_line_each(
    pipeline: Pipeline, program: Program
) -> None:
    pipeline.may(MAY_BIND, *(rule for rule in RULES if "autoscaling" not in rule["apiGroups"]))
    told = of_the_cluster(program(web_app(), **OWN_STORES), **OWN_STORES)
    assert list(told.failed()) == ["Kubernetes: permissions"]
    found = told.found("Kubernetes: permissions")
    for resource in ("horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"):
        assert (
            f"{pipeline.user} may not create, get, patch, delete {resource} in team-alpha" in found
        )


def test_a_pipeline_that_could_not_grant_the_teams_roles_is_reported(
    pipeline: Pipeline, program: Program
) -> None:
    pipeline.may(*RULES)
    told = of_the_cluster(program(web_app(), **OWN_STORES), **OWN_STORES)
    assert list(told.failed()) == ["Kubernetes: granting roles"]
    assert "may not bind the ClusterRole edit" in told.found("Kubernetes: granting roles")
    assert "may not bind the ClusterRole view" in told.found("Kubernetes: granting roles")


def test_the_administrator_may_grant_any_role_without_a_word_about_binding(
    cluster: Cluster, team: Made
) -> None:
    assert told_ok(of_the_cluster(team, platform=True), "Kubernetes: granting roles")


def told_ok(told: DoctorReport, what: str) -> bool:
    return {line.finding.status.value for line in told.lines if line.what == what} == {"ok"}


def test_the_gateway_of_the_cluster_is_found_and_another_is_not(team: Made) -> None:
    assert "no pod in istio-system has" in of_the_cluster(team).found("Kubernetes: gateways")
    told = of_the_cluster(team, istio={"gateways": ("istio-system/other",)})
    assert "no Gateway istio-system/other" in told.found("Kubernetes: gateways")


def test_a_version_that_the_cluster_does_not_serve_is_reported(program: Program) -> None:
    old = {"externalSecrets": {"apiVersion": "v1beta1"}}
    made = program(web_app(), **old)
    for one in made.of_package("kubernetes"):
        if one.inputs["apiVersion"] == "external-secrets.io/v1beta1":
            one.inputs["apiVersion"] = "external-secrets.io/v0"
    failed = of_the_cluster(made, **old).failed()["Kubernetes: served kinds"]
    assert failed.found.startswith("external-secrets.io/v0 without ExternalSecret; ")


def test_certificates_of_another_ca_are_reported_as_such(
    servers: Checkout, team: Made, other_keys: Keys, tmp_path: Path
) -> None:
    kubeconfig = yaml.safe_load(record_of(servers).kubeconfig.read_text())
    ca_cert = base64.b64encode(other_keys.ca_cert.read_bytes()).decode()
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = ca_cert
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    os.environ["KUBECONFIG"] = str(tmp_path / "kubeconfig")
    os.environ["VAULT_CACERT"] = str(other_keys.ca_cert)
    for told in (of_the_cluster(team), of_openbao(team)):
        (failed,) = told.failed().values()
        assert "shows a certificate that cannot be verified" in failed.found


def test_a_token_unknown_to_the_api_server_is_reported(
    servers: Checkout, team: Made, tmp_path: Path
) -> None:
    kubeconfig = yaml.safe_load(record_of(servers).kubeconfig.read_text())
    for user in ({"token": "hunter2"}, {}):
        kubeconfig["users"][0]["user"] = user
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        os.environ["KUBECONFIG"] = str(tmp_path / "kubeconfig")
        (failed,) = of_the_cluster(team).failed().values()
        assert failed.found.startswith("the API server does not know this user")


@contextmanager
def deployed(
    cluster: Cluster,
    namespace: str,
    labels: dict[str, str],
    account: str = "default",
    node: str | None = None,
    kind: str = "Deployment",
) -> Iterator[None]:
    """A workload of one pod, as an operator's; with a `node` that does not exist, it waits."""
    pod: Object = {
        "serviceAccountName": account,
        "containers": [{"name": "main", "image": "registry.invalid/main:1"}],
        **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
    }
    made = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "stands-in", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }

    def pods() -> list[Object]:
        found = cluster.list("v1", "Pod", namespace)
        return [one for one in found if labelled(one, labels)]

    cluster.create(made)
    try:
        until(lambda: node or any(map(is_ready, pods())))
        until(pods)
        yield
    finally:
        cluster.delete("apps/v1", kind, namespace, "stands-in")
        until(lambda: not cluster.get("apps/v1", kind, namespace, "stands-in"))
        until(lambda: not pods())


@pytest.mark.parametrize(
    ("namespace", "labels", "account", "row", "without", "whose"),
    [
        (
            "external-secrets",
            {"app": "external-secrets"},
            "external-secrets",
            "External Secrets",
            "no pod in external-secrets runs as external-secrets",
            "External Secrets Operator",
        ),
        (
            "monitoring",
            {"app.kubernetes.io/name": "prometheus-operator"},
            "default",
            "Prometheus Operator",
            "no pod of the Prometheus Operator in monitoring",
            "Prometheus Operator",
        ),
        (
            "istio-system",
            {"istio": "ingressgateway"},
            "default",
            "gateways",
            "no pod in istio-system has istio=ingressgateway",
            "Gateway istio-system/sre-gateway",
        ),
    ],
)
def test_an_operator_that_is_down_warns(
    cluster: Cluster,
    team: Made,
    namespace: str,
    labels: dict[str, str],
    account: str,
    row: str,
    without: str,
    whose: str,
) -> None:
    assert of_the_cluster(team).found(f"Kubernetes: {row}").startswith(without)
    with deployed(cluster, namespace, labels, account, "nowhere"):
        told = of_the_cluster(team)
        assert told.found(f"Kubernetes: {row}") == f"{whose}: 0 of 1 pods in {namespace} ready"
        assert f"Kubernetes: {row}" in [line.what for line in told.warned]
    with deployed(cluster, namespace, labels, account):
        told = of_the_cluster(team)
        assert told.found(f"Kubernetes: {row}") == f"{whose}: 1 of 1 pods ready"
        assert told_ok(told, f"Kubernetes: {row}")


def test_an_engine_for_network_policies_is_found_by_the_label_of_its_pods(
    cluster: Cluster, team: Made
) -> None:
    row = "Kubernetes: network policies"
    assert of_the_cluster(team).found(row).startswith("not known whether anything enforces them")
    labels = {"k8s-app": "kube-network-policies"}
    with deployed(cluster, "kube-system", labels, kind="DaemonSet"):
        found = "DaemonSet kube-system/stands-in: 1 of 1 pods ready; no connection is tried"
        until(lambda: of_the_cluster(team).found(row) == found)


def test_a_metrics_api_that_is_missing_or_does_not_answer_warns(
    cluster: Cluster, team: Made
) -> None:
    row = "Kubernetes: metrics API"
    assert of_the_cluster(team).found(row).startswith("metrics.k8s.io/v1beta1 is not served")
    name = "v1beta1.metrics.k8s.io"
    registered = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "kube-system", "name": "metrics-server"},
        },
    }
    cluster.create(registered)
    try:
        until(lambda: "does not answer" in of_the_cluster(team).found(row))
    finally:
        cluster.delete("apiregistration.k8s.io/v1", "APIService", None, name)


def test_a_webhook_without_pods_fails_as_the_api_server_then_refuses(
    cluster: Cluster, team: Made
) -> None:
    """As those of External Secrets' chart."""
    row, labels = "Kubernetes: webhooks", {"app": "webhook"}
    kind = "ValidatingWebhookConfiguration"
    service = {"namespace": "external-secrets", "name": "external-secrets-webhook"}
    hook = {
        "name": "validate.externalsecret.external-secrets.io",
        "rules": [
            {
                "apiGroups": ["external-secrets.io"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": ["externalsecrets"],
                "scope": "Namespaced",
            }
        ],
        "clientConfig": {"service": service | {"path": "/validate"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    [pull] = [one.inputs for one in team.of_package("kubernetes") if one.inputs["kind"] == ESO]
    secret = {**pull, "metadata": {"name": "tried", "namespace": "default"}}
    spec = {"selector": labels, "ports": [{"port": 443}]}
    cluster.create({"apiVersion": "v1", "kind": "Service", "metadata": service, "spec": spec})
    configuration = {"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": "secretstore"}}
    cluster.create({**configuration, "webhooks": [hook]})

    def refused() -> bool:
        try:
            cluster.create(secret, dry_run=True)
        except RefusedError as refusal:
            return "failed calling webhook" in refusal.reason
        return False

    try:
        until(refused)
        assert of_the_cluster(team).failed()[row].found == (
            "nothing is ready behind Service external-secrets/external-secrets-webhook, so the API "
            "server refuses every ExternalSecret"
        )
        with deployed(cluster, "external-secrets", labels):
            until(lambda: of_the_cluster(team).found(row) == "1 answer")
    finally:
        cluster.delete(ADMISSION, kind, None, "secretstore")
        cluster.delete("v1", "Service", *service.values())


@pytest.fixture
def apart(openbao: OpenBao) -> Iterator[OpenBao]:
    """A namespace of OpenBao's, empty at first, which the environment names."""
    name = f"doctor-{secrets.token_hex(4)}"
    openbao.call("POST", f"sys/namespaces/{name}", {})
    os.environ["VAULT_NAMESPACE"] = name
    token, ca_cert = os.environ["VAULT_TOKEN"], Path(os.environ["VAULT_CACERT"])
    yield OpenBao(openbao.address, token, ca_cert, namespace=name)
    openbao.call("DELETE", f"sys/namespaces/{name}")


class TestMounts:
    """What is at the paths that the program uses."""

    def test_a_team_s_stack_needs_them_and_the_platform_s_makes_them(
        self, apart: OpenBao, team: Made
    ) -> None:
        assert list(of_openbao(team).failed()) == [
            "OpenBao: KV mount", "OpenBao: Kubernetes logins"
        ]  # fmt: skip
        assert of_openbao(team, platform=True).failed() == {}

    def test_they_must_be_of_the_right_type(self, apart: OpenBao, team: Made) -> None:
        apart.call("POST", "sys/mounts/sre", {"type": "kv", "options": {"version": "1"}})
        apart.call("POST", "sys/auth/kubernetes", {"type": "userpass"})
        for platform in (True, False):
            failed = of_openbao(team, platform=platform).failed()
            assert failed["OpenBao: KV mount"].found == "sre is KV version 1"
            assert failed["OpenBao: Kubernetes logins"].found == (
                "the auth mount kubernetes is of type userpass"
            )

    def test_the_right_ones_pass(self, apart: OpenBao, team: Made) -> None:
        apart.call("POST", "sys/mounts/sre", {"type": "kv-v2"})
        apart.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        assert of_openbao(team).failed() == {}

    def test_the_accessor_of_an_auth_mount_is_found(self, apart: OpenBao, team: Made) -> None:
        apart.call("POST", "sys/auth/people", {"type": "jwt"})
        accessor = (apart.read("sys/auth") or {})["people/"]["accessor"]
        told = of_openbao(team, openbao={"oidcAccessor": accessor})
        assert told.found("OpenBao: OIDC accessor") == f"{accessor} is auth/people"
        failed = of_openbao(team, openbao={"oidcAccessor": "auth_oidc_0"}).failed()
        assert "OpenBao: OIDC accessor" in failed

    def test_the_accessor_of_a_mount_that_knows_no_groups_is_wrong(
        self, apart: OpenBao, team: Made
    ) -> None:
        apart.call("POST", "sys/auth/people", {"type": "userpass"})
        accessor = (apart.read("sys/auth") or {})["people/"]["accessor"]
        failed = of_openbao(team, openbao={"oidcAccessor": accessor}).failed()
        found = f"{accessor} is auth/people, of type userpass"
        assert failed["OpenBao: OIDC accessor"].found == found


POLICY = """
path "sys/policies/acl/team-alpha" { capabilities = ["create", "update", "read", "delete"] }
path "auth/kubernetes/role/team-alpha" { capabilities = ["create", "update", "read", "delete"] }
path "sre/data/team-alpha/*" { capabilities = ["create", "update", "read", "delete"] }
path "auth/token/create" { capabilities = ["update"] }
"""


def logged_in(openbao: OpenBao, policy: str, ttl: str = "1h", **more: Any) -> None:
    """VAULT_TOKEN becomes one of that policy, which is deleted with the namespace."""
    openbao.call("POST", "sys/policies/acl/pipeline", {"policy": policy})
    made = openbao.call("POST", "auth/token/create", {"policies": ["pipeline"], "ttl": ttl, **more})
    os.environ["VAULT_TOKEN"] = made["auth"]["client_token"]


class TestTokens:
    """What the token may do, as OpenBao says it."""

    @pytest.fixture(autouse=True)
    def _mounted(self, apart: OpenBao) -> None:
        apart.call("POST", "sys/mounts/sre", {"type": "kv-v2"})
        apart.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})

    def test_one_with_rights_enough_for_a_team_passes(self, apart: OpenBao, team: Made) -> None:
        logged_in(apart, POLICY)
        told = of_openbao(team)
        assert told.statuses == {"ok"}, told.text

    def test_what_it_may_not_do_is_reported(self, apart: OpenBao, team: Made) -> None:
        logged_in(
            apart, POLICY.replace('/*" { capabilities = ["create",', '/*" { capabilities = [')
        )
        failed = of_openbao(team).failed()
        assert failed["OpenBao: capabilities"].found.startswith(
            "the token lacks create on sre/data/team-alpha/harbor-pull"
        )

    def test_logins_need_sudo(self, apart: OpenBao, program: Program) -> None:
        every = '{ capabilities = ["create", "update", "read", "delete", "list"] }'
        logged_in(apart, f'path "*" {every}')
        told = of_openbao(program(web_app(), platform=True), platform=True)
        assert told.found("OpenBao: capabilities") == "the token lacks sudo on sys/auth/kubernetes"

    def test_one_that_cannot_create_another_is_reported(self, apart: OpenBao, team: Made) -> None:
        logged_in(apart, POLICY.replace("auth/token/create", "auth/token/none"))
        assert list(of_openbao(team).failed()) == ["OpenBao: child token"]
        assert of_openbao(team, openbao={"skipChildToken": True}).failed() == {}

    def test_a_batch_token_may_make_no_other(self, apart: OpenBao, team: Made) -> None:
        logged_in(apart, POLICY, type="batch")
        assert list(of_openbao(team).failed()) == ["OpenBao: child token"]

    def test_one_that_expires_soon_is_reported(self, apart: OpenBao, team: Made) -> None:
        logged_in(apart, POLICY, ttl="3m")
        assert list(of_openbao(team).failed()) == ["OpenBao: token"]
        logged_in(apart, POLICY, ttl="20m")
        assert [line.what for line in of_openbao(team).warned] == ["OpenBao: token"]

    def test_a_revoked_one_is_reported(self, apart: OpenBao, team: Made) -> None:
        logged_in(apart, POLICY)
        apart.call("POST", "auth/token/revoke", {"token": os.environ["VAULT_TOKEN"]})
        assert list(of_openbao(team).failed()) == ["OpenBao: token"]

    def test_a_missing_one_is_reported(self, apart: OpenBao, team: Made, tmp_path: Path) -> None:
        del os.environ["VAULT_TOKEN"]
        os.environ["HOME"] = str(tmp_path)
        assert list(of_openbao(team).failed()) == ["OpenBao: token"]

    def test_a_root_token_warns(self, apart: OpenBao, team: Made) -> None:
        (warned,) = of_openbao(team).warned
        assert warned.finding.found == "a root token"
