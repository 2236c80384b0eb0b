"""`./sre validate`: checks team files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from specs.fleet import TeamsFolder, validate_files, validate_folder
from specs.problem import Problem
from specs.settings import Settings


def validate(
    files: Sequence[str], folder: TeamsFolder, settings: Settings
) -> tuple[Iterable[Problem], int]:
    """Problems in `files` (all of `folder` if none are named), and how many files were read."""
    if files:
        named = [(Path(file), file) for file in dict.fromkeys(files)]
        return validate_files(named, folder, settings).problems, len(named)
    return validate_folder(folder, settings).problems, len(folder.files())
