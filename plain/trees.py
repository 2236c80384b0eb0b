"""How one tree of mappings and lists differs from another."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


# Stands for a value that a side does not have: None is a YAML value.
ABSENT = _Absent()

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, order=True)
class Entry:
    """A step into a list: the name or position of an entry, or neither."""

    name: str | int = ""

    def __str__(self) -> str:
        return f"[{self.name}]"


Step = str | Entry
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Difference:
    """A place where two trees differ, and the value of each side."""

    path: Path
    before: Any
    after: Any


def differences(
    before: Any, after: Any, path: Path = (), by_position: bool = False
) -> Iterator[Difference]:
    """Every place where two trees differ, in the order of keys.

    Entries of a list are paired by `name` if each has a unique one. Otherwise, entries that only
    one side has are reported; if that is one mapping on each side, the two are paired. A list that
    differs only in order is reported as a whole, and so is a command line. With `by_position`,
    entries are paired by position only.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _members(before, after, path, by_position)
    elif not (isinstance(before, list) and isinstance(after, list)):
        if before != after or type(before) is not type(after):  # 1 does not equal True
            yield Difference(path, before, after)
    elif by_position:
        yield from _members(_numbered(before), _numbered(after), path, by_position)
    elif before != after:
        yield from _lists(before, after, path)


def written(path: Path, start: str = "") -> str:
    """The path as text, such as `spec.containers[my-api].image`, with `start` before it."""
    for step in path:
        if isinstance(step, Entry):
            start += str(step)
        elif not _PLAIN_KEY.fullmatch(step):
            start += f'["{step}"]'
        else:
            start += f".{step}" if start else step
    return start


def within(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or lies below it; a `*` in `ancestor` matches any name."""
    pattern = re.escape(ancestor).replace(r"\*", r"[^\]]*")
    return re.match(rf"{pattern}(?:$|[.\[])", path) is not None


def _members(
    before: Mapping[Any, Any], after: Mapping[Any, Any], path: Path, by_position: bool = False
) -> Iterator[Difference]:
    for key in sorted(before.keys() | after.keys()):
        step = key if isinstance(key, Entry) else str(key)
        was, now = before.get(key, ABSENT), after.get(key, ABSENT)
        yield from differences(was, now, (*path, step), by_position)


def _lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    if _is_command_line(before) or _is_command_line(after):
        yield Difference(path, before, after)  # an argument means little without the one before it
        return
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        yield from _members(named_before, named_after, path)
        if named_before == named_after:
            yield Difference(path, _names(named_before), _names(named_after))  # only the order
        return
    gone, new = _without(before, after), _without(after, before)
    each = (*path, Entry())
    if not gone and not new:
        yield Difference(path, before, after)  # only the order
    elif len(gone) == len(new) == 1 and isinstance(gone[0], Mapping):
        yield from differences(gone[0], new[0], each)
    else:
        yield from (Difference(each, item, ABSENT) for item in gone)
        yield from (Difference(each, ABSENT, item) for item in new)


def _is_command_line(items: Sequence[Any]) -> bool:
    return any(isinstance(item, str) and item.startswith("-") for item in items)


def _by_name(items: Sequence[Any]) -> dict[Entry, Any] | None:
    """The entries of a list by name, if each has a unique name."""
    named = {
        Entry(item["name"]): item
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("name"), str)
    }
    return named if len(named) == len(items) else None


def _names(named: Mapping[Entry, Any]) -> list[str | int]:
    return [entry.name for entry in named]


def _numbered(items: Sequence[Any]) -> dict[Entry, Any]:
    return {Entry(number): item for number, item in enumerate(items)}


def _without(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """`items` without as many of each as there are in `others`."""
    left = list(others)
    kept = []
    for item in items:
        if item in left:
            left.remove(item)
        else:
            kept.append(item)
    return kept
