"""A problem in a file and its place: the one form in which user errors are reported."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from specs.credentials import HIDDEN, credential_form, without_credentials

# A place in a document: mapping keys and list indices, starting at the root.
Loc = tuple[str | int, ...]

# A check's result: the place, and "what is wrong; what to do".
Finding = tuple[Loc, str]

# Replaces the key path if the file as a whole is wrong.
WHOLE_FILE = "(file)"

_LONG_WORD = re.compile(r"([^\s:]{200})[^\s:]{100,}")


def listed_twice(values: Iterable[tuple[Loc, str]], do: str = "remove one") -> Iterator[Finding]:
    """Report each value that came before, at its own place."""
    seen: set[str] = set()
    for loc, value in values:
        if value in seen:
            yield loc, f"'{value}' is listed twice; {do}"
        seen.add(value)


@dataclass(frozen=True, order=True)
class Problem:
    """One line for the author of a file.

    `line` and `column` count from 1; `message` reads "what is wrong; what to do". As a line it
    repeats no credential of a known form, because lines end up in the logs of pipelines.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        message = without_credentials(self.message)
        text = f"{self.file}:{self.line}:{self.column}: {self.path}: {message}"
        # Keys and values may contain line breaks and escape sequences, or be of any length.
        plain = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
        return _LONG_WORD.sub(r"\1...", plain)

    def as_warning(self) -> str:
        """The same line for something that does not block anything."""
        return str(replace(self, message=f"warning: {self.message}"))


class ProblemsError(Exception):
    """Problems in files, or with what would become of a team; each is a line for an author."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def one_a_place(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems in the file's order; of several problems with one value, the first one found."""
    first: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.line, problem.column, problem.path), problem)
    return tuple(sorted(first.values()))


def key_path(loc: Loc) -> str:
    """`("apps", 0, "app")` as people write it: `apps[0].app`; a credential as `[secret]`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{_shown(part)}" if text else _shown(part)
    return text or WHOLE_FILE


@lru_cache(maxsize=1024)
def _shown(key: str) -> str:
    return HIDDEN if credential_form(key) else key
