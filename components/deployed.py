"""What the stack has deployed, read from its state, where the engine records its actions."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pulumi.runtime import get_root_resource

from components.app import HELD
from specs.claims import Claim
from specs.lifecycle import Deployed
from specs.volumes import ON_REMOVAL

# The engine's own function. The stack's outputs do not suffice: a failed run writes them too.
_READ = "pulumi:pulumi:readStackResourceOutputs"

# A file backend replaces a state's attributes in place, possibly in a concurrent run.
_ATTEMPTS, _PAUSE = 20, 0.1  # seconds

_TENANT, _APP = "sre:platform:Tenant", "sre:platform:App"

# What an offboarded team keeps until its file is deleted. Everything else is access, or runs.
KEPT = frozenset(
    {"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "PersistentVolumeClaim"}
    | {"Project", "RetentionPolicy", "RobotAccount", "SecretV2"}
)


def deployed_teams() -> Mapping[str, Deployed]:
    """The teams of the stack by name; empty before its first `up`.

    Raises pulumi.RunError if the state cannot be read.
    """
    return teams_in(_resources())


def teams_in(resources: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Deployed]:
    """Teams by name, given the `type` and `outputs` of each resource by its URN.

    Outputs contain secrets: this reads only whether a robot or a quota is closed, what an app does
    not have yet, and what volumes are like.
    """
    held: dict[str, list[str]] = defaultdict(list)
    objects: dict[str, set[tuple[str, str]]] = defaultdict(set)
    left: dict[str, list[str]] = defaultdict(list)
    claims: dict[str, dict[str, Claim]] = defaultdict(dict)
    for urn, resource in resources.items():
        _, _, types, name = urn.split("::", 3)
        if types == _APP and (kinds := resource["outputs"].get(HELD)):
            held[name.partition("/")[0]].append(f"{', '.join(kinds)} of {name}")
        component, _, kind = types.rpartition("$")
        kind = kind.rpartition(":")[2]
        if component not in (_TENANT, _APP):
            continue
        team = name.partition("/")[0]
        objects[team].add((kind, name))
        if kind == "PersistentVolumeClaim":
            claim = name.partition("/")[2]
            claims[team][claim] = _claim(claim, resource["outputs"])
        if component == _APP or kind not in KEPT:
            left[team].append(f"{kind} {name}")
        elif kind == "RobotAccount" and resource["outputs"].get("disable") is not True:
            left[team].append(f"{kind} {name} (enabled)")
        elif kind == "ResourceQuota" and _pods(resource["outputs"]) != "0":
            left[team].append(f"{kind} {name} (lets pods start)")
    return {
        team: Deployed(
            _archetypes(team, found),
            tuple(sorted(left[team])),
            tuple(sorted(held[team])),
            claims[team],
        )
        for team, found in objects.items()
    }


def _resources() -> dict[str, Any]:
    """`type` and `outputs` of each resource by its URN."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    # Once the root resource has its URN, this run has written the state that it began with.
    root = cast(pulumi.Resource, get_root_resource())
    name = root.urn.apply(lambda _: stack)
    attempt = 1
    while True:
        try:
            return pulumi.runtime.invoke(_READ, {"stackName": name}).value["outputs"]
        except Exception as error:  # the SDK raises only this one
            if attempt == _ATTEMPTS or "failed to load checkpoint" not in str(error):
                reason = str(error).rpartition("returned an error: ")[2]
                message = f"the state of stack {stack} cannot be read: {reason}; run this again"
                raise pulumi.RunError(message) from None
        attempt += 1
        time.sleep(_PAUSE)


def _archetypes(team: str, objects: set[tuple[str, str]]) -> dict[str, str]:
    """Each app's archetype by name, according to its objects: only a web-app has traffic."""
    found = {}
    for kind, name in objects:
        app = name.removeprefix(f"{team}/")
        if kind == "CronJob":
            found[app] = "cronjob"
        elif kind == "Deployment":
            found[app] = "web-app" if ("Service", name) in objects else "worker"
    return found


def _claim(name: str, outputs: Mapping[str, Any]) -> Claim:
    annotations = outputs.get("metadata", {}).get("annotations") or {}
    spec = outputs.get("spec", {})
    return Claim(
        name,
        kept=annotations.get(ON_REMOVAL) != "delete",
        size=spec.get("resources", {}).get("requests", {}).get("storage"),
        access_modes=tuple(spec.get("accessModes") or ()),
        storage_class=spec.get("storageClassName"),
    )


def _pods(quota: Mapping[str, Any]) -> Any:
    return quota.get("spec", {}).get("hard", {}).get("pods")
