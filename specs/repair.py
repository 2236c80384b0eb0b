"""Builds a model of a file with wrong values, so that all its problems are reported at once.

A wrong value is replaced with the obvious correction, or with the default. In

    app: {name: api, image: {tag: 1.0}, replicas: many}

the tag becomes the text "1.0", the missing repository an empty text and `replicas` its default.
Then the checks across keys can run, and `Repaired` lists the places at which they must not report
anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from specs.app import AnyApp
from specs.base import LENIENT
from specs.explain import document_loc, literals
from specs.names import nearest
from specs.problem import Loc
from specs.source import Source, frozen
from specs.team import Team

# Each round fills in one more level of missing values.
_MENDING_ROUNDS = 10

# What replaces a value, by pydantic's error type. A missing value becomes text first, and the next
# round reports the right type.
_FILLED_WITH: dict[str, Callable[[], Any]] = {
    "missing": str,
    "model_type": dict,
    "tuple_type": lambda: [""],
    "too_short": lambda: [""],
    "string_too_short": lambda: "-",
}

_Validate = Callable[..., Any]


@dataclass
class Repaired:
    """Places whose values were replaced: checks there would report problems that do not exist."""

    locs: set[Loc] = field(default_factory=set)
    # Text that only lacked its quotes: problems that checks find in it count, and take precedence.
    quoted: set[Loc] = field(default_factory=set)

    def touches(self, loc: Loc) -> bool:
        """Whether the value at `loc`, one around it or one inside it was replaced.

        What one key of a call means depends on the others.
        """
        loc = loc[:4] if loc[2:3] == ("calls",) else loc
        return any(loc[: len(each)] == each[: len(loc)] for each in self.locs)


def repair_team(
    source: Source, data: dict[str, Any], name: str, repaired: Repaired
) -> tuple[Team | None, tuple[int, ...]]:
    """A model of a file with wrong values, so that the checks across keys can still run.

    A wrong value is replaced with the obvious correction, or with the default; `repaired` has the
    places.
    """
    validate_app = TypeAdapter[Any](AnyApp).validate_python
    entries = data.get("apps")
    entries = entries if isinstance(entries, tuple) else ()
    apps = {
        index: app
        for index, entry in enumerate(entries)
        if (app := _repair(validate_app, source, entry, ("apps", index), repaired)) is not None
    }
    rest = {"team": name, **data, "apps": ()}
    team = _repair(Team.model_validate, source, rest, (), repaired)
    if team is None:
        return None, ()
    return team.model_copy(update={"apps": tuple(apps.values())}), tuple(apps)


def _repair(validate: _Validate, source: Source, data: Any, base: Loc, repaired: Repaired) -> Any:
    data = _thawed(data)
    for _ in range(_MENDING_ROUNDS):
        try:
            return validate(frozen(data), context=LENIENT)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                _replace_value(source, data, base, each, repaired)
    return None


def _replace_value(
    source: Source, data: Any, base: Loc, error: ErrorDetails, repaired: Repaired
) -> None:
    kind = error["type"]
    inner = document_loc(data, error["loc"], missing=kind == "missing")
    if not inner:
        repaired.locs.add(base)
        return
    parent, key = data, inner[-1]
    for part in inner[:-1]:
        parent = parent[part]
    typed = source.raw((*base, *inner))
    if kind == "string_type" and typed and error["input"] is not None:
        repaired.quoted.add((*base, *inner))
        parent[key] = typed
        return
    repaired.locs.add((*base, *inner))
    if kind == "literal_error":
        parent[key] = nearest(typed, literals(error)) or literals(error)[0]
    elif kind in _FILLED_WITH:
        parent[key] = _FILLED_WITH[kind]()
    elif isinstance(parent, dict):
        parent.pop(key, None)
    else:  # a list keeps its length: its entries are reported by number
        parent[key] = ""


def _thawed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _thawed(value) for key, value in data.items()}
    return [_thawed(value) for value in data] if isinstance(data, tuple) else data
