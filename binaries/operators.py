"""Operators that their projects publish as images only: built, with the definitions they serve."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from binaries import pinned
from binaries.pinned import Release

_OBJECTS = "objects.yaml"


@dataclass(frozen=True)
class Operator:
    """The program, and the folder of the definitions that belong to it, one per file."""

    program: Path
    definitions: Path

    @classmethod
    def kept_in(cls, root: Path, release: Release) -> Self:
        """The operator whose release has that folder in the cache."""
        (program,) = release.packages
        return cls(root / "bin" / program, root / "definitions")

    @property
    def objects(self) -> Path:
        """The file of the other objects that its project installs, if they are kept."""
        return self.definitions.with_name(_OBJECTS)


def sources(release: Release, module: str) -> Path:
    """The folder of a module's sources in Go's cache: as published, and read-only.

    `go.sum` has verified them. Raises UserError.
    """
    pinned.require_go(release)
    pinned.go(release, ["mod", "download", module], release.sources)
    listed = ["go", "list", "-m", "-mod=readonly", "-f", "{{.Dir}}", module]
    return Path(subprocess.check_output(listed, cwd=release.sources, text=True).strip())


def keep_definitions(files: Iterable[Path], root: Path) -> None:
    """Copy them to where `Operator.definitions` is."""
    (root / "definitions").mkdir()
    for file in files:
        shutil.copyfile(file, root / "definitions" / file.name)


def keep_objects(documents: str, root: Path) -> None:
    """Write them to where `Operator.objects` is."""
    (root / _OBJECTS).write_text(documents, encoding="utf-8")
