"""Checkouts of the platform with fleets of teams, for measurements."""

import shutil
from pathlib import Path

import yaml

from bench.generated_teams import write_teams
from bench.measure import PYTHON, ROOT, run
from specs.readers import Dumper

_FILES = ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml")


def all_teams(folder: Path, teams: int) -> Path:
    """A checkout whose stack `dev` has this many teams, and the platform; `folder` itself."""
    write_teams(folder / "tenants", teams)
    for file in _FILES:
        shutil.copyfile(ROOT / file, folder / file)
    return folder


def one_team(folder: Path, teams: int) -> Path:
    """The same, but the stack has only the first team; `folder` itself."""
    all_teams(folder, teams)
    file = folder / "Pulumi.dev.yaml"
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    stack["config"].update({"sre-platform:teams": ["team-0000"], "sre-platform:platform": False})
    file.write_text(yaml.dump(stack, Dumper=Dumper), encoding="utf-8")
    return folder


def recorded(folder: Path) -> Path:
    """A checkout with a recording for the bare program; `folder` itself.

    Runs in a separate process: see `run`.
    """
    run(PYTHON, "-m", "bench.bare", folder)
    return folder
