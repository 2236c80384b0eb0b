"""Differences from a live Kubernetes object, as lines for the user, without possible secrets."""

import json
from typing import Any

from clients.kubernetes import Object
from plain import trees
from plain.trees import ABSENT, Difference, Entry, Path
from specs.idle_labels import is_idle_label
from specs.labels import TEAM_LABEL

# Nobody sets these.
_SERVER_SET = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
_MARKS = ("labels", "annotations")
# Someone may have written a password here.
_HIDDEN = frozenset({"env", "command", "args"})
_SHOWN = 60  # characters of a value


def differences(live: Object, settled: Object, idle: bool = False) -> list[str]:
    """A line for each field that differs, and one for the object's own labels and annotations.

    Labels and annotations about who applied or owns an object are on everything, so they are left
    out; in a pod's template, where a change restarts the pods, only if `idle`. Values that may be
    secret are not shown.
    """
    marks: list[str] = []
    lines: list[str] = []
    for each in trees.differences(_asked_for(live), _asked_for(settled)):
        was, now = (None if value is ABSENT else value for value in (each.before, each.after))
        if was == now:
            continue  # an API server treats null as no value
        *above, name = map(str, each.path)
        change = _change(was, now, _is_secret(each, live["kind"]))
        if above in (["metadata", mark] for mark in _MARKS):
            if not _is_idle(name, was is None, live["kind"]):
                marks.append(f"{name} {change}")
        elif not (idle and above[-1:] in ([mark] for mark in _MARKS) and is_idle_label(name)):
            lines.append(f"{_written(each.path)}: {change}")
    if marks:
        lines.insert(0, f"labels and annotations: {'; '.join(marks)}")
    return lines


def _asked_for(object: Object) -> Object:
    """The object without what servers set, and with labels and annotations, even if empty."""
    metadata = {k: v for k, v in object["metadata"].items() if k not in _SERVER_SET}
    metadata |= {mark: metadata.get(mark) or {} for mark in _MARKS}
    return {**{k: v for k, v in object.items() if k != "status"}, "metadata": metadata}


def _is_secret(each: Difference, kind: str) -> bool:
    return kind in ("Secret", "ConfigMap") or not _HIDDEN.isdisjoint(each.path)


def _is_idle(key: str, added: bool, kind: str) -> bool:
    """On a Namespace the team's label matters: it binds the guardrails."""
    ours = key == TEAM_LABEL and added and kind != "Namespace"
    return ours or is_idle_label(key)


def _change(was: Any, now: Any, secret: bool) -> str:
    if was is None:
        return f"added {_shown(now, secret)}"
    if now is None:
        return f"removed {_shown(was, secret)}"
    return f"{_shown(was, secret)} -> {_shown(now, secret)}"


def _written(path: Path) -> str:
    """`spec.ports[http].port`, `spec.hard[limits.cpu]`."""
    steps = (
        str(step) if isinstance(step, Entry) else f".{step}" if step.isalnum() else f"[{step}]"
        for step in path
    )
    return "".join(steps).lstrip(".")


def _shown(value: Any, secret: bool) -> str:
    text = "(not shown)" if secret else json.dumps(_redacted(value), sort_keys=True)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "..." if k in _HIDDEN else _redacted(v) for k, v in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value
