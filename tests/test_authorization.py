"""Who may call a team's pods by identity, where the stack has AuthorizationPolicies."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    ADMISSION_POLICY,
    AUTHORIZATION_POLICY,
    DEPLOYMENT,
    Made,
    team_file,
    web_app,
)

AUTHORIZATION = {"authorization": "enforce", "gateways": ["edge/public", "istio-system/own"]}


def _admitted(made: Made) -> dict[str, Any]:
    return {
        name.removeprefix("team-alpha/"): made.one(AUTHORIZATION_POLICY, name).spec
        for name in made.names(AUTHORIZATION_POLICY)
    }


def _from(*namespaces: str) -> dict[str, Any]:
    source = {"namespaces": list(namespaces)}
    return {"action": "ALLOW", "rules": [{"from": [{"source": source}]}]}


def test_a_namespace_has_none_by_default(program: Program) -> None:
    assert program(web_app()).names(AUTHORIZATION_POLICY) == []


def test_they_admit_the_gateways_and_the_team_itself(program: Program) -> None:
    assert _admitted(program(team_file(), istio=AUTHORIZATION)) == {
        "allow-istio-gateway": _from("edge", "istio-system"),
        "allow-same-namespace": _from("team-alpha"),
    }


def test_they_admit_a_prometheus_that_proves_who_it_is(program: Program) -> None:
    made = program(team_file(), istio=AUTHORIZATION, metrics={"scrape": "mesh"})
    assert _admitted(made)["allow-monitoring"] == _from("monitoring")


@pytest.mark.parametrize(
    ("mode", "annotations"), [("enforce", None), ("audit", {"istio.io/dry-run": "true"})]
)
def test_an_audit_refuses_no_one(program: Program, mode: str, annotations: Any) -> None:
    made = program(team_file(), istio={"authorization": mode})
    for name in made.names(AUTHORIZATION_POLICY):
        metadata = made.one(AUTHORIZATION_POLICY, name).metadata
        assert metadata.get("annotations") == annotations


def test_they_are_there_before_an_app_starts(program: Program) -> None:
    made = program(web_app(), istio=AUTHORIZATION)
    policies = {f"{AUTHORIZATION_POLICY} {name}" for name in made.names(AUTHORIZATION_POLICY)}
    assert policies <= made.one(DEPLOYMENT, "team-alpha/my-api").depends_on


@pytest.mark.parametrize(
    ("istio", "kept"),
    [
        ({}, ["peerauthentications"]),
        (AUTHORIZATION, ["peerauthentications", "authorizationpolicies"]),
    ],
)
def test_a_team_writes_none_of_its_own_beside_them(
    program: Program, istio: dict[str, Any], kept: list[str]
) -> None:
    policy = program(team_file(), platform=True, istio=istio).one(
        ADMISSION_POLICY, "sre-platform-only"
    )
    rules = policy.spec["matchConstraints"]["resourceRules"]
    assert [rule["resources"] for rule in rules if rule["apiGroups"] == ["security.istio.io"]] == [
        kept
    ]
