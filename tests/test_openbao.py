"""A team's path in OpenBao: what it may read, who gets it, and the credentials stored there."""

import pulumi
import pytest

from tests.conftest import Program
from tests.program import AUTH_ROLE, CREDENTIAL, GROUP, GROUP_ALIAS, POLICY, ROBOT, team_file

OIDC = {"oidcAccessor": "auth_oidc_1a2b3c4d"}


def test_the_policy_reads_the_team_s_secrets_and_nothing_else(program: Program) -> None:
    policy = program(team_file()).one(POLICY, "team-alpha")
    assert policy.inputs == {
        "name": "team-alpha",
        "policy": (
            'path "sre/data/team-alpha/*" {\n  capabilities = ["read"]\n}\n'
            'path "sre/metadata/team-alpha/*" {\n  capabilities = ["read", "list"]\n}\n'
        ),
    }


def test_the_role_is_for_service_accounts_of_the_team_s_namespace_only(program: Program) -> None:
    role = program(team_file()).one(AUTH_ROLE, "team-alpha")
    assert role.inputs == {
        "backend": "kubernetes",
        "roleName": "team-alpha",
        "boundServiceAccountNames": ["*"],
        "boundServiceAccountNamespaces": ["team-alpha"],
        "tokenPolicies": ["team-alpha"],
        "tokenTtl": 3600,
    }


def test_without_an_oidc_accessor_no_identity_group_is_created(program: Program) -> None:
    made = program(team_file())
    assert made.names(GROUP) == made.names(GROUP_ALIAS) == []


def test_with_an_oidc_accessor_developers_get_the_policy_and_viewers_do_not(
    program: Program,
) -> None:
    made = program(team_file(keys="access: {developers: [builders, ops]}"), openbao=OIDC)
    assert made.names(GROUP) == ["team-alpha/builders", "team-alpha/ops"]
    assert made.one(GROUP, "team-alpha/ops").inputs == {
        "name": "team-alpha.ops",
        "type": "external",
        "policies": ["team-alpha"],
    }


def test_an_identity_group_is_tied_to_the_keycloak_group_of_its_name(program: Program) -> None:
    made = program(team_file(keys="access: {developers: [builders, ops]}"), openbao=OIDC)
    alias = made.one(GROUP_ALIAS, "team-alpha/ops")
    assert alias.inputs == {
        "name": "ops",
        "mountAccessor": "auth_oidc_1a2b3c4d",
        "canonicalId": "[id of Group team-alpha/ops]",
    }


WRITES = {**OIDC, "developerAccess": "write"}


def test_developers_who_store_secrets_read_none_and_change_no_robot_s(program: Program) -> None:
    policy = program(team_file(), openbao=WRITES).one(POLICY, "team-alpha/developers")
    assert policy.inputs == {
        "name": "team-alpha.developers",
        "policy": (
            'path "sre/data/team-alpha/*" {\n  capabilities = ["create", "update", "patch"]\n}\n'
            'path "sre/data/team-alpha/harbor-pull" {\n  capabilities = ["deny"]\n}\n'
            'path "sre/data/team-alpha/harbor-push" {\n  capabilities = ["deny"]\n}\n'
            'path "sre/metadata/team-alpha/*" {\n  capabilities = ["read", "list"]\n}\n'
            'path "sre/subkeys/team-alpha/*" {\n  capabilities = ["read"]\n}\n'
        ),
    }


def test_their_groups_get_that_policy_alone_and_pods_keep_the_team_s(program: Program) -> None:
    made = program(team_file(keys="access: {developers: [builders, ops]}"), openbao=WRITES)
    assert made.names(POLICY) == ["team-alpha", "team-alpha/developers"]
    groups = [made.one(GROUP, f"team-alpha/{name}").inputs for name in ("builders", "ops")]
    assert [group["policies"] for group in groups] == [["team-alpha.developers"]] * 2
    assert made.one(AUTH_ROLE, "team-alpha").inputs["tokenPolicies"] == ["team-alpha"]


def test_the_state_takes_the_policy_for_the_team_s_own(program: Program) -> None:
    """By what precedes the slash, the next run knows whose an object is."""
    made = program(team_file(), openbao=WRITES).of_package("vault")
    names = [each.name for each in made if each.parent == "sre:platform:Tenant team-alpha"]
    assert {name.partition("/")[0] for name in names} == {"team-alpha"}


def test_the_policy_is_there_for_other_logins_too(program: Program) -> None:
    made = program(team_file(), openbao={"developerAccess": "write"})
    assert made.names(POLICY) == ["team-alpha", "team-alpha/developers"]
    assert made.names(GROUP) == []


def test_an_offboarded_team_has_no_such_policy(program: Program) -> None:
    made = program(team_file(keys="lifecycle: offboarding"), openbao=WRITES)
    assert made.names(POLICY) == []


@pytest.mark.parametrize("robot", ["push", "pull"])
def test_a_robot_s_credential_is_kept_under_the_team_s_path(program: Program, robot: str) -> None:
    made = program(team_file())
    credential = made.one(CREDENTIAL, f"team-alpha/harbor-{robot}")
    assert credential.inputs == {
        "mount": "sre",
        "name": f"team-alpha/harbor-{robot}",
        "dataJson": "[secret]",
        "disableRead": True,
    }
    assert credential.depends_on == {str(made.one(ROBOT, f"team-alpha/{robot}"))}


@pytest.mark.parametrize("robot", ["push", "pull"])
def test_a_credential_holds_registry_user_and_password(program: Program, robot: str) -> None:
    made = program(team_file(), harbor={"host": "registry.example.com"})
    assert made.one(CREDENTIAL, f"team-alpha/harbor-{robot}").unwrapped("dataJson") == (
        '{"registry": "registry.example.com", '
        f'"username": "robot$team-alpha+{robot}", "password": "[secret]"}}'
    )


def test_a_robot_without_a_secret_stops_the_run_instead_of_breaking_every_pull(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after an import: Harbor shows a robot's secret only when it creates the robot.
    monkeypatch.setattr("dryrun.recording.SECRET", "")
    told = r"^the state has no secret for robot\$team-imported\+pu(sh|ll); delete the robot in "
    with pytest.raises(pulumi.RunError, match=told):
        program(team_file(team="team-imported"))


def test_without_harbor_no_credential_is_stored(program: Program) -> None:
    made = program(team_file(), manage={"harbor": False})
    assert made.names(CREDENTIAL) == []
    assert made.names(POLICY) == ["team-alpha"]
