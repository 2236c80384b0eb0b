"""Differences of one object from another, field by field, without secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dryrun.recording import SECRET
from plain.trees import ABSENT, Entry, Step, differences, written
from tools.review.masking import HIDDEN, conceal


@dataclass(frozen=True)
class FieldChange:
    """A field that differs: its path, such as `spec.containers[my-api].image`, and both values.

    The entries of a list without names are reported as a whole, under `path[]`.
    """

    path: str
    before: Any
    after: Any


def field_changes(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Every field that differs, in the order of keys; values are unmasked."""
    for each in differences(before, after):
        yield FieldChange(written(each.path, path), each.before, each.after)


def shown(change: FieldChange, kind: str) -> FieldChange:
    """The change without secrets."""
    before, after = (
        value if value is ABSENT else conceal(value, change.path, kind)
        for value in (change.before, change.after)
    )
    # A former secret stays one, whatever the other side makes of it.
    if before == SECRET and after is not ABSENT:
        after = HIDDEN
    if after == SECRET and before is not ABSENT:
        before = HIDDEN
    return FieldChange(change.path, before, after)


def leaves(change: FieldChange) -> Iterator[str]:
    """The paths of the values within the change: several if a mapping is added or removed.

    Or a list whose entries have names.
    """
    values = [value for value in (change.before, change.after) if value is not ABSENT]
    inside = dict(_inside(values[0])) if len(values) == 1 else {}
    for step, value in inside.items():
        yield from leaves(FieldChange(written((step,), change.path), ABSENT, value))
    if not inside:
        yield change.path


def _inside(value: Any) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list) and all(isinstance(e, Mapping) and "name" in e for e in value):
        yield from ((Entry(entry["name"]), entry) for entry in value)
