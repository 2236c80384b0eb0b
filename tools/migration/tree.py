"""All files under the paths of an import, and what Flux makes of them."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specs.problem import WHOLE_FILE, Problem
from specs.source import Source
from tools.migration.building import Checked, Checker
from tools.migration.documents import Manifest, manifests
from tools.migration.flux import Applied, is_applied
from tools.migration.import_findings import UNREADABLE, Findings
from tools.migration.kustomization import (
    CHART_FILE,
    FILES,
    GROUP,
    Kustomization,
    kustomization_of,
)
from tools.migration.made import Making
from tools.migration.places import same
from tools.migration.repository import repository_of
from tools.migration.substitution import Variables, variables
from tools.migration.tree_files import Files

_SUFFIXES = (".yaml", ".yml")

# Distinguishes a Flux Kustomization from others: its file, namespace and name.
_Key = tuple[Path, str, str]


@dataclass
class Tree:
    """The result of reading: `sources` are all documents.

    `objects` are as applied; `loose` are documents that are not objects: values files.
    """

    sources: list[Source] = field(default_factory=list)
    objects: list[Manifest] = field(default_factory=list)
    # Sources of objects.
    kustomizations: dict[Path, Kustomization] = field(default_factory=dict)
    loose: dict[Path, Source] = field(default_factory=dict)
    # ConfigMaps from which Flux takes variables.
    variables: list[Manifest] = field(default_factory=list)
    # Findings about a team whose objects are created several times, with differences.
    torn: dict[str, Problem] = field(default_factory=dict)

    @staticmethod
    def namespace(manifest: Manifest) -> str | None:
        """The namespace that the object names."""
        own = manifest.get("metadata", "namespace")
        return own if isinstance(own, str) else None


def read_tree(paths: Sequence[str], findings: Findings) -> Tree:
    """Read the files; raise ValueError, a message for the user, for a path that does not exist.

    Raises UserError if there is something to build and kustomize is not available.
    """
    for path in paths:
        if not os.path.exists(path):  # noqa: PTH110 (Path's own raises where it may not look)
            raise ValueError(f"{path}: no such file or folder; check the path")
    found: dict[Path, str] = {}
    for path in paths:
        for file, shown in _files(Path(path), path, findings):
            # A kustomization reached through a link is looked for at the link.
            at = file.parent.resolve() / file.name if file.name in FILES else file.resolve()
            found.setdefault(at, shown)
    return _Reader(found, findings).read()


class _Reader:
    """Reads `found`, files by resolved path, with their names in messages."""

    def __init__(self, found: Mapping[Path, str], findings: Findings) -> None:
        self._found, self._findings = found, findings
        # Each folder of these files, with the first file in it or below.
        self._folders: dict[Path, Path] = {}
        for file in found:
            for folder in file.parents:
                self._folders.setdefault(folder, file)
        self._files = Files(findings)
        self._tree = Tree()
        # Files and folders that are read as part of something else: none is imported by itself.
        self._taken: set[Path] = set()
        self._kustomizations: dict[Path, Kustomization] = {}
        self._made: dict[tuple[str, ...], tuple[Manifest, Making]] = {}
        # By file and path, the result of `_folder`.
        self._applied_folders: dict[tuple[Path, str], Path | None] = {}

    def read(self) -> Tree:
        """Build what must be built, and take all other objects unchanged."""
        applied = {each.key: each for each in self._applied()}
        tops = [*self._tops(applied.values())]
        # What creates Flux Kustomizations goes first: it may change them.
        carriers = [top for top in tops if {key[0] for key in applied} & self._check(top).files]
        for top in carriers:
            self._build(top, None, applied)
        waiting = list(applied)
        # How many of those are in or below a folder.
        below: Counter[Path | None] = Counter(at for file, _, _ in waiting for at in file.parents)
        while waiting:
            # And among those, what applies others goes first, for the same reason.
            key = max(waiting, key=lambda key: below[self._folder(applied[key])])
            waiting.remove(key)
            below.subtract(key[0].parents)
            if folder := self._folder(applied[key]):
                self._build(folder, applied[key], applied)
            else:
                path = applied[key].manifest.get("spec", "path") or "./"
                message = f"'{path}' is not in the files; nothing of it is imported"
                self._findings.note(applied[key].manifest.problem(("spec", "path"), message))
        for top in tops:
            if top not in carriers:
                self._build(top, None, applied)
        self._take_others()
        self._tree.objects[:0] = (manifest for manifest, _ in self._made.values())
        return self._tree

    def _applied(self) -> Iterator[Applied]:
        for file, shown in self._found.items():
            for source in self._files.read(file, shown):
                yield from map(Applied, filter(is_applied, manifests(source, Findings())))

    def _folder(self, applied: Applied) -> Path | None:
        """The folder that the Kustomization applies, if it is among the files here."""
        manifest = applied.manifest
        at = manifest.source.file, str(manifest.get("spec", "path"))
        if at not in self._applied_folders:
            folder = applied.folder()
            self._applied_folders[at] = folder if folder in self._folders else None
        return self._applied_folders[at]

    def _tops(self, all_applied: Iterable[Applied]) -> Iterator[Path]:
        """Folders with a kustomization that no other one names, and that Flux's do not apply."""
        applied: list[Path] = []
        added: set[Path] = set()  # components that those of Flux name
        for each in all_applied:
            if at := self._folder(each):
                applied.append(at)
                names = [reference.named for reference in each.references()]
                added |= {Path(os.path.normpath(at / name)) for name in names}
        folders = [file.parent for file in self._found if kustomization_of(file.parent) == file]
        checked = {folder: self._check(folder) for folder in folders}
        inner = {
            each.folder
            for folder in folders
            for each in checked[folder].kustomizations.values()
            if each.folder != folder
        }
        for folder in folders:
            top = checked[folder].top
            if folder in inner | added or any(_applies(at, folder) for at in applied):
                continue
            if top and top.is_component:
                message = "is a component that nothing here uses; it is left out"
                self._findings.note(top.manifest.problem((), message))
                self._taken |= checked[folder].files
            else:
                yield folder

    def _check(self, folder: Path, findings: Findings | None = None) -> Checked:
        checker = Checker(self._files.read, repository_of(folder), findings or Findings())
        return checker.check(folder, self._shown(folder))

    def _shown(self, folder: Path) -> str:
        """A folder's name in messages, in the form of its files' names."""
        file = self._folders.get(folder)
        if file is None:
            return str(folder)
        return os.path.normpath(f"{self._found[file]}/{os.path.relpath(folder, file)}")

    def _build(self, folder: Path, applied: Applied | None, others: dict[_Key, Applied]) -> None:
        checker = Checker(self._files.read, repository_of(folder), self._findings)
        checked = checker.check(folder, self._shown(folder))
        filled = Variables()
        if applied:
            for reference in applied.references():
                checker.add(checked, applied.manifest, reference)
            filled = self._variables(applied.manifest)
        self._taken |= checked.files | checked.refused
        self._kustomizations |= checked.kustomizations
        making = Making(checked, applied, filled, self._files)
        made = making.objects(self._findings)
        if self._is_superseded(made, making):
            return
        if made:
            self._tree.kustomizations |= checked.kustomizations
        for manifest in made:
            self._add(manifest, making)
            if is_applied(manifest) and (each := Applied(manifest)).key in others:
                others[each.key] = each
        for file, shown in checked.resources.items():
            self._tree.sources += self._files.read(file, shown)

    def _is_superseded(self, made: Sequence[Manifest], making: Making) -> bool:
        """Whether Flux Kustomizations here create some of it differently: then theirs count."""
        if making.applied:
            return False
        for manifest in made:
            earlier, by = self._made.get(_identity(manifest), (None, None))
            if earlier and by and by.applied and not same(earlier.data, manifest.data):
                message = (
                    f"no Kustomization of Flux here applies it, and {by.title} creates "
                    f"{manifest.title} differently; it is left out"
                )
                self._findings.note(making.problem(message))
                return True
        return False

    def _add(self, manifest: Manifest, making: Making) -> None:
        earlier, by = self._made.setdefault(_identity(manifest), (manifest, making))
        if same(earlier.data, manifest.data):
            return
        is_namespace = manifest.kind == "Namespace" and not manifest.group
        team = manifest.name if is_namespace else self._tree.namespace(manifest)
        message = (
            f"{by.title} creates {manifest.title} of '{team}' differently; import only one of the "
            "two"
        )
        self._tree.torn.setdefault(str(team), making.problem(message))

    def _variables(self, applied: Manifest) -> Variables:
        """The variables of a Flux Kustomization."""
        sources: list[tuple[str, Mapping[str, Any] | None]] = []
        for reference in applied.entries("spec", "postBuild", "substituteFrom"):
            if not isinstance(reference, dict):
                continue
            kind, name = str(reference.get("kind")), str(reference.get("name"))
            held = self._config_map(name, applied) if kind == "ConfigMap" else None
            if held:
                self._tree.variables.append(held)
            sources.append((f"{kind} '{name}'", held.mapping("data") if held else None))
        return variables(applied.mapping("spec", "postBuild", "substitute"), sources)

    def _config_map(self, name: str, applied: Manifest) -> Manifest | None:
        made = [manifest for manifest, _ in self._made.values()]
        read = (
            manifest
            for file, shown in self._found.items()
            for source in self._files.read(file, shown)
            for manifest in manifests(source, Findings())
        )
        namespace = self._tree.namespace(applied)
        for each in (*made, *read):
            is_one = (each.kind, each.group, each.name) == ("ConfigMap", "", name)
            if is_one and self._tree.namespace(each) in (namespace, None):
                return each
        return None

    def _take_others(self) -> None:
        """Add objects of files that nothing builds, and values files."""
        for file, shown in self._found.items():
            if not self._taken.isdisjoint((file, *file.parents)):
                continue
            for source in self._files.use(file, shown):
                self._tree.sources.append(source)
                self._take(source)

    def _take(self, source: Source) -> None:
        group = str(source.data.get("apiVersion")).partition("/")[0]
        above = next(self._above(source.file.resolve()), None)
        if group == GROUP:
            message = f"kustomize does not read a file of this name; rename it to {FILES[0]}"
            self._findings.lost.append(source.problem((), message))
            return
        found = manifests(source, self._findings)
        if not found and "kind" not in source.data:
            self._tree.loose[source.file.resolve()] = source
        elif not found:
            message = "is not an object; add apiVersion and kind"
            self._findings.lost.append(source.problem((), message))
        else:
            others = [each for each in found if not (above and self._is_made(each))]
            for each in found:
                if each not in others:
                    message = (
                        f"{above} does not name this file, but creates the same object; it is left "
                        "out"
                    )
                    self._findings.note(each.problem((), message))
            self._tree.objects += others
            if above and others:
                message = f"{above} does not name this file; it is imported anyway"
                self._findings.note(Problem(source.shown, 1, 1, WHOLE_FILE, message))

    def _is_made(self, manifest: Manifest) -> bool:
        """Whether it is already built; a patch that nothing names may not name its namespace."""
        kind = manifest.group, manifest.kind
        namespace = self._tree.namespace(manifest)
        return any(
            (made.group, made.kind) == kind
            and manifest.name in (made.name, _name_before(made))
            and namespace in (None, self._tree.namespace(made))
            for made, _ in self._made.values()
        )

    def _above(self, file: Path) -> Iterator[str]:
        """The kustomizations of the file's folder and its parents, nearest first."""
        for folder in file.parents:
            found = kustomization_of(folder)
            if found and found in self._kustomizations:
                yield self._kustomizations[found].manifest.source.shown


def _identity(manifest: Manifest) -> tuple[str, ...]:
    namespace = str(manifest.get("metadata", "namespace"))
    return manifest.group, manifest.kind, namespace, manifest.name


def _name_before(made: Manifest) -> str:
    """The name in the object's own file, without a prefix."""
    return Manifest(made.source, (), made.original).name if isinstance(made.original, dict) else ""


def _applies(at: Path, folder: Path) -> bool:
    """Whether Flux applies what is in `folder` when it applies the folder `at`."""
    return at == folder or (not kustomization_of(at) and folder.is_relative_to(at))


def _files(
    root: Path, shown: str, findings: Findings, seen: set[Path] | None = None
) -> Iterator[tuple[Path, str]]:
    """A file, or those of a folder; and the name of each in messages.

    Links to folders are followed, but to no folder twice: that would be a circle.
    """
    seen = set() if seen is None else seen
    try:
        if not root.is_dir():
            yield root, shown
            return
        if (resolved := root.resolve()) in seen or (root / CHART_FILE).is_file():
            return  # a chart's files are not objects yet: releases determine what they become
        seen.add(resolved)
        inside = [
            (path, path.is_dir())
            for path in sorted(root.iterdir())
            if not path.name.startswith(".")
        ]
    except PermissionError:
        findings.lost.append(Problem(shown, 1, 1, WHOLE_FILE, UNREADABLE))
        return
    for path, is_folder in inside:
        below = os.path.normpath(f"{shown}/{path.name}")
        if is_folder:
            yield from _files(path, below, findings, seen)
        elif path.is_file() and (path.suffix in _SUFFIXES or path.name in FILES):
            yield path, below
