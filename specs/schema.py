"""The JSON Schema of a team's or a cluster's file, generated from the models, for editors.

Draft 7, which most editors use, with extra keywords that yaml-language-server knows.
"""

import json
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from specs.app import AnyApp
from specs.base import Quantity


def json_schema(model: type[BaseModel]) -> str:
    """The schema of a file that `model` describes, as the schema's own file contains it."""
    schema = model.model_json_schema(
        ref_template="#/definitions/{model}", schema_generator=_Generator
    )
    definitions = schema.pop("$defs")
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated from the models by `./sre schema`; edit the models, not this file.",
        **_for_editors({**schema, "definitions": definitions}),
    }
    # An example may be a date.
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, except where an editor would show or offer the wrong thing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: the key is enough."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Defaults of single values only; those of a block are at its keys."""
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if isinstance(default, Quantity):
            return {**inner, "default": str(default)}
        if default is None or isinstance(default, (BaseModel, tuple)):
            return inner
        return {**inner, "default": default}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """On one level, so that an error about a value names the type that it should have."""
        inner = self.generate_inner(schema["schema"])
        if "enum" in inner:
            inner = {**inner, "enum": [*inner["enum"], None]}
        if isinstance(inner.get("type"), str):
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [*inner.get("anyOf", [inner]), {"type": "null"}]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys have a pattern, and no other keys are allowed."""
        return {**super().dict_schema(schema), "additionalProperties": False}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """A `then` for each archetype: if none matches, only the archetype is reported."""
        tag = str(schema["discriminator"])
        refs = {name: self.generate_inner(choice) for name, choice in schema["choices"].items()}
        branches = [
            {"if": {"properties": {tag: {"const": name}}, "required": [tag]}, "then": ref}
            for name, ref in refs.items()
        ]
        kinds = {
            "description": "What kind of app it is.",
            "enum": list(refs),
            "enumDescriptions": [each.__doc__ for each in get_args(get_args(AnyApp)[0])],
        }
        return {
            "type": "object",
            "properties": {tag: kinds},
            "required": [tag],
            "allOf": branches,
        }


# Keywords whose value maps names to schemas, and those whose value is a list of schemas.
_NAMED = ("properties", "patternProperties", "definitions")
_LISTED = ("anyOf", "allOf")


def _for_editors(schema: dict[str, Any]) -> dict[str, Any]:
    """Hover text with code formatted as code, examples as values, and words for a pattern."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED:
            found[key] = {name: _for_editors(each) for name, each in value.items()}
        elif key in _LISTED:
            found[key] = [_for_editors(each) for each in value]
        elif key != "title":
            found[key] = _for_editors(value) if isinstance(value, dict) else value
    if "`" in found.get("description", ""):
        found["markdownDescription"] = found["description"]
    examples = found.get("examples", [found["default"]] if "default" in found else [])
    for each in (found, *found.get("anyOf", ())):
        if "pattern" in each and examples:
            each["patternErrorMessage"] = f"Does not fit here; write one such as {examples[0]}"
    if "examples" in found:
        found["examples"] = [yaml.safe_load(each) for each in examples]
    return found
