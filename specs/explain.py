"""Turns pydantic's errors into lines that the author of a file understands."""

import types
from datetime import date
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from specs.app import CronJob, WebApp, Worker
from specs.base import Spec
from specs.names import nearest
from specs.problem import Loc, Problem
from specs.source import Source

_ARCHETYPES: dict[str, type[Spec]] = {"web-app": WebApp, "worker": Worker, "cronjob": CronJob}


def explain(source: Source, model: type[BaseModel], error: ErrorDetails) -> Problem:
    """The problem that `error`, raised by `model` on the data of `source`, stands for."""
    loc, kind = (
        document_loc(source, error["loc"], missing=error["type"] == "missing"),
        error["type"],
    )
    if kind == "extra_forbidden":
        return source.problem(loc, _unknown_key(source, model, loc), at_key=True)
    if kind == "missing" or kind == "union_tag_not_found":
        loc = loc if kind == "missing" else (*loc, "archetype")
        return source.problem(loc, f"is missing; add it{_example(source, model, loc)}")
    return source.problem(loc, _wrong_value(source, loc, error))


def document_loc(source: Source, loc: Loc, *, missing: bool = False) -> Loc:
    """`loc` without the steps that pydantic adds for unions: only what stands in the file."""
    kept: Loc = ()
    for index, part in enumerate(loc):
        if source.has((*kept, part)) or (missing and index == len(loc) - 1):
            kept = (*kept, part)
    return kept


def _wrong_value(source: Source, loc: Loc, error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    value = error["input"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "union_tag_invalid":
        return _not_one_of(source.raw((*loc, "archetype")), list(_ARCHETYPES), "archetype: ")
    if value is None:
        return "is empty; give it a value or remove the key"
    if kind == "literal_error":
        return _not_one_of(source.raw(loc) or "this", _literals(context["expected"]))
    if kind == "string_type":
        return _not_text(source, loc, value)
    if kind == "int_type":
        return "is no whole number; write digits without quotes, such as 3"
    if kind == "bool_type":
        return "is neither true nor false; write one of the two, without quotes"
    if kind in ("tuple_type", "list_type"):
        return "is no list; begin each entry with '- '"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "holds no keys; write `key: value` lines below it"
    if kind in ("too_short", "string_too_short"):
        return "is empty; write at least one"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}; change the value"


def _not_text(source: Source, loc: Loc, value: object) -> str:
    if isinstance(value, (dict, tuple)):
        return "is no single value; write one text"
    what = (
        "true or false"
        if isinstance(value, bool)
        else "a date"
        if isinstance(value, date)
        else "a number"
    )
    # The value of a variable may be secret, so it is not repeated.
    quoted = "" if loc[-1:] == ("value",) else f': "{source.raw(loc)}"'
    return f"YAML reads this as {what}; put it in quotes{quoted}"


def _not_one_of(value: str, allowed: list[str], what: str = "") -> str:
    hint = nearest(value, allowed)
    use = f"did you mean {hint}?" if hint else f"use {_listed(allowed)}"
    return f"'{value}' is not one of {what}{', '.join(allowed)}; {use}"


def _literals(expected: str) -> list[str]:
    """pydantic's "'a', 'b' or 'c'" as a list."""
    return expected.split("'")[1::2]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _unknown_key(source: Source, model: type[BaseModel], loc: Loc) -> str:
    key = str(loc[-1])
    owner = _model_at(source, model, loc[:-1])
    if other := _archetypes_with(source, loc):
        here = source.raw((*loc[:2], "archetype"))
        return f"does not fit a {here}, only a {_listed(other)}; remove it or change `archetype`"
    known = [_alias(owner, name) for name in owner.model_fields] if owner else []
    hint = nearest(key, known)
    if hint is None and owner is not None and (place := _place_of(source, key, loc)):
        return f"is no key of {_owner_name(loc)}; it belongs under {place}"
    do = f"did you mean '{hint}'?" if hint else f"known here: {', '.join(known)}"
    return f"is an unknown key; {do}"


def _place_of(source: Source, key: str, loc: Loc) -> str | None:
    """For a key of an app that stands one level too high or too low, where it belongs."""
    if loc[:1] != ("apps",) or len(loc) not in (3, 4):
        return None
    archetype = _ARCHETYPES.get(source.raw((*loc[:2], "archetype")))
    if archetype is None:
        return None
    inner = _field_model(archetype.model_fields["app"].annotation)
    if len(loc) == 3 and inner and key in {_alias(inner, name) for name in inner.model_fields}:
        return "`app`"
    if len(loc) == 4 and key in {_alias(archetype, name) for name in archetype.model_fields}:
        return f"the entry itself, beside `{loc[2]}`"
    return None


def _owner_name(loc: Loc) -> str:
    return f"`{loc[-2]}`" if isinstance(loc[-2], str) else "the entry itself"


def _archetypes_with(source: Source, loc: Loc) -> list[str]:
    """Archetypes that know the key at `loc`, where the entry's own does not."""
    if loc[:1] != ("apps",) or len(loc) < 3:
        return []
    found = []
    for name, archetype in _ARCHETYPES.items():
        owner = _descend(source, archetype, loc[2:-1], loc[:2])
        if owner and loc[-1] in {_alias(owner, field) for field in owner.model_fields}:
            found.append(name)
    return found


def _example(source: Source, model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(source, model, loc[:-1])
    for field in owner.model_fields.values() if owner else ():
        if field.alias == loc[-1] and field.examples:
            return f", such as `{loc[-1]}: {field.examples[0]}`"
    if loc[-1] == "archetype":
        return f": {_listed(list(_ARCHETYPES))}"
    return ""


def _alias(owner: type[BaseModel], name: str) -> str:
    return owner.model_fields[name].alias or name


def _model_at(source: Source, model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    return _descend(source, model, loc, ())


def _descend(
    source: Source, model: type[BaseModel], loc: Loc, walked: Loc
) -> type[BaseModel] | None:
    """The model that describes the mapping at `loc` below `model`; None where there is none."""
    owner: type[BaseModel] | None = model
    for part in loc:
        walked = (*walked, part)
        if isinstance(part, int):
            if walked[:-1] == ("apps",):
                owner = _ARCHETYPES.get(source.raw((*walked, "archetype")))
            continue
        fields = (
            {_alias(owner, name): field for name, field in owner.model_fields.items()}
            if owner
            else {}
        )
        if part not in fields:
            return None
        owner = _field_model(fields[part].annotation)
    return owner


def _field_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, tuple, Union, types.UnionType):
        for argument in get_args(annotation):
            if found := _field_model(argument):
                return found
    return None
