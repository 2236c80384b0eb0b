"""Which stacks a change affects: those for which `pulumi up` must run."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from specs.files import named_in
from specs.fleet import SUFFIX
from specs.settings import PREFIX
from specs.source import Source
from specs.stack_file import config_in, stack_names
from tools.review.git import changed_files, copy_of, merge_base

# The files of the program: a change to any of them may change every stack. Folders end with a
# slash. A test compares this with the modules that are loaded when the program runs.
PROGRAM = (
    "__main__.py",
    "Pulumi.yaml",
    "clients/",  # with `adopt`
    "components/",
    "plain/",  # with `adopt`
    "pyproject.toml",  # the version, which every stack exports
    "requirements.lock",
    "specs/",
)

# Pulumi's own rule. A shell or make could interpret other names differently.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class Stack:
    """What a stack's file says about the files that it reads; nothing if the file is invalid."""

    name: str
    platform: bool
    teams: tuple[str, ...] | str
    folder: str

    def holds(self, path: str) -> bool:
        """Whether a team's file, a path below the root, is one of the stack's."""
        file = PurePosixPath(path)
        if file.suffix != SUFFIX or str(file.parent) != self.folder:
            return False
        return self.teams == "*" or file.stem in self.teams


@dataclass(frozen=True)
class Affected:
    """The stacks to run, in that order, and those that can no longer run.

    The change removes the files of the stacks in `gone`, although they contained something.
    """

    stacks: tuple[Stack, ...]
    gone: tuple[str, ...]


def stacks(root: Path) -> tuple[Stack, ...]:
    """All stacks of the project, the platform's first, because others depend on what they create.

    Raises ValueError, "what is wrong; what to do", for a file whose name is not a stack's.
    """
    names = stack_names(root)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"'{_file(name)}' is not a stack's name; use letters, digits, '-', '_' and '.', "
                "at most 100 characters"
            )
    found = (_stack(root, name) for name in names)
    return tuple(sorted(found, key=lambda stack: (not stack.platform, stack.name)))


def affected(root: Path, ref: str) -> Affected:
    """What the working tree changes since HEAD and `ref` diverged. Raises GitError, ValueError.

    The teams that a stack had at the base do not matter: if they changed, its file did.
    """
    commit = merge_base(root, ref)
    changed = changed_files(root, commit)
    reads = _Reads(root)
    touched = [
        stack
        for stack in stacks(root)
        if any(_touches(path, stack) or reads.mounted(path, stack) for path in changed)
    ]
    removed = {path for path in changed if not (root / path).exists()}
    gone: list[Stack] = []
    if any(path.startswith("Pulumi.") for path in removed):
        with copy_of(root, commit) as base:
            gone += (_stack(base, name) for name in stack_names(base) if _file(name) in removed)
    held = tuple(stack.name for stack in gone if stack.teams or stack.platform)
    return Affected(tuple(touched), held)


class _Reads:
    """Which files beside the teams' their apps mount; a team's file is parsed once at most."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._named: dict[Path, frozenset[str]] = {}

    def mounted(self, path: str, stack: Stack) -> bool:
        """Whether one of the stack's teams mounts the file, a path below the root."""
        file = PurePosixPath(path)
        if not file.is_relative_to(stack.folder) or stack.holds(path):
            return False
        within, folder = str(file.relative_to(stack.folder)), self._root / stack.folder
        if stack.teams == "*":
            teams = sorted(folder.glob(f"*{SUFFIX}"))
        else:
            teams = [folder / f"{name}{SUFFIX}" for name in stack.teams]
        return any(within in self._names(team) for team in teams)

    def _names(self, team: Path) -> frozenset[str]:
        if team not in self._named:
            named = named_in(Source(team, team.name).data) if team.exists() else ()
            self._named[team] = frozenset(named)
        return self._named[team]


def _touches(path: str, stack: Stack) -> bool:
    return path == _file(stack.name) or _is_program(path) or stack.holds(path)


def _is_program(path: str) -> bool:
    if "/" not in path and path.endswith(".py"):
        return True  # it would be found before an installed module of that name
    return any(path == part or (part.endswith("/") and path.startswith(part)) for part in PROGRAM)


def _file(stack: str) -> str:
    return f"Pulumi.{stack}.yaml"


def _stack(root: Path, name: str) -> Stack:
    said = config_in(Source(root / _file(name), _file(name), first_key="config").data)
    teams = said.get(f"{PREFIX}teams", ())
    return Stack(
        name,
        platform=said.get(f"{PREFIX}platform") is True,
        teams=teams if isinstance(teams, tuple) or teams == "*" else (),
        folder=_below(root, str(said.get(f"{PREFIX}tenants", "tenants"))),
    )


def _below(root: Path, folder: str) -> str:
    """`folder`, which may be absolute, as a path relative to the root."""
    return Path(os.path.relpath(root / folder, root)).as_posix()
