"""`./sre` itself: its answer to an unknown command, to none, and to Ctrl-C while it starts."""

import os
import subprocess
from pathlib import Path

import pytest

from binaries.console import INTERRUPTED
from cli.__main__ import main
from tests.written import ROOT

# Python runs it first: Ctrl-C comes when the commands are imported.
_CTRL_C = """\
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "specs.problem":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("valdate", "did you mean validate?"),
        ("set_image", "did you mean set-image?"),
        ("Diff", "did you mean diff?"),
        ("frobnicate", "choose from validate, capacity, new, "),
    ],
)
def test_an_unknown_command_gets_the_nearest_one(
    capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word])
    assert ended.value.code == 2
    assert f"./sre: error: no command '{word}'; {hint}" in capsys.readouterr().err


def test_without_a_command_the_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "validate check team files" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ("fleet preview --paralel 3", 1, "--paralel; did you mean --parallel?"),
        ("diff --base main --stcak=dev", 1, "--stcak=dev; did you mean --stack?"),
        ("validate a.yaml -q", 2, "-q"),
    ],
)
def test_an_unknown_option_gets_the_nearest_one_of_its_command(
    capsys: pytest.CaptureFixture[str], words: str, code: int, error: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == code
    command = words.partition(" -")[0].removesuffix(" a.yaml")
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"./sre {command}: error: unrecognized arguments: {error}"


@pytest.mark.parametrize(("command", "code"), [("fleet", 1), ("new", 2), ("secret", 2)])
def test_a_command_of_several_lists_them_without_one(
    capsys: pytest.CaptureFixture[str], command: str, code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == code
    assert f"\nexample: ./sre {command} " in capsys.readouterr().err


@pytest.mark.commands
@pytest.mark.parametrize(
    ("before", "code", "output"),
    [
        ("", INTERRUPTED, ""),
        ("trap '' INT;", 0, "1 team file checked, no problems.\n"),  # as for `./sre ... &`
    ],
)
def test_ctrl_c_during_the_start_ends_it_quietly_unless_ignored(
    tmp_path: Path, before: str, code: int, output: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_CTRL_C)
    run = subprocess.run(
        ["sh", "-c", f"{before} exec .venv/bin/python -m cli validate tenants/team-alpha.yaml"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (code, output, "")
