"""Renders both sides of a change, each by its own program from its own files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from specs.exception_checks import judged
from specs.fleet import TeamsFolder, load_stack
from specs.stack_file import read_stack, stack_names
from tools.rendering.documents import Rendered, as_json, rendered
from tools.review.kept_sides import keep_side, kept_side, side_key
from tools.review.rendered_objects import Side, rendered_files

_BASE = "the base does not render"


class SideError(Exception):
    """A side cannot be rendered; the message is a line for the user."""


def two_sides(
    tree: Path, root: Path, stack: str, teams: Sequence[str], tenants: Path, *, same_code: bool
) -> tuple[Side, Side]:
    """The base, of which `tree` is a copy, and the working tree `root`.

    `teams` are those of the working tree, which have been checked, and `tenants` is their folder. A
    side that an earlier review rendered from equal files is not rendered again. `same_code`:
    whether no Python file differs. If so, one process renders both, which is half the work because
    loading the SDKs takes most of it; otherwise two processes run in parallel. A stack
    that the base does not have is an empty side. Raises SideError.
    """
    if stack not in stack_names(tree):
        return Side(), _head(root, stack, teams, tenants)
    key = side_key(tree, stack)
    if (before := kept_side(key)) is not None:
        return before, _head(root, stack, teams, tenants)
    if same_code:
        base = _base(tree, stack)
        before = keep_side(key, base.index, base.documents)
        return before, _head(root, stack, teams, tenants)
    with tempfile.TemporaryDirectory(prefix="sre-diff-") as folder:
        out, errors = Path(folder) / "base", Path(folder) / "errors"
        rendering = _start(tree, stack, out, errors)
        try:
            after = _head(root, stack, teams, tenants)
            if rendering.wait():
                raise SideError(_complaint(errors))
        finally:
            rendering.kill()
            rendering.wait()
        return keep_side(key, *rendered_files(out)), after


def _head(root: Path, stack: str, teams: Sequence[str], tenants: Path) -> Side:
    """The working tree's side."""
    key = side_key(root, stack)
    if (side := kept_side(key)) is None:
        made = rendered(root, stack, teams, tenants, as_json)
        # Files may have changed meanwhile.
        unchanged = side_key(root, stack) == key
        side = keep_side(key if unchanged else None, made.index, made.documents)
    return side


def _base(tree: Path, stack: str) -> Rendered:
    """What this process's program creates for the base."""
    settings, problems = read_stack(tree, stack)
    if settings is not None and not problems:
        folder = TeamsFolder(tree / settings.tenants, settings.tenants)
        # The change may be what renews an exception that has expired.
        with judged(expiry=False):
            fleet = load_stack(folder, settings)
        if not fleet.problems:
            teams = [team.name for team in fleet.teams]
            return rendered(tree, stack, teams, folder.path, as_json, expired=True)
        problems = fleet.problems
    raise SideError(f"{_BASE}: {problems[0]}")


def _start(tree: Path, stack: str, out: Path, errors: Path) -> subprocess.Popen[bytes]:
    """The render of the base, in a separate process: its modules have the same names."""
    if not (tree / "cli" / "render.py").exists():
        raise SideError("the base has no program that can render; name a later revision")
    # The packages are this environment's; the program and the files are the base's.
    command = [sys.executable, "-P", "-m", "cli", "render", "--stack", stack, "--out", str(out)]
    if (tree / "specs" / "exceptions.py").exists():
        command.append("--expired")
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with errors.open("wb") as stderr:
        return subprocess.Popen(
            command,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def _complaint(errors: Path) -> str:
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    # Problems are one per line; in a traceback, the last line has the error.
    said = (lines[-1] if lines[0].startswith("Traceback") else lines[0]) if lines else "it ended"
    return f"{_BASE}: {said}"
