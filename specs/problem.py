"""A thing that is wrong in a file, and where: the one form in which user errors are told."""

from dataclasses import dataclass

# A place in a document: mapping keys and list indices from the root down.
Loc = tuple[str | int, ...]

# Stands where a key path would, when it is the file as a whole that is wrong.
WHOLE_FILE = "(file)"


@dataclass(frozen=True, order=True)
class Problem:
    """One line for the author of a file.

    `line` and `column` count from 1; `message` reads "what is wrong; what to do".
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


def key_path(loc: Loc) -> str:
    """`("apps", 0, "app")` as people write it: `apps[0].app`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or WHOLE_FILE
