"""What a kustomization says of the files it names, and what of that cannot be carried."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration.documents import Manifest
from migration.findings import Findings
from specs.problem import Loc, Problem

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
GROUP = "kustomize.config.k8s.io"

_NAMING = ("resources", "bases")
_LABELS = ("commonLabels", "labels")

# Of these nothing is left once the objects are made by name; `configurations` only tell where
# objects name each other.
_NEEDLESS = {
    "apiVersion",
    "kind",
    "metadata",
    "generatorOptions",
    "configurations",
    "buildMetadata",
}
_CARRIED = {*_NAMING, *_LABELS, "namespace", "configMapGenerator"}

_PLAIN = "write into the objects what it makes of them (`kustomize build`)"


@dataclass(frozen=True)
class Kustomization:
    """One kustomization file."""

    manifest: Manifest

    @property
    def file(self) -> Path:
        """The file, resolved."""
        return self.manifest.source.file.resolve()

    @property
    def shown_folder(self) -> str:
        """Its folder as messages name it."""
        return os.path.dirname(self.manifest.source.shown)  # noqa: PTH120 (text, not a path)

    @property
    def namespace(self) -> str | None:
        """The namespace that it gives to all objects."""
        found = self.manifest.get("namespace")
        return found if isinstance(found, str) else None

    def resources(self) -> Iterator[tuple[Loc, str]]:
        """The files and folders that it names, as it names them."""
        for key in _NAMING:
            for index, path in enumerate(self.manifest.entries(key)):
                yield (key, index), str(path)

    def path(self, loc: Loc, named: str, findings: Findings) -> tuple[Path, str] | None:
        """A file or folder that it names at `loc`, and how messages name it; None if lost."""
        path = self.manifest.source.file.parent / named
        # kustomize takes no absolute path either, as another machine has other files there.
        here = not Path(named).is_absolute()
        if here and os.path.exists(path):  # noqa: PTH110 (Path's own raises for impossible names)
            return path, os.path.normpath(f"{self.shown_folder or '.'}/{named}")
        message = "is not among the files here; fetch it and name the copy, or remove the line"
        findings.lost.append(self.manifest.problem(loc, message))
        return None

    def configurations(self) -> Iterator[Path]:
        """Files that are no objects, but tell kustomize about some."""
        for named in self.manifest.entries("configurations"):
            yield (self.manifest.source.file.parent / str(named)).resolve()

    def lost(self) -> Iterator[Problem]:
        """What it does that no team's file can say."""
        for key, value in self.manifest.data.items():
            if key in _NEEDLESS or key in _CARRIED or value in (None, (), {}, ""):
                continue
            yield self.manifest.problem((key,), f"changes what is applied; {_PLAIN}", at_key=True)

    def labels(self) -> Iterator[tuple[Loc, str, Any]]:
        """Labels that it puts on all objects: where it says so, key and value."""
        for key, value in self.manifest.mapping("commonLabels").items():
            yield ("commonLabels", key), key, value
        for index, entry in enumerate(self.manifest.entries("labels")):
            pairs = entry.get("pairs") if isinstance(entry, dict) else None
            for key, value in (pairs if isinstance(pairs, dict) else {}).items():
                yield ("labels", index, "pairs", key), key, value


def kustomization_of(folder: Path) -> Path | None:
    """The folder's kustomization file."""
    files = (folder / name for name in FILES)
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113 (see above)
