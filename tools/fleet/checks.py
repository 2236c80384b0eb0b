"""What is checked between two waves; each returns what is wrong, or nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Check = Callable[[Sequence[str]], str]


def nothing(stacks: Sequence[str]) -> str:
    """No check."""
    return ""


def command(line: str) -> Check:
    """Whether a shell command succeeds; it finds the stacks' names in STACKS."""

    def check(stacks: Sequence[str]) -> str:
        code = _run(["sh", "-c", line], STACKS=" ".join(stacks))
        return f"the check failed with exit code {code}" if code else ""

    return check


def healthy(root: Path, teams: Mapping[str, Sequence[str]]) -> Check:
    """Whether `./sre status` finds that the apps of the stacks' teams run; `teams` is by stack."""

    def check(stacks: Sequence[str]) -> str:
        for stack in stacks:
            for team in teams[stack]:
                if _run([str(root / "sre"), "status", team, "--stack", stack, "--watch"]):
                    return f"team {team} is not healthy: ./sre status {team} --stack {stack}"
        return ""

    return check


def _run(command: Sequence[str], **environment: str) -> int:
    """Its exit code; what it prints is not part of the report."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        env={**os.environ, **environment},
    ).returncode
