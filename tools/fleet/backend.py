"""Pulumi's CLI and the backend of the stacks, as the environment names them."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand

from binaries.console import UserError
from tools.fleet.outcome import printable
from tools.fleet.processes import Processes

# A stack whose file has no `encryptionsalt` has one in its state.
_ENVIRONMENT = {
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
}


def prepared_cli() -> PulumiCommand:
    """The CLI on PATH, with the environment that every run of it needs. Raises UserError."""
    if not shutil.which("pulumi"):
        raise UserError("no Pulumi CLI on PATH; install it (https://www.pulumi.com/docs/install/)")
    os.environ.update(_ENVIRONMENT)
    try:
        return PulumiCommand()
    except (InvalidVersionError, OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"the Pulumi CLI on PATH cannot be used: {error}") from None


def existing(processes: Processes, stacks: Sequence[str]) -> frozenset[str]:
    """Those that their backends have. Raises UserError if one does not answer."""
    with processes.interruptible():
        return frozenset(
            stack
            for environment, group in processes.credentials.groups(stacks)
            for stack in _listed(processes.root, processes.cli, environment).intersection(group)
        )


def _listed(root: Path, cli: PulumiCommand, environment: Mapping[str, str]) -> frozenset[str]:
    done = subprocess.run(
        [cli.command, "stack", "ls", "--json", "--non-interactive"],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if done.returncode:
        said = printable(done.stderr.decode(errors="replace"))
        raise UserError(
            f"the backend does not list its stacks: {said.removeprefix('error: ')}; check "
            "PULUMI_BACKEND_URL, or log in (pulumi login)"
        )
    try:
        return frozenset(stack["name"].rpartition("/")[2] for stack in json.loads(done.stdout))
    except (ValueError, KeyError, TypeError):
        raise UserError("`pulumi stack ls` printed no list of stacks; check its output") from None
