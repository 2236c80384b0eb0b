"""How causes put things: shortened messages, amounts of pods, durations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# `up` alone compares the files with Pulumi's state, and does not see what the cluster has.
RESTORED = (
    "ask the platform team to restore what was changed by hand (`make stack-up` with `REFRESH=1`)"
)
RESTORE = f"see whether the stack's last `pulumi up` ended without errors; if it did, {RESTORED}"

_LONGEST = 200


def short(text: str) -> str:
    """A server's message in one line, without what comes after its first 200 characters."""
    words = " ".join(text.split()).strip(" ;:.")
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST].rstrip()}..."


def pods(number: int) -> str:
    """`1 pod`, `2 pods`."""
    return f"{number} pod" if number == 1 else f"{number} pods"


def times(number: int) -> str:
    """`once`, `3 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def ago(then: datetime, now: datetime) -> str:
    """`5m ago`, in one unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


def ready(custom: Mapping[str, Any]) -> str | None:
    """The status of an object's condition `Ready`; None if nobody has looked at it."""
    conditions = custom.get("status", {}).get("conditions") or ()
    return next((each["status"] for each in conditions if each["type"] == "Ready"), None)
