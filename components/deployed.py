"""What the stack has, as its last `up` that succeeded says in the stack's outputs."""

from collections.abc import Mapping

import pulumi

from specs.lifecycle import Deployed

# The engine's own function: what a StackReference reads, without a resource in the state.
_READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"


def deployed_teams() -> Mapping[str, Deployed]:
    """The teams of the stack by name; none before its first `up`."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    read = pulumi.runtime.invoke(_READ_OUTPUTS, {"name": stack}).value or {}
    teams = read.get("outputs", {}).get("teams", {})
    return {
        name: Deployed(
            team.get("lifecycle", "active"),
            {app: about["archetype"] for app, about in team["apps"].items()},
        )
        for name, team in teams.items()
    }
