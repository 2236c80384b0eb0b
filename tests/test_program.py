"""The program as a whole: a mistake stops it before anything is registered."""

import signal
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime.proto import resource_pb2

from dryrun.recording import _Recorder
from specs.stack_file import read_stack
from tests.conftest import Program
from tests.program import ROOT, one_of_each, team_file


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what reaches the engine from now on, but for the stack itself."""
    names: list[str] = []
    register = _Recorder.RegisterResource

    def spy(
        self: _Recorder, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        if request.type != "pulumi:pulumi:Stack":
            names.append(request.name)
        return register(self, request)

    monkeypatch.setattr(_Recorder, "RegisterResource", spy)
    return names


def test_a_sound_stack_registers_its_teams(program: Program, registered: list[str]) -> None:
    program(team_file(team="team-sound"))
    assert "team-sound" in registered


def test_a_bad_file_registers_nothing(program: Program, registered: list[str]) -> None:
    sound, bad = team_file(), one_of_each("ingres: {}").replace("team-alpha", "team-bad")
    with pytest.raises(pulumi.RunError) as error:
        program(sound, bad)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    assert all("team-bad.yaml:" in line for line in lines)
    assert registered == []


def test_a_bad_setting_registers_nothing(program: Program, registered: list[str]) -> None:
    with pytest.raises(pulumi.RunError, match=r"^Pulumi\.test\.yaml:1:1: .*harbor\.insecur: "):
        program(team_file(), harbor={"insecur": True})
    assert registered == []


def test_a_misspelt_setting_that_only_the_stacks_file_has_registers_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "Pulumi.test.yaml").write_text("config:\n  sre-platform:mange: {}\n")
    (tmp_path / "tenants").mkdir()
    told = {"sre-platform:teams": "*", "sre-platform:kubernetes": {"clusterIdentifier": "test"}}
    settings, problems = read_stack(tmp_path, "test", told)
    assert settings is None
    assert [str(problem) for problem in problems] == [
        "Pulumi.test.yaml:2:3: config.sre-platform:mange: is an unknown key; "
        "did you mean 'sre-platform:manage'?"
    ]


def test_a_team_without_a_file_registers_nothing(program: Program, registered: list[str]) -> None:
    with pytest.raises(pulumi.RunError, match="'team-omega' has no file"):
        program(team_file(), teams=["team-alpha", "team-omega"])
    assert registered == []


@pytest.mark.commands
@pytest.mark.parametrize(
    ("host", "ends_with", "traceback"),
    [("pulumi-language-python-exec", -signal.SIGINT, False), ("another.py", 1, True)],
)
def test_the_language_host_ends_the_program_without_a_traceback(
    tmp_path: Path, host: str, ends_with: int, traceback: bool
) -> None:
    (tmp_path / host).write_text(
        "import contextlib, os, runpy, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "with contextlib.suppress(Exception):\n"  # there is no engine
        f"    runpy.run_path({str(ROOT / '__main__.py')!r}, run_name='__main__')\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit('KeyboardInterrupt')\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / host)], capture_output=True, text=True, check=False
    )
    assert done.returncode == ends_with
    assert ("KeyboardInterrupt" in done.stderr) is traceback


def test_everything_missing_is_reported_at_once_and_nothing_is_registered(
    program: Program, registered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dryrun.recording._PLACEHOLDERS", {})
    with pytest.raises(pulumi.RunError) as error:
        program(team_file(team="team-nowhere"))
    assert str(error.value).splitlines() == [
        "HARBOR_URL is not set; set it, or sre-platform:harbor.url in the stack config",
        "HARBOR_USERNAME is not set; set it",
        "HARBOR_PASSWORD is not set; set it",
        "VAULT_ADDR is not set; set it, or sre-platform:openbao.address in the stack config",
    ]
    assert registered == []
