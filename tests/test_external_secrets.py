"""ExternalSecrets: an app's secrets and the image pull secret, from OpenBao to the namespace."""

import base64
import json
import re
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    AUTH_CONFIG,
    AUTH_ROLE,
    CREDENTIAL,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    SECRET_STORE,
    SERVICE_ACCOUNT,
    TENANT_STORE,
    merged,
    one_of_each,
    team_file,
    web_app,
    worker,
)

DATABASE = "app: {env: [{name: DATABASE_URL, secretRef: db-credentials}]}"
TWICE = """
app:
  env:
    - {name: DATABASE_URL, secretRef: db-credentials}
    - {name: REPLICA_URL, secretRef: db-credentials}
"""
PULL = "team-alpha/harbor-pull"


def test_a_secret_ref_becomes_a_secret_with_the_key_value(program: Program) -> None:
    secret = program(web_app(DATABASE)).one(EXTERNAL_SECRET, "team-alpha/db-credentials")
    assert secret.metadata["name"] == "db-credentials"
    assert secret.metadata["namespace"] == "team-alpha"
    assert secret.spec == {
        "refreshInterval": "1h",
        "secretStoreRef": {"name": "openbao-backend", "kind": "ClusterSecretStore"},
        "target": {"name": "db-credentials"},
        "data": [
            {
                "secretKey": "value",
                # Without `property` the pod would see {"value": ...}.
                "remoteRef": {"key": "sre/team-alpha/db-credentials", "property": "value"},
            }
        ],
    }


def test_the_variable_takes_that_key_of_that_secret(program: Program) -> None:
    container = program(web_app(DATABASE)).one(DEPLOYMENT, "team-alpha/my-api").container
    assert container["env"] == [
        {
            "name": "DATABASE_URL",
            "valueFrom": {"secretKeyRef": {"name": "db-credentials", "key": "value"}},
        }
    ]


def test_a_secret_that_two_variables_and_two_apps_use_is_one_object(program: Program) -> None:
    made = program(merged(web_app(TWICE), worker(DATABASE)))
    assert made.names(EXTERNAL_SECRET) == ["team-alpha/db-credentials", PULL]
    (secret,) = (one for one in made.all(EXTERNAL_SECRET) if one.name != PULL)
    for workload in made.with_pods():
        assert str(secret) in workload.depends_on


def test_each_team_reads_its_own_path(program: Program) -> None:
    beta = web_app(DATABASE).replace("team-alpha", "team-beta")
    made = program(web_app(DATABASE), beta)
    keys = {
        secret.name: [entry["remoteRef"]["key"] for entry in secret.spec["data"]]
        for secret in made.all(EXTERNAL_SECRET)
        if "harbor" not in secret.name
    }
    assert keys == {
        "team-alpha/db-credentials": ["sre/team-alpha/db-credentials"],
        "team-beta/db-credentials": ["sre/team-beta/db-credentials"],
    }


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_stack_says_which_version_of_the_operator_s_api_is_used(
    program: Program, version: str
) -> None:
    made = program(
        web_app(DATABASE), platform=True, externalSecrets={"apiVersion": version}
    ).resources
    operators = [one for one in made if "external-secrets.io" in one.type]
    assert len(operators) == 3
    for one in operators:
        assert one.inputs["apiVersion"] == f"external-secrets.io/{version}"
        assert one.type == f"kubernetes:external-secrets.io/{version}:{one.inputs['kind']}"


@pytest.mark.parametrize(("version", "other"), [("v1", "v1beta1"), ("v1beta1", "v1")])
def test_moving_to_another_version_replaces_nothing(
    program: Program, version: str, other: str
) -> None:
    made = program(web_app(DATABASE), platform=True, externalSecrets={"apiVersion": version})
    operators = [one for one in made.resources if "external-secrets.io" in one.type]
    assert len(operators) == 3
    for one in operators:
        assert one.former_types == {one.type.replace(f"/{version}:", f"/{other}:")}


def test_the_stack_says_how_often_secrets_are_read_again(program: Program) -> None:
    made = program(web_app(DATABASE), externalSecrets={"refreshInterval": "15m"})
    assert {one.spec["refreshInterval"] for one in made.all(EXTERNAL_SECRET)} == {"15m"}


def test_the_pull_secret_comes_from_the_pull_robot_s_credential(program: Program) -> None:
    secret = program(team_file()).one(EXTERNAL_SECRET, PULL)
    assert secret.spec["data"] == [
        {
            "secretKey": part,
            "remoteRef": {"key": "sre/team-alpha/harbor-pull", "property": part},
        }
        for part in ("registry", "username", "password")
    ]
    assert secret.spec["target"]["name"] == "harbor-pull"
    assert secret.spec["target"]["template"]["type"] == "kubernetes.io/dockerconfigjson"


@pytest.mark.parametrize("password", ["Harbor12345", 'q"uo\\te', "ünïcode {{ .x }}"])
def test_the_pull_secret_is_what_a_kubelet_reads_whatever_the_password(
    program: Program, password: str
) -> None:
    secret = program(team_file()).one(EXTERNAL_SECRET, PULL)
    template = secret.spec["target"]["template"]["data"][".dockerconfigjson"]
    login = {
        "registry": "harbor.sre.internal",
        "username": "robot$team-alpha+pull",
        "password": password,
    }
    auth = base64.b64encode(f"{login['username']}:{password}".encode()).decode()
    assert json.loads(_rendered(template, login)) == {
        "auths": {
            "harbor.sre.internal": {
                "username": login["username"],
                "password": password,
                "auth": auth,
            }
        }
    }


def _rendered(template: str, values: dict[str, str]) -> str:
    """The few things of Go's templates and sprig that the template uses."""

    def action(match: re.Match[str]) -> str:
        first, *filters = match[1].split(" | ")
        value: Any = None
        if call := re.fullmatch(r'printf "%s:%s" \.(\w+) \.(\w+)', first):
            value = f"{values[call[1]]}:{values[call[2]]}"
        elif field := re.fullmatch(r"\.(\w+)", first):
            value = values[field[1]]
        for name in filters:
            value = {
                "toJson": json.dumps,
                "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
            }[name](value)
        return value

    return re.sub(r"{{ (.*?) }}", action, template)


def test_service_accounts_bring_the_pull_secret(program: Program) -> None:
    for account in program(one_of_each()).all(SERVICE_ACCOUNT):
        assert account.inputs["imagePullSecrets"] == [{"name": "harbor-pull"}], account


def test_without_pull_secrets_nothing_names_one(program: Program) -> None:
    for keys in ("", "serviceAccount: {create: false}"):
        made = program(one_of_each(keys), harbor={"imagePullSecret": False})
        assert made.names(EXTERNAL_SECRET) == []
        accounts = [one for one in made.resources if one.type == SERVICE_ACCOUNT]
        assert bool(accounts) == (keys == "")
        for one in accounts:
            assert "imagePullSecrets" not in one.inputs
        for one in made.with_pods():
            assert "imagePullSecrets" not in one.pod


def test_a_secret_waits_for_the_store_where_this_stack_makes_it(program: Program) -> None:
    made = program(web_app(DATABASE), platform=True)
    store = str(made.one(SECRET_STORE, "openbao-backend"))
    secrets = made.all(EXTERNAL_SECRET)
    assert {secret.name for secret in secrets} >= {"team-alpha/db-credentials", PULL}
    assert all(store in secret.depends_on for secret in secrets)


@pytest.mark.parametrize("kind", ["cluster", "tenant"])
def test_a_store_waits_for_its_login_where_this_stack_makes_it(program: Program, kind: str) -> None:
    made = program(web_app(DATABASE), platform=True, externalSecrets={"secretStore": kind})
    team = kind == "tenant"
    role = made.one(AUTH_ROLE, "team-alpha" if team else "external-secrets")
    name = "team-alpha/openbao-backend" if team else "openbao-backend"
    store = made.one(TENANT_STORE if team else SECRET_STORE, name)
    assert str(role) in store.depends_on
    assert str(made.one(AUTH_CONFIG, "kubernetes")) in role.depends_on


def test_the_pull_secret_waits_for_the_credential_where_this_stack_stores_it(
    program: Program,
) -> None:
    made = program(team_file())
    credential = str(made.one(CREDENTIAL, "team-alpha/harbor-pull"))
    assert credential in made.one(EXTERNAL_SECRET, PULL).depends_on
    without = program(team_file(), manage={"openbao": False})
    assert without.names(EXTERNAL_SECRET) == [PULL]


def test_a_stack_can_give_each_team_a_store_of_its_own(program: Program) -> None:
    made = program(web_app(DATABASE), externalSecrets={"secretStore": "tenant"})
    store = made.one(TENANT_STORE, "team-alpha/openbao-backend")
    assert store.metadata["namespace"] == "team-alpha"
    login = store.spec["provider"]["vault"]["auth"]["kubernetes"]
    # The team's role, which its namespace's ServiceAccounts alone may take.
    assert login["role"] == made.one(AUTH_ROLE, "team-alpha").inputs["roleName"]
    assert login["serviceAccountRef"] == {"name": "openbao-backend"}
    account = made.one(SERVICE_ACCOUNT, "team-alpha/openbao-backend")
    assert account.inputs["automountServiceAccountToken"] is False
    assert str(account) in store.depends_on
    for secret in made.all(EXTERNAL_SECRET):
        assert secret.spec["secretStoreRef"] == {"name": "openbao-backend", "kind": "SecretStore"}
        assert str(store) in secret.depends_on


def test_with_stores_of_the_teams_no_account_may_read_the_secrets_of_all(program: Program) -> None:
    made = program(web_app(DATABASE), platform=True, externalSecrets={"secretStore": "tenant"})
    assert made.names(SECRET_STORE) == []
    assert made.names(AUTH_ROLE) == ["team-alpha"]


def test_a_team_s_store_finds_openbao_where_the_program_does(program: Program) -> None:
    settings = {"externalSecrets": {"secretStore": "tenant"}, "manage": {"openbao": False}}
    made = program(web_app(), openbao={"inCluster": False}, **settings)
    store = made.one(TENANT_STORE, "team-alpha/openbao-backend")
    assert store.spec["provider"]["vault"]["server"] == "https://openbao.invalid"
