"""A guardrail, and the ValidatingAdmissionPolicy that it becomes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchConditionArgs,
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)
from pulumi_kubernetes.meta.v1 import (
    LabelSelectorArgs,
    LabelSelectorRequirementArgs,
    ObjectMetaArgs,
)

from components.metadata import platform_labels, team_labels
from specs.labels import TEAM_LABEL
from specs.network import NAMESPACE_NAME
from specs.settings import Settings
from specs.team import Team

_ACTIONS = {"deny": ["Deny"], "audit": ["Audit", "Warn"]}

# Each is a question to the API server's authorizers. The garbage collector and the controller that
# empties a deleted namespace may `delete`; server-side apply, which Pulumi uses, needs `patch`.
# There are three conditions because the cost limit of an expression allows two such questions.
_NOT_THE_PLATFORM = {
    f"may-not-{verb}-the-namespace": f"""\
!authorizer.group('').resource('namespaces')
  .namespace(request.namespace).name(request.namespace)
  .check('{verb}').allowed()"""
    for verb in ("update", "patch", "delete")
}


# Objects that existed before a policy stay and can be deleted: controllers continue to change their
# metadata (finalizers) and to scale them.
SPEC_CHANGES = {"spec-changes": "request.operation == 'CREATE' || object.?spec != oldObject.?spec"}


@dataclass(frozen=True)
class PolicyRule:
    """`holds` (CEL) is true for admitted objects; `message` says what to do otherwise."""

    holds: str
    message: str


@dataclass(frozen=True)
class Policy:
    """One ValidatingAdmissionPolicy, bound to the namespaces of all teams.

    `resources`: plurals by API group. `conditions`: CEL by name; a request for which one is false
    is skipped. `variables`: CEL by name, for the rules. A team's name is its namespace's.

    `only`: the one team that it is for; then it denies, whatever the stack says of the others, and
    the platform is held to it too, as to Pod Security.
    """

    name: str
    resources: Mapping[str, Sequence[str]]
    rules: Sequence[PolicyRule]
    operations: Sequence[str] = ("CREATE", "UPDATE")
    conditions: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    only: Team | None = None


def register(
    policy: Policy, settings: Settings, opts: pulumi.ResourceOptions
) -> ValidatingAdmissionPolicyBinding:
    """The policy and its binding, both by the policy's name; the binding."""
    # As for everything of a team, the state tells by the logical name whose it is.
    name = f"{policy.only.name}/{policy.name}" if policy.only else policy.name
    labels = team_labels(policy.only) if policy.only else platform_labels(policy.name)
    metadata = ObjectMetaArgs(name=policy.name, labels=labels)
    made = ValidatingAdmissionPolicy(name, metadata=metadata, spec=_policy_spec(policy), opts=opts)
    return ValidatingAdmissionPolicyBinding(
        name,
        metadata=metadata,
        spec=_binding_spec(policy, made.metadata["name"], settings),
        opts=opts,
    )


def literal(texts: Iterable[str]) -> str:
    """A CEL list of strings, which has the form of JSON's."""
    return json.dumps(list(texts))


def _policy_spec(policy: Policy) -> ValidatingAdmissionPolicySpecArgs:
    platform: dict[str, str] = {} if policy.only else _NOT_THE_PLATFORM
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=MatchResourcesArgs(
            resource_rules=[
                NamedRuleWithOperationsArgs(
                    api_groups=[group],
                    # A version that a later release serves must not be a loophole.
                    api_versions=["*"],
                    resources=list(resources),
                    operations=list(policy.operations),
                    # A namespaceSelector does not exclude cluster-scoped objects.
                    scope="Namespaced",
                )
                for group, resources in policy.resources.items()
            ]
        ),
        match_conditions=[
            MatchConditionArgs(name=name, expression=expression)
            for name, expression in {**policy.conditions, **platform}.items()
        ],
        variables=[
            VariableArgs(name=name, expression=expression)
            for name, expression in policy.variables.items()
        ]
        or None,
        validations=[
            ValidationArgs(expression=rule.holds, message=rule.message, reason="Forbidden")
            for rule in policy.rules
        ],
    )


def _binding_spec(
    policy: Policy, made: pulumi.Input[str], settings: Settings
) -> ValidatingAdmissionPolicyBindingSpecArgs:
    teams = LabelSelectorRequirementArgs(key=TEAM_LABEL, operator="Exists")
    selector = LabelSelectorArgs(match_expressions=[teams])
    if policy.only:
        selector = LabelSelectorArgs(match_labels={NAMESPACE_NAME: policy.only.name})
    return ValidatingAdmissionPolicyBindingSpecArgs(
        policy_name=made,
        validation_actions=_ACTIONS["deny" if policy.only else settings.guardrails],
        match_resources=MatchResourcesArgs(namespace_selector=selector),
    )
