"""A tenant's namespace, quota, limits and role bindings."""

import pytest

from tests.conftest import Program
from tests.program import (
    APP,
    CONFIG_MAP,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    LIMITS,
    NAMESPACE,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    QUOTA,
    ROLE_BINDING,
    TENANT,
    team_file,
    web_app,
)

TEAM_LABELS = {
    "app.kubernetes.io/name": "team-alpha",
    "app.kubernetes.io/managed-by": "pulumi",
    "app.kubernetes.io/part-of": "sre-platform",
    "sre.io/team": "team-alpha",
}


def test_the_namespace_is_the_team_s_with_sidecar_injection(program: Program) -> None:
    namespace = program(team_file()).one(NAMESPACE, "team-alpha")
    assert namespace.metadata == {
        "name": "team-alpha",
        "labels": {
            **TEAM_LABELS,
            "istio-injection": "enabled",
            "sre.io/network-policy-configured": "true",
        },
    }


@pytest.mark.parametrize("level", ["privileged", "baseline", "restricted"])
def test_the_stack_says_which_pod_security_level_the_namespace_enforces(
    program: Program, level: str
) -> None:
    made = program(team_file(), kubernetes={"clusterIdentifier": "test", "podSecurity": level})
    labels = made.one(NAMESPACE, "team-alpha").labels
    assert labels["pod-security.kubernetes.io/enforce"] == level


def test_a_team_without_a_quota_gets_the_guide_s(program: Program) -> None:
    quota = program(team_file()).one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.metadata == {
        "name": "team-alpha-quota",
        "namespace": "team-alpha",
        "labels": TEAM_LABELS,
    }
    assert quota.spec == {
        "hard": {
            "requests.cpu": "4",
            "requests.memory": "8Gi",
            "limits.cpu": "8",
            "limits.memory": "16Gi",
            "pods": "20",
            "services": "10",
            "persistentvolumeclaims": "10",
        }
    }


def test_a_value_of_the_team_s_own_leaves_the_other_defaults(program: Program) -> None:
    keys = "quota: {requests: {cpu: 6}, limits: {memory: 24Gi}, pods: 30, services: 0}"
    quota = program(team_file(keys=keys)).one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.spec["hard"] == {
        "requests.cpu": "6",
        "requests.memory": "8Gi",
        "limits.cpu": "8",
        "limits.memory": "24Gi",
        "pods": "30",
        "services": "0",
        "persistentvolumeclaims": "10",
    }


def test_a_quota_leaves_out_what_is_null(program: Program) -> None:
    keys = """
    quota:
      requests: {cpu: null}
      limits: {cpu: null, memory: null}
      pods: null
      services: null
      persistentvolumeclaims: null
    """
    quota = program(team_file(keys=keys)).one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.spec["hard"] == {"requests.memory": "8Gi"}


def test_a_suspended_team_may_have_no_pods_although_their_number_has_no_limit(
    program: Program,
) -> None:
    keys = "lifecycle: suspended\nquota: {pods: null, requests: {memory: null}}"
    quota = program(team_file(keys=keys)).one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.spec["hard"]["pods"] == "0"
    assert "requests.memory" not in quota.spec["hard"]


def test_a_team_without_a_limit_range_gets_the_guide_s(program: Program) -> None:
    limits = program(team_file()).one(LIMITS, "team-alpha/team-alpha-limits")
    assert limits.metadata == {
        "name": "team-alpha-limits",
        "namespace": "team-alpha",
        "labels": TEAM_LABELS,
    }
    assert limits.spec == {
        "limits": [
            {
                "type": "Container",
                "default": {"cpu": "500m", "memory": "512Mi"},
                "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
                "max": {"cpu": "2", "memory": "4Gi"},
                "min": {"cpu": "50m", "memory": "64Mi"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("minimum", "made"),
    [
        ("{cpu: null}", {"memory": "64Mi"}),
        ("{memory: null}", {"cpu": "50m"}),
        ("{cpu: null, memory: null}", None),
    ],
)
def test_a_minimum_can_be_left_out_on_purpose(
    program: Program, minimum: str, made: dict[str, str] | None
) -> None:
    keys = f"limitRange: {{min: {minimum}}}"
    limits = program(team_file(keys=keys)).one(LIMITS, "team-alpha/team-alpha-limits")
    assert limits.spec["limits"][0].get("min") == made


def test_every_bound_of_the_limit_range_can_be_set(program: Program) -> None:
    keys = """
    limitRange:
      default: {cpu: 400m, memory: 300Mi}
      defaultRequest: {cpu: 40m, memory: 30Mi}
      max: {cpu: 3, memory: 5Gi}
      min: {cpu: 30m, memory: 20Mi}
    """
    limits = program(team_file(keys=keys)).one(LIMITS, "team-alpha/team-alpha-limits")
    assert limits.spec["limits"] == [
        {
            "type": "Container",
            "default": {"cpu": "400m", "memory": "300Mi"},
            "defaultRequest": {"cpu": "40m", "memory": "30Mi"},
            "max": {"cpu": "3", "memory": "5Gi"},
            "min": {"cpu": "30m", "memory": "20Mi"},
        }
    ]


@pytest.mark.parametrize(("who", "role"), [("developers", "edit"), ("viewers", "view")])
def test_the_team_s_keycloak_group_is_bound_to_its_role(
    program: Program, who: str, role: str
) -> None:
    binding = program(team_file()).one(ROLE_BINDING, f"team-alpha/team-alpha-{who}")
    assert binding.inputs == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": f"team-alpha-{who}",
            "namespace": "team-alpha",
            "labels": TEAM_LABELS,
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Group",
                "name": f"team-alpha-{who}",
            }
        ],
    }


def test_the_team_s_own_groups_replace_the_default_one(program: Program) -> None:
    made = program(team_file(keys="access: {developers: [builders, ops], viewers: []}"))
    subjects = {
        name: [subject["name"] for subject in made.one(ROLE_BINDING, name).inputs["subjects"]]
        for name in made.names(ROLE_BINDING)
    }
    assert subjects == {
        "team-alpha/team-alpha-developers": ["builders", "ops"],
        "team-alpha/team-alpha-viewers": [],
    }


def test_a_team_without_apps_gets_its_place_and_nothing_else(program: Program) -> None:
    kinds = {made.type for made in program(team_file()).of_package("kubernetes")}
    access = {NETWORK_POLICY, ROLE_BINDING, EXTERNAL_SECRET}
    assert kinds == {NAMESPACE, QUOTA, LIMITS, PROMETHEUS_RULE, CONFIG_MAP, *access}


def test_a_stack_has_only_the_teams_that_it_lists(program: Program) -> None:
    files = (team_file(), team_file(team="team-beta"), team_file(team="team-gamma"))
    made = program(*files, teams=["team-gamma", "team-alpha"])
    assert made.names(TENANT) == ["team-alpha", "team-gamma"]
    assert made.names(NAMESPACE) == ["team-alpha", "team-gamma"]
    assert program(*files).names(TENANT) == ["team-alpha", "team-beta", "team-gamma"]


def test_tenant_and_app_are_components_of_their_own(program: Program) -> None:
    made = program(web_app())
    tenant, app = made.one(TENANT, "team-alpha"), made.one(APP, "team-alpha/my-api")
    assert made.one(NAMESPACE, "team-alpha").parent == str(tenant)
    assert made.one(DEPLOYMENT, "team-alpha/my-api").parent == str(app)
    assert tenant.parent == app.parent == "pulumi:pulumi:Stack sre-platform-test"
