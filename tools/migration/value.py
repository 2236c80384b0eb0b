"""Values that know their origin: a team's file is built from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specs.problem import Loc, Problem
from specs.source import Source


@dataclass
class Value:
    """A value of some document: `data` is a dict or list of Values, or a scalar.

    `loc` is its place in `source`; for merged mappings, that of the last one.
    """

    source: Source
    loc: Loc
    data: Any

    def problem(self, message: str, below: Loc = (), *, at_key: bool = False) -> Problem:
        """A problem with it, or with what should be below it, reported in its document."""
        return self.source.problem((*self.loc, *below), message, at_key=at_key)

    @property
    def plain(self) -> Any:
        """The value as plain data, like a Source's."""
        if isinstance(self.data, dict):
            return {key: value.plain for key, value in self.data.items()}
        if isinstance(self.data, list):
            return tuple(value.plain for value in self.data)
        return self.data

    def find(self, loc: Loc) -> tuple["Value", Loc]:
        """The value at `loc`, or the nearest one above, and the missing part of `loc`."""
        value = self
        for depth, step in enumerate(loc):
            inside = _inside(value)
            if step not in inside:
                return value, loc[depth:]
            value = inside[step]
        return value, ()

    def mapping(self, loc: Loc) -> "Value | None":
        """The value at `loc`, if there is one and it is a mapping."""
        value, missing = self.find(loc)
        return None if missing or not isinstance(value.data, dict) else value

    def remove(self, loc: Loc) -> "Value":
        """Remove the value at `loc`; it must be there, and below this one."""
        parent, _ = self.find(loc[:-1])
        removed: Value = parent.data.pop(loc[-1])
        return removed

    def scalars(self, at: Loc = ()) -> Iterator[tuple[Loc, "Value"]]:
        """Every scalar in it, and its place."""
        if not isinstance(self.data, (dict, list)):
            yield at, self
        for step, value in _inside(self).items():
            yield from value.scalars((*at, step))


def value_at(source: Source, loc: Loc, data: Any) -> Value:
    """The Value for `data`, which is at `loc` of `source`."""
    if isinstance(data, dict):
        inside = {key: value_at(source, (*loc, key), value) for key, value in data.items()}
        return Value(source, loc, inside)
    if isinstance(data, tuple):
        items = [value_at(source, (*loc, index), value) for index, value in enumerate(data)]
        return Value(source, loc, items)
    return Value(source, loc, data)


def merged(low: Value, high: Value) -> Value:
    """Both, merged as Helm merges values: mappings key by key; otherwise the higher one wins."""
    if not isinstance(low.data, dict) or not isinstance(high.data, dict):
        return high
    both = low.data.keys() & high.data.keys()
    inside = {
        **{key: merged(low.data[key], v) if key in both else v for key, v in high.data.items()},
        **{key: value for key, value in low.data.items() if key not in both},
    }
    return Value(high.source, high.loc, inside)


def _inside(value: Value) -> dict[str | int, Value]:
    if isinstance(value.data, list):
        return dict(enumerate(value.data))
    return value.data if isinstance(value.data, dict) else {}
