"""requirements.txt: all that the program imports, on each of its paths, and nothing by accident."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import (
    distribution,
    distributions,
    packages_distributions,
    requires,
    version,
)
from itertools import chain
from pathlib import Path

import pytest

from binaries import pulumi_cli
from specs.stack_file import stack_names
from tests.written import ROOT

_NAME = re.compile(r"[A-Za-z0-9._-]+")

# Runs the program unchanged for each stack, and once more taking over what runs.
RUNS = """
import sys
from pathlib import Path
from dryrun.recording import record_stack
root = Path(sys.argv[1])
for stack in sys.argv[2:]:
    assert record_stack(root, stack, root / "tenants").registrations, stack
adopted = record_stack(root, "dev", root / "tenants", {"sre-platform:adopt": True})
assert adopted.registrations
import kubernetes, requests  # which that path has loaded
print("ran")
"""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_HERE = {_normal(each.metadata["Name"]) for each in distributions()}


def required() -> set[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {_normal(line.partition("==")[0]) for line in lines if not line.startswith("#")}


def brought_by(name: str) -> Iterator[str]:
    """The distributions that one requires, of those that are installed."""
    for each in requires(name) or ():
        if (match := _NAME.match(each)) and "extra ==" not in each and _normal(match[0]) in _HERE:
            yield _normal(match[0])


def imported() -> dict[str, str]:
    """Top-level modules from elsewhere that the program may load, and a file that imports each."""
    found: dict[str, str] = {}
    todo, seen = [ROOT / "__main__.py"], set[Path]()
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for module in _modules(file):
            inside = ROOT / module.replace(".", "/")
            files = [inside.with_suffix(".py"), inside / "__init__.py"]
            if (ROOT / module.partition(".")[0]).is_dir():
                todo += [each for each in files if each.is_file()]
            else:
                found.setdefault(module.partition(".")[0], str(file.relative_to(ROOT)))
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names}


def _modules(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def test_all_that_the_program_imports_is_required() -> None:
    listed = required()
    # pydantic_core comes with pydantic, urllib3 with requests.
    brought = {each for name in listed for each in brought_by(name)}
    owners = packages_distributions()
    modules = imported()
    assert {"kubernetes", "requests", "pulumi"} <= modules.keys()
    missing = {
        module: file
        for module, file in modules.items()
        if not {_normal(each) for each in owners[module]} & (listed | brought)
    }
    assert missing == {}


def test_what_is_pinned_is_what_is_locked() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    development = groups.pop("dev")
    assert [each["include-group"] for each in development] == [*groups]
    program = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {*chain.from_iterable(groups.values())}
    pinned.update(line for line in program if not line.startswith("#"))
    locked = re.findall(r"^(\S+==\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    assert {pin.lower() for pin in pinned} - {*locked} == set(), "run `make lock`"


@pytest.mark.engine  # takes seconds
def test_the_program_runs_with_nothing_else_installed(tmp_path: Path) -> None:
    todo, seen = [*required()], set[str]()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += brought_by(name)
    for each in map(distribution, seen):
        for top in {file.parts[0] for file in each.files or ()} - {".."}:
            if not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(str(each.locate_file(top)))
    run = subprocess.run(
        # -S: nothing of this environment
        [sys.executable, "-S", "-P", "-c", RUNS, str(ROOT), *stack_names(ROOT)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (0, "ran\n"), run.stderr


def test_the_cli_and_the_sdk_of_pulumi_are_the_pair_that_is_tested() -> None:
    assert str(pulumi_cli.SDK_VERSION) == version("pulumi")
    assert f"pulumi=={pulumi_cli.SDK_VERSION}\n" in (ROOT / "requirements.txt").read_text("utf-8")
    assert pulumi_cli.OLDEST_ON_PATH <= pulumi_cli.VERSION <= pulumi_cli.SDK_VERSION
