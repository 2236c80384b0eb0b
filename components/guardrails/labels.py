"""The team that objects and pods claim to belong to."""

from components.guardrails.pods import MAKE_PODS
from components.guardrails.policy import Policy, PolicyRule, literal
from specs.labels import TEAM_LABEL


def _teams(holder: str) -> str:
    """CEL for the teams in the labels of `holder` and of the pods that it creates."""
    label = f".?metadata.?labels[?'{TEAM_LABEL}']"
    return f"""\
(
  [?{holder}{label}] + (request.resource.group in {literal(MAKE_PODS)} ? [
    ?{holder}.?spec.?template{label},
    ?{holder}.?spec.?jobTemplate{label},
    ?{holder}.?spec.?jobTemplate.?spec.?template{label}
  ] : [])
)"""


def policy() -> Policy:
    """A team's objects do not carry another team's label, which network rules may select."""
    return Policy(
        "sre-labels",
        resources={"*": ["*"]},
        conditions={
            "labels-change": "request.operation == 'CREATE' || "
            f"{_teams('object')} != {_teams('oldObject')}"
        },
        rules=[
            PolicyRule(
                f"{_teams('object')}.all(team, team == request.namespace)",
                f"the label {TEAM_LABEL} must name the namespace's own team; correct it or "
                "remove it",
            )
        ],
    )
