"""What kustomizations, and Flux's own, change in objects, so that messages can point to it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specs.problem import Loc
from specs.source import Source
from tools.migration.documents import Manifest, inner_document
from tools.migration.kustomization import Kustomization
from tools.migration.places import Overwrite

_OPERATIONS = "operations"


@dataclass(frozen=True)
class Patch:
    """A change to objects: of one kind or all, of one name or any that a target selects."""

    change: Overwrite
    kind: str | None = None
    name: str | None = None

    def fits(self, kind: str, names: Sequence[str]) -> bool:
        """Whether it may have changed an object of the kind, which had or has the names."""
        return self.kind in (None, kind) and (self.name is None or self.name in names)


def patches_of(
    kustomization: Kustomization, read: Callable[[Path, str], Sequence[Source]]
) -> Iterator[Patch]:
    """A kustomization's changes, in the order in which they apply."""
    home = kustomization.manifest

    def of_path(loc: Loc, named: Any, is_targeted: bool) -> Iterator[Patch]:
        path = kustomization.folder / str(named)
        shown = kustomization.shown(path)
        if (operations := _operations(_text(path))) is not None:
            yield from _json_patches(home.source, loc, operations)
            return
        for source in read(path, shown):
            yield from _merge_patch(source, source.data, is_targeted)

    for index, patch in enumerate(home.entries("patchesStrategicMerge")):
        loc: Loc = ("patchesStrategicMerge", index)
        if "\n" in str(patch) or str(patch).startswith("{"):
            yield from inline_patch(home, loc, str(patch), is_targeted=False)
        else:
            yield from of_path(loc, patch, is_targeted=False)
    for key in ("patchesJson6902", "patches"):
        for index, entry in enumerate(home.entries(key)):
            if not isinstance(entry, dict):
                continue
            if "path" in entry:
                yield from of_path((key, index, "path"), entry["path"], "target" in entry)
            elif "patch" in entry:
                at: Loc = (key, index, "patch")
                yield from inline_patch(home, at, str(entry["patch"]), "target" in entry)
    namespace = home.get("namespace")
    if namespace is not None:
        change = Overwrite(home.source, ("namespace",), ("metadata", "namespace"), namespace)
        yield Patch(change)
    for loc, key, value in kustomization.labels():
        yield Patch(Overwrite(home.source, loc, ("metadata", "labels", key), str(value)))
    yield from common_metadata(home, ("commonAnnotations",), "annotations")


def common_metadata(home: Manifest, at: Loc, what: str) -> Iterator[Patch]:
    """Labels or annotations at `at` that all objects get."""
    for key, value in home.mapping(*map(str, at)).items():
        yield Patch(
            Overwrite(home.source, (*home.at, *at, key), ("metadata", what, key), str(value))
        )


def inline_patch(home: Manifest, loc: Loc, text: str, is_targeted: bool) -> Iterator[Patch]:
    """A patch that is a text at `loc` of the object that applies it."""
    if (operations := _operations(text)) is not None:
        yield from _json_patches(*home.place(loc), operations)
        return
    source = inner_document(home, loc, text)
    if not source.problems:
        yield from _merge_patch(source, source.data, is_targeted)


def _merge_patch(source: Source, data: Any, is_targeted: bool) -> Iterator[Patch]:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    change = Overwrite(source, (), (), data)
    yield Patch(change) if is_targeted else Patch(change, str(data.get("kind")), str(name))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _operations(text: str) -> tuple[Any, ...] | None:
    """The operations of a JSON patch, in YAML or JSON; None if the text is not one."""
    source = Source(Path(), "", text=f"{_OPERATIONS}:\n{text.removeprefix('---')}")
    found = source.data.get(_OPERATIONS) if source.data and not source.problems else None
    return found if isinstance(found, tuple) else None


def _json_patches(source: Source, at: Loc, operations: tuple[Any, ...]) -> Iterator[Patch]:
    for operation in operations:
        if isinstance(operation, dict) and "value" in operation:
            under, data = _steps(str(operation.get("path"))), operation["value"]
            if under and (isinstance(under[-1], int) or under[-1] == "-"):
                under, data = under[:-1], (data,)
            yield Patch(Overwrite(source, at, under, data, is_structured=False))


def _steps(pointer: str) -> Loc:
    steps = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    return tuple(int(step) if step.isdecimal() else step for step in steps)
