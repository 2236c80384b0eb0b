"""The places of values in an object that kustomize or Flux created from several files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from specs.problem import Loc
from specs.source import Source


@dataclass(frozen=True)
class Overwrite:
    """What a patch, a common label or the like writes at `under` of an object.

    It is at `at` of `source`; `is_structured` says whether its values have places there too.
    """

    source: Source
    at: Loc
    under: Loc
    data: Any
    is_structured: bool = True

    def find(self, data: Any, loc: Loc) -> tuple[Source, Loc] | None:
        """The origin of the value at `loc` of the object `data`; None if it is not from here."""
        if loc[: len(self.under)] != self.under:
            return None
        found, missing = aligned(self.data, dig(data, self.under), loc[len(self.under) :])
        if missing or not same(dig(self.data, found), dig(data, loc)):
            return None
        return self.source, (*self.at, *(found if self.is_structured else ()))


def aligned(original: Any, made: Any, loc: Loc) -> tuple[Loc, Loc]:
    """The place in `original` of what a later form, `made`, has at `loc`; and what is missing.

    Entries of lists move: an entry that is the same, or has the same name, counts.
    """
    found: list[str | int] = []
    for depth, step in enumerate(loc):
        if isinstance(original, Mapping) and isinstance(made, Mapping) and step in original:
            made = made.get(step)
        elif isinstance(original, tuple) and isinstance(made, tuple) and isinstance(step, int):
            index = _index(original, made, step)
            if index is None:
                return tuple(found), loc[depth:]
            made, step = made[step], index
        else:
            return tuple(found), loc[depth:]
        original = original[step]
        found.append(step)
    return tuple(found), ()


def _index(original: tuple[Any, ...], made: tuple[Any, ...], at: int) -> int | None:
    entry = made[at] if at < len(made) else None
    if at < len(original) and same(original[at], entry):
        return at
    equal = (index for index, other in enumerate(original) if same(other, entry))
    if (index := next(equal, None)) is not None:
        return index
    if isinstance(entry, Mapping) and "name" in entry:
        named = (
            index
            for index, other in enumerate(original)
            if isinstance(other, Mapping) and other.get("name") == entry["name"]
        )
        return next(named, None)
    return at if len(original) == len(made) else None


def dig(data: Any, loc: Loc) -> Any:
    """The value at `loc`; None if there is none."""
    for step in loc:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same type (1, 1.0 and true are not)."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def in_order_of(original: Any, made: Any) -> Any:
    """`made` with its keys in the order of `original`, from which it was made."""
    if isinstance(made, Mapping):
        known = original if isinstance(original, Mapping) else {}
        keys = [*(key for key in known if key in made), *(key for key in made if key not in known)]
        return {key: in_order_of(known.get(key), made[key]) for key in keys}
    if isinstance(made, tuple):
        known = original if isinstance(original, tuple) else ()
        entries = []
        for at, entry in enumerate(made):
            index = _index(known, made, at)
            entries.append(in_order_of(None if index is None else known[index], entry))
        return tuple(entries)
    return made
