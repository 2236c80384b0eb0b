"""Writes the site: a folder that is complete, or as it was before."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from specs.problem import WHOLE_FILE, Problem, ProblemsError

# Marks a folder as written by this command, which may replace it.
MARKER = ".sre-page"


def check_folder(out: Path) -> None:
    """Raise ProblemsError unless the folder may be replaced."""
    if out.exists() and not _is_ours(out):
        raise _problem(
            out, "contains files that `page` did not write; name a new or an empty folder"
        )
    if Path.cwd().is_relative_to(out.resolve()):
        raise _problem(out, "is the current folder or contains it; name another folder")


def write(files: Iterable[tuple[str, str]], out: Path) -> int:
    """Replace the folder by these files, each a path and a text; returns how many.

    Raises ProblemsError if they cannot be written; the folder is then as before.
    """
    place = out.resolve()
    new, old = (place.with_name(f".{place.name}.{end}-{os.getpid()}") for end in ("new", "old"))
    count = 0
    try:
        new.mkdir(parents=True)
        (new / MARKER).touch()
        for path, text in files:
            file = new / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            count += 1
        _swap(new, place, old)
    except OSError as error:
        raise _problem(out, f"cannot be written: {error.strerror}; name another folder") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return count


def _swap(new: Path, place: Path, old: Path) -> None:
    if not place.exists():
        new.rename(place)
        return
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_ours(out: Path) -> bool:
    return out.is_dir() and ((out / MARKER).exists() or not any(out.iterdir()))


def _problem(out: Path, message: str) -> ProblemsError:
    return ProblemsError(Problem(str(out), 1, 1, WHOLE_FILE, message))
