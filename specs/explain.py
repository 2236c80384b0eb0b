"""Turns pydantic's errors into lines that the author of a file understands."""

import json
import re
import types
from datetime import date
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from specs.app import CronJob, WebApp, Worker
from specs.base import Spec
from specs.elsewhere import instead
from specs.names import meant_key, nearest
from specs.problem import Loc, Problem
from specs.settings import PREFIX
from specs.source import Source

# The intended value of a whole number with something after it: 8080.0, 50Gi, 30s.
_NUMBER = re.compile(r"([1-9][0-9]{0,8})(\.0+|[A-Za-z]+)?")

ARCHETYPES: dict[str, type[Spec]] = {"web-app": WebApp, "worker": Worker, "cronjob": CronJob}


def explain(source: Source, data: Any, model: type[BaseModel], error: ErrorDetails) -> Problem:
    """The problem behind `error`, raised by `model` on `data`, at its place in `source`."""
    kind = error["type"]
    loc = document_loc(data, error["loc"], missing=kind == "missing")
    if kind.startswith("union_tag"):
        loc = (*loc, "archetype")
    if kind == "extra_forbidden":
        return source.problem(loc, _unknown_key(source, model, loc), at_key=True)
    if kind in ("missing", "union_tag_not_found"):
        return source.problem(loc, f"is missing; add it{_example(source, model, loc)}")
    return source.problem(loc, _wrong_value(source, model, loc, error))


def meant_archetype(source: Source, index: int) -> str | None:
    """The archetype of an entry of `apps`: as typed, or the most similar known one."""
    typed = source.raw(("apps", index, "archetype"))
    return typed if typed in ARCHETYPES else nearest(typed, ARCHETYPES)


def unknown_archetype(source: Source, index: int) -> Problem:
    """The problem with an entry of `apps` whose archetype is unknown."""
    loc: Loc = ("apps", index, "archetype")
    return source.problem(loc, _not_one_of(source.raw(loc), list(ARCHETYPES)))


def document_loc(data: Any, loc: Loc, *, missing: bool = False) -> Loc:
    """`loc` without the steps that pydantic adds for unions: only those in `data`."""
    kept: Loc = ()
    for index, part in enumerate(loc):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            if not missing or index < len(loc) - 1:
                continue
        kept = (*kept, part)
    return kept


def _wrong_value(source: Source, model: type[BaseModel], loc: Loc, error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    value = error["input"]
    if kind == "union_tag_invalid":
        return _not_one_of(source.raw(loc), list(ARCHETYPES))
    field = _field_at(source, model, loc)
    if value is None and field and field.is_required():
        return f"is empty; fill it in{_example(source, model, loc)}"
    if value is None:
        return "is empty; give it a value or remove it"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return _not_one_of(_typed(source, loc, value), literals(error))
    if kind == "string_type":
        return _not_text(source, model, loc, value)
    if kind == "int_type":
        number = _NUMBER.fullmatch(source.raw(loc))
        default = field.default if field and isinstance(field.default, int) else 3
        return (
            f"must be a whole number; write digits only, such as {number[1] if number else default}"
        )
    if kind == "bool_type":
        return "must be true or false; write it without quotes"
    if kind in ("tuple_type", "list_type"):
        return "must be a list; begin each entry with '- '"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        owner = _model_at(source, model, loc)
        if owner is None:
            return "must be a mapping; write `key: value` lines below it"
        return f"must be a mapping; write keys below it: {', '.join(_aliases(owner))}"
    if kind == "too_short":
        return "is empty; write at least one entry"
    if kind == "string_too_short":
        return "is empty; write some text"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}; change the value"


def _not_text(source: Source, model: type[BaseModel], loc: Loc, value: object) -> str:
    if isinstance(value, dict):
        return "must be text, not a mapping; write a single value"
    if isinstance(value, tuple):
        return "must be text, not a list; write a single value"
    typed = _typed(source, loc, value)
    if wrong := _wrong_even_quoted(source, model, loc, typed):
        return wrong
    what = (
        "true or false"
        if isinstance(value, bool)
        else "a date"
        if isinstance(value, date)
        else "a number"
    )
    # A variable's value may be secret, so it is not repeated.
    secret = loc[-1] in ("value", "secretRef") or "env" in loc
    quoted = "" if secret else f': "{typed}"'
    reader = "YAML" if source.node(loc) else "JSON"
    return f"{reader} reads this as {what}; put it in quotes{quoted}"


def _typed(source: Source, loc: Loc, value: object) -> str:
    """The scalar `value` at `loc` as it was typed, without quotes.

    Values inside JSON text, in which Pulumi's CLI writes settings, have no place of their own.
    """
    if source.node(loc) or isinstance(value, (dict, tuple)):
        return source.raw(loc)
    return value if isinstance(value, str) else json.dumps(value)


def _wrong_even_quoted(source: Source, model: type[BaseModel], loc: Loc, typed: str) -> str | None:
    """What is wrong with the text `typed` at `loc` besides its missing quotes."""
    owner = _model_at(source, model, loc[:-1])
    try:
        if owner and isinstance(loc[-1], str):
            owner.model_validate({loc[-1]: typed})
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if each["type"] == "value_error" and each["loc"][0] == loc[-1]:
                return str(each["ctx"]["error"])
    return None


def _not_one_of(value: str, allowed: list[str]) -> str:
    hint = nearest(value, allowed)
    use = f"did you mean {hint}?" if hint else f"use {_listed(allowed)}"
    said = f"'{value}' is" if value else "is"
    return f"{said} not one of {', '.join(allowed)}; {use}"


def literals(error: ErrorDetails) -> list[str]:
    """The values that a literal_error expects; pydantic gives them as "'a', 'b' or 'c'"."""
    return str(error["ctx"]["expected"]).split("'")[1::2]


def _listed(words: list[str], last: str = "or") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _unknown_key(source: Source, model: type[BaseModel], loc: Loc) -> str:
    key = str(loc[-1])
    owner = _model_at(source, model, loc[:-1])
    if other := _archetypes_with(source, loc) or _archetypes_with_inner(source, loc):
        here = meant_archetype(source, int(loc[1]))
        return f"does not fit a {here}, only a {_listed(other)}; remove it or change `archetype`"
    if place := _place_of(source, key, loc):
        return f"does not belong here; move it {place}"
    if owner and (do := instead(owner, key)):
        return f"is not supported here; {do}"
    known = _aliases(owner) if owner else []
    # The common prefix of a stack's keys makes any two of them similar.
    bare = {each.removeprefix(PREFIX): each for each in known}
    hint = bare.get(meant_key(key.removeprefix(PREFIX), bare) or "")
    do = f"did you mean '{hint}'?" if hint else f"use one of: {', '.join(known)}"
    return f"is an unknown key; {do}"


def _place_of(source: Source, key: str, loc: Loc) -> str | None:
    """The right place of an app's key that is one level too high or too low."""
    if loc[:1] != ("apps",) or len(loc) not in (3, 4):
        return None
    archetype = ARCHETYPES.get(meant_archetype(source, int(loc[1])) or "")
    if archetype is None:
        return None
    inner = _field_model(archetype.model_fields["app"].annotation)
    if len(loc) == 3 and inner and key in _aliases(inner):
        return "into `app`"
    if len(loc) == 4 and key in _aliases(archetype):
        return f"out of `{loc[2]}`, one level up"
    return None


def _archetypes_with(source: Source, loc: Loc) -> list[str]:
    """Archetypes that have the key at `loc`, if the entry's own does not."""
    if loc[:1] != ("apps",) or len(loc) < 3:
        return []
    found = []
    for name, archetype in ARCHETYPES.items():
        owner = _descend(source, archetype, loc[2:-1], loc[:2])
        if owner and loc[-1] in _aliases(owner):
            found.append(name)
    return found


def _archetypes_with_inner(source: Source, loc: Loc) -> list[str]:
    """Archetypes that have the key at `loc` in their `app`, if the entry's own does not."""
    if loc[:1] != ("apps",) or len(loc) != 3:
        return []
    archetypes = _archetypes_with(source, (*loc[:2], "app", loc[-1]))
    return [] if meant_archetype(source, int(loc[1])) in archetypes else archetypes


def _example(source: Source, model: type[BaseModel], loc: Loc) -> str:
    if loc[-1] == "archetype":
        return f": {_listed(list(ARCHETYPES))}"
    field = _field_at(source, model, loc)
    if field and field.examples:
        return f", such as `{loc[-1]}: {field.examples[0]}`"
    inner = _model_at(source, model, loc)
    required = (
        [_alias(inner, name) for name, f in inner.model_fields.items() if f.is_required()]
        if inner
        else []
    )
    return f", with {_listed(required, 'and')} below it" if required else ""


def _field_at(source: Source, model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    owner = _model_at(source, model, loc[:-1])
    fields = owner.model_fields.values() if owner and isinstance(loc[-1], str) else ()
    return next((field for field in fields if field.alias == loc[-1]), None)


def _aliases(owner: type[BaseModel]) -> list[str]:
    return [_alias(owner, name) for name in owner.model_fields]


def _alias(owner: type[BaseModel], name: str) -> str:
    return owner.model_fields[name].alias or name


def _model_at(source: Source, model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    return _descend(source, model, loc, ())


def _descend(
    source: Source, model: type[BaseModel], loc: Loc, walked: Loc
) -> type[BaseModel] | None:
    """The model that describes the mapping at `loc` below `model`; None if there is none."""
    owner: type[BaseModel] | None = model
    of_keys: type[BaseModel] | None = None  # each value of a mapping whose keys are free
    for part in loc:
        walked = (*walked, part)
        if of_keys:
            owner, of_keys = of_keys, None
            continue
        if isinstance(part, int):
            if walked[:-1] == ("apps",):
                owner = ARCHETYPES.get(meant_archetype(source, part) or "")
            continue
        fields = (
            {_alias(owner, name): field for name, field in owner.model_fields.items()}
            if owner
            else {}
        )
        if part not in fields:
            return None
        annotation = fields[part].annotation
        owner = _field_model(annotation)
        of_keys = _field_model(get_args(annotation)[1]) if get_origin(annotation) is dict else None
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
