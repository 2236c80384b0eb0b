"""All files under the paths that an import is asked for, and those that they name."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from migration.documents import Manifest, documents, manifests
from migration.findings import Findings
from migration.kustomization import FILES, GROUP, Kustomization, kustomization_of
from specs.problem import WHOLE_FILE, Problem
from specs.source import Source

_SUFFIXES = (".yaml", ".yml")


@dataclass
class Tree:
    """What was read: `sources` are all documents.

    They hold objects, or kustomizations, or are neither (`loose`: values files).
    """

    sources: list[Source] = field(default_factory=list)
    objects: list[Manifest] = field(default_factory=list)
    kustomizations: dict[Path, Kustomization] = field(default_factory=dict)
    loose: dict[Path, Source] = field(default_factory=dict)
    # For each file, the kustomizations that name it or its folder.
    named_by: dict[Path, list[Kustomization]] = field(default_factory=dict)

    def namespace(self, manifest: Manifest) -> str | None:
        """Where the object goes: the outermost kustomization's word counts, then its own."""
        own = manifest.get("metadata", "namespace")
        given = self.given_namespace(manifest.source.file.resolve())
        return given or (own if isinstance(own, str) else None)

    def given_namespace(self, file: Path, seen: tuple[Path, ...] = ()) -> str | None:
        """What the kustomizations that name the file make its namespace."""
        for kustomization in self.named_by.get(file, []):
            if kustomization.file in seen:
                continue
            outer = self.given_namespace(kustomization.file, (*seen, kustomization.file))
            if given := outer or kustomization.namespace:
                return given
        return None


def read_tree(paths: Sequence[str], findings: Findings) -> Tree:
    """Reads the files; raises ValueError, a message for the user, for a path that is not there."""
    tree = Tree()
    for path in paths:
        if not os.path.exists(path):  # noqa: PTH110 (Path's own raises where it may not look)
            raise ValueError(f"{path}: there is no such file or folder; check the path")
    waiting = [file for path in paths for file in _files(Path(path), path, findings)]
    done: set[Path] = set()
    while waiting:
        file, shown = waiting.pop(0)
        if (resolved := file.resolve()) in done:
            continue
        done.add(resolved)
        for source in documents(file, shown, findings):
            tree.sources.append(source)
            waiting += _sort_in(tree, source, findings)
    configurations = {
        file for each in tree.kustomizations.values() for file in each.configurations()
    }
    tree.loose = {file: at for file, at in tree.loose.items() if file not in configurations}
    _check_naming(tree, findings)
    return tree


def _files(
    root: Path, shown: str, findings: Findings, seen: set[Path] | None = None
) -> Iterator[tuple[Path, str]]:
    """A file, or those of a folder; and how messages name each.

    Links to folders are followed, but to no folder twice: that would end in a circle.
    """
    seen = set() if seen is None else seen
    try:
        if not root.is_dir():
            yield root, shown
            return
        if (resolved := root.resolve()) in seen:
            return
        seen.add(resolved)
        inside = [
            (path, path.is_dir())
            for path in sorted(root.iterdir())
            if not path.name.startswith(".")
        ]
    except PermissionError:
        message = "the folder cannot be read: no permission; make it readable (chmod +rx)"
        findings.lost.append(Problem(shown, 1, 1, WHOLE_FILE, message))
        return
    for path, is_folder in inside:
        below = os.path.normpath(f"{shown}/{path.name}")
        if is_folder:
            yield from _files(path, below, findings, seen)
        elif path.is_file() and (path.suffix in _SUFFIXES or path.name in FILES):
            yield path, below


def _sort_in(tree: Tree, source: Source, findings: Findings) -> list[tuple[Path, str]]:
    """Puts a document where it belongs; gives the files that it names."""
    group = str(source.data.get("apiVersion")).partition("/")[0]
    if source.file.name in FILES or group == GROUP:
        kustomization = Kustomization(Manifest(source, (), source.data))
        tree.kustomizations[kustomization.file] = kustomization
        findings.lost += kustomization.lost()
        return list(_named(tree, kustomization, findings))
    found = manifests(source, findings)
    tree.objects += found
    if not found and "kind" not in source.data:
        tree.loose[source.file.resolve()] = source
    elif not found:
        message = "is no object; give it apiVersion and kind, or remove it"
        findings.lost.append(source.problem((), message))
    return []


def _named(
    tree: Tree, kustomization: Kustomization, findings: Findings
) -> Iterator[tuple[Path, str]]:
    for loc, named in kustomization.resources():
        found = kustomization.path(loc, named, findings)
        if found is None:
            continue
        path, shown = found
        inner = kustomization_of(path)
        files = [(inner, f"{shown}/{inner.name}")] if inner else _files(path, shown, findings)
        for file, name in files:
            tree.named_by.setdefault(file.resolve(), []).append(kustomization)
            yield file, name


def _check_naming(tree: Tree, findings: Findings) -> None:
    """What several kustomizations give to different namespaces, and what none of them names."""
    for file, kustomizations in sorted(tree.named_by.items()):
        if len({each.namespace for each in kustomizations}) > 1 and file.exists():
            first, second = kustomizations[:2]
            message = (
                f"names what {first.manifest.source.shown} puts into another namespace; import one "
                "of the two at a time"
            )
            findings.lost.append(second.manifest.problem(("resources",), message))
    told: set[Path] = set()
    for manifest in tree.objects:
        file = manifest.source.file.resolve()
        if file in tree.named_by or file in told:
            continue
        told.add(file)
        above = next((tree.kustomizations[at] for at in _above(tree, file)), None)
        if above:
            shown = above.manifest.source.shown
            message = f"{shown} does not name this file; it is imported all the same"
            findings.note(Problem(manifest.source.shown, 1, 1, WHOLE_FILE, message))


def _above(tree: Tree, file: Path) -> Iterator[Path]:
    """The kustomizations of the file's folder and those above, nearest first."""
    for folder in file.parents:
        found = kustomization_of(folder)
        if found and found.resolve() in tree.kustomizations:
            yield found.resolve()
