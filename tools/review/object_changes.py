"""How one object differs from another, field by field, with nothing secret in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dryrun.recording import SECRET
from tools.review.masking import HIDDEN, conceal


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


# Stands for a value where a side has none: None is a value of YAML's.
ABSENT = _Absent()

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class FieldChange:
    """A field that differs: its path, such as `spec.containers[my-api].image`, and both values.

    The entries of a list that has no names are told as a whole, under `path[]`.
    """

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Every field that differs, in the order of keys; values as they are."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _member(before, after, key, _step(path, str(key)))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif before != after or type(before) is not type(after):  # 1 is no true
        yield FieldChange(path, before, after)


def shown(change: FieldChange, kind: str) -> FieldChange:
    """The change with nothing secret in it."""
    before, after = (
        value if value is ABSENT else conceal(value, change.path, kind)
        for value in (change.before, change.after)
    )
    # What was a secret is one, whatever the other side makes of it.
    if before == SECRET and after is not ABSENT:
        after = HIDDEN
    if after == SECRET and before is not ABSENT:
        before = HIDDEN
    return FieldChange(change.path, before, after)


def leaves(change: FieldChange) -> Iterator[str]:
    """The paths of the values within the change: several where a mapping comes or goes."""
    values = [value for value in (change.before, change.after) if value is not ABSENT]
    if len(values) == 1 and isinstance(values[0], Mapping) and values[0]:
        for key, value in values[0].items():
            yield from leaves(FieldChange(_step(change.path, str(key)), ABSENT, value))
    else:
        yield change.path


def within(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or lies below it; a `*` in `ancestor` stands for a name."""
    pattern = re.escape(ancestor).replace(r"\*", r"[^\]]*")
    return re.match(rf"{pattern}(?:$|[.\[])", path) is not None


def _member(before: Any, after: Any, key: Any, path: str) -> Iterator[FieldChange]:
    if key not in before:
        yield FieldChange(path, ABSENT, after[key])
    elif key not in after:
        yield FieldChange(path, before[key], ABSENT)
    else:
        yield from differences(before[key], after[key], path)


def _lists(before: list[Any], after: list[Any], path: str) -> Iterator[FieldChange]:
    if before == after:
        return
    if _is_command_line(before) or _is_command_line(after):
        yield FieldChange(path, before, after)  # an argument says little without the one before it
        return
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        for name in sorted(named_before.keys() | named_after.keys()):
            yield from _member(named_before, named_after, name, f"{path}[{name}]")
        if [*named_before] != [*named_after] and named_before == named_after:
            yield FieldChange(path, [*named_before], [*named_after])
        return
    gone, new = _without(before, after), _without(after, before)
    if not gone and not new:
        yield FieldChange(path, before, after)  # the order alone
    elif len(gone) == len(new) == 1 and isinstance(gone[0], Mapping):
        yield from differences(gone[0], new[0], f"{path}[]")
    else:
        yield from (FieldChange(f"{path}[]", item, ABSENT) for item in gone)
        yield from (FieldChange(f"{path}[]", ABSENT, item) for item in new)


def _is_command_line(items: Sequence[Any]) -> bool:
    return any(isinstance(item, str) and item.startswith("-") for item in items)


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    """The entries of a list by their names, where each has one of its own."""
    named = {
        item["name"]: item
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("name"), str)
    }
    return named if len(named) == len(items) else None


def _without(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """`items` less as many of each as there are in `others`."""
    left = list(others)
    kept = []
    for item in items:
        if item in left:
            left.remove(item)
        else:
            kept.append(item)
    return kept


def _step(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
