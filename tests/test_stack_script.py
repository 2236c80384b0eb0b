"""`make stack-diff`, `stack-preview`, `stack-up` and `stack-drift`: what they ask of Pulumi."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.written import ROOT

# `pulumi`, as far as it is used here. Its state knows the stacks platform and team-alpha.
PULUMI = """#!/bin/bash
[ -z "$BROKEN" ] || { echo "error: could not list stacks" >&2; exit 255; }
if [ "$1 $2" = "stack ls" ]; then
  echo '[{"name": "example/platform"}, {"name": "team-alpha"}]'
else
  echo "pulumi $*"
  exit ${FAILS:-0}
fi
"""
SETTINGS = "--non-interactive --color never --suppress-progress"

Make = Callable[..., tuple[int, str]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(target, VARIABLE=value, ...)`: whether it failed, and what was printed."""
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)

    def run(target: str, path: str = "", **variables: str) -> tuple[int, str]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MAKE", "MFLAGS", "HARBOR_", "VAULT_", "RESULT", "STACK"))
        }
        environment["PATH"] = path or f"{pulumi.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["make", "--silent", target],
            cwd=ROOT,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = [line for line in done.stdout.splitlines() if not line.startswith("make: ***")]
        return done.returncode, "\n".join(lines)

    return run


def test_a_preview_changes_nothing_and_asks_nothing(make: Make) -> None:
    told = f"pulumi preview --diff --stack team-alpha {SETTINGS}"
    assert make("stack-preview", STACK="team-alpha") == (0, told)


def test_up_does_not_skip_the_preview_that_protected_things_rely_on(make: Make) -> None:
    assert make("stack-up", STACK="platform") == (
        0, f"pulumi up --yes --diff --stack platform {SETTINGS}"
    )  # fmt: skip


def test_up_makes_a_stack_that_is_new(make: Make) -> None:
    assert make("stack-up", STACK="team-beta") == (
        0,
        "pulumi stack init --no-select --non-interactive team-beta\n"
        f"pulumi up --yes --diff --stack team-beta {SETTINGS}",
    )


def test_a_preview_makes_no_stack(make: Make) -> None:
    code, said = make("stack-preview", STACK="team-beta")
    assert (code, said.partition(".")[0]) == (0, "Stack 'team-beta' does not exist yet")


def test_drift_looks_at_the_servers_and_writes_no_state(make: Make) -> None:
    told = f"pulumi preview --refresh --expect-no-changes --diff --stack platform {SETTINGS}"
    assert make("stack-drift", STACK="platform") == (0, told)


def test_drift_is_not_looked_for_where_harbor_knows_no_user(make: Make) -> None:
    code, said = make("stack-drift", STACK="team-alpha")
    assert code == 2
    assert "FAIL     Harbor: environment" in said
    assert "pulumi preview" not in said


def test_what_fails_fails_and_its_result_says_so(make: Make, tmp_path: Path) -> None:
    result = tmp_path / "results" / "platform.up.txt"
    code, said = make("stack-up", STACK="platform", FAILS="7", RESULT=str(result))
    assert code == 2
    assert said.endswith("\nFAILED: exit code 7")
    assert result.read_text() == said + "\n"


def test_a_backend_that_does_not_answer_is_told(make: Make, tmp_path: Path) -> None:
    result = tmp_path / "result"
    code, said = make("stack-up", STACK="team-alpha", BROKEN="1", RESULT=str(result))
    told = "error: could not list stacks\nFAILED: exit code 255"
    assert (code, said, result.read_text()) == (2, told, told + "\n")


def test_a_result_is_all_that_was_printed(make: Make, tmp_path: Path) -> None:
    code, said = make("stack-preview", STACK="team-alpha", RESULT=str(tmp_path / "result"))
    assert (code, (tmp_path / "result").read_text()) == (0, said + "\n")


@pytest.mark.parametrize("command", ["diff", "preview", "up", "drift"])
def test_a_missing_stack_is_told(make: Make, command: str) -> None:
    told = f"STACK is missing; name one: make stack-{command} STACK=team-alpha"
    assert make(f"stack-{command}") == (2, told)


def test_an_unknown_stack_is_told_with_those_there_are(make: Make) -> None:
    told = "There is no stack 'team-alhpa'; use one of: dev platform team-alpha team-beta"
    assert make("stack-up", STACK="team-alhpa") == (2, told)


def test_a_missing_cli_is_told(make: Make, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cmp", "dirname", "make", "sh"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True)
        (tools / tool).symlink_to(found.stdout.strip())
    code, said = make("stack-up", path=str(tools), STACK="team-alpha")
    assert (code, said.partition(";")[0]) == (2, "There is no Pulumi CLI on PATH")


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (2, 0), (3, 0), (1, 1)])
def test_a_diff_with_changes_in_it_is_no_failure(tmp_path: Path, code: int, ends_with: int) -> None:
    sre = f'#!/bin/bash\necho "./sre $*"; exit {code}\n'
    files = {"sre": sre, "scripts/setup": "#!/bin/bash\n", "Pulumi.team-alpha.yaml": ""}
    files["scripts/stack"] = (ROOT / "scripts/stack").read_text()
    (tmp_path / "scripts").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    run = subprocess.run(
        [str(tmp_path / "scripts/stack"), "diff", "team-alpha"],
        env={"PATH": os.environ["PATH"], "BASE": "v1"},
        capture_output=True,
        text=True,
    )
    told = "./sre diff --base v1 --stack team-alpha --format markdown\n"
    assert (run.returncode, run.stdout) == (ends_with, told)
