"""The stacks for what runs them elsewhere: jobs of GitHub, the Pulumi Kubernetes Operator."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from specs.readers import Dumper
from specs.stack_teams import SANDBOX
from tools.review.affected import Stack

MOST_PARTS = 256  # jobs of a matrix: docs.github.com, "Actions limits"
# Of the environment, as `scripts/with-credentials` reads them. KUBECONFIG is a file.
_VARIABLES = ("HARBOR_PASSWORD", "HARBOR_USERNAME", "PULUMI_CONFIG_PASSPHRASE", "VAULT_TOKEN")
_FOLDER = "/credentials"


def github_matrix(stacks: Sequence[str], size: int) -> str:
    """JSON for `strategy.matrix.include`: parts with `size` stacks, or more if there are too many.

    A part has `part`, such as `2 of 3`, and `stacks`, names with spaces between.
    """
    size = max(size, math.ceil(len(stacks) / MOST_PARTS))
    starts = range(0, len(stacks), size)
    return json.dumps(
        [
            {"part": f"{number} of {len(starts)}", "stacks": " ".join(stacks[start : start + size])}
            for number, start in enumerate(starts, start=1)
        ]
    )


@dataclass(frozen=True)
class Operator:
    """What the stacks of a Pulumi Kubernetes Operator have in common.

    `secret` is a Secret in `namespace` whose keys are environment variables; its key KUBECONFIG is
    the text of a kubeconfig.
    """

    repository: str
    branch: str
    backend: str | None
    namespace: str
    service_account: str
    secret: str


def operator_objects(stacks: Sequence[Stack], every: Sequence[Stack], operator: Operator) -> str:
    """YAML of a Stack (pulumi.com/v1) for each; those of teams wait for their cluster's platform.

    `every` has all stacks of the project. Raises ValueError, "what is wrong; what to do", if two
    would have one name, or one has none.
    """
    names = {stack.name: _object_name(stack.name) for stack in every}
    owners: dict[str, str] = {}
    for stack, name in names.items():
        if not name:
            raise ValueError(f"'{stack}' leaves no name for its object; rename it")
        if other := owners.get(name):
            raise ValueError(f"{other} and {stack} would both be the object '{name}'; rename one")
        owners[name] = stack
    platforms = {
        stack.cluster: names[stack.name]
        for stack in every
        if stack.platform and stack.name != SANDBOX
    }
    objects = [
        _stack(
            names[stack.name],
            stack,
            operator,
            None if stack.platform else platforms.get(stack.cluster),
        )
        for stack in stacks
    ]
    return yaml.dump_all(objects, Dumper=Dumper, sort_keys=False, explicit_start=True)


def _object_name(stack: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")


def _stack(name: str, stack: Stack, operator: Operator, before: str | None) -> dict[str, Any]:
    mounted = {"name": "credentials", "mountPath": _FOLDER, "readOnly": True}
    kubeconfig = {"key": "KUBECONFIG", "path": "kubeconfig"}
    pod = {
        "containers": [{"name": "pulumi", "volumeMounts": [mounted]}],
        "volumes": [
            {
                "name": "credentials",
                "secret": {"secretName": operator.secret, "items": [kubeconfig]},
            }
        ],
    }
    variables: dict[str, Any] = {
        variable: {"type": "Secret", "secret": {"name": operator.secret, "key": variable}}
        for variable in _VARIABLES
    }
    path = f"{_FOLDER}/{kubeconfig['path']}"
    variables["KUBECONFIG"] = {"type": "Literal", "literal": {"value": path}}
    spec = {
        "stack": stack.name,
        "projectRepo": operator.repository,
        "branch": operator.branch,
        **({"backend": operator.backend} if operator.backend else {}),
        "serviceAccountName": operator.service_account,
        "envRefs": variables,
        # A stack leaves with its teams (docs/lifecycle.md), never with its object.
        "destroyOnFinalize": False,
        "resyncFrequencySeconds": 600,
        # Pods of a thousand stacks would otherwise stay.
        "workspaceReclaimPolicy": "Delete",
        "workspaceTemplate": {"spec": {"podTemplate": {"spec": pod}}},
        **({"prerequisites": [{"name": before}]} if before else {}),
    }
    return {
        "apiVersion": "pulumi.com/v1",
        "kind": "Stack",
        "metadata": {"name": name, "namespace": operator.namespace},
        "spec": spec,
    }
