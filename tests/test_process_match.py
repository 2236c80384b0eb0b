"""Probes that find their own shell, and so succeed when the process is gone."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.__main__ import main
from specs.process_match import finds_itself
from tests.program import ROOT, read_yaml, worker

# What a shell runs; whether that finds the shell, or something else on its command line.
SCRIPTS = {
    "pgrep -f worker || exit 1": True,
    "pgrep -f worker": True,
    "pgrep -f 'worker' > /dev/null 2>&1 || exit 1": True,
    "/usr/bin/pgrep -f worker || exit 1": True,
    "pgrep -af worker | grep -q .": True,
    "pgrep -u app -f worker || exit 1": True,
    "pgrep --full worker || exit 1": True,
    "pgrep -fi WORKER || exit 1": True,
    "pgrep -f 'python .*worker' || exit 1": True,
    "pgrep -f 'celery|worker' || exit 1": True,
    "pgrep -f -- worker || exit 1": True,
    "pkill -0 -f worker || exit 1": True,
    "test -f /tmp/ready && pgrep -f worker": True,
    "if ! pgrep -f worker; then exit 1; fi": True,
    'test -n "$(pgrep -f worker)"': True,
    "kill -0 `pgrep -f worker`": True,
    "timeout 5 pgrep -f worker || exit 1": True,
    "ps aux | grep worker": True,
    "ps -ef | grep -q worker || exit 1": True,
    "ps -eo pid,args | grep worker": True,
    "ps | egrep 'celery|worker'": True,
    "pgrep -f [w]orker || exit 1": False,
    "pgrep -f '[w]orker' || exit 1": False,
    "pgrep -f '^/bin/worker' || exit 1": False,
    "pgrep -f 'worker$' || exit 1": False,
    "pgrep worker || exit 1": False,
    "pgrep -xf worker || exit 1": False,
    "pgrep -P 1 -f worker || exit 1": False,
    'pgrep -f "$NAME" || exit 1': False,
    "exec pgrep -f worker || exit 1": False,
    "ps aux | grep '[w]orker'": False,
    "ps aux | grep worker | grep -v grep": False,
    "ps aux | grep -v grep | grep worker": False,
    "ps -eo comm | grep worker": False,
    "pidof worker": False,
    "pgrep -f 'worker": False,
    "pgrep -f '(wo|r)*ker' || exit 1": False,
    "test -f /tmp/ready": False,
}


@pytest.mark.parametrize(("script", "itself"), SCRIPTS.items(), ids=SCRIPTS)
def test_whether_a_script_finds_the_shell_that_runs_it(script: str, itself: bool) -> None:
    assert bool(finds_itself(["/bin/sh", "-c", script])) == itself
    assert bool(finds_itself(["bash", "-o", "pipefail", "-ec", f"{script}; exit $?"])) == itself


@pytest.mark.parametrize(
    ("command", "itself"),
    [
        (["pgrep", "-f", "worker"], False),  # it leaves itself out
        (["bash", "-c", "pgrep -f worker"], False),  # bash gives it its own place
        (["timeout", "5", "pgrep", "-f", "worker"], True),
        (["busybox", "sh", "-c", "pgrep -f worker || exit 1"], True),
        (["/bin/sh", "/scripts/pgrep -f worker"], False),
        (["/bin/sh", "-c"], False),
        (["sh", "-c", "pgrep -f " + "(a|a)" * 100 + " || exit 1"], False),
    ],
)
def test_whether_a_command_finds_itself(command: list[str], itself: bool) -> None:
    assert bool(finds_itself(command)) == itself


FOUND = {script: itself for script, itself in SCRIPTS.items() if itself}


@pytest.mark.parametrize("script", FOUND)
def test_what_is_recommended_does_not_find_itself(script: str) -> None:
    found = finds_itself(["/bin/sh", "-c", script])
    assert found
    _, pattern, better = found
    assert finds_itself(["/bin/sh", "-c", script.replace(pattern, better)]) is None


@pytest.mark.skipif(not shutil.which("pgrep"), reason="there is no pgrep on this machine")
@pytest.mark.parametrize(
    ("pattern", "itself"),
    [
        ("no-such-process", True),
        ("[n]o-such-process", False),
        ("^no-such-process", False),
        ("no-such.*ess", True),
    ],
)
def test_a_real_pgrep_finds_what_is_said(pattern: str, itself: bool) -> None:
    command = ["/bin/sh", "-c", f"pgrep -f '{pattern}' || exit 1"]
    found = subprocess.run(command, capture_output=True).returncode == 0
    assert bool(finds_itself(command)) == itself == found


@given(
    st.lists(st.sampled_from(["pgrep", "-f", "|", "grep", "ps", "'", "(", "[[:a:]]", "*", "$("]))
)
def test_any_command_is_checked(words: list[str]) -> None:
    finds_itself(["sh", "-c", " ".join(words)])
    finds_itself(words or [""])


def test_validate_warns_of_a_probe_that_cannot_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    probe = 'exec: {command: [/bin/sh, -c, "pgrep -f worker || exit 1"]}'
    file = tmp_path / "team-alpha.yaml"
    file.write_text(worker(f"app: {{probes: {{liveness: {{{probe}}}, readiness: {{{probe}}}}}}}"))
    assert main(["validate", "--tenants", str(tmp_path)]) == 0
    lines = capsys.readouterr().err.splitlines()
    said = (
        "warning: 'worker' is on the probe's own command line too, so the probe finds itself "
        "when the process is gone; write '[w]orker'"
    )
    assert [line.partition(": ")[2] for line in lines] == [
        f"apps[0].app.probes.{key}.exec.command[2]: {said}" for key in ("liveness", "readiness")
    ]


def test_no_shipped_probe_finds_itself() -> None:
    commands = [
        probe["exec"]["command"]
        for file in (ROOT / "tenants").glob("*.yaml")
        for app in read_yaml(file.read_text(encoding="utf-8"))["apps"]
        for probe in app["app"].get("probes", {}).values()
        if "exec" in probe
    ]
    assert commands
    assert [command for command in commands if finds_itself(command)] == []
