"""`./sre validate`: checks team files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from specs.fleet import Fleet, TeamsFolder, validate_files, validate_folder
from specs.problem import WHOLE_FILE, Problem
from specs.settings import Settings


def validate(
    files: Sequence[str], folder: TeamsFolder, settings: Settings
) -> tuple[Iterable[Problem], int]:
    """Problems in `files` (all of `folder` if none are named), and how many files were read."""
    if files:
        named = [(Path(file), file) for file in dict.fromkeys(files)]
        return validate_files(named, folder, settings).problems, len(named)
    fleet: Fleet = validate_folder(folder, settings)
    if not fleet.problems and not folder.files():
        message = "holds no team files; write one, such as team-alpha.yaml"
        return [Problem(folder.shown, 1, 1, WHOLE_FILE, message)], 0
    return fleet.problems, len(folder.files())
