"""What all models share: strict, immutable, camelCase in YAML; and value types of Kubernetes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from specs import names, quantity


class Spec(BaseModel):
    """A mapping in a file: unknown keys and wrong types are errors, nothing is converted."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        arbitrary_types_allowed=True,
    )


# Validation context that keeps a value whose form is wrong but whose type is right, so that the
# checks across keys can still run and a file's problems are all told at once.
LENIENT = {"lenient": True}


def checked(check: Callable[[str], None]) -> AfterValidator:
    """Applies `check` (raises ValueError "what is wrong; what to do") to a string."""

    def validate(value: str, info: ValidationInfo) -> str:
        if info.context is not LENIENT:
            check(value)
        return value

    return AfterValidator(validate)


def matching(pattern: str, wrong: str) -> AfterValidator:
    """A string that matches `pattern` as a whole; `wrong` is the message after the quoted value."""
    compiled = re.compile(pattern)

    def check(value: str) -> None:
        if not compiled.fullmatch(value):
            raise ValueError(f"'{value}' {wrong}")

    return checked(check)


def _absent_if_empty(value: Any) -> Any:
    """The charts' defaults wrote `host: ""` for "none"; a pasted values block may hold that."""
    return None if value == "" else value


OrEmpty = BeforeValidator(_absent_if_empty)


@dataclass(frozen=True)
class Quantity:
    """A Kubernetes resource quantity: exact, in cores or bytes.

    `written` is what the file says; `text` is the same as the API server would write it, so that
    what is asked for and what is read back never differ in form.
    """

    written: str
    text: str
    value: Fraction

    def __str__(self) -> str:
        return self.written


@lru_cache
def cpu(text: str) -> Quantity:
    """Cores; raises ValueError."""
    value = quantity.check_cpu(text)
    return Quantity(text, quantity.canonical(text), value)


@lru_cache
def memory(text: str) -> Quantity:
    """Bytes; raises ValueError."""
    value = quantity.check_memory(text)
    return Quantity(text, quantity.canonical(text), value)


def _parsed(parse: Callable[[str], Quantity]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return parse(str(value))
        if isinstance(value, Quantity):
            return value
        raise ValueError("is not a quantity; write a number with a unit such as 500m or 128Mi")

    return BeforeValidator(validate)


def _quantity_schema(pattern: str, example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [text, {"type": "number"}], "examples": [example]})


_AS_TEXT = PlainSerializer(str, return_type=str)
Cpu = Annotated[
    Quantity, _parsed(cpu), _AS_TEXT, _quantity_schema(r"^[0-9]+(\.[0-9]+)?m?$", "500m")
]
Memory = Annotated[
    Quantity,
    _parsed(memory),
    _AS_TEXT,
    _quantity_schema(r"^[0-9]+(\.[0-9]+)?(([KMGTPE]i)|[kMGTPE]|[eE][0-9]+)?$", "128Mi"),
]

Label = Annotated[str, checked(names.check_dns_label)]


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port; use 1 to 65535")
    return value


Port = Annotated[int, AfterValidator(_port)]


def _prometheus_duration(value: str) -> None:
    if not value or not re.fullmatch(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", value):
        raise ValueError(f"'{value}' is not a duration; write one such as 30s, 10m or 1h")


Duration = Annotated[str, checked(_prometheus_duration)]
