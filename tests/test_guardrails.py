"""The platform's policies: which there are, whom they bind and how; tests/servers has the rest."""

import json
import re

import pulumi
import pytest

from tests.conftest import Program
from tests.program import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    NAMESPACE,
    PLATFORM,
    merged,
    team_file,
    web_app,
)

POLICIES = [
    "sre-hosts",
    "sre-images",
    "sre-labels",
    "sre-platform-only",
    "sre-scheduling",
    "sre-secrets",
    "sre-services",
]


def test_the_platform_s_stack_creates_each_policy_and_binds_it(program: Program) -> None:
    made = program(teams=[], platform=True)
    assert made.names(ADMISSION_POLICY) == made.names(ADMISSION_BINDING) == POLICIES
    for one in made.all(ADMISSION_POLICY) + made.all(ADMISSION_BINDING):
        assert one.metadata["name"] == one.name
        assert one.parent == f"{PLATFORM} platform"
        assert one.labels["app.kubernetes.io/part-of"] == "sre-platform"


def test_no_other_stack_creates_policies(program: Program) -> None:
    for made in (
        program(web_app()),
        program(teams=[], platform=True, manage={"kubernetes": False}),
    ):
        assert made.names(ADMISSION_POLICY) == made.names(ADMISSION_BINDING) == []


def test_a_binding_waits_for_its_policy_and_applies_only_to_teams_namespaces(
    program: Program,
) -> None:
    made = program(teams=[], platform=True)
    for binding in made.all(ADMISSION_BINDING):
        assert str(made.one(ADMISSION_POLICY, binding.name)) in binding.depends_on
        assert binding.spec["policyName"] == binding.name
        assert binding.spec["matchResources"] == {
            "namespaceSelector": {
                "matchExpressions": [{"key": "sre.io/team", "operator": "Exists"}]
            }
        }


@pytest.mark.parametrize(
    ("keys", "actions"),
    [
        ({}, ["Deny"]),
        ({"guardrails": "deny"}, ["Deny"]),
        ({"guardrails": "audit"}, ["Audit", "Warn"]),
    ],
)
def test_the_stack_says_whether_policies_deny_or_warn(
    program: Program, keys: dict[str, str], actions: list[str]
) -> None:
    made = program(teams=[], platform=True, **keys)
    for binding in made.all(ADMISSION_BINDING):
        assert binding.spec["validationActions"] == actions


def test_a_policy_that_cannot_be_evaluated_refuses(program: Program) -> None:
    for policy in program(teams=[], platform=True).all(ADMISSION_POLICY):
        assert policy.spec["failurePolicy"] == "Fail"


def test_policies_hold_in_every_version_of_an_api_and_in_namespaces_only(program: Program) -> None:
    for policy in program(teams=[], platform=True).all(ADMISSION_POLICY):
        for rule in policy.spec["matchConstraints"]["resourceRules"]:
            assert (rule["apiVersions"], rule["scope"]) == (["*"], "Namespaced")


def test_who_may_change_the_namespace_passes_every_policy(program: Program) -> None:
    for policy in program(teams=[], platform=True).all(ADMISSION_POLICY):
        names = {condition["name"] for condition in policy.spec["matchConditions"]}
        assert {f"may-not-{verb}-the-namespace" for verb in ("update", "patch", "delete")} <= names


def test_a_refusal_says_what_to_do(program: Program) -> None:
    for policy in program(teams=[], platform=True).all(ADMISSION_POLICY):
        for rule in policy.spec["validations"]:
            assert rule["reason"] == "Forbidden"
            assert re.search(r"apps\[\]|platform team|remove|leave it out|name ", rule["message"])


def test_images_are_held_to_the_stack_s_registry_and_its_shared_projects(program: Program) -> None:
    harbor = {"host": "harbor.example.com:8443", "sharedProjects": ["base-images", "tools"]}
    images = program(teams=[], platform=True, harbor=harbor).one(ADMISSION_POLICY, "sre-images")
    variables = {each["name"]: each["expression"] for each in images.spec["variables"]}
    assert variables["allowed"].startswith(
        r"r'^harbor\.example\.com:8443/(' + request.namespace + r'|base-images|tools)"
    )


def test_sidecars_come_from_where_istio_publishes_them_unless_the_stack_names_a_copy(
    program: Program,
) -> None:
    def allowed(**istio: str) -> set[str]:
        made = program(teams=[], platform=True, istio=istio).one(ADMISSION_POLICY, "sre-images")
        text = made.spec["validations"][0]["expression"]
        return set(re.findall(r"image\.startsWith\('(.*?)'\)", text))

    mirror = "harbor.example.com/istio/proxyv2"
    assert allowed() == {
        "registry.istio.io/release/proxyv2:",
        "registry.istio.io/release/proxyv2@",
        "docker.io/istio/proxyv2:",
        "docker.io/istio/proxyv2@",
    }
    assert allowed(proxyImage=mirror) == {f"{mirror}:", f"{mirror}@"}


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        ("sre-images", "image.startsWith('harbor.example.com/istio/proxyv2:')"),
        ("sre-hosts", 'gateway in ["mesh", "edge/public"]'),
    ],
)
def test_the_sidecar_s_image_and_the_gateways_are_the_stack_s(
    program: Program, policy: str, part: str
) -> None:
    istio = {"gateways": ["edge/public"], "proxyImage": "harbor.example.com/istio/proxyv2"}
    made = program(teams=[], platform=True, istio=istio).one(ADMISSION_POLICY, policy)
    assert any(part in rule["expression"] for rule in made.spec["validations"])


@pytest.mark.parametrize("repository", ["proxyv2", "docker.io/istio/proxyv2'", "docker.io/"])
def test_what_is_not_a_repository_is_refused_as_the_sidecar_s_image(
    program: Program, repository: str
) -> None:
    with pytest.raises(pulumi.RunError, match="is not a repository"):
        program(teams=[], istio={"proxyImage": repository})


def test_no_team_can_be_called_data(program: Program) -> None:
    # External Secrets reads sre/data/team-beta/x, which would be its path, as sre/team-beta/x.
    with pytest.raises(pulumi.RunError, match="'data' is a namespace of the platform"):
        program(team_file(team="data"))


def test_a_namespace_names_the_hosts_of_the_team_s_file(program: Program) -> None:
    made = program(
        merged(
            web_app("ingress: {enabled: true, host: b.example.com}", "b"),
            web_app("ingress: {enabled: true, host: a.example.com}", "a"),
            web_app("ingress: {enabled: false, host: c.example.com}", "c"),
        )
    )
    annotations = made.one(NAMESPACE, "team-alpha").metadata["annotations"]
    assert annotations == {"sre.io/hosts": "a.example.com,b.example.com"}


def test_a_namespace_of_a_team_without_hosts_names_none(program: Program) -> None:
    assert "annotations" not in program(web_app()).one(NAMESPACE, "team-alpha").metadata


def test_a_team_s_hosts_are_not_the_platform_s(program: Program) -> None:
    made = program(
        teams=[],
        platform=True,
        openbao={"address": "https://openbao.sre.internal:8200"},
        platformHosts=["*.ops.example.com"],
    )
    variables = made.one(ADMISSION_POLICY, "sre-hosts").spec["variables"]
    (hosts,) = [each["expression"] for each in variables if each["name"] == "hosts"]
    own = ["docker.io", "harbor.sre.internal", "openbao.sre.internal", "registry.istio.io"]
    assert f"!(host in {json.dumps(own)})" in hosts
    assert '![".ops.example.com"].exists(domain, host.endsWith(domain))' in hosts
