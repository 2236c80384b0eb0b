"""`./sre doctor` as its users run it."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cli.__main__ import main
from clients.local_servers import Servers
from dryrun.recording import Registration
from sandbox.servers.keys import ADMIN, Keys
from specs.settings import LEAVE_OUT
from tests.doctored import DoctorReport
from tests.fake_server import serving
from tests.program import ROOT
from tools.doctor import examine
from tools.doctor.examination import (
    Check,
    Examination,
    Line,
    Outcome,
    Status,
    fail,
    ok,
    skipped,
    warn,
)
from tools.doctor.health_table import WIDTH, table

ADDRESSES = ("KUBECONFIG", "VAULT_ADDR", "HARBOR_URL")
FOREIGN = ("HARBOR_", "VAULT_", "SRE_", "KUBECONFIG", "MAKE", "MFLAGS")


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path) -> Iterator[None]:
    """No server is named, and the home folder is an empty one; put back at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with mock.patch.dict(os.environ, {**kept, "HOME": str(tmp_path)}, clear=True):
        yield


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs in this checkout."""
    monkeypatch.setattr(examine, "running", lambda root: None)


@pytest.fixture(autouse=True)
def _once_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "_registrations", _recorded)


def _recorded(*given: Any) -> Sequence[Registration]:
    """Computing what the program creates takes a second, and gives the same result each time."""
    key = repr(given)
    if key not in _RECORDED:
        _RECORDED[key] = _RECORD(*given)
    return _RECORDED[key]


_RECORDED: dict[str, Sequence[Registration]] = {}
_RECORD = examine._registrations


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["doctor", *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


def rows(output: str, status: str) -> list[str]:
    """What is reported with this status, words separated by one space."""
    lines = (line for line in output.splitlines() if line.startswith(f"{status} "))
    return [" ".join(line.removeprefix(status).split()) for line in lines]


def test_missing_variables_are_reported_one_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = doctor(capsys, "--stack", "dev")
    assert (code, errors) == (1, "")
    assert rows(output, "FAIL") == [
        "Kubernetes: kubeconfig Invalid kube-config file. No configuration found.",
        "OpenBao: environment VAULT_ADDR is not set",
        "Harbor: environment HARBOR_URL is not set",
        "Harbor: environment HARBOR_USERNAME is not set",
        "Harbor: environment HARBOR_PASSWORD is not set",
    ]
    assert "-> set it, or sre-platform:openbao.address in the stack config" in output
    assert output.endswith(" skipped.\n")


def test_an_environment_that_turns_verification_off_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.environ |= {"VAULT_ADDR": "https://openbao.invalid", "VAULT_SKIP_VERIFY": "true"}
    _, output, _ = doctor(capsys)
    told = "OpenBao: environment VAULT_SKIP_VERIFY turns off TLS verification"
    assert told in rows(output, "FAIL")


@pytest.mark.parametrize("address", ["openbao:8200", "https://jo:hunter2@openbao", "hunter2@x"])
def test_an_invalid_address_is_reported_without_its_password(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["VAULT_ADDR"] = address
    _, output, _ = doctor(capsys)
    (told,) = (row for row in rows(output, "FAIL") if "VAULT_ADDR" in row)
    assert told.startswith("OpenBao: environment VAULT_ADDR: ")
    assert "hunter2" not in output


@pytest.mark.commands
def test_a_server_that_is_down_is_reported_and_the_others_are_checked(
    keys: Keys, tmp_path: Path
) -> None:
    with serving(keys) as down:
        pass
    with serving(keys) as bao:
        bao.answers["GET /v1/sys/health"] = (200, {"initialized": True, "sealed": True})
        keys.write_kubeconfig(tmp_path / "kubeconfig", ADMIN, down.address)
        os.environ |= {
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "VAULT_ADDR": bao.address,
            "VAULT_CACERT": str(keys.ca_cert),
            LEAVE_OUT: "harbor",
        }
        run = subprocess.run([str(ROOT / "sre"), "doctor"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "")
    version, openbao = rows(run.stdout, "FAIL")
    assert version.startswith(f"Kubernetes: version {down.address} does not answer")
    assert openbao == f"OpenBao: reachable {bao.address} is sealed"
    assert f"Harbor left out of this run by {LEAVE_OUT}" in rows(run.stdout, "skipped")


def test_a_server_that_never_answers_does_not_block_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        os.environ["VAULT_ADDR"] = f"https://127.0.0.1:{silent.getsockname()[1]}"
        code, output, _ = doctor(capsys)
    assert code == 1
    assert "OpenBao: reachable no answer in time" in rows(output, "FAIL")
    assert "OpenBao: token depends on a check that failed above" in rows(output, "skipped")


def test_the_sandbox_s_servers_are_asked_where_the_environment_names_none(
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(keys) as bao:
        bao.answers["GET /v1/sys/health"] = (200, {"initialized": True, "sealed": True})
        environment = {"VAULT_ADDR": bao.address, "VAULT_CACERT": str(keys.ca_cert)}
        servers = Servers(tmp_path, tmp_path / "k", keys.ca_cert, environment)
        monkeypatch.setattr(examine, "running", lambda root: servers if root == ROOT else None)
        _, output, _ = doctor(capsys)
        assert output.startswith("Stack dev, on the servers that `make servers` started.\n")
        assert f"OpenBao: reachable {bao.address} is sealed" in rows(output, "FAIL")
        assert "Harbor simulated by the sandbox" in rows(output, "skipped")


@pytest.mark.parametrize("address", ADDRESSES)
def test_servers_that_the_environment_names_come_before_the_sandbox_s(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running(root: Path) -> None:
        raise AssertionError("asked for")

    monkeypatch.setattr(examine, "running", running)
    monkeypatch.setattr(examine, "_registrations", lambda *given: [])
    monkeypatch.setattr(examine, "PATIENCE", 0)
    os.environ[address] = "https://127.0.0.1:1"
    assert main(["doctor"]) == 1


def test_a_stack_of_its_own_is_never_asked_of_the_sandbox_s_servers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0)
    _, output, _ = doctor(capsys, "--stack", "platform")
    assert output.startswith(
        "Stack platform, on the servers from its settings and the environment.\n"
    )
    assert "Harbor not managed by this stack" in rows(output, "skipped")


HARBOR = {
    "GET /api/v2.0/systeminfo": (200, {"harbor_version": "v2.15.2", "auth_mode": "oidc_auth"}),
    "GET /api/v2.0/users/current": (200, {"username": "admin", "sysadmin_flag": True}),
    "GET /api/v2.0/health": (200, {"components": [{"name": "jobservice", "status": "healthy"}]}),
    "GET /api/v2.0/scanners": (200, []),
}


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 1), (500, 1)])
def test_a_single_server_can_be_checked(
    keys: Keys, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    with serving(keys) as harbor:
        harbor.answers |= HARBOR
        harbor.answers["GET /api/v2.0/users/current"] = (
            status, {"username": "admin", "sysadmin_flag": True}
        )  # fmt: skip
        os.environ |= {
            "HARBOR_URL": harbor.address,
            "HARBOR_USERNAME": "admin",
            "HARBOR_PASSWORD": "hunter2",
            "SSL_CERT_FILE": str(keys.ca_cert),
        }
        ended, output, _ = doctor(capsys, "--server", "harbor")
    assert ended == code, output
    assert "Harbor: reachable" in output
    assert "Kubernetes" not in output
    assert "OpenBao" not in output


def test_a_single_server_that_is_simulated_is_not_an_answer(
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Servers(tmp_path, tmp_path / "k", keys.ca_cert, {})
    monkeypatch.setattr(examine, "running", lambda root: servers)
    code, output, _ = doctor(capsys, "--server", "harbor")
    assert code == 1
    (row,) = rows(output, "FAIL")
    assert row.startswith("Harbor simulated by the sandbox")


def test_a_single_server_that_the_stack_does_not_manage_need_not_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor(capsys, "--stack", "platform", "--server", "harbor")[0] == 0
    os.environ[LEAVE_OUT] = "harbor"
    assert doctor(capsys, "--stack", "team-alpha", "--server", "harbor")[0] == 0


def test_a_wrong_team_file_is_reported_as_validate_reports_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "team-alpha.yaml").write_text("team: team-alpha\nqota: {}\n")
    code, output, errors = doctor(capsys, "--tenants", str(tmp_path))
    assert (code, output) == (1, "")
    told = f"{tmp_path}/team-alpha.yaml:2:1: qota: is an unknown key; did you mean 'quota'?\n"
    assert errors == told


def test_a_target_that_cannot_be_left_out_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.environ[LEAVE_OUT] = "habor"
    assert doctor(capsys) == (
        1, "", f"{LEAVE_OUT}: 'habor' cannot be left out; only harbor can\n"
    )  # fmt: skip


def test_an_unknown_stack_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--stack", "dve"])
    assert ended.value.code == 2
    assert "no stack 'dve'; use one of: dev, " in capsys.readouterr().err


@pytest.mark.commands
def test_its_help_has_an_example() -> None:
    run = subprocess.run(
        [str(ROOT / "sre"), "doctor", "--help"], capture_output=True, text=True, check=True
    )
    assert "example: ./sre doctor --stack team-alpha" in run.stdout


TITLE = "Kubernetes: External Secrets"
LONG = "word " * 40


def test_the_table_fits_in_a_terminal() -> None:
    lines = [Line(TITLE, fail(LONG, LONG)), Line("Harbor", skipped(LONG)), Line("a", ok("b"))]
    text = table(lines)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.count("word") == 120


def test_the_table_counts_what_it_shows() -> None:
    lines = [Line("a", ok("")), Line("b", ok("")), Line("c", warn("x", "y"))]
    assert table(lines).endswith("\n\n2 ok, 1 warn.")


def test_only_a_failure_fails() -> None:
    told = [Line("a", ok("")), Line("b", warn("", "")), Line("c", skipped(""))]
    assert not examine.Report("", told).failed
    assert examine.Report("", [*told, Line("d", fail("", ""))]).failed


def test_a_defective_check_is_reported_by_its_kind_and_the_next_runs() -> None:
    def defective() -> Iterator[Outcome]:
        yield ok("so far")
        raise RuntimeError("hunter2")

    examination = Examination("S", "", [Check("a", defective), Check("b", lambda: [ok("fine")])])
    examination.start().join(30)
    told = DoctorReport(list(examination.lines()))
    assert told.found("S: a") == "so far; unexpected answer (RuntimeError)"
    assert told.found("S: b") == "fine"
    assert "hunter2" not in told.text


def test_after_a_check_that_hangs_the_others_are_skipped() -> None:
    release = threading.Event()

    def hangs() -> Iterator[Outcome]:
        release.wait(30)
        yield from ()

    checks = [Check("a", lambda: [ok("fine")]), Check("b", hangs), Check("c", lambda: [ok("")])]
    examination = Examination("S", "", checks)
    thread = examination.start()
    while len(examination._done) < 1:
        thread.join(0.01)
    told = DoctorReport(list(examination.lines()))
    release.set()
    assert [line.finding.status for line in told.lines] == [
        Status.OK, Status.FAIL, Status.SKIPPED
    ]  # fmt: skip
    assert told.found("S: b") == "no answer in time"
