"""Whether an object fits a CustomResourceDefinition, strictly: it has no key that is not there."""

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.program import read_yaml


def validator_of(file: Path, version: str) -> Draft202012Validator:
    """For a version of the definition in a file."""
    definition = read_yaml(file.read_text(encoding="utf-8"))
    schemas = {each["name"]: each["schema"] for each in definition["spec"]["versions"]}
    schema = schemas[version]["openAPIV3Schema"]
    # The API server checks these itself.
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    return Draft202012Validator(_strict(schema))


def _strict(schema: Any) -> Any:
    """The same schema, refusing keys that the API server would drop."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        strict.setdefault("additionalProperties", False)
    return strict
