"""`./sre capacity`: what teams' apps take of their quota, for people and for programs."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.written import ROOT, app, entry, team

TOO_MUCH = app("resources: {limits: {cpu: 2}}\n", beside="autoscaling: {minReplicas: 4}")
BEYOND = app(beside="autoscaling: {maxReplicas: 15}")


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    folder = tmp_path / "tenants"
    folder.mkdir()
    return folder


def _row(text: str, resource: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(resource)).split()[1:]


def test_each_resource_is_a_line(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tenants / "team-alpha.yaml").write_text(BEYOND)
    assert main(["capacity", "--tenants", str(tenants)]) == 0
    said = capsys.readouterr()
    # Quota, at rest, a rollout, a run, full scale: pods of 500m and 200m for the sidecar.
    assert _row(said.out, "limits.cpu")[:5] == ["8", "1400m", "2100m", "1400m", "10500m"]
    assert _row(said.out, "limits.memory")[:5] == ["16Gi", "1536Mi", "2304Mi", "1536Mi", "11520Mi"]
    assert _row(said.out, "pods")[:5] == ["20", "2", "3", "2", "15"]
    assert _row(said.out, "services") == ["10", "1", "1", "1", "1"]
    assert _row(said.out, "my-api") == ["2", "+1", "-", "15", "150m", "192Mi", "700m", "768Mi"]
    assert "autoscaling.maxReplicas: warning: only 11 of 15 replicas fit" in said.err


@pytest.mark.commands
def test_a_resource_without_a_limit_is_shown_as_such(
    tenants: Path, warm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unlimited = "quota: {limits: {cpu: null}, pods: null}\n"
    (tenants / "team-alpha.yaml").write_text(BEYOND + unlimited)
    assert main(["capacity", "--tenants", str(tenants)]) == 0
    said = capsys.readouterr()
    assert _row(said.out, "limits.cpu") == ["none", "1400m", "2100m", "1400m", "10500m"]
    assert _row(said.out, "pods") == ["none", "2", "3", "2", "15"]
    assert said.err == ""
    main(["capacity", "--tenants", str(tenants), "--format", "json"])
    (team,) = json.loads(capsys.readouterr().out)["teams"]
    assert team["quota"]["pods"] is None
    assert team["quota"]["services"] == "10"
    assert "░" not in _row(_on_a_terminal(warm, tenants), "pods")[-1]


def test_piped_output_has_no_bars_or_colours(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-alpha.yaml").write_text(BEYOND)
    main(["capacity", "--tenants", str(tenants)])
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\033" not in out
    assert _row(out, "limits.cpu")[5:] == ["too", "little", "for", "full", "scale"]


@pytest.mark.commands
def test_a_terminal_shows_bars_as_long_as_the_quota(tenants: Path, warm: Path) -> None:
    (tenants / "team-alpha.yaml").write_text(app(beside="autoscaling: {maxReplicas: 4}"))
    out = _on_a_terminal(warm, tenants)
    # Of 20 pods 2 rest, 1 more rolls out, 1 more is full scale, in 24 parts.
    assert _row(out, "pods")[5] == "███▓▒" + "░" * 19
    assert "\033" not in out


@pytest.mark.commands
def test_a_terminal_shows_in_red_what_does_not_fit(tenants: Path, warm: Path) -> None:
    (tenants / "team-alpha.yaml").write_text(TOO_MUCH)
    out = _on_a_terminal(warm, tenants)
    assert re.search(r"^limits.cpu .*█{24}  \033\[31mtoo little\033\[0m$", out, re.MULTILINE)
    assert "\033" not in _on_a_terminal(warm, tenants, NO_COLOR="1")


def _on_a_terminal(python: Path, tenants: Path, **environment: str) -> str:
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as reading:  # noqa: PTH123 (a descriptor)
        process = subprocess.Popen(
            [python, "-m", "cli", "capacity", "--tenants", str(tenants)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        said = b""
        try:
            while part := reading.read(4096):
                said += part
        except OSError:  # Linux's way to say that the other side is closed
            pass
        process.wait()
    return said.decode().replace("\r\n", "\n")


def test_what_does_not_fit_is_shown_and_is_an_error(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-alpha.yaml").write_text(TOO_MUCH)
    assert main(["capacity", "--tenants", str(tenants)]) == 1
    said = capsys.readouterr()
    assert _row(said.out, "limits.cpu") == ["8", "8800m", "11", "8800m", "22", "too", "little"]
    (line,) = said.err.splitlines()
    assert line.startswith(f"{tenants}/team-alpha.yaml:7:33: apps[0].app.resources.limits.cpu: ")


def test_programs_read_quantities(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tenants / "team-alpha.yaml").write_text(
        team("lifecycle: active\napps:\n") + entry(archetype="cronjob", name="nightly")
    )
    assert main(["capacity", "--tenants", str(tenants), "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["teams"]
    assert (found["team"], found["lifecycle"]) == ("team-alpha", "active")
    assert (found["quota"]["limits.memory"], found["quota"]["pods"]) == ("16Gi", "20")
    assert (found["rest"]["limits.cpu"], found["rollout"]["limits.cpu"]) == ("0", "0")
    assert (found["run"]["limits.cpu"], found["full"]["limits.cpu"]) == ("700m", "700m")
    (nightly,) = found["apps"]
    assert (nightly["app"], nightly["archetype"]) == ("nightly", "cronjob")
    assert nightly["pods"] == {"rest": 0, "surge": 0, "run": 1, "full": 1}
    assert nightly["pod"]["requests.memory"] == "192Mi"
    assert (found["errors"], found["warnings"]) == ([], [])


def test_one_team_can_be_named(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tenants / "team-alpha.yaml").write_text(team(""))
    (tenants / "team-beta.yaml").write_text("team: team-beta\n")
    command = ["capacity", "--tenants", str(tenants), "--team"]
    assert main([*command, "team-beta"]) == 0
    assert capsys.readouterr().out.startswith("team-beta (active)\n")
    assert main([*command, "team-gamma"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    wrong = "(file): no such file; check the path"
    assert said.err == f"{tenants}/team-gamma.yaml:1:1: {wrong}\n"


def test_a_suspended_team_uses_only_services(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-alpha.yaml").write_text(TOO_MUCH + "lifecycle: suspended\n")
    assert main(["capacity", "--tenants", str(tenants)]) == 0
    out = capsys.readouterr().out
    assert _row(out, "pods") == ["20", "0", "0", "0", "0"]
    assert _row(out, "services") == ["10", "1", "1", "1", "1"]


def test_a_file_that_cannot_be_counted_is_reported_and_the_others_are_shown(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-alpha.yaml").write_text(team("quota: {pods: few}"))
    (tenants / "team-beta.yaml").write_text("team: team-beta\n")
    assert main(["capacity", "--tenants", str(tenants)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("team-beta (active)\n")
    (line,) = said.err.splitlines()
    assert "quota.pods: must be a whole number" in line


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["capacity", "--help"])
    assert end.value.code == 0
    assert "example: ./sre capacity --team team-alpha" in capsys.readouterr().out
