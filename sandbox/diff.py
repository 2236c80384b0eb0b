"""The difference between old and new inputs, by property path, as Pulumi's display wants it."""

import re
from typing import Any, Literal

Change = Literal["ADD", "DELETE", "UPDATE"]


def differences(old: Any, new: Any, path: str = "") -> dict[str, Change]:
    """Each leaf that differs, as `spec.containers[0].image` or `labels["sre.io/team"]`."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(_step(path, key), old, new, key) for key in sorted(old.keys() | new.keys())]
    elif isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
        pairs = [(f"{path}[{index}]", old, new, index) for index in sorted(old.keys() | new.keys())]
    else:
        return {} if old == new else {path: "UPDATE"}
    found: dict[str, Change] = {}
    for step, before, after, key in pairs:
        if key not in before:
            found[step] = "ADD"
        elif key not in after:
            found[step] = "DELETE"
        else:
            found |= differences(before[key], after[key], step)
    return found


def drift(inputs: Any, wanted: Any, live: Any) -> Any:
    """The inputs with what is otherwise on a server, in their own shape.

    `wanted` is what the server would make of the inputs: it adds defaults and has its own way to
    write a quantity, which are no drift.
    """
    if wanted == live:
        return inputs
    if all(isinstance(value, dict) for value in (inputs, wanted, live)):
        return {
            key: drift(value, wanted.get(key), live.get(key))
            for key, value in inputs.items()
            if key in live or key not in wanted
        }
    if all(isinstance(value, list) for value in (inputs, wanted, live)) and live:
        # Others' items after ours are not seen, as the official provider does not (pruneSlice).
        return [drift(*values) for values in zip(inputs, wanted, live, strict=False)]
    return live


def within(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or lies below it."""
    return path == ancestor or path.startswith((f"{ancestor}.", f"{ancestor}["))


def _step(path: str, key: str) -> str:
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
