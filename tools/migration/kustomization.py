"""A kustomization: what it names, and which parts of it are not built."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from specs.problem import Finding, Loc
from tools.migration.documents import Manifest

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART_FILE = "Chart.yaml"
GROUP = "kustomize.config.k8s.io"

_COMPONENT = "Component"

# What kustomize would download: a URL, or something that it treats as a Git repository's address.
_REMOTE = re.compile(
    r"[A-Za-z0-9+.-]+://|git::|git@|gh:|[\w.-]+@[\w.-]+:|(www\.)?github\.com[:/]|.*\?(ref|version)=|"
    r".*\.git($|[/?])|.*//.*[?]|.*/_git/",
    re.IGNORECASE,
)

# Keys that add objects that are not created here: the others are the same without them.
_LEFT_OUT = {
    "secretGenerator": "makes Secrets; store their values in OpenBao and name them by secretRef",
    "helmCharts": "renders charts, which an import cannot do; import `helm template`'s output",
    "helmChartInflationGenerator": "renders charts, which an import cannot do; "
    "import `helm template`'s output",
    "helmGlobals": "",
    "generators": "runs plugins, which an import cannot do; import their output",
    "validators": "runs plugins, which an import cannot do; accept that (--partial)",
}
_RUNS_PLUGINS = "runs plugins, which an import cannot do; write their output into the objects"


@dataclass(frozen=True)
class Reference:
    """A file or folder that a kustomization names.

    If one that is `needed` is missing, the objects are not those that run.
    """

    loc: Loc
    named: str
    what: Literal["file", "folder", "either"]
    needed: bool = True


@dataclass(frozen=True)
class Kustomization:
    """One kustomization file."""

    manifest: Manifest

    @property
    def file(self) -> Path:
        """The file, resolved."""
        return self.manifest.source.file.resolve()

    @property
    def folder(self) -> Path:
        """Its folder, resolved."""
        return self.file.parent

    @property
    def is_component(self) -> bool:
        """Whether it is a part that others include, and nothing by itself."""
        return self.manifest.data.get("kind") == _COMPONENT

    def shown(self, path: Path) -> str:
        """The name in messages of a file or folder that it names."""
        folder = os.path.dirname(self.manifest.source.shown) or "."  # noqa: PTH120 (text)
        return os.path.normpath(f"{folder}/{os.path.relpath(path, self.folder)}")

    def references(self) -> Iterator[Reference]:
        """All files and folders that it names."""
        for key in ("resources", "bases"):
            for index, named in enumerate(self.manifest.entries(key)):
                yield Reference((key, index), str(named), "either", needed=False)
        for index, named in enumerate(self.manifest.entries("components")):
            yield Reference(("components", index), str(named), "folder")
        for key in ("patches", "patchesJson6902", "replacements"):
            for index, entry in enumerate(self.manifest.entries(key)):
                if isinstance(entry, dict) and isinstance(path := entry.get("path"), str):
                    yield Reference((key, index, "path"), path, "file")
        for index, patch in enumerate(self.manifest.entries("patchesStrategicMerge")):
            if "\n" not in str(patch) and not str(patch).startswith("{"):
                yield Reference(("patchesStrategicMerge", index), str(patch), "file")
        for key in ("configurations", "crds"):
            for index, named in enumerate(self.manifest.entries(key)):
                yield Reference((key, index), str(named), "file")
        if isinstance(path := self.manifest.get("openapi", "path"), str):
            yield Reference(("openapi", "path"), path, "file")
        yield from self._generator_files()

    def _generator_files(self) -> Iterator[Reference]:
        for index, generator in enumerate(self.manifest.entries("configMapGenerator")):
            if not isinstance(generator, dict):
                continue
            loc: Loc = ("configMapGenerator", index)
            for number, named in enumerate(_listed(generator, "files")):
                yield Reference((*loc, "files", number), generator_file(named)[1], "file")
            for number, named in enumerate(_listed(generator, "envs")):
                yield Reference((*loc, "envs", number), str(named), "file")
            if isinstance(path := generator.get("env"), str):
                yield Reference((*loc, "env"), path, "file")

    def left_out(self) -> Iterator[Finding]:
        """Top-level keys that are left out of the build; a message may be empty."""
        for key, message in _LEFT_OUT.items():
            if self.manifest.data.get(key):
                yield (key,), message

    def refused(self) -> Iterator[Finding]:
        """Keys that it cannot be built without, and that are not supported here."""
        if self.manifest.data.get("transformers"):
            yield ("transformers",), _RUNS_PLUGINS

    def labels(self) -> Iterator[tuple[Loc, str, Any]]:
        """Labels that it puts on all objects: place, key and value."""
        for key, value in self.manifest.mapping("commonLabels").items():
            yield ("commonLabels", key), key, value
        for index, entry in enumerate(self.manifest.entries("labels")):
            pairs = entry.get("pairs") if isinstance(entry, dict) else None
            for key, value in (pairs if isinstance(pairs, dict) else {}).items():
                yield ("labels", index, "pairs", key), key, value


def kustomization_of(folder: Path) -> Path | None:
    """The folder's kustomization file."""
    files = (folder / name for name in FILES)
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113 (see tree)


def is_remote(named: str) -> bool:
    """Whether kustomize would download a reference with this name."""
    return _REMOTE.match(named) is not None


def generator_file(named: Any) -> tuple[str, str]:
    """The key and the path of an entry of `files`."""
    key, equals, path = str(named).partition("=")
    return (key, path) if equals else (Path(key).name, key)


def _listed(generator: dict[str, Any], key: str) -> tuple[Any, ...]:
    found = generator.get(key)
    return found if isinstance(found, tuple) else ()
