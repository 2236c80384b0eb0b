"""The files that decide what stacks are: the program, settings of stacks and clusters, teams."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from specs.cluster_file import FOLDER
from specs.source import Source
from specs.stack_file import config_in
from tools.review.affected import PROGRAM

_STACKS = "Pulumi.*.yaml"


class Inputs:
    """Their hashes, by path below the root.

    Credentials and addresses in the environment are not included: a command keeps its own.
    """

    def __init__(self, root: Path, folders: Iterable[str]) -> None:
        self._root = root
        self._folders = sorted({FOLDER, *folders})
        self._hashes = self._now()

    @property
    def digest(self) -> str:
        """One hash of all (hexadecimal)."""
        return hashlib.sha256(json.dumps(self._hashes, sort_keys=True).encode()).hexdigest()

    def changed(self) -> str:
        """The path of a file that is not what it was, or nothing."""
        now = self._now()
        differing = [
            path
            for path in sorted(self._hashes.keys() | now.keys())
            if self._hashes.get(path) != now.get(path)
        ]
        return differing[0] if differing else ""

    def _now(self) -> dict[str, str]:
        return {str(file.relative_to(self._root)): _hash(file) for file in self._files()}

    def _files(self) -> Iterator[Path]:
        for part in (*PROGRAM, *self._folders):
            path = self._root / part
            found = sorted(path.rglob("*")) if path.is_dir() else [path]
            yield from (file for file in found if file.is_file() and _counts(file))
        for pattern in ("*.py", _STACKS):
            yield from self._root.glob(pattern)


def _hash(file: Path) -> str:
    """Hexadecimal; nothing for a file that cannot be read, or that has just been removed."""
    try:
        content = file.read_bytes()
    except OSError:
        return ""
    return _hash_of_settings(file, content) if file.match(_STACKS) else _hash_of(content)


@cache  # a thousand files take a second
def _hash_of_settings(file: Path, content: bytes) -> str:
    """Pulumi adds `encryptionsalt` to a stack's file, and writes the rest in its own way."""
    source = Source(file, file.name, first_key="config")
    if source.problems:
        return _hash_of(content)
    return _hash_of(repr(config_in(source.data)).encode())


def _hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _counts(file: Path) -> bool:
    return "__pycache__" not in file.parts
