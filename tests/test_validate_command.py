"""`./sre validate` as its users run it."""

import re
import subprocess
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.written import ROOT, app

LATEST = "is not a version; pin one such as"


def sre(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "sre"), *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A folder of one file with two mistakes."""
    text = app("prot: 80", image="{repository: harbor.sre.internal/team-alpha/a, tag: latest}")
    (tmp_path / "team-alpha.yaml").write_text(text)
    return tmp_path


@pytest.mark.commands
def test_the_shipped_files_are_valid_from_any_folder(tmp_path: Path) -> None:
    for cwd in (ROOT, tmp_path):
        run = sre("validate", cwd=cwd)
        assert (run.returncode, run.stdout, run.stderr) == (
            0, "2 team files checked, no problems.\n", ""
        )  # fmt: skip


@pytest.mark.commands
def test_each_problem_is_a_line_on_stderr_and_the_exit_code_is_1(bad: Path) -> None:
    run = sre("validate", "team-alpha.yaml", cwd=bad)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines() == [
        f"team-alpha.yaml:6:66: apps[0].app.image.tag: 'latest' {LATEST} \"v1.0.0\"",
        "team-alpha.yaml:7:7: apps[0].app.prot: is an unknown key; did you mean 'port'?",
    ]


@pytest.mark.commands
def test_an_unknown_stack_is_a_wrong_command_line(tmp_path: Path) -> None:
    run = sre("validate", "--stack", "dve", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert "no stack 'dve'; use one of: dev, " in run.stderr
    assert "Traceback" not in run.stderr


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_one_file_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(ROOT / "tenants" / "team-alpha.yaml")
    assert validate(capsys, file) == (0, "1 team file checked, no problems.\n", "")


def test_another_folder_can_be_named(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = validate(capsys, "--tenants", str(bad))
    assert (code, output) == (1, "")
    assert [line.split(": ")[0] for line in errors.splitlines()] == [
        f"{bad}/team-alpha.yaml:6:66",
        f"{bad}/team-alpha.yaml:7:7",
    ]


@pytest.mark.parametrize("arguments", [["x" * 300], ["--tenants", "x" * 300]])
def test_a_path_that_the_system_cannot_look_up_is_reported(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = f"{'x' * 200}...:1:1: (file): File name too long; check the path\n"
    assert validate(capsys, *arguments) == (1, "", told)


def test_files_are_named_relative_to_the_current_folder(
    bad: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bad.parent)
    code, _, errors = validate(capsys, "--tenants", f"{bad.name}/")
    assert code == 1
    assert [line.split(": ")[0] for line in errors.splitlines()] == [
        f"{bad.name}/team-alpha.yaml:6:66",
        f"{bad.name}/team-alpha.yaml:7:7",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml:1:1: (file): no such file; check the path"),
        (["."], ".:1:1: (file): is a directory; use a YAML file"),
        (["--tenants", "nowhere"], "nowhere:1:1: (file): no such folder; check the path"),
        (
            ["--tenants", "."],
            ".:1:1: (file): contains no team files; add one, such as team-alpha.yaml",
        ),
    ],
    ids=["no such file", "a directory", "no such folder", "an empty folder"],
)
def test_what_cannot_be_read_is_reported(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert validate(capsys, *arguments) == (1, "", f"{said}\n")


@pytest.mark.parametrize("stack", ["team-alpha", "team-beta"])
def test_another_stacks_settings_can_be_used(
    stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(capsys, "--stack", stack)[0] == 0


@pytest.mark.parametrize("arguments", [[], ["--bogus"], ["chekc"]])
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: ./sre" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["validate", "--help"])
    assert end.value.code == 0
    assert re.search(r"example: \./sre validate tenants/\S+\.yaml", capsys.readouterr().out)
