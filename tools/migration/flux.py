"""A Flux Kustomization: the folder that it applies, and its changes to the objects there."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specs.problem import Loc
from tools.migration.building import plain
from tools.migration.documents import Manifest
from tools.migration.kustomization import Reference
from tools.migration.kustomize_changes import Patch, common_metadata, inline_patch
from tools.migration.places import Overwrite
from tools.migration.repository import ancestors, is_repository

_GROUP = "kustomize.toolkit.fluxcd.io"

# Its additions to the kustomization that it applies, which has the same keys.
_LISTS = ("patches", "patchesStrategicMerge", "patchesJson6902", "components")

# Its other keys: when and by whom it is applied, and what is read elsewhere.
KNOWN = {
    "path", "sourceRef", "interval", "retryInterval", "timeout", "prune", "wait", "force",
    "dependsOn", "healthChecks", "healthCheckExprs", "serviceAccountName", "decryption",
    "deletionPolicy", "targetNamespace", "namePrefix", "nameSuffix", "images", "postBuild",
    "commonMetadata", "ignoreMissingComponents", *_LISTS,
}  # fmt: skip


@dataclass(frozen=True)
class Applied:
    """A Flux Kustomization."""

    manifest: Manifest

    @property
    def key(self) -> tuple[Path, str, str]:
        """Distinguishes it from others: its file, namespace and name."""
        file = self.manifest.source.file.resolve()
        return file, str(self.manifest.get("metadata", "namespace")), self.manifest.name

    def folder(self) -> Path | None:
        """The folder that it applies, resolved; None if that is not here.

        `path` is relative to the root of the repository. A copy of a tree is not a repository:
        there, the nearest parent folder with such a path counts.
        """
        named = str(self.manifest.get("spec", "path") or ".").lstrip("/")
        above = ancestors(self.manifest.source.file.resolve())
        if not is_repository(above[0]) and named in (".", "./"):
            return None
        for root in above:
            folder = Path(os.path.normpath(root / named))
            is_here = os.path.isdir(folder)  # noqa: PTH112 (Path's own raises for long names)
            if is_here and folder.is_relative_to(root):
                return folder
        return None

    def edit(self, data: dict[str, Any]) -> None:
        """Change a kustomization as Flux does before it builds it."""
        spec = plain(self.manifest.mapping("spec"))
        for key, into in (
            ("targetNamespace", "namespace"),
            ("namePrefix", "namePrefix"),
            ("nameSuffix", "nameSuffix"),
        ):
            if spec.get(key):
                data[into] = spec[key]
        for key in _LISTS:
            if spec.get(key):
                data[key] = [*_listed(data, key), *map(_as_text, _listed(spec, key))]
        images = {str(image.get("name")): image for image in _mappings(data, "images")}
        for image in _mappings(spec, "images"):
            name = str(image.get("name"))
            images[name] = _merged_image(images.get(name, {}), image)
        if images:
            data["images"] = list(images.values())

    def references(self) -> Iterator[Reference]:
        """The folders of components that it adds, relative to the folder that it applies."""
        for index, named in enumerate(self.manifest.entries("spec", "components")):
            yield Reference(("spec", "components", index), str(named), "folder")

    def patches(self) -> Iterator[Patch]:
        """Its changes, in the order in which it applies them."""
        home = self.manifest
        for index, patch in enumerate(home.entries("spec", "patches")):
            if isinstance(patch, dict) and "patch" in patch:
                loc: Loc = ("spec", "patches", index, "patch")
                yield from inline_patch(home, loc, str(patch["patch"]), "target" in patch)
        namespace = home.get("spec", "targetNamespace")
        if namespace is not None:
            source, at = home.place(("spec", "targetNamespace"))
            yield Patch(Overwrite(source, at, ("metadata", "namespace"), namespace))
        for what in ("labels", "annotations"):
            yield from common_metadata(home, ("spec", "commonMetadata", what), what)

    def add_metadata(self, data: dict[str, Any]) -> None:
        """Set the labels and annotations that it gives to every object."""
        for what in ("labels", "annotations"):
            if common := self.manifest.mapping("spec", "commonMetadata", what):
                metadata = data.setdefault("metadata", {})
                there = metadata.get(what)
                metadata[what] = {**(there if isinstance(there, dict) else {}), **common}


def is_applied(manifest: Manifest) -> bool:
    """Whether the object is a Flux Kustomization."""
    return manifest.group == _GROUP and manifest.kind == "Kustomization"


def _listed(data: dict[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _mappings(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [each for each in _listed(data, key) if isinstance(each, dict)]


def _as_text(patch: Any) -> Any:
    """A patch as kustomize reads it: a text, although Flux's first versions had the object."""
    if isinstance(patch, dict) and "kind" in patch:
        return json.dumps(patch)
    if isinstance(patch, dict) and isinstance(patch.get("patch"), list):
        return {**patch, "patch": json.dumps(patch["patch"])}
    return patch


def _merged_image(there: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """New tag and digest belong together: setting one of them alone removes the other."""
    merged = {**there, **{key: value for key, value in image.items() if value}}
    if image.get("newTag") or image.get("digest"):
        merged |= {key: image.get(key, "") for key in ("newTag", "digest")}
    return {key: value for key, value in merged.items() if value}
