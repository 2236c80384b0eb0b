"""Groups and what they get: names as each server knows them, and roles beside edit and view."""

from pathlib import Path
from typing import Any

import pytest

from specs.stack_file import read_stack
from tests.conftest import Program
from tests.program import GROUP, GROUP_ALIAS, MEMBER, ROLE_BINDING, Made, team_file
from tests.written import accepted, place, reported, rows, settings, team
from tools.migration.access_draft import read_access
from tools.migration.documents import documents, manifests
from tools.migration.import_findings import Findings

OIDC = "auth_oidc_1a2b3c4d"
FILE = team_file(keys="access: {developers: [builders], viewers: [], roles: {readers: view}}")


def subjects(made: Made) -> dict[str, list[str]]:
    """The groups that each RoleBinding is for."""
    return {
        name: [each["name"] for each in made.one(ROLE_BINDING, name).inputs["subjects"]]
        for name in made.names(ROLE_BINDING)
    }


def test_each_server_gets_a_group_under_the_name_that_it_knows(program: Program) -> None:
    made = program(
        FILE,
        kubernetes={"clusterIdentifier": "test", "groupPrefix": "oidc:"},
        harbor={"groupPrefix": "/"},
        openbao={"groupPrefix": "kc-", "oidcAccessor": OIDC},
    )
    assert subjects(made) == {
        "team-alpha/team-alpha-developers": ["oidc:builders"],
        "team-alpha/team-alpha-viewers": [],
        "team-alpha/team-alpha-role-view": ["oidc:readers"],
    }
    assert made.one(MEMBER, "team-alpha/builders").inputs["groupName"] == "/builders"
    assert made.one(GROUP_ALIAS, "team-alpha/builders").inputs["name"] == "kc-builders"
    assert made.one(GROUP, "team-alpha/builders").inputs["name"] == "team-alpha.builders"


def test_without_a_prefix_all_servers_get_the_bare_name(program: Program) -> None:
    made = program(FILE, openbao={"oidcAccessor": OIDC})
    assert subjects(made)["team-alpha/team-alpha-developers"] == ["builders"]
    assert made.one(MEMBER, "team-alpha/builders").inputs["groupName"] == "builders"
    assert made.one(GROUP_ALIAS, "team-alpha/builders").inputs["name"] == "builders"


@pytest.mark.parametrize("target", ["kubernetes", "harbor", "openbao"])
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("access: {developers: [«'oidc:devs']}\n", "developers[0]"),
        ("access: {viewers: [a, «'oidc:devs']}\n", "viewers[1]"),
        ("access: {roles: {'oidc:devs': «view}}\n", "roles.oidc:devs"),
    ],
)
def test_a_group_written_with_a_server_s_prefix_is_refused(
    tmp_path: Path, target: str, text: str, path: str
) -> None:
    text, where = place(team(text))
    cluster = {"clusterIdentifier": "test"} if target == "kubernetes" else {}
    stack: dict[str, Any] = {target: {**cluster, "groupPrefix": "oidc:"}}
    assert reported(tmp_path, text, **stack) == [
        f"tenants/team-alpha.yaml:{where}: access.{path}: 'oidc:devs' begins with the stack's "
        "prefix 'oidc:'; write devs"
    ]
    accepted(tmp_path, text)


def test_a_prefix_and_a_group_together_are_not_one_of_kubernetes_own_groups(tmp_path: Path) -> None:
    text, where = place(team("access: {developers: [«tem:masters]}\n"))
    cluster = {"clusterIdentifier": "test", "groupPrefix": "sys"}
    assert reported(tmp_path, text, kubernetes=cluster) == [
        f"tenants/team-alpha.yaml:{where}: access.developers[0]: 'system:masters' is Kubernetes' "
        "own group; name a Keycloak group"
    ]


@pytest.mark.parametrize("prefix", ["system:", "system:oidc:", " oidc:", "oidc: "])
def test_an_invalid_prefix_is_refused(tmp_path: Path, prefix: str) -> None:
    text, where = place(
        'config:\n  sre-platform:teams: "*"\n'
        f"  sre-platform:kubernetes: {{clusterIdentifier: test, groupPrefix: «'{prefix}'}}\n"
    )
    (tmp_path / "Pulumi.test.yaml").write_text(text)
    assert [str(problem) for problem in read_stack(tmp_path, "test")[1]] == [
        f"Pulumi.test.yaml:{where}: config.sre-platform:kubernetes.groupPrefix: '{prefix}' is not "
        "a group prefix; write one such as oidc:"
    ]


def test_groups_with_a_role_share_one_binding_that_no_other_can_clash_with(
    program: Program,
) -> None:
    roles = "{zulu: view-logs, alpha: view-logs, ops: developers, lone: 'team:x'}"
    made = program(
        team_file(keys=f"access: {{roles: {roles}}}"),
        kubernetes={
            "clusterIdentifier": "test",
            "groupRoles": ["view-logs", "developers", "team:x"],
        },
    )
    assert subjects(made) == {
        "team-alpha/team-alpha-developers": ["team-alpha-developers"],
        "team-alpha/team-alpha-viewers": ["team-alpha-viewers"],
        "team-alpha/team-alpha-role-developers": ["ops"],
        "team-alpha/team-alpha-role-team:x": ["lone"],
        "team-alpha/team-alpha-role-view-logs": ["alpha", "zulu"],
    }
    binding = made.one(ROLE_BINDING, "team-alpha/team-alpha-role-view-logs")
    assert binding.metadata["name"] == "team-alpha-role-view-logs"
    assert binding.inputs["roleRef"]["kind"] == "ClusterRole"
    assert binding.inputs["roleRef"]["name"] == "view-logs"


def test_a_role_gives_no_access_to_harbor_and_openbao(program: Program) -> None:
    made = program(FILE, openbao={"oidcAccessor": OIDC})
    assert "team-alpha/readers" not in [*made.names(MEMBER), *made.names(GROUP)]


def test_a_role_is_revoked_with_all_access(program: Program) -> None:
    leaving = FILE + "\nlifecycle: offboarding\n"
    assert program(leaving).names(ROLE_BINDING) == []
    suspended = FILE + "\nlifecycle: suspended\n"
    assert "team-alpha/team-alpha-role-view" in program(suspended).names(ROLE_BINDING)


@rows(
    {
        "cluster-admin": (
            team("access: {roles: {a: «cluster-admin}}"),
            "access.roles.a: 'cluster-admin' is not one of the roles that this stack "
            "allows (view); use one of them, or ask the platform team",
        ),
        "admin": (
            team("access: {roles: {a: «admin}}"),
            "access.roles.a: 'admin' is not one of the roles that this stack allows "
            "(view); use one of them, or ask the platform team",
        ),
        "a role of the system": (
            team("access: {roles: {a: «'system:node'}}"),
            "access.roles.a: 'system:node' is not one of the roles that this stack allows "
            "(view); use one of them, or ask the platform team",
        ),
        "a slip of the hand": (
            team("access: {roles: {a: «views}}"),
            "access.roles.a: 'views' is not one of the roles that this stack allows "
            "(view); did you mean view?",
        ),
        "what viewers have": (
            team("access: {roles: {team-alpha-viewers: «view}}"),
            "access.roles.team-alpha-viewers: 'team-alpha-viewers' is already listed in "
            "viewers, which "
            "gives it view; remove it here",
        ),
        "a group of Kubernetes' own": (
            team("access: {roles: {'system:masters': «view}}"),
            "access.roles.system:masters: 'system:masters' is Kubernetes' own group; name a "
            "Keycloak group",
        ),
        "a name that is none": (
            team("access: {roles: {a: «a/b}}"),
            "access.roles.a: 'a/b' is not a ClusterRole's name; write one such as view",
        ),
        "a list": (
            team("access: {roles: {a: «[view]}}"),
            "access.roles.a: must be text, not a list; write a single value",
        ),
    }
)
def test_a_role_that_the_stack_does_not_allow_is_reported_at_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_a_role_that_the_stack_lists_may_be_given_whatever_it_is(tmp_path: Path) -> None:
    cluster = {"clusterIdentifier": "test", "groupRoles": ("admin",)}
    made = accepted(tmp_path, team("access: {roles: {a: admin}}"), kubernetes=cluster)
    assert made.roles == {"admin": ("a",)}


BINDINGS = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: devs, namespace: team-alpha}
roleRef: {kind: ClusterRole, name: edit}
subjects: [{kind: Group, name: "oidc:devs"}, {kind: Group, name: plain}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: logs, namespace: team-alpha}
roleRef: {kind: ClusterRole, name: view-logs}
subjects: [{kind: Group, name: "oidc:ops"}, {kind: Group, name: "oidc:qa"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: more, namespace: team-alpha}
roleRef: {kind: ClusterRole, name: debug}
subjects: [{kind: Group, name: "oidc:ops"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: most, namespace: team-alpha}
roleRef: {kind: ClusterRole, name: admin}
subjects: [{kind: Group, name: "oidc:boss"}]
"""


def test_bindings_are_imported_as_the_stack_would_make_them(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(BINDINGS)
    findings = Findings()
    found = [each for s in documents(file, "a.yaml", findings) for each in manifests(s, findings)]
    cluster = settings(
        kubernetes={
            "clusterIdentifier": "test",
            "groupPrefix": "oidc:",
            "groupRoles": ("view-logs", "debug"),
        }
    ).kubernetes
    access = read_access("team-alpha", found[0], found, cluster, findings)
    assert [group.data for group in access["developers"].data] == ["devs"]
    assert {group: role.data for group, role in access["roles"].items()} == {
        "ops": "view-logs",
        "qa": "view-logs",
    }
    assert [str(problem) for problem in findings.lost] == [
        "a.yaml:5:66: subjects[1].name: 'plain' lacks the stack's kubernetes.groupPrefix 'oidc:': "
        "it is not a Keycloak group; bind it by other means",
        "a.yaml:17:32: subjects[0].name: the group has view-logs too, but a team's file can give "
        "it only one; remove one",
        "a.yaml:22:36: roleRef.name: gives a role other than edit or view or view-logs or debug; "
        "add the group to `access`, which may grant fewer rights, or bind it by other means",
    ]
    assert "'team-alpha-role-view-logs' replaces it" in str(findings.notes[1])
