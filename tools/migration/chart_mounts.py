"""Volumes of pods and their mounts as charts have them, in the spelling of a team's file."""

from typing import Any

from specs.problem import Loc
from tools.migration.config_maps import ConfigMap, ConfigMaps, ValuesEntry
from tools.migration.import_findings import is_substituted
from tools.migration.value import Value

# A list of volumes and one of mounts, beside the app or in it.
_PAIRS = (("volumes", "volumeMounts"), ("extraVolumes", "extraVolumeMounts"))
_PLACES: tuple[Loc, ...] = ((), ("app",))

# What the program sets anyway, or what changes nothing.
_ANYWAY = {"readOnly": True, "optional": False}

_Made = list[tuple[str, Value]]


def respell_mounts(entry: Value, namespace: str | None, maps: ConfigMaps) -> None:
    """Write emptyDirs, Secrets and ConfigMaps that are mounted as a team's file has them.

    A volume of another kind, or one that is mounted in another way, stays, and is lost.
    """
    app = entry.mapping(("app",))
    if app is None:
        return
    for place in _PLACES:
        holder, _ = entry.find(place)
        for volumes_key, mounts_key in _PAIRS:
            volumes, mounts = (holder.data.get(key) for key in (volumes_key, mounts_key))
            if not (volumes and mounts and _listed(volumes) and _listed(mounts)):
                continue
            for volume in list(volumes.data):
                named = volume.plain.get("name")
                own = [each for each in mounts.data if each.plain.get("name") == named]
                made = _made(volume, own, namespace, maps)
                if not made:
                    continue
                volumes.data.remove(volume)
                for mount in own:
                    mounts.data.remove(mount)
                for key, value in made:
                    listed = app.data.setdefault(key, Value(value.source, value.loc, []))
                    if isinstance(listed.data, list):
                        listed.data.append(value)
            for key, value in ((volumes_key, volumes), (mounts_key, mounts)):
                if not value.data:
                    del holder.data[key]


def _listed(value: Value) -> bool:
    return isinstance(value.data, list) and all(isinstance(each.data, dict) for each in value.data)


def _made(
    volume: Value, mounts: list[Value], namespace: str | None, maps: ConfigMaps
) -> _Made | None:
    """Entries of the app's lists, each with its list; None if there is no counterpart."""
    made: _Made = []
    for mount in mounts:
        plain = {k: v for k, v in mount.plain.items() if _ANYWAY.get(k, v) != v or k not in _ANYWAY}
        if not plain.keys() <= {"name", "mountPath", "subPath"} or "mountPath" not in plain:
            return None
        entries = _entries(volume, mount, plain.get("subPath"), namespace, maps)
        if entries is None:
            return None
        made += entries
    return made or None


def _entries(
    volume: Value, mount: Value, within: Any, namespace: str | None, maps: ConfigMaps
) -> _Made | None:
    kinds = [key for key in volume.data if key != "name"]
    source = volume.data[kinds[0]] if len(kinds) == 1 else None
    if source is None or not isinstance(source.data, dict):
        return None
    path = mount.data["mountPath"]
    keys = set(source.data) - {key for key in source.data if key in ("defaultMode", "optional")}
    if source.plain.get("optional"):
        return None
    if kinds == ["emptyDir"] and within is None and keys <= {"sizeLimit"}:
        made = {"path": path, **source.data}
        return [("writablePaths", Value(mount.source, mount.loc, made))]
    if kinds == ["secret"] and within is None and keys == {"secretName", "items"}:
        names = source.plain["items"]
        if _places(names) is None or any(
            each != {"key": each["key"], "path": each["key"]} for each in names
        ):
            return None
        listed = [each.data["key"] for each in source.data["items"].data]
        keys_value = Value(source.source, source.data["items"].loc, listed)
        made = {"path": path, "secretRef": source.data["secretName"], "keys": keys_value}
        return [("secretFiles", Value(mount.source, mount.loc, made))]
    if kinds == ["configMap"] and keys <= {"name", "items"} and isinstance(path.data, str):
        found = maps.find(str(source.plain.get("name")), namespace)
        return _files(found, source, mount, path.data, within) if found else None
    return None


def _places(items: Any) -> dict[str, str] | None:
    """The file of each key of a volume; None if that is not how Kubernetes has it."""
    if not isinstance(items, (list, tuple)) or not all(isinstance(each, dict) for each in items):
        return None
    if not all(isinstance(each.get(key), str) for each in items for key in ("key", "path")):
        return None
    return {each["key"]: each["path"] for each in items}


def _files(
    config_map: ConfigMap, source: Value, mount: Value, path: str, within: Any
) -> _Made | None:
    """Each key of a ConfigMap as a file with its text; None if one has no text, or is missing."""
    items = source.plain.get("items")
    places = {key: key for key in config_map.entries} if items is None else _places(items)
    if places is None:
        return None
    if within is not None:
        places = {key: place for key, place in places.items() if place == within}
    made: _Made = []
    for key, place in places.items():
        entry = config_map.entries.get(key)
        if entry is None or entry.at[0] == "binaryData" or _is_open(entry):
            return None
        at = path if within else f"{path.rstrip('/')}/{place}"
        file = {
            "path": Value(mount.source, mount.loc, at),
            "content": entry.manifest.value(entry.at, entry.text),
        }
        made.append(("files", Value(mount.source, mount.loc, file)))
    config_map.used |= places.keys()
    return made or None


def _is_open(entry: ValuesEntry) -> bool:
    """Whether Flux fills in variables that are not known here."""
    return entry.manifest.substituted and is_substituted(entry.text)
