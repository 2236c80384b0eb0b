"""What the project states about itself in one place holds in the others."""

import re
import tomllib
from typing import Any

import pytest

from cli.__main__ import main
from tests.written import ROOT

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION: str = PYPROJECT["project"]["version"]


def test_the_command_shows_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, *capsys.readouterr()) == (0, f"sre-platform {VERSION}\n", "")


def test_the_changelog_says_what_the_version_changes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"^## \[(.+?)\](.*)$", changelog, re.MULTILINE)
    assert first == ("Unreleased", "")
    assert released[0][0] == VERSION
    assert all(re.fullmatch(r" - \d{4}-\d{2}-\d{2}", date) for _, date in released)


def test_the_set_up_takes_the_python_that_the_project_requires() -> None:
    oldest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"({oldest.replace('.', ', ')})" in (ROOT / "scripts/setup").read_text(encoding="utf-8")
    assert PYPROJECT["tool"]["pyrefly"]["python-version"] == oldest
