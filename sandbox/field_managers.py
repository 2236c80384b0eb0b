"""Field managers of Kubernetes objects, as in the official provider: one per resource."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from clients.kubernetes import Entry, Object
from sandbox.package import Properties

# The state has the name here. Pulumi does not show properties with this prefix.
_KEY = "__fieldManager"
_PREFIX = "pulumi-kubernetes-"
# Managers whose fields an update takes over before it applies: fields that someone added with
# kubectl and the program does not want are then removed (pulumi-kubernetes, await.go:
# fixCSAFieldManagers; its names are prefixes).
_TAKEN_OVER = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)


def name_of(kind: str, id: str, outputs: Properties) -> str:
    """The name in the state, or a new one.

    The official provider draws a new one at random, and posts as "pulumi-kubernetes". Here it is
    the same for the same object, so that an object left by an interrupted creation is recognised as
    this program's.
    """
    drawn = hashlib.sha256(f"{kind} {id}".encode()).hexdigest()[:8]
    return str(outputs.get(_KEY) or f"{_PREFIX}{drawn}")


def recorded(live: Object, name: str) -> Properties:
    """The outputs of an object that the state keeps."""
    return {**live, _KEY: name}


def has_posted(live: Object, name: str) -> bool:
    """Whether that manager created the object, and has not applied anything since."""
    return any(e["manager"] == name and e["operation"] == "Update" for e in _entries(live))


def has_written(live: Object, name: str) -> bool:
    """Whether that manager created the object, or has changed it since."""
    return any(entry["manager"] == name for entry in _entries(live))


def with_taken_over(live: Object, name: str) -> Sequence[Entry] | None:
    """The object's entries, with those of kubectl and of the POST merged into that of apply.

    None if there are none of these.
    """
    taken = [entry for entry in _entries(live) if _is_taken_over(entry)]
    if not taken:
        return None
    ours = [entry for entry in _entries(live) if _is_of(entry, name)]
    first, *more = [*ours, *taken]
    fields = first["fieldsV1"]
    for entry in more:
        fields = _merged(fields, entry["fieldsV1"])
    merged = {**first, "manager": name, "operation": "Apply", "fieldsV1": fields}
    return [*(entry for entry in _entries(live) if entry not in (*ours, *taken)), merged]


def _entries(live: Object) -> Sequence[Entry]:
    return live["metadata"].get("managedFields") or ()


def _is_of(entry: Entry, name: str) -> bool:
    return entry["manager"] == name and entry["operation"] == "Apply"


def _is_taken_over(entry: Entry) -> bool:
    return "subresource" not in entry and any(
        entry["manager"].startswith(prefix) and entry["operation"] == operation
        for prefix, operation in _TAKEN_OVER
    )


def _merged(some: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tree that owns the fields of both."""
    return {**some, **{key: _merged(some.get(key, {}), below) for key, below in more.items()}}
