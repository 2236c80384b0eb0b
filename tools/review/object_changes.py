"""Differences of one object from another, field by field, without secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dryrun.recording import SECRET
from plain.trees import ABSENT, differences, written
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
    """The paths of the values within the change: several if a mapping is added or removed."""
    values = [value for value in (change.before, change.after) if value is not ABSENT]
    if len(values) == 1 and isinstance(values[0], Mapping) and values[0]:
        for key, value in values[0].items():
            yield from leaves(FieldChange(written((str(key),), change.path), ABSENT, value))
    else:
        yield change.path
