"""The objects that a kustomization creates, each with its origin in the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from specs.problem import WHOLE_FILE, Loc, Problem
from specs.source import Loader, Source
from tools.migration.building import (
    ORIGIN,
    BuildError,
    Checked,
    build,
)
from tools.migration.documents import (
    SOPS,
    Manifest,
    manifests,
    split,
)
from tools.migration.flux import Applied
from tools.migration.import_findings import Findings, is_substituted, texts
from tools.migration.kustomization import Kustomization
from tools.migration.kustomize_changes import Patch, patches_of
from tools.migration.places import in_order_of, same
from tools.migration.substitution import SubstitutionError, Variables
from tools.migration.tree_files import Files


@dataclass(frozen=True)
class Making:
    """A kustomization to build; `applied` and `variables` are those of the Flux one, if any."""

    checked: Checked
    applied: Applied | None
    variables: Variables
    files: Files

    def problem(self, message: str) -> Problem:
        """A problem with it as a whole."""
        if self.applied:
            return self.applied.manifest.problem(("spec", "path"), message)
        top = self.checked.top
        shown = top.manifest.source.shown if top else self.checked.shown
        return Problem(shown, 1, 1, WHOLE_FILE, message)

    @property
    def title(self) -> str:
        """Its name in messages."""
        place = self.problem("")
        return f"{place.file}:{place.line}" if self.applied else place.file

    def objects(self, findings: Findings) -> list[Manifest]:
        """The objects; none if it cannot be built, which is then among the findings."""
        lost_before = len(findings.lost)
        for file, shown in self.checked.resources.items():
            self.files.use(file, shown)
        if not self.checked.is_sound:
            message = "is left out entirely: it needs something that was refused"
            findings.note(self.problem(message))
            return []
        try:
            text = build(self.checked, self.applied.edit if self.applied else _unchanged)
        except BuildError as error:
            if len(findings.lost) == lost_before:
                message = f"kustomize cannot build it: {error}; fix it"
                findings.lost.append(self.problem(message))
            return []
        patches = self._patches()
        made = (self._object(part, patches, findings) for part in split(text) if part.strip())
        return [manifest for manifest in made if manifest]

    def _patches(self) -> list[Patch]:
        """Everything that changes objects, the last change first."""
        kustomizations = list(self.checked.kustomizations.values())
        found = [*(self.applied.patches() if self.applied else ())][::-1]
        for kustomization in kustomizations:  # the outer ones come first
            found += [*patches_of(kustomization, self.files.read)][::-1]
        return found

    def _object(self, text: str, patches: Sequence[Patch], findings: Findings) -> Manifest | None:
        made = Source(Path(), "", text=text)
        if not isinstance(made.data, dict):
            findings.lost.append(self.problem("outputs an object that cannot be read; fix it"))
            return None
        data, origin = _without_origin(made.data)
        if isinstance(data.get(SOPS), dict):
            return None  # reported where it is read
        source, at = self._original(data, origin)
        manifest = Manifest(source, at, data)
        if self.variables and manifest.substituted:
            try:
                filled = Source(Path(), "", text=self.variables.fill_in(text))
            except SubstitutionError as error:
                findings.lost.append(_at_variable(manifest, str(error)))
                return None
            if filled.problems:
                message = "is not YAML after Flux substitutes ${...}; write the values in use"
                findings.lost.append(manifest.problem((), message))
                return None
            data, _ = _without_origin(filled.data)
        if self.applied:
            self.applied.add_metadata(data)
        original = manifest.original
        is_filled = self.applied is not None
        if same(original, data):
            return Manifest(source, at, original, is_filled=is_filled)
        changes = tuple(
            patch.change
            for patch in patches
            if patch.fits(str(data.get("kind")), [_name(data), _name(original)])
        )
        return Manifest(source, at, in_order_of(original, data), changes, is_filled)

    def _original(self, data: Mapping[str, Any], origin: Mapping[str, Any]) -> tuple[Source, Loc]:
        """The origin of this object."""
        if path := origin.get("path"):
            file = (self.checked.folder / str(path)).resolve()
            found = [
                manifest
                for source in self.files.read(file, self.checked.resources.get(file, str(path)))
                for manifest in manifests(source, Findings())
            ]
            if found:
                best = max(found, key=lambda each: _likeness(each, data))
                return best.source, best.at
        configured = (self.checked.folder / str(origin.get("configuredIn") or "")).resolve()
        kustomization = self.checked.kustomizations.get(configured) or self.checked.top
        if kustomization is None:
            assert self.applied  # only Flux generates a kustomization where there is none
            return self.applied.manifest.source, self.applied.manifest.at
        return kustomization.manifest.source, _generator(kustomization, _name(data))


def _unchanged(data: dict[str, Any]) -> None:
    """Flux is not involved."""


def _without_origin(data: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The object without the annotation about its origin, and that annotation."""
    metadata = dict(data.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    origin = yaml.load(annotations.pop(ORIGIN, ""), Loader=Loader) or {}
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    return {**data, "metadata": metadata}, origin


def _likeness(manifest: Manifest, data: Mapping[str, Any]) -> tuple[bool, ...]:
    made = Manifest(manifest.source, (), data)
    return (
        (manifest.kind, manifest.group) == (made.kind, made.group),
        manifest.name == made.name,
        manifest.get("metadata", "namespace") == made.get("metadata", "namespace"),
        bool(manifest.name) and manifest.name in made.name,
    )


def _generator(kustomization: Kustomization, name: str) -> Loc:
    """The generator of the ConfigMap, whose name now has a prefix, a suffix and a hash."""
    named = [
        (len(str(entry.get("name"))), index)
        for index, entry in enumerate(kustomization.manifest.entries("configMapGenerator"))
        if isinstance(entry, dict) and str(entry.get("name")) in name
    ]
    return ("configMapGenerator", max(named)[1]) if named else ()


def _name(data: Any) -> str:
    metadata = data.get("metadata") if isinstance(data, Mapping) else None
    return str(metadata.get("name")) if isinstance(metadata, Mapping) else ""


def _at_variable(manifest: Manifest, message: str) -> Problem:
    """A problem at the object's first `${...}`."""
    found = (loc for loc, data in texts(dict(manifest.data)) if is_substituted(data))
    return manifest.problem(next(found, ()), message)
