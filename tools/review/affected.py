"""Which stacks a change affects: those for which `pulumi up` must run."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from specs.cluster_file import FOLDER
from specs.files import named_in
from specs.fleet import SUFFIX
from specs.handshake import teams_in
from specs.settings import PREFIX
from specs.source import Source
from specs.stack_file import CLUSTER, stack_config, stack_names
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

# Pulumi's own rule, without names that it would take for an option. A shell or make could interpret
# other names differently.
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Stack:
    """What a stack's settings say about the files that it reads; nothing if they are invalid."""

    name: str
    cluster: str
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
                f"'{_file(name)}' is not a stack's name; use letters, digits, '_', '.' and, not "
                "first, '-', at most 100 characters"
            )
    found = (_stack(root, name) for name in names)
    return tuple(sorted(found, key=lambda stack: (not stack.platform, stack.name)))


def affected(root: Path, ref: str, every: Sequence[Stack]) -> Affected:
    """Of all stacks, those that the working tree changes since HEAD and `ref` diverged.

    Raises GitError.

    The teams that a stack had at the base do not matter: if they changed, its file did.
    """
    commit = merge_base(root, ref)
    changed = changed_files(root, commit)
    reads = _Reads(root)
    resettled = _resettled(root, commit, changed, every)
    touched = [
        stack
        for stack in every
        if any(_touches(path, stack) for path in changed)
        or stack.name in resettled
        or any(reads.mounted(path, stack) for path in changed)
        or reads.promised(changed, stack)
    ]
    removed = {path for path in changed if not (root / path).exists()}
    gone: list[Stack] = []
    if any(path.startswith("Pulumi.") for path in removed):
        with copy_of(root, commit) as base:
            gone += (_stack(base, name) for name in stack_names(base) if _file(name) in removed)
    held = tuple(stack.name for stack in gone if stack.teams or stack.platform)
    return Affected(tuple(touched), held)


def _resettled(
    root: Path, commit: str, changed: Sequence[str], every: Sequence[Stack]
) -> frozenset[str]:
    """Names of the stacks that a change of their cluster's file gives other settings."""
    paths = map(PurePosixPath, changed)
    clusters = {path.stem for path in paths if str(path.parent) == FOLDER}
    if not clusters:
        return frozenset()
    with copy_of(root, commit) as base:
        return frozenset(
            stack.name
            for stack in every
            if stack.cluster in clusters
            and stack_config(base, stack.name) != stack_config(root, stack.name)
        )


class _Reads:
    """What teams' files say about other files; each is parsed once at most for one question."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mounts: dict[Path, frozenset[str]] = {}
        self._partners: dict[Path, frozenset[str]] = {}

    def mounted(self, path: str, stack: Stack) -> bool:
        """Whether an app of one of the stack's teams mounts the file, a path below the root."""
        file = PurePosixPath(path)
        if not file.is_relative_to(stack.folder) or stack.holds(path):
            return False
        within = str(file.relative_to(stack.folder))
        return any(within in self._mounted_by(team) for team in self._files(stack))

    def promised(self, changed: Sequence[str], stack: Stack) -> bool:
        """Whether calls or callers of one of the stack's teams name the team of a changed file.

        Its port, its account and whether it exists become part of their objects.
        """
        all_of_folder = replace(stack, teams="*")
        teams = {PurePosixPath(path).stem for path in changed if all_of_folder.holds(path)}
        if not teams or stack.teams == "*":  # then every file of the folder is the stack's own
            return False
        return any(teams & self._named_by(team) for team in self._files(stack))

    def _files(self, stack: Stack) -> list[Path]:
        folder = self._root / stack.folder
        if stack.teams == "*":
            return sorted(folder.glob(f"*{SUFFIX}"))
        return [folder / f"{name}{SUFFIX}" for name in stack.teams]

    def _mounted_by(self, team: Path) -> frozenset[str]:
        if team not in self._mounts:
            named = named_in(Source(team, team.name).data) if team.exists() else ()
            self._mounts[team] = frozenset(named)
        return self._mounts[team]

    def _named_by(self, team: Path) -> frozenset[str]:
        if team not in self._partners:
            # Without the text of either key, nothing needs to be parsed.
            calling = team.is_file() and b"call" in team.read_bytes()
            named = teams_in(Source(team, team.name).data) if calling else ()
            self._partners[team] = frozenset(named)
        return self._partners[team]


def _touches(path: str, stack: Stack) -> bool:
    return path == _file(stack.name) or _is_program(path) or stack.holds(path)


def _is_program(path: str) -> bool:
    if "/" not in path and path.endswith(".py"):
        return True  # it would be found before an installed module of that name
    return any(path == part or (part.endswith("/") and path.startswith(part)) for part in PROGRAM)


def _file(stack: str) -> str:
    return f"Pulumi.{stack}.yaml"


def _stack(root: Path, name: str) -> Stack:
    said = stack_config(root, name)
    teams = said.get(f"{PREFIX}teams", ())
    return Stack(
        name,
        cluster=str(said.get(CLUSTER, "")),
        platform=said.get(f"{PREFIX}platform") is True,
        teams=teams if isinstance(teams, tuple) or teams == "*" else (),
        folder=_below(root, str(said.get(f"{PREFIX}tenants", "tenants"))),
    )


def _below(root: Path, folder: str) -> str:
    """`folder`, which may be absolute, as a path relative to the root."""
    return Path(os.path.relpath(root / folder, root)).as_posix()
