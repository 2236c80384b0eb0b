"""`make check` and `make test`: the stages of a test run, and a table of how long each took.

`python -m tests.stages [STAGE ...]`; without any, all of them. The first that fails is the last.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.progress import lines, passed

ROOT = Path(__file__).parents[1]


def tests(marked: str, *more: str) -> list[str]:
    """The command for the tests with these marks."""
    return ["-m", "pytest", "-q", "-rs", "-p", "tests.progress", "-m", marked, *more]


PARALLEL = ("-n", "auto", "--dist", "worksteal")
# The tests of a file share servers, and each continues from the state that the previous one left.
BY_FILE = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")

# Arguments of Python. One stage runs at a time, so that measurements are undisturbed.
STAGES = {
    "lint": [
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-m", "cli.rooms", "--check"],
    ],
    "types": [["-m", "pyrefly", "check"]],
    "unit": [
        tests("not commands and not engine and not servers and not e2e and not parts", *PARALLEL)
    ],
    "commands": [tests("commands", *PARALLEL)],
    "bench": [["-m", "bench", "--quick"]],
    "engine": [tests("engine", *PARALLEL)],
    "servers": [tests("servers or e2e", *BY_FILE)],
}
# Run only where they are named.
NAMED = {
    "parts": [tests("parts", *BY_FILE)],
    "nightly": [tests("hypothesis or nightly", *PARALLEL, "--hypothesis-profile=nightly")],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs them in order; 0 if all passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.stages", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    asked = parser.parse_args(arguments).stages or list(STAGES)
    if unknown := [stage for stage in asked if stage not in STAGES | NAMED]:
        parser.error(f"no stage {unknown[0]!r}; choose from {', '.join(STAGES)}")
    took: dict[str, float] = {}
    code = 0
    for stage in asked:
        print(f"== {stage}", flush=True)
        started = time.monotonic()
        code = run(stage)
        took[stage] = time.monotonic() - started
        if code:
            break
    print("\n".join(table(asked, took, failed=bool(code))))
    return code


def run(stage: str) -> int:
    """The exit code of the first of its commands that fails."""
    started = time.monotonic()

    def line() -> str:
        return f"{passed(time.monotonic() - started)}  {stage}"

    for command in (STAGES | NAMED)[stage]:
        arguments = [sys.executable, *command]
        if "pytest" in command:  # has more to say, by `tests.progress`
            code = subprocess.run(arguments, cwd=ROOT).returncode
        else:
            with lines(line, lambda text: print(text, flush=True)):
                code = subprocess.run(arguments, cwd=ROOT).returncode
        if code:
            return code
    return 0


def table(asked: Iterable[str], took: dict[str, float], failed: bool) -> list[str]:
    """A line for each stage: its time, and how it ended."""
    rows = [("stage", "time", "")]
    for stage in asked:
        if stage not in took:
            rows.append((stage, "", "not run"))
            continue
        ended = "failed" if failed and stage == list(took)[-1] else "passed"
        rows.append((stage, passed(took[stage]), ended))
    rows.append(("all", passed(sum(took.values())), ""))
    return [f"{name:<8} {spent:>6}  {ended}".rstrip() for name, spent, ended in rows]


if __name__ == "__main__":
    sys.exit(main())
