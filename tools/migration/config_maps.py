"""The ConfigMaps that releases take values from: manifests, generated ones, files beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from specs.labels import DASHBOARD_LABEL
from specs.problem import Loc, Problem
from specs.source import Source
from tools.migration.documents import Manifest, inner_document
from tools.migration.import_findings import ACCEPT
from tools.migration.kustomization import Kustomization, generator_file
from tools.migration.tree import Tree

VALUES_KEY = "values.yaml"
_VALUES_FILES = ("values.yaml", "values.yml")


@dataclass(frozen=True)
class ValuesEntry:
    """The content of a ConfigMap under one key: a text in an object, or a separate file."""

    manifest: Manifest
    at: Loc
    text: str = ""
    file: Path | None = None
    shown: str = ""

    def document(self) -> Source:
        """The YAML document in it."""
        if self.file:
            return Source(self.file, self.shown, "app")
        return inner_document(self.manifest, self.at, self.text)


@dataclass
class ConfigMap:
    """A ConfigMap; `if_unused` is reported if no release uses it, `used` are the keys in use."""

    name: str
    namespace: str | None
    entries: dict[str, ValuesEntry]
    if_unused: Problem
    generator: str = ""
    used: set[str] = field(default_factory=set)


@dataclass
class ConfigMaps:
    """All of them, and the values files that belong to none of them."""

    maps: list[ConfigMap] = field(default_factory=list)
    loose: dict[Path, Source] = field(default_factory=dict)

    def find(self, name: str, namespace: str | None) -> ConfigMap | None:
        """The one that a release in `namespace` refers to."""
        for each in self.maps:
            if each.name == name and (not namespace or each.namespace in (namespace, None)):
                return each
        return None

    def find_generated(self, name: str, namespace: str | None) -> ConfigMap | None:
        """The one that a generator with this name creates, under a name with a hash."""
        return next(
            (
                each
                for each in self.maps
                if each.generator == name and (not namespace or each.namespace in (namespace, None))
            ),
            None,
        )

    def values_beside(self, release: Manifest) -> Source | None:
        """The values file in the release's folder, if no ConfigMap holds it."""
        folder = release.source.file.resolve().parent
        return next(
            (self.loose[at] for n in _VALUES_FILES if (at := folder / n) in self.loose), None
        )

    def unused(self) -> Iterator[Problem]:
        """ConfigMaps from which no release takes its values."""
        for each in self.maps:
            if not each.used:
                yield each.if_unused
                continue
            for key in each.entries.keys() - each.used:
                entry = each.entries[key]
                message = (
                    f"no release reads values from the key '{key}'; write them under `app.env` or "
                    "`app.files`"
                )
                yield entry.manifest.problem(entry.at, message)
        for source in self.loose.values():
            message = f"is neither an object nor a source of a release's values; {ACCEPT}"
            yield source.problem((), message)


def read_config_maps(tree: Tree) -> ConfigMaps:
    """The ConfigMaps of the tree."""
    found = ConfigMaps(loose=dict(tree.loose))
    for manifest in tree.objects:
        if manifest.kind == "ConfigMap" and not manifest.group:
            config_map = _config_map(manifest, tree.namespace(manifest))
            if any(manifest.data is each.data for each in tree.variables):
                config_map.used |= config_map.entries.keys()
            found.maps.append(config_map)
    return found


def _config_map(manifest: Manifest, namespace: str | None) -> ConfigMap:
    entries = {
        key: _generated(manifest, key, str(text)) or ValuesEntry(manifest, (place, key), str(text))
        for place in ("binaryData", "data")
        for key, text in manifest.mapping(place).items()
    }
    is_made = manifest.at[:1] == ("configMapGenerator",)
    unused = manifest.problem(("name",) if is_made else ("kind",), "")
    if DASHBOARD_LABEL in manifest.mapping("metadata", "labels"):
        message = f"{manifest.title} is a dashboard; the team and each app get one of their own"
    else:
        use = "write its values under `app.env` or `app.files`"
        message = f"{manifest.title} is used by no release; {use}"
    generator = str(manifest.original.get("name")) if is_made else ""
    return ConfigMap(manifest.name, namespace, entries, replace(unused, message=message), generator)


def _generated(manifest: Manifest, key: str, text: str) -> ValuesEntry | None:
    """An entry that a kustomization generates from a file, which has the comments."""
    kustomization = Kustomization(Manifest(manifest.source, (), manifest.source.data))
    generator = manifest.original
    if manifest.at[:1] != ("configMapGenerator",) or not isinstance(generator, dict):
        return None
    for number, named in enumerate(generator.get("files") or ()):
        name, path = generator_file(named)
        file = kustomization.folder / path
        if name == key and file.is_file() and file.read_text(errors="replace") == text:
            home, loc = kustomization.manifest, (*manifest.at, "files", number)
            return ValuesEntry(home, loc, text, file, kustomization.shown(file.resolve()))
    return None
