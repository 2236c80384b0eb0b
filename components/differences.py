"""What differs in a live Kubernetes object, in lines for the user, without what may be secret."""

import json
from collections.abc import Iterator
from typing import Any

from clients.kubernetes import Object
from components.metadata import TEAM_LABEL
from specs.idle_labels import is_idle_label

# Not what anybody asked for.
_SERVER_SET = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
_MARKS = (("metadata", "labels"), ("metadata", "annotations"))
# Where somebody may have written a password.
_HIDDEN = frozenset({"env", "command", "args"})
_SHOWN = 60  # characters of a value


def differences(live: Object, settled: Object, idle: bool = False) -> list[str]:
    """A line for each field that differs, and one for the object's own labels and annotations.

    Labels and annotations that say who applied an object, or whose it is, are on everything: they
    are left out; in a pod's template, where a change restarts the pods, only if `idle`. What may be
    a secret is not shown.
    """
    marks: list[str] = []
    lines: list[str] = []
    for path, change in _differing(live, settled, live["kind"] == "Secret"):
        if path[:2] in _MARKS:
            if not _is_idle(path[2], change, live["kind"]):
                marks.append(f"{path[2]} {change}")
        elif not (
            idle and path[-2:-1] in (("labels",), ("annotations",)) and is_idle_label(path[-1])
        ):
            lines.append(f"{_joined(path)}: {change}")
    if marks:
        lines.insert(0, f"labels and annotations: {'; '.join(marks)}")
    return lines


def _is_idle(key: str, change: str, kind: str) -> bool:
    """On a Namespace the team's label matters: it is what binds the guardrails."""
    ours = key == TEAM_LABEL and change.startswith("added") and kind != "Namespace"
    return ours or is_idle_label(key)


def _differing(
    old: Any, new: Any, secret: bool, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    old, new = _by_name(old, new)
    inside = isinstance(old, dict) and isinstance(new, dict)
    if path in _MARKS and not inside:
        old, new, inside = old or {}, new or {}, True
    if inside:
        for key in sorted(old.keys() | new.keys()):
            if (path == ("metadata",) and key in _SERVER_SET) or (*path, key) == ("status",):
                continue
            hidden = secret or key in _HIDDEN
            yield from _differing(old.get(key), new.get(key), hidden, (*path, key))
    elif old != new:
        change = f"{_shown(old, secret)} -> {_shown(new, secret)}"
        if old is None:
            change = f"added {_shown(new, secret)}"
        elif new is None:
            change = f"removed {_shown(old, secret)}"
        yield path, change


def _by_name(old: Any, new: Any) -> tuple[Any, Any]:
    """Lists as dicts, by the names of their items where all have one, else by position."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return old, new
    items = [*old, *new]
    if all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return {f"[{i['name']}]": i for i in old}, {f"[{i['name']}]": i for i in new}
    return {f"[{n}]": i for n, i in enumerate(old)}, {f"[{n}]": i for n, i in enumerate(new)}


def _joined(path: tuple[str, ...]) -> str:
    """`spec.ports[http].port`, `spec.hard[limits.cpu]`."""
    steps = (step if step.startswith("[") or step.isalnum() else f"[{step}]" for step in path)
    return "".join(step if step.startswith("[") else f".{step}" for step in steps).lstrip(".")


def _shown(value: Any, secret: bool) -> str:
    text = "(not shown)" if secret else json.dumps(_redacted(value), sort_keys=True)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "..." if k in _HIDDEN else _redacted(v) for k, v in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value
