"""Volumes as common charts have them, `persistence`, in the spelling of a team's file."""

from collections.abc import Iterator, Mapping
from typing import Any

from specs.problem import Loc, Problem
from tools.migration.value import Value

_PLACES: tuple[Loc, ...] = (("persistence",), ("app", "persistence"))
_NAME = "data"  # of the only volume of a chart

# A chart's keys, and those of a volume; the first that is set counts.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "path": ("mountPath", "path"),
    "size": ("size",),
    "storageClass": ("storageClass", "storageClassName"),
    "accessMode": ("accessMode",),
}
_EMPTY: tuple[Any, ...] = (None, "", {}, ())


def respell_volumes(entry: Value) -> list[Problem]:
    """Write them as `app.volumes`; what has no counterpart stays, and is lost.

    Return a note on each: the program makes a new claim beside the release's.
    """
    app = entry.mapping(("app",))
    if app is None or "volumes" in app.data:
        return []
    made, notes = list[Value](), list[Problem]()
    for place in _PLACES:
        found = entry.mapping(place)
        if found is None:
            continue
        parts = dict(_parts(found))
        volumes = {key: _volume(name, value) for key, (name, value) in parts.items()}
        if any(volume is None for volume in volumes.values()):
            continue
        entry.remove(place)
        for volume in filter(None, volumes.values()):
            if volume.data:
                made.append(volume)
                name = volume.data["name"].data
                notes.append(
                    volume.problem(
                        f"becomes the volume '{name}', whose claim is new and empty; copy the data "
                        "before the release goes"
                    )
                )
    if made:
        app.data["volumes"] = Value(made[0].source, made[0].loc, made)
    return notes


def _parts(found: Value) -> Iterator[tuple[str, tuple[str, Value]]]:
    """The only volume, or each by its name."""
    if all(isinstance(each.data, dict) for each in found.data.values()) and found.data:
        yield from ((key, (key, value)) for key, value in found.data.items())
    else:
        yield _NAME, (_NAME, found)


def _volume(name: str, found: Value) -> Value | None:
    """The volume, empty if it is turned off; None if it has no counterpart."""
    enabled = found.data.get("enabled")
    if enabled is not None and enabled.data is False:
        return Value(found.source, found.loc, {})
    left = {key: value for key, value in found.data.items() if value.plain not in _EMPTY}
    left.pop("enabled", None)
    made = {"name": Value(found.source, found.loc, name)}
    for key, spelled in _KEYS.items():
        given = [left.pop(each) for each in spelled if each in left]
        if len(given) > 1:
            return None
        made |= {key: given[0]} if given else {}
    modes = left.pop("accessModes", None)
    if modes is not None:
        if "accessMode" in made or not isinstance(modes.data, list) or len(modes.data) != 1:
            return None
        made["accessMode"] = modes.data[0]
    return (
        Value(found.source, found.loc, made)
        if not left and {"path", "size"} <= made.keys()
        else None
    )
