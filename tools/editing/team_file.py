"""Changes a team's file, and files that go with it: finds, checks as `validate` does, writes."""

import codecs
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from plain.whole_files import all_or_nothing, delete, replace
from specs.fleet import SUFFIX, TeamsFolder, validate_loaded
from specs.load import check_source
from specs.names import nearest
from specs.problem import WHOLE_FILE, Problem, ProblemsError
from specs.settings import Settings
from specs.source import Source


class Text(Protocol):
    """A file and the text that it is to have; `shown` is its name in messages."""

    @property
    def file(self) -> Path: ...
    @property
    def shown(self) -> str: ...
    @property
    def text(self) -> str: ...


@contextmanager
def alone(folder: TeamsFolder) -> Iterator[None]:
    """While it is active, no other command changes a file of the folder: no change is lost."""
    handle = -1
    with suppress(OSError):  # the caller that looks for the file reports an unreadable folder
        handle = os.open(folder.path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def open_team(folder: TeamsFolder, team: str) -> Source:
    """Read a team's file. Raises ProblemsError if it does not exist, or is not YAML."""
    files = {file.stem: file for file in folder.files()}
    if team in files:
        source = Source(files[team], folder.shown_as(files[team]))
        if source.data is None:
            refuse(source.problems)
        return source
    refuse(folder.problems())
    hint = nearest(team, files)
    do = f"did you mean {hint}?" if hint else f"use one of: {', '.join(files)}"
    shown = f"{folder.shown}/{team}{SUFFIX}"
    raise ProblemsError(Problem(shown, 1, 1, WHOLE_FILE, f"no such file; {do}"))


def problems(source: Source, folder: TeamsFolder, settings: Settings) -> tuple[Problem, ...]:
    """What `validate` would report about the folder if the team's file contained `source.text`."""
    return validate_loaded([check_source(source, settings)], folder, settings).problems


def refuse(found: Iterable[Problem]) -> None:
    """Raise ProblemsError if there are problems."""
    if listed := tuple(found):
        raise ProblemsError(*listed)


def save(*texts: Text, remove: Text | None = None) -> None:
    """Write each text to its file, in this order, and last delete the file to remove.

    A file's byte order mark stays. If it raises ProblemsError or is interrupted, no file has
    changed.
    """
    touched = (*texts, remove) if remove else texts
    with all_or_nothing(*(each.file for each in touched)):
        for each in texts:
            with _reported(each, "written"):
                _write(each.file, each.text)
        if remove:
            with _reported(remove, "deleted"):
                delete(remove.file)


@contextmanager
def _reported(text: Text, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot be {done}: {error.strerror}; check the file and its folder"
        raise ProblemsError(Problem(text.shown, 1, 1, WHOLE_FILE, message)) from None


def _write(file: Path, text: str) -> None:
    marked = file.exists() and file.read_bytes().startswith(codecs.BOM_UTF8)
    replace(file, codecs.BOM_UTF8.decode() + text if marked else text)
