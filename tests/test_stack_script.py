"""`make stack-diff`, `stack-preview`, `stack-up` and `stack-drift`: what they ask of Pulumi."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.written import ROOT

pytestmark = pytest.mark.commands

# `pulumi`, as far as it is used here. Its state knows the stacks platform and team-alpha.
PULUMI = """#!/bin/bash
listed='[{"name": "example/platform"}, {"name": "team-alpha"}]'
[ -z "$BROKEN" ] || { echo "error: could not list stacks" >&2; exit 255; }
if [ "$1 $2" = "stack ls" ]; then
  echo "${LISTED:-$listed}"
else
  echo "pulumi $*"
  exit ${FAILS:-0}
fi
"""
SETTINGS = "--non-interactive --color never --suppress-progress --suppress-outputs"

Make = Callable[..., tuple[int, str]]
Script = Callable[..., tuple[int, str]]


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


def test_up_creates_a_new_stack(make: Make) -> None:
    assert make("stack-up", STACK="team-beta") == (
        0,
        "pulumi stack init --no-select --non-interactive team-beta\n"
        f"pulumi up --yes --diff --stack team-beta {SETTINGS}",
    )


def test_a_preview_creates_no_stack(make: Make) -> None:
    code, said = make("stack-preview", STACK="team-beta")
    assert (code, said.partition(".")[0]) == (0, "Stack 'team-beta' does not exist yet")


@pytest.mark.parametrize(("command", "how"), [("up", "up --yes"), ("preview", "preview")])
def test_with_refresh_the_servers_are_read_once_harbor_has_answered(
    script: Script, command: str, how: str
) -> None:
    code, said = script("exit 0", command, REFRESH="1")
    assert code == 0
    assert said == f"pulumi {how} --diff --refresh --run-program --stack team-alpha {SETTINGS}\n"


@pytest.mark.parametrize("value", ["0", "false"])
def test_refresh_takes_one_value_so_that_none_is_mistaken_for_no(
    script: Script, value: str
) -> None:
    told = "REFRESH must be 1 or empty; write REFRESH=1, or leave it out.\n"
    assert script("exit 0", "up", REFRESH=value) == (1, told)


def test_drift_reads_the_servers_and_writes_no_state(make: Make) -> None:
    how = "--refresh --run-program --expect-no-changes --diff"
    told = f"pulumi preview {how} --stack platform {SETTINGS}"
    assert make("stack-drift", STACK="platform") == (0, told)


def test_drift_of_a_stack_that_the_backend_does_not_have_fails(make: Make) -> None:
    code, said = make("stack-drift", STACK="team-beta")
    assert (code, said.partition(";")[0]) == (
        2, "Stack 'team-beta' is not in this backend, so nothing is compared"
    )  # fmt: skip


@pytest.mark.parametrize("command", ["preview", "up", "drift"])
def test_an_unreadable_list_of_stacks_is_not_an_empty_one(script: Script, command: str) -> None:
    code, said = script("exit 0", command, LISTED="no JSON")
    assert code == 1
    assert "pulumi stack init" not in said
    assert "not exist" not in said


def test_drift_is_not_checked_where_harbor_rejects_the_user(make: Make) -> None:
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


def test_a_backend_that_does_not_answer_is_reported(make: Make, tmp_path: Path) -> None:
    result = tmp_path / "result"
    code, said = make("stack-up", STACK="team-alpha", BROKEN="1", RESULT=str(result))
    told = "error: could not list stacks\nFAILED: exit code 255"
    assert (code, said, result.read_text()) == (2, told, told + "\n")


def test_a_result_contains_everything_that_was_printed(make: Make, tmp_path: Path) -> None:
    code, said = make("stack-preview", STACK="team-alpha", RESULT=str(tmp_path / "result"))
    assert (code, (tmp_path / "result").read_text()) == (0, said + "\n")


@pytest.mark.parametrize("command", ["diff", "preview", "up", "drift"])
def test_a_missing_stack_is_reported(make: Make, command: str) -> None:
    told = f"STACK is missing; name one: make stack-{command} STACK=team-alpha"
    assert make(f"stack-{command}") == (2, told)


def test_an_unknown_stack_is_reported_with_the_known_ones(make: Make) -> None:
    told = "Unknown stack 'team-alhpa'; use one of: dev platform team-alpha team-beta"
    assert make("stack-up", STACK="team-alhpa") == (2, told)


def test_a_missing_cli_is_reported(make: Make, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cmp", "dirname", "make", "sh"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True)
        (tools / tool).symlink_to(found.stdout.strip())
    code, said = make("stack-up", path=str(tools), STACK="team-alpha")
    assert (code, said.partition(";")[0]) == (2, "No Pulumi CLI on PATH")


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """`script(sre, command)`: `scripts/stack COMMAND team-alpha` with that in place of `./sre`."""

    def run(sre: str, command: str, **environment: str) -> tuple[int, str]:
        files = {
            "sre": f"#!/bin/bash\n{sre}\n",
            "bin/pulumi": PULUMI,
            "scripts/setup": "#!/bin/bash\n",
            "scripts/stack": (ROOT / "scripts/stack").read_text(),
            "Pulumi.team-alpha.yaml": "",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        (tmp_path / ".venv").symlink_to(ROOT / ".venv")
        done = subprocess.run(
            [str(tmp_path / "scripts/stack"), command, "team-alpha"],
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize("command", ["drift", "up", "preview"])
@pytest.mark.parametrize(
    "sre",
    ["echo 'FAIL  Harbor: credentials'; exit 1", "echo Traceback >&2; exit 1", "kill -SEGV $$"],
    ids=["Harbor fails", "the question cannot be asked", "it ends without a word"],
)
def test_servers_are_not_read_unless_harbor_has_answered(
    script: Script, sre: str, command: str
) -> None:
    code, said = script(sre, command, REFRESH="1")
    assert code == 1
    assert said.splitlines()[-1].startswith("Harbor must answer before the servers are compared")
    assert "pulumi preview" not in said
    assert "pulumi up" not in said
    if "echo" in sre:
        assert said.startswith(("FAIL  Harbor: credentials\n", "Traceback\n"))


def test_only_harbor_is_checked_before_servers_are_read(script: Script) -> None:
    code, said = script('[ "$*" = "doctor --stack team-alpha --server harbor" ]', "drift")
    assert (code, said.split()[:3]) == (0, ["pulumi", "preview", "--refresh"])


@pytest.mark.parametrize(
    ("code", "ends_with"), [(0, 0), (2, 0), (3, 0), (1, 1), (127, 1), (139, 1)]
)
def test_a_diff_with_changes_is_not_a_failure(script: Script, code: int, ends_with: int) -> None:
    told = "./sre diff --base v1 --stack team-alpha --format markdown\n"
    assert script(f'echo "./sre $*"; exit {code}', "diff", BASE="v1") == (ends_with, told)
