"""How a team's guardrails open for an exception: for its capability, and for nothing else."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import ADMISSION_BINDING, ADMISSION_POLICY, NAMESPACE, Made
from tests.written import entry, team

RESTRICTED = {"clusterIdentifier": "test", "podSecurity": "restricted"}
# Its logical name, by which the state tells whose it is.
POLICY = "team-alpha/team-alpha-exceptions"
LEVEL = "pod-security.kubernetes.io/enforce"


def file(*apps: tuple[str, tuple[str, ...]], beside: str = "") -> str:
    """A team's file with these apps and what each is allowed."""
    text = "apps:\n"
    for name, allowed in apps:
        exceptions = "".join(
            f"  - {{allow: {each}, reason: a, ticket: b, approvedBy: c, until: 9999-12-31}}\n"
            for each in allowed
        )
        text += entry("port: 80", f"exceptions:\n{exceptions}", name=name)
    return team(beside + text)


def level(made: Made) -> str:
    return made.one(NAMESPACE, "team-alpha").labels[LEVEL]


def rules(made: Made) -> dict[str, Any]:
    return {each["name"]: each["expression"] for each in _policy(made)["variables"]}


def _policy(made: Made) -> dict[str, Any]:
    return made.one(ADMISSION_POLICY, POLICY).spec


@pytest.mark.parametrize("allow", ["writableRootFilesystem", "privilegedPort", "NET_BIND_SERVICE"])
def test_what_restricted_admits_opens_nothing(program: Program, allow: str) -> None:
    made = program(file(("my-api", (allow,))), kubernetes=RESTRICTED)
    assert level(made) == "restricted"
    assert made.names(ADMISSION_POLICY) == []


def test_a_capability_lowers_the_namespace_s_level_and_a_policy_takes_its_place(
    program: Program,
) -> None:
    made = program(file(("my-api", ("CHOWN",)), ("wiki", ("SETUID",))), kubernetes=RESTRICTED)
    assert level(made) == "baseline"
    assert rules(made)["excepted"] == (
        '{"my-api": ["CHOWN"], "wiki": ["SETUID"]}[?variables.app].orValue([])'
    )
    binding = made.one(ADMISSION_BINDING, POLICY)
    assert binding.metadata["name"] == binding.spec["policyName"] == "team-alpha-exceptions"
    assert binding.spec["matchResources"] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-alpha"}}
    }
    # The level is lowered after the policy holds, and raised before it goes.
    assert str(binding) in made.one(NAMESPACE, "team-alpha").depends_on


def test_the_policy_denies_whatever_the_stack_says_of_the_others(program: Program) -> None:
    made = program(file(("my-api", ("CHOWN",))), kubernetes=RESTRICTED, guardrails="audit")
    assert made.one(ADMISSION_BINDING, POLICY).spec["validationActions"] == ["Deny"]


def test_the_platform_is_held_to_the_policy_as_to_pod_security(program: Program) -> None:
    made = program(file(("my-api", ("CHOWN",))), kubernetes=RESTRICTED)
    assert [each["name"] for each in _policy(made)["matchConditions"]] == ["pods-change"]
    assert _policy(made)["failurePolicy"] == "Fail"


@pytest.mark.parametrize("stack", [None, "privileged", "baseline"])
def test_a_lower_level_of_the_stack_stays(program: Program, stack: str | None) -> None:
    kubernetes = {"clusterIdentifier": "test"} | ({"podSecurity": stack} if stack else {})
    made = program(file(("my-api", ("CHOWN",))), kubernetes=kubernetes)
    assert made.one(NAMESPACE, "team-alpha").labels.get(LEVEL) == stack
    assert made.names(ADMISSION_POLICY) == []


def test_a_team_that_goes_leaves_nothing_open(program: Program) -> None:
    leaving = file(("my-api", ("CHOWN",)), beside="lifecycle: offboarding\n")
    made = program(leaving, kubernetes=RESTRICTED)
    assert level(made) == "restricted"
    assert made.names(ADMISSION_POLICY) == []


def test_other_teams_namespaces_stay_closed(program: Program) -> None:
    other = "team: team-beta\n"
    made = program(file(("my-api", ("CHOWN",))), other, kubernetes=RESTRICTED)
    assert made.one(NAMESPACE, "team-beta").labels[LEVEL] == "restricted"
    assert made.names(ADMISSION_POLICY) == [POLICY]
