"""The ConfigMaps that releases take values from: manifests, generated ones, files beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from migration.documents import Manifest, inner_document
from migration.findings import Findings
from migration.kustomization import Kustomization
from migration.tree import Tree
from specs.problem import Loc, Problem
from specs.source import Source

VALUES_KEY = "values.yaml"
_VALUES_FILES = ("values.yaml", "values.yml")


@dataclass(frozen=True)
class Entry:
    """What a ConfigMap holds under one key: a text in an object, or a file of its own."""

    manifest: Manifest
    at: Loc
    text: str = ""
    file: Path | None = None
    shown: str = ""

    def document(self) -> Source:
        """The YAML document that it holds."""
        if self.file:
            return Source(self.file, self.shown, "app")
        return inner_document(self.manifest, self.at, self.text)


@dataclass
class ConfigMap:
    """A ConfigMap; `told` says that no release uses it, `used` are the keys that one does."""

    name: str
    namespace: str | None
    entries: dict[str, Entry]
    told: Problem
    used: set[str] = field(default_factory=set)


@dataclass
class ConfigMaps:
    """All of them, and the values files that none of them holds."""

    maps: list[ConfigMap] = field(default_factory=list)
    loose: dict[Path, Source] = field(default_factory=dict)

    def find(self, name: str, namespace: str | None) -> ConfigMap | None:
        """The one that a release in `namespace` means."""
        for each in self.maps:
            if each.name == name and (not namespace or each.namespace in (namespace, None)):
                return each
        return None

    def values_beside(self, release: Manifest) -> Source | None:
        """The values file in the release's folder, if no ConfigMap holds it."""
        folder = release.source.file.resolve().parent
        return next(
            (self.loose[at] for n in _VALUES_FILES if (at := folder / n) in self.loose), None
        )

    def unused(self) -> Iterator[Problem]:
        """What no release takes its values from."""
        for each in self.maps:
            if not each.used:
                yield each.told
                continue
            for key in each.entries.keys() - each.used:
                entry = each.entries[key]
                message = (
                    f"no release takes values from the key '{key}'; write them under `app.env`"
                )
                yield entry.manifest.problem(entry.at, message)
        for source in self.loose.values():
            message = "is neither an object nor what a release takes values from; remove the file"
            yield source.problem((), message)


def read_config_maps(tree: Tree, findings: Findings) -> ConfigMaps:
    """The ConfigMaps of the tree."""
    found = ConfigMaps(loose=dict(tree.loose))
    for manifest in tree.objects:
        if manifest.kind == "ConfigMap" and not manifest.group:
            found.maps.append(_written(manifest, tree.namespace(manifest)))
    for kustomization in tree.kustomizations.values():
        for index in range(len(kustomization.manifest.entries("configMapGenerator"))):
            made = _generated(tree, kustomization, index, findings)
            if made:
                found.maps.append(made)
    held = {e.file.resolve() for each in found.maps for e in each.entries.values() if e.file}
    found.loose = {file: source for file, source in found.loose.items() if file not in held}
    return found


def _written(manifest: Manifest, namespace: str | None) -> ConfigMap:
    entries = {
        key: Entry(manifest, (place, key), str(text))
        for place in ("binaryData", "data")
        for key, text in manifest.mapping(place).items()
    }
    message = f"{manifest.title} gives no release its values; write them under `app.env`"
    return ConfigMap(manifest.name, namespace, entries, manifest.problem(("kind",), message))


def _generated(
    tree: Tree, kustomization: Kustomization, index: int, findings: Findings
) -> ConfigMap | None:
    manifest, at = kustomization.manifest, ("configMapGenerator", index)
    generator = manifest.entries("configMapGenerator")[index]
    if not isinstance(generator, dict):
        findings.lost.append(manifest.problem(at, "is no generator; give it a name and files"))
        return None
    name = str(generator.get("name") or "")
    for key in generator.keys() - {"name", "namespace", "files", "literals", "options"}:
        message = "changes the ConfigMap; write it into the values"
        findings.lost.append(manifest.problem((*at, key), message, at_key=True))
    entries: dict[str, Entry] = {}
    for number, named in enumerate(generator.get("files") or ()):
        loc: Loc = (*at, "files", number)
        key, equals, path = str(named).partition("=")
        held = kustomization.path(loc, path if equals else key, findings)
        if held and held[0].is_file():
            file, shown = held
            entries[key if equals else file.name] = Entry(manifest, loc, file=file, shown=shown)
    for number, literal in enumerate(generator.get("literals") or ()):
        key, _, text = str(literal).partition("=")
        entries[key] = Entry(manifest, (*at, "literals", number), text)
    message = f"ConfigMap '{name}' gives no release its values; write them under `app.env`"
    namespace = tree.given_namespace(kustomization.file) or kustomization.namespace
    namespace = namespace or generator.get("namespace")
    return ConfigMap(
        name,
        namespace if isinstance(namespace, str) else None,
        entries,
        manifest.problem((*at, "name"), message),
    )
