"""What all tenants rely on: one stack of a cluster creates it, the others name it."""

from base64 import b64encode
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    AUTH_BACKEND,
    AUTH_CONFIG,
    AUTH_ROLE,
    CLUSTER_ROLE_BINDING,
    CREDENTIAL,
    EXTERNAL_SECRET,
    MOUNT,
    PLATFORM,
    POLICY,
    SECRET,
    SECRET_STORE,
    SERVICE_ACCOUNT,
    team_file,
    web_app,
)


def test_only_a_stack_that_says_so_creates_the_platform(program: Program) -> None:
    made = program(team_file())
    for kind in (PLATFORM, MOUNT, AUTH_BACKEND, AUTH_CONFIG, SECRET_STORE):
        assert made.names(kind) == []
    assert program(team_file(), platform=True).names(PLATFORM) == ["platform"]


def test_a_stack_can_hold_the_platform_and_no_team(program: Program) -> None:
    made = program(teams=[], platform=True)
    assert {one.parent for one in made.of_package("kubernetes", "vault")} == {
        f"{PLATFORM} platform"
    }
    assert "harbor" not in made.packages()


def test_secrets_are_kept_in_a_versioned_kv_mount(program: Program) -> None:
    mount = program(teams=[], platform=True).one(MOUNT, "sre").inputs
    assert (mount["path"], mount["type"]) == ("sre", "kv-v2")


def test_workloads_log_in_with_their_service_account(program: Program) -> None:
    made = program(teams=[], platform=True)
    backend = made.one(AUTH_BACKEND, "kubernetes").inputs
    assert (backend["path"], backend["type"]) == ("kubernetes", "kubernetes")
    assert made.one(AUTH_CONFIG, "kubernetes").inputs == {
        "backend": "kubernetes",
        "kubernetesHost": "https://kubernetes.default.svc",
        "disableLocalCaJwt": False,
    }


def test_an_openbao_outside_the_cluster_gets_the_api_server_and_its_ca(
    program: Program,
) -> None:
    made = program(teams=[], platform=True, openbao={"inCluster": False})
    # As the placeholder for a kubeconfig says.
    assert made.one(AUTH_CONFIG, "kubernetes").inputs == {
        "backend": "kubernetes",
        "kubernetesHost": "https://kubernetes.sandbox.invalid",
        "kubernetesCaCert": "placeholder: nothing connects to this server\n",
        "disableLocalCaJwt": True,
        "tokenReviewerJwt": "[secret]",
    }


def test_an_openbao_outside_the_cluster_checks_logins_as_an_account_that_may_do_only_that(
    program: Program,
) -> None:
    made = program(teams=[], platform=True, openbao={"inCluster": False})
    name = "openbao-token-reviewer"
    account = made.one(SERVICE_ACCOUNT, f"kube-system/{name}")
    assert account.inputs["automountServiceAccountToken"] is False
    binding = made.one(CLUSTER_ROLE_BINDING, name).inputs
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
    ]
    token = made.one(SECRET, f"kube-system/{name}")
    assert token.inputs["type"] == "kubernetes.io/service-account-token"
    assert token.metadata["annotations"] == {"kubernetes.io/service-account.name": name}
    assert str(account) in token.depends_on
    assert "data" in token.secret_outputs
    config = made.one(AUTH_CONFIG, "kubernetes")
    assert config.unwrapped("tokenReviewerJwt") == "[secret]"


def test_an_openbao_in_the_cluster_needs_no_token_of_ours(program: Program) -> None:
    made = program(teams=[], platform=True)
    assert made.names(SECRET) == made.names(CLUSTER_ROLE_BINDING) == []


def test_without_a_managed_cluster_no_token_reviewer_is_created(program: Program) -> None:
    made = program(
        teams=[], platform=True, openbao={"inCluster": False}, manage={"kubernetes": False}
    )
    assert "tokenReviewerJwt" not in made.one(AUTH_CONFIG, "kubernetes").inputs


def test_external_secrets_may_read_what_is_in_the_mount_and_nothing_else(program: Program) -> None:
    made = program(
        teams=[],
        platform=True,
        externalSecrets={"namespace": "eso", "serviceAccount": "reader"},
    )
    assert made.one(POLICY, "external-secrets").inputs == {
        "name": "external-secrets",
        "policy": 'path "sre/data/*" {\n  capabilities = ["read"]\n}\n',
    }
    assert made.one(AUTH_ROLE, "external-secrets").inputs == {
        "backend": "kubernetes",
        "roleName": "external-secrets",
        "boundServiceAccountNames": ["reader"],
        "boundServiceAccountNamespaces": ["eso"],
        "tokenPolicies": ["external-secrets"],
        "tokenTtl": 3600,
    }


def test_the_store_reads_the_mount_as_that_service_account(program: Program) -> None:
    made = program(
        teams=[],
        platform=True,
        externalSecrets={"namespace": "eso", "serviceAccount": "reader"},
        openbao={"clusterAddress": "https://bao.example.com:8200"},
    )
    store = made.one(SECRET_STORE, "openbao-backend")
    assert store.metadata["name"] == "openbao-backend"
    assert "namespace" not in store.metadata
    assert store.spec == {
        "provider": {
            "vault": {
                "server": "https://bao.example.com:8200",
                "path": "sre",
                "version": "v2",
                "auth": {
                    "kubernetes": {
                        "mountPath": "kubernetes",
                        "role": "external-secrets",
                        "serviceAccountRef": {"name": "reader", "namespace": "eso"},
                    }
                },
            }
        }
    }


@pytest.mark.parametrize(
    ("openbao", "server"),
    [
        ({}, "https://openbao.openbao.svc.cluster.local:8200"),
        ({"inCluster": False, "address": "https://bao.example.com"}, "https://bao.example.com"),
        ({"inCluster": False}, "https://openbao.invalid"),  # VAULT_ADDR's placeholder
    ],
)
def test_the_store_finds_openbao_where_it_runs(
    program: Program, openbao: dict[str, Any], server: str
) -> None:
    store = program(teams=[], platform=True, openbao=openbao).one(SECRET_STORE, "openbao-backend")
    assert store.spec["provider"]["vault"]["server"] == server


def test_the_store_verifies_openbao_with_the_stack_s_ca(program: Program) -> None:
    made = program(teams=[], platform=True, openbao={"clusterCaCert": "PEM"})
    store = made.one(SECRET_STORE, "openbao-backend")
    assert store.spec["provider"]["vault"]["caBundle"] == b64encode(b"PEM").decode()


def test_tenants_of_the_platform_s_own_stack_wait_for_it(program: Program) -> None:
    file = web_app("app: {env: [{name: DATABASE_URL, secretRef: db-credentials}]}")
    made = program(file, platform=True)
    mount, auth = made.one(MOUNT, "sre"), made.one(AUTH_BACKEND, "kubernetes")
    store = made.one(SECRET_STORE, "openbao-backend")
    assert str(mount) in made.one(CREDENTIAL, "team-alpha/harbor-pull").depends_on
    config = made.one(AUTH_CONFIG, "kubernetes")
    assert str(auth) in config.depends_on
    assert str(config) in made.one(AUTH_ROLE, "team-alpha").depends_on
    for secret in made.all(EXTERNAL_SECRET):
        assert str(store) in secret.depends_on, secret
    assert str(mount) in store.depends_on


def test_tenants_name_the_platform_alike_whichever_stack_creates_it(program: Program) -> None:
    file = web_app("app: {env: [{name: DATABASE_URL, secretRef: db-credentials}]}")
    here, elsewhere = program(file, platform=True), program(file)
    for other in elsewhere.of_package("kubernetes", "vault", "harbor"):
        assert here.one(other.type, other.name).inputs == other.inputs
