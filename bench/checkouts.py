"""Checkouts of the platform with fleets of teams, for measurements."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.generated_teams import write_teams
from bench.measure import PYTHON, ROOT, run
from specs.readers import Dumper
from specs.settings import PREFIX

_FILES = ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml")


def all_teams(folder: Path, teams: int) -> Path:
    """A checkout whose stack `dev` has this many teams, and the platform; `folder` itself."""
    write_teams(folder / "tenants", teams)
    for file in _FILES:
        shutil.copyfile(ROOT / file, folder / file)
    return folder


def one_team(folder: Path, teams: int) -> Path:
    """The same, but the stack has only the first team; `folder` itself."""
    with _config(all_teams(folder, teams)) as config:
        config |= {f"{PREFIX}teams": ["team-0000"], f"{PREFIX}platform": False}
    return folder


def enforcing(folder: Path, teams: int) -> Path:
    """The same as `all_teams`, but the mesh enforces who calls; `folder` itself."""
    with _config(all_teams(folder, teams)) as config:
        config[f"{PREFIX}istio"]["authorization"] = "enforce"
    return folder


def repository(folder: Path, teams: int) -> Path:
    """A repository of one commit: all files of this checkout, with the teams of `all_teams`."""
    left_out = shutil.ignore_patterns(".*", "__pycache__", "tenants", "Pulumi.team-*.yaml")
    shutil.copytree(ROOT, folder, ignore=left_out)
    all_teams(folder, teams)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".gitignore").write_text(".venv\n__pycache__/\n", encoding="utf-8")
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for command in (["init"], ["add", "--all"], [*author, "commit", "--message", "All teams"]):
        run("git", "-C", folder, *command)
    return folder


def fleet(folder: Path, teams: int) -> Path:
    """The same as `repository`, but each team has a stack of its own; `folder` itself."""
    stack = yaml.safe_load((repository(folder, teams) / "Pulumi.dev.yaml").read_text("utf-8"))
    (folder / "Pulumi.platform.yaml").unlink()
    for team in folder.glob("tenants/*.yaml"):
        own = {f"{PREFIX}teams": [team.stem], f"{PREFIX}platform": False}
        text = yaml.dump({"config": stack["config"] | own}, Dumper=Dumper)
        (folder / f"Pulumi.{team.stem}.yaml").write_text(text, encoding="utf-8")
    return folder


@contextmanager
def _config(folder: Path) -> Iterator[dict[str, Any]]:
    """The settings of a checkout's stack, to change."""
    file = folder / "Pulumi.dev.yaml"
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    yield stack["config"]
    file.write_text(yaml.dump(stack, Dumper=Dumper), encoding="utf-8")


def recorded(folder: Path) -> Path:
    """A checkout with a recording for the bare program; `folder` itself.

    Runs in a separate process: see `run`.
    """
    run(PYTHON, "-m", "bench.bare", folder)
    return folder
