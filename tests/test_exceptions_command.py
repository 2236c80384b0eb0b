"""`./sre exceptions`: all of the fleet's, for people and for programs."""

import json
from datetime import date
from pathlib import Path

import pytest

from cli.__main__ import main
from specs import exception_checks
from tests.written import app


@pytest.fixture
def tenants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(exception_checks, "today", lambda: date(2027, 3, 1))
    folder = tmp_path / "tenants"
    folder.mkdir()
    return folder


def one(allow: str, until: str, by: str = "Jane Doe") -> str:
    return f"{{allow: {allow}, reason: old, ticket: SEC-1, approvedBy: {by}, until: {until}}}"


def write(tenants: Path, *exceptions: str, team: str = "team-alpha") -> Path:
    file = tenants / f"{team}.yaml"
    beside = f"exceptions: [{', '.join(exceptions)}]" if exceptions else ""
    file.write_text(app(beside=beside).replace("team-alpha", team))
    return file


def run(tenants: Path, *options: str) -> int:
    return main(["exceptions", "--tenants", str(tenants), *options])


def test_all_teams_are_listed_by_their_ends(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tenants, one("SETUID", "2027-12-31"), one("CHOWN", "2027-06-30"))
    write(tenants, one("writableRootFilesystem", "2027-06-29"), team="team-beta")
    assert run(tenants) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "UNTIL       DAYS  TEAM        APP     ALLOWS                  TICKET  APPROVED BY  "
        "CONTROLS",
        "2027-06-29  120   team-beta   my-api  writableRootFilesystem  SEC-1   Jane Doe     "
        "CM-6, CM-7, SI-7",
        "2027-06-30  121   team-alpha  my-api  CHOWN                   SEC-1   Jane Doe     "
        "CM-6, AC-6, CM-7",
        "2027-12-31  305   team-alpha  my-api  SETUID                  SEC-1   Jane Doe     "
        "CM-6, AC-6, CM-7",
    ]
    assert said.err == ""


def test_for_programs_they_are_data(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tenants, one("NET_BIND_SERVICE", "2027-06-30"))
    write(tenants, one("CHOWN", "2027-06-30"), team="team-beta")
    assert run(tenants, "--team", "team-beta", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "exceptions": [
            {
                "team": "team-beta",
                "app": "my-api",
                "allow": "CHOWN",
                "reason": "old",
                "ticket": "SEC-1",
                "approvedBy": "Jane Doe",
                "until": "2027-06-30",
                "daysLeft": 121,
                "controls": ["CM-6", "AC-6", "CM-7"],
            }
        ]
    }


def test_one_that_has_expired_is_listed_and_reported(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tenants, one("CHOWN", "2027-02-28"), one("SETUID", "2027-03-02"))
    assert run(tenants) == 1
    said = capsys.readouterr()
    rows = [line.split()[:2] for line in said.out.splitlines()[1:]]
    assert rows == [["2027-02-28", "expired"], ["2027-03-02", "1"]]
    (line,) = said.err.splitlines()
    assert line.startswith(f"{file}:7:")
    assert "exceptions[0].until: the exception expired on 2027-02-28" in line
    assert run(tenants, "--format", "json") == 1
    listed = json.loads(capsys.readouterr().out)["exceptions"]
    assert [each["daysLeft"] for each in listed] == [-1, 1]


def test_an_exception_that_expires_soon_causes_a_warning(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tenants, one("CHOWN", "2027-03-02"))
    assert run(tenants) == 0
    assert "until: warning: the exception expires in 1 day" in capsys.readouterr().err


def test_a_wrong_file_keeps_no_other_from_being_listed(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tenants, one("CHOWN", "2027-06-30"))
    write(tenants, one("root", "2027-06-30"), team="team-beta")
    assert run(tenants) == 1
    said = capsys.readouterr()
    assert "team-alpha" in said.out
    assert "team-beta" not in said.out
    assert "exceptions[0].allow: 'root' is never allowed" in said.err


def test_a_team_without_a_file_is_reported(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tenants, "--team", "team-gamma") == 1
    assert "team-gamma.yaml:1:1: (file): no such file; check the path" in capsys.readouterr().err


def test_without_any_it_says_so(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tenants)
    assert run(tenants) == 0
    assert capsys.readouterr().out == "No exceptions.\n"
    assert run(tenants, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"exceptions": []}


def test_text_of_a_file_stays_in_its_row(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tenants, one("CHOWN", "2027-06-30", by='"Jane\\n\\e[31mDoe"'))
    assert run(tenants) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert "Jane [31mDoe" in row


def test_the_help_has_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["exceptions", "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "example: ./sre exceptions" in said
    assert "0 no problem, 1 a problem in a file, 2 a wrong command line" in said
