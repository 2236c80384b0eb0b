"""What the project states about itself is the same in all places."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from cli.__main__ import main
from tests.written import ROOT

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION: str = PYPROJECT["project"]["version"]
OLDEST_PYTHON: str = PYPROJECT["project"]["requires-python"].removeprefix(">=")

DEV_CONTAINER: dict[str, Any] = json.loads(
    (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
)
HOOKS: list[dict[str, Any]] = [
    hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_bytes())["repos"]
    for hook in repository["hooks"]
]


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
    setup = (ROOT / "scripts/setup").read_text(encoding="utf-8")
    assert f"({OLDEST_PYTHON.replace('.', ', ')})" in setup
    assert PYPROJECT["tool"]["pyrefly"]["python-version"] == OLDEST_PYTHON


def test_the_dev_container_is_one_version_of_an_image_with_that_python() -> None:
    name, _, tag = DEV_CONTAINER["image"].partition(":")
    assert name == "mcr.microsoft.com/devcontainers/python"
    assert re.fullmatch(rf"\d+\.\d+\.\d+-{re.escape(OLDEST_PYTHON)}-[a-z]+", tag)


def test_the_dev_container_sets_itself_up() -> None:
    assert os.access(ROOT / DEV_CONTAINER["postCreateCommand"], os.X_OK)


@pytest.mark.commands
@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_of_a_commit_passes_what_is_right(hook: dict[str, Any]) -> None:
    assert hook["language"] == "system", "what .venv has is pinned already"
    files = ["cli/__init__.py"] if hook.get("pass_filenames", True) else []
    run = subprocess.run(
        [*shlex.split(hook["entry"]), *files], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_commit_of_a_teams_file_is_validated() -> None:
    pattern = next(hook["files"] for hook in HOOKS if hook["entry"] == "./sre validate")
    teams = [str(file.relative_to(ROOT)) for file in (ROOT / "tenants").glob("*.yaml")]
    assert teams
    assert [file for file in teams if not re.search(pattern, file)] == []
