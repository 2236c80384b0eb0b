"""Differences between inputs, in the form of Pulumi's display, and between inputs and a server."""

from typing import Any, Literal

from plain.trees import ABSENT, differences, written

Change = Literal["ADD", "DELETE", "UPDATE"]


def changes(old: Any, new: Any) -> dict[str, Change]:
    """Each leaf that differs, as `spec.containers[0].image` or `labels["sre.io/team"]`."""
    return {
        written(each.path): _change(each.before, each.after)
        for each in differences(old, new, by_position=True)
    }


def drift(inputs: Any, wanted: Any, live: Any) -> Any:
    """The inputs with a server's different values, in their own shape.

    `wanted` is what the server would make of the inputs: its defaults and its own way to write a
    quantity are not drift.
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
        # Other managers' items after these are not seen, as in the official provider (pruneSlice).
        return [drift(*values) for values in zip(inputs, wanted, live, strict=False)]
    return live


def _change(before: Any, after: Any) -> Change:
    if before is ABSENT:
        return "ADD"
    return "DELETE" if after is ABSENT else "UPDATE"
