"""Writes every object that the program would create, one YAML document per file."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specs.exception_checks import judged
from specs.fleet import TeamsFolder, load_stack
from specs.problem import WHOLE_FILE, Problem
from specs.settings import Settings
from tools.rendering.documents import FOLDERS, as_yaml, rendered

# Marks a folder as created by render, which may replace it; records what the documents do not.
MARKER = ".sre-render"


@dataclass(frozen=True)
class Outcome:
    """The result of a render: with `problems`, nothing is written; otherwise this many objects."""

    problems: Sequence[Problem]
    warnings: Sequence[Problem] = ()
    written: int = 0


def render(
    root: Path,
    stack: str,
    settings: Settings,
    folder: TeamsFolder,
    out: Path,
    *,
    expired: bool = False,
) -> Outcome:
    """Render the stack's teams to `out`, or report the problems; `expired` is as in `rendered`."""
    with judged(expiry=not expired):
        fleet = load_stack(folder, settings)
    if fleet.problems:
        return Outcome(fleet.problems)
    if out.exists() and not _is_ours(out):
        message = "contains files that render did not write; name a new or an empty folder"
        return Outcome([Problem(str(out), 1, 1, WHOLE_FILE, message)])
    teams = [team.name for team in fleet.teams]
    made = rendered(root, stack, teams, folder.path, as_yaml, expired=expired)
    try:
        _write(made.documents, out)
        # Written last: everything that it lists exists.
        (out / MARKER).write_text(made.index.text(), encoding="utf-8")
    except OSError as error:
        message = f"cannot be written to: {error.strerror}; name another folder"
        return Outcome([Problem(str(out), 1, 1, WHOLE_FILE, message)])
    return Outcome((), fleet.warnings, len(made.documents))


def _is_ours(out: Path) -> bool:
    return out.is_dir() and ((out / MARKER).exists() or not any(out.iterdir()))


def _write(documents: Mapping[str, str], out: Path) -> None:
    """Replace what an earlier render wrote: a removed object leaves no file behind."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("", encoding="utf-8")
    for folder in FOLDERS.values():
        shutil.rmtree(out / folder, ignore_errors=True)
    for path, text in documents.items():
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
