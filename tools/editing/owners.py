"""Lines of `.github/CODEOWNERS`: whose approval a change of a team's file needs."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from specs.problem import WHOLE_FILE, Problem, ProblemsError

FILE = ".github/CODEOWNERS"

_LINE = re.compile(r"(?P<path>[^#\s]\S*)(?P<space>\s+)@(?P<organization>[^/\s]+)/\S")


@dataclass(frozen=True)
class Owners:
    """The file, and the text that it has or is to have."""

    file: Path
    shown: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Its lines, with their ends."""
        return self.text.splitlines(keepends=True)

    def line_of(self, path: str) -> str | None:
        """The line of exactly this path, below the project's folder, as it reads."""
        return next((line.strip() for line in self.lines if _names(line, path)), None)


def read_owners(root: Path) -> Owners | None:
    """The project's file; None if it has none. Raises ProblemsError."""
    file = root / FILE
    if not file.is_file():
        return None
    try:
        return Owners(file, FILE, file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        message = "is not UTF-8; save the file as UTF-8"
    except OSError as error:
        message = f"cannot be read: {error.strerror}; check the file"
    raise ProblemsError(Problem(FILE, 1, 1, WHOLE_FILE, message))


def owned_path(root: Path, file: Path) -> str | None:
    """The path of a file as a line has it, below the project's folder; None if it is elsewhere."""
    place = file.parent.resolve() / file.name
    below = place.is_relative_to(root.resolve())
    return place.relative_to(root.resolve()).as_posix() if below else None


def with_owner(owners: Owners, path: str, group: str) -> Owners | None:
    """With a line that gives `path` to a group of the organization that the other lines name.

    It is put where it belongs by name, among those of the same folder. None if no line names an
    organization.
    """
    if owners.line_of(path):
        return owners
    lines = owners.lines
    found = [(at, match) for at, line in enumerate(lines) if (match := _LINE.match(line))]
    if not found:
        return None
    folder = f"/{path.rpartition('/')[0]}/"
    beside = [at for at, match in found if match["path"].startswith(folder)]
    before = [at for at in beside if lines[at].split()[0] < f"/{path}"]
    after = before[-1] + 1 if before else beside[0] if beside else len(lines)
    _, like = found[-1]
    width = like.end("space")
    newline = "\r\n" if "\r\n" in owners.text else "\n"
    if lines[after - 1 : after] and not lines[after - 1].endswith("\n"):
        lines[after - 1] += newline
    lines.insert(after, f"{f'/{path} '.ljust(width)}@{like['organization']}/{group}{newline}")
    return replace(owners, text="".join(lines))


def without_owner(owners: Owners, path: str) -> Owners:
    """Without the line of `path`."""
    kept = (line for line in owners.lines if not _names(line, path))
    return replace(owners, text="".join(kept))


def _names(line: str, path: str) -> bool:
    return line.split()[:1] == [f"/{path}"]
