"""The yardstick: a Pulumi program that registers the same resources bare, from a recording.

It has no components, models, checks, dependencies or outputs. It loads the SDK modules that have
the resources' classes, but registers with their common base class, which takes plain inputs: less
work than any of those classes does. It reads the recording line by line, so that it holds no more
in memory than a program that spells out the resources.
"""

import importlib
import json
import sys
from pathlib import Path

import pulumi
import pulumi_kubernetes
import pulumi_vault
import pulumiverse_harbor

from dryrun.recording import SECRET, record_stack

RECORDING = "registrations.jsonl"

_KUBERNETES = (
    "admissionregistration.v1",
    "apiextensions",
    "apps.v1",
    "autoscaling.v2",
    "batch.v1",
    "core.v1",
    "meta.v1",
    "networking.v1",
    "policy.v1",
    "rbac.v1",
)


def write_recording(folder: Path) -> None:
    """Record what stack `dev` of a checkout registers, except components."""
    made = record_stack(folder, "dev", folder / "tenants").registrations
    packages = ("kubernetes", "harbor", "vault")
    lines = [
        json.dumps([one.type, one.name, one.inputs]) for one in made if one.package in packages
    ]
    # In place of a secret, a JSON document may be expected.
    text = "\n".join(lines).replace(SECRET, "{}")
    (folder / RECORDING).write_text(text, encoding="utf-8")


def run(folder: Path) -> None:
    """The program."""
    for module in _KUBERNETES:
        importlib.import_module(f"pulumi_kubernetes.{module}")
    providers = {
        "kubernetes": pulumi_kubernetes.Provider("kubernetes", enable_server_side_apply=True),
        "harbor": pulumiverse_harbor.Provider("harbor", insecure=False),
        "vault": pulumi_vault.Provider("openbao"),
    }
    with (folder / RECORDING).open(encoding="utf-8") as lines:
        for line in lines:
            token, name, inputs = json.loads(line)
            opts = pulumi.ResourceOptions(provider=providers[token.partition(":")[0]])
            pulumi.CustomResource(token, name, inputs, opts)


if __name__ == "__main__":
    write_recording(Path(sys.argv[1]))
