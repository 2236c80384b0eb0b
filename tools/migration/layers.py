"""The values of a release: Flux's sources for them, and the order in which they are merged."""

import re
from collections.abc import Iterator
from typing import Any

from specs.problem import Loc
from specs.source import Source
from tools.migration.config_maps import VALUES_KEY, ConfigMap, ConfigMaps
from tools.migration.documents import Manifest
from tools.migration.import_findings import Findings
from tools.migration.value import Value, value_at

_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")


def read_layers(
    release: Manifest, namespace: str | None, maps: ConfigMaps, f: Findings
) -> list[Value]:
    """The mappings of values; the last one has precedence.

    Values that a lost mapping may replace are left out: nobody knows what runs.
    """
    layers: list[Value] = []
    for layer in _layers(release, namespace, maps, f):
        if isinstance(layer, Value):
            layers.append(layer)
        elif not layer:
            layers = []
        else:
            for below in layers:
                if not below.find(layer)[1]:
                    below.remove(layer)
    return layers


def _layers(
    release: Manifest, namespace: str | None, maps: ConfigMaps, f: Findings
) -> Iterator[Value | Loc]:
    """The same; for a lost one, the place of its values: () is everywhere."""
    beside = maps.values_beside(release)
    references = release.entries("spec", "valuesFrom")
    own = release.mapping("spec", "values")
    for index, reference in enumerate(references):
        loc: Loc = ("spec", "valuesFrom", index)
        if not isinstance(reference, dict) or reference.get("kind") != "ConfigMap":
            message = (
                "values from a Secret cannot be imported; store it in OpenBao and name it by "
                "secretRef"
            )
            f.lost.append(release.problem(loc, message))
            yield _target(reference)
            continue
        name = str(reference.get("name"))
        config_map = maps.find(name, namespace)
        if config_map is None and (generated := maps.find_generated(name, namespace)):
            note = (
                f"kustomize names this ConfigMap '{generated.name}', so Flux does not find it by "
                "this name; its values are imported anyway"
            )
            f.note(release.problem((*loc, "name"), note))
            config_map = generated
        if config_map is None and beside and name in (f"{release.name}-values", f"{release.name}"):
            note = (
                f"taken from {beside.shown}, as nothing else creates the ConfigMap '{name}'; the "
                "release's own values override it"
            )
            f.note(release.problem((*loc, "name"), note))
            maps.loose.pop(beside.file.resolve(), None)
            yield value_at(beside, (), beside.data)
            beside = None
        elif config_map is None and reference.get("optional"):
            note = f"ConfigMap '{name}' is missing, but optional"
            f.note(release.problem((*loc, "name"), note))
        elif config_map is None:
            message = f"ConfigMap '{name}' is not in the imported files; import it with the release"
            f.lost.append(release.problem((*loc, "name"), message))
            yield _target(reference)
        else:
            yield from _from_config_map(release, index, reference, config_map, f)
    if not own and not references and beside:
        f.note(release.problem(("spec",), f"has no values; they come from {beside.shown}"))
        maps.loose.pop(beside.file.resolve(), None)
        yield value_at(beside, (), beside.data)
    elif own:
        yield release.values(("spec", "values"))


def _target(reference: Any) -> Loc:
    """Where a reference puts its value; () for a whole mapping, or if it is not a plain path."""
    target = reference.get("targetPath") if isinstance(reference, dict) else None
    return tuple(str(target).split(".")) if target and _PATH.fullmatch(str(target)) else ()


def _from_config_map(
    release: Manifest, index: int, reference: dict[str, Any], config_map: ConfigMap, f: Findings
) -> Iterator[Value | Loc]:
    loc: Loc = ("spec", "valuesFrom", index)
    key = str(reference.get("valuesKey") or VALUES_KEY)
    config_map.used.add(key)
    entry = config_map.entries.get(key)
    if entry is None:
        if not reference.get("optional"):
            message = f"the ConfigMap has no key '{key}'; write its values into the release"
            f.lost.append(release.problem(loc, message))
            yield _target(reference)
        return
    if (target := reference.get("targetPath")) is None:
        source = entry.document()
        f.lost += source.problems
        yield () if source.problems else value_at(source, (), source.data)
        return
    text = entry.text
    if not _PATH.fullmatch(str(target)) or any(each in text for each in "{},\\\n"):
        message = "sets several values or one of a list; write them into the values"
        f.lost.append(release.problem((*loc, "targetPath"), message))
        yield _target(reference)
        return
    value = release.value((*loc, "targetPath"), _typed(text))
    for step in reversed(str(target).split(".")):
        value = Value(value.source, value.loc, {step: value})
    yield value


def _typed(text: str) -> Any:
    """The value as `helm --set` reads it; quoted text stays text."""
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    words = {"true": True, "false": False, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text


def check_beside(beside: Source, values: Value, f: Findings) -> None:
    """A values file that nothing reads may contain only what the release contains too."""
    for loc, value in value_at(beside, (), beside.data).scalars():
        found, missing = values.find(loc)
        if missing or found.plain != value.plain:
            message = (
                "the release beside it does not read this file, and has different "
                "values; make them equal"
            )
            f.lost.append(value.problem(message))
