"""What is checked between two waves; each returns what is wrong, or nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.fleet.credentials import Credentials

Check = Callable[[Sequence[str]], str]


def nothing(stacks: Sequence[str]) -> str:
    """No check."""
    return ""


def command(line: str) -> Check:
    """Whether a shell command succeeds; it finds the stacks' names in STACKS."""

    def check(stacks: Sequence[str]) -> str:
        code = _run(["sh", "-c", line], {**os.environ, "STACKS": " ".join(stacks)})
        return f"the check failed with exit code {code}" if code else ""

    return check


def healthy(root: Path, teams: Mapping[str, Sequence[str]], credentials: Credentials) -> Check:
    """Whether `./sre status` finds that the apps of the stacks' teams run; `teams` is by stack."""

    def check(stacks: Sequence[str]) -> str:
        for stack in stacks:
            for team in teams[stack]:
                command = [str(root / "sre"), "status", team, "--stack", stack, "--watch"]
                if _run(command, credentials.of(stack)):
                    return f"team {team} is not healthy: ./sre status {team} --stack {stack}"
        return ""

    return check


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Its exit code; what it prints is not part of the report."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment
    ).returncode
