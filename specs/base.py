"""Shared by all models: strict, immutable, camelCase in YAML; and value types of Kubernetes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from specs import names, quantity
from specs.readers import OddNumber


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
# checks across keys still run and all of a file's problems are reported at once.
LENIENT = {"lenient": True}


@dataclass(frozen=True, eq=False)
class ValueRule:
    """A check on a value, and as much of it as JSON Schema can express; used in an `Annotated`."""

    validate: Callable[[Any, ValidationInfo], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The value's own schema, then the check."""
        return core_schema.with_info_after_validator_function(self.validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """What editors get."""
        return {**handler(schema), **self.schema}


def checked(check: Callable[[str], None], pattern: str | None = None, **schema: Any) -> ValueRule:
    """Apply `check` (raises ValueError "what is wrong; what to do") to a string.

    `pattern`, for JSON Schema, matches every valid string as a whole, and may match more; it must
    mean the same in Python and in ECMAScript. `schema` has further keywords.
    """

    def validate(value: str, info: ValidationInfo) -> str:
        if info.context is not LENIENT:
            check(value)
        return value

    return ValueRule(validate, ({"pattern": f"^({pattern})$"} if pattern else {}) | schema)


def matching(pattern: str, wrong: str) -> ValueRule:
    """A string that matches `pattern` as a whole; `wrong` is the message after the quoted value."""
    compiled = re.compile(pattern)

    def check(value: str) -> None:
        if not compiled.fullmatch(value):
            raise ValueError(f"'{value}' {wrong}")

    return checked(check, pattern)


def within(least: int, most: int, below: str, above: str) -> ValueRule:
    """A whole number from `least` to `most`; `below` and `above` are the messages outside it."""

    def validate(value: int, _: ValidationInfo) -> int:
        if not least <= value <= most:
            raise ValueError(f"{value} {below if value < least else above}")
        return value

    return ValueRule(validate, {"minimum": least, "maximum": most})


def _check_not_empty(value: Any, info: ValidationInfo) -> Any:
    if not value and info.context is not LENIENT:
        raise ValueError("is empty; write at least one entry")
    return value


# Unlike `min_length`, it does not count wrong entries as missing ones.
NOT_EMPTY = ValueRule(_check_not_empty, {"minItems": 1})


def _absent_if_empty(value: Any) -> Any:
    """In the charts' defaults, `host: ""` means none; a pasted values block may contain it."""
    return None if value == "" else value


OrEmpty = BeforeValidator(_absent_if_empty)


@dataclass(frozen=True)
class Quantity:
    """A Kubernetes resource quantity: exact, in cores or bytes.

    `written` is the text in the file; `text` is the same as the API server would write it, so that
    values sent and values read back never differ in form. `units` are thousandths of a core
    ("millicores"), or bytes.
    """

    written: str
    text: str
    units: int

    def __str__(self) -> str:
        return self.written


@lru_cache(1024)
def cpu(text: str) -> Quantity:
    """Cores; raises ValueError."""
    cores = quantity.check_cpu(text)
    return Quantity(text, quantity.canonical(text), int(cores * 1000))


@lru_cache(1024)
def memory(text: str) -> Quantity:
    """Bytes; raises ValueError."""
    return Quantity(text, quantity.canonical(text), int(quantity.check_memory(text)))


@lru_cache(1024)
def storage(text: str) -> Quantity:
    """Bytes of a volume; raises ValueError."""
    return Quantity(text, quantity.canonical(text), int(quantity.check_storage(text)))


def _parsed(parse: Callable[[str], Quantity]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if isinstance(value, OddNumber):
            raise ValueError(
                f"'{value.typed}' must be a decimal number; write one with a unit such as 500m "
                "or 128Mi"
            )
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return parse(str(value))
        if isinstance(value, Quantity):
            return value
        raise ValueError("is not a quantity; write a number with a unit such as 500m or 128Mi")

    return BeforeValidator(validate)


def _quantity_schema(pattern: str, number: dict[str, Any]) -> WithJsonSchema:
    """A number is a quantity without a unit."""
    text = {"type": "string", "pattern": f"^({pattern})$"}
    return WithJsonSchema({"anyOf": [text, number]})


_AS_TEXT = PlainSerializer(str, return_type=str)
Cpu = Annotated[
    Quantity,
    _parsed(cpu),
    _AS_TEXT,
    _quantity_schema(
        quantity.CPU, {"type": "number", "exclusiveMinimum": 0, "maximum": quantity.MOST}
    ),
]
_BYTES = _quantity_schema(
    quantity.MEMORY,
    {
        "type": "integer",
        "minimum": quantity.LEAST_BYTES_WITHOUT_UNIT,
        "maximum": quantity.MOST,
    },
)
Memory = Annotated[Quantity, _parsed(memory), _AS_TEXT, _BYTES]
Storage = Annotated[Quantity, _parsed(storage), _AS_TEXT, _BYTES]


def _check_role(value: str) -> None:
    # The API server checks the name in the same way; spaces, which it accepts, are a typing
    # mistake.
    if not value or value in (".", "..") or re.search(r"[\s/%]", value):
        raise ValueError(f"'{value}' is not a ClusterRole's name; write one such as view")


ClusterRole = Annotated[str, checked(_check_role, r"(?!\.{1,2}$)[^\s/%]+")]
Label = Annotated[str, checked(names.check_dns_label, names.DNS_LABEL)]

_NO_PORT = "is not a port; use 1 to 65535"
Port = Annotated[int, within(1, 65535, _NO_PORT, _NO_PORT)]

# A Prometheus duration; every part is optional, and 0 needs no unit.
_DURATION = r"(?=.)([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?|0"
_MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
LONGEST_DURATION = 2**63 // 10**6  # Go counts nanoseconds in an int64


def check_duration(value: str) -> None:
    """Raise ValueError unless Prometheus can parse and represent it."""
    if not re.fullmatch(_DURATION, value):
        raise ValueError(f"'{value}' is not a duration; write one such as 30s, 10m or 1h")
    parts = re.findall("([0-9]+)([a-z]+)", value)
    if sum(int(number) * _MILLISECONDS[unit] for number, unit in parts) > LONGEST_DURATION:
        raise ValueError(f"'{value}' is too long for Prometheus; shorten it")


Duration = Annotated[str, checked(check_duration, _DURATION)]

INT32_MAX = 2**31 - 1  # replicas, seconds and limits are int32 in Kubernetes' API
TOO_MANY = "is too large for Kubernetes; lower it"
Count = Annotated[int, within(0, INT32_MAX, "is below 0; write 0 or more", TOO_MANY)]
Positive = Annotated[int, within(1, INT32_MAX, "is below 1; write 1 or more", TOO_MANY)]
