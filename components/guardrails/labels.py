"""The team that objects and pods say they are of."""

from components.guardrails.pods import MAKE_PODS
from components.guardrails.policy import Policy, PolicyRule, literal
from components.metadata import TEAM_LABEL


def _teams(holder: str) -> str:
    """CEL for the teams that `holder` and the pods it makes are labelled with."""
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
    """Nothing of a team carries another team's label, which network rules may select."""
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
                f"the label {TEAM_LABEL} is the namespace's own team's; correct it or leave it out",
            )
        ],
    )
