"""Kubernetes quantities of CPU and bytes, read exactly: '500m' is one half, '1Ki' is 1024."""

import re
from decimal import Decimal
from fractions import Fraction

_SCALES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 10**3), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9),
    "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30),
    "Ti": Fraction(2**40), "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip

_DECIMAL = {unit: _SCALES[unit] for unit in ("E", "P", "T", "G", "M", "k", "", "m", "u", "n")}
_BINARY = {unit: _SCALES[unit] for unit in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki", "")}
_EXPONENTS = {unit: 18 - 3 * place for place, unit in enumerate(_DECIMAL)}
_KIBIBYTE = 2**10

_NUMBER = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)"
_EXPONENT = r"[+-]?[0-9]{1,3}"
_QUANTITY = re.compile(
    rf"(?P<number>[+-]?{_NUMBER})"
    rf"((?P<unit>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>{_EXPONENT}))?"
)
_MOST_CHARACTERS = 64

# What `check_cpu`, and what `check_memory` and `check_storage` accept, as far as a regular
# expression can express it.
_ABOVE_ZERO = rf"(?=.{{1,{_MOST_CHARACTERS}}}$)(?=[+0.]*[1-9])\+?{_NUMBER}"
CPU = rf"{_ABOVE_ZERO}([numkMGTPE]|[KMGTPE]i|[eE]{_EXPONENT})?"
MEMORY = rf"{_ABOVE_ZERO}([kMGTPE]|[KMGTPE]i|[eE]{_EXPONENT})?"
MOST = 2**63 - 1  # resource.Quantity's bound; it silently caps larger values
LEAST_BYTES_WITHOUT_UNIT = 2**20
_MILLI = Fraction(1, 1000)


def parse(text: str) -> Fraction:
    """The value of a Kubernetes `resource.Quantity`, in its base unit (CPUs, bytes, objects).

    Exact, whereas Kubernetes rounds values finer than 1n up. Raises ValueError for text that the
    API server would not parse, and for values beyond 2^63-1.
    """
    return _split(text)[2]


def canonical(text: str) -> str:
    """The quantity as an API server writes it: `1000m` as `1`, `1.5Gi` as `1536Mi`.

    For values not finer than 1n. Raises ValueError like `parse`.
    """
    _, unit, value = _split(text)
    exponent = re.search(r"[eE][+-]?[0-9]", text) is not None
    binary = unit.endswith("i") and value >= _KIBIBYTE and value.denominator == 1
    scales = _BINARY if binary else _DECIMAL
    suffix, scale = next((suffix, scale) for suffix, scale in scales.items() if not value % scale)
    if exponent and suffix:
        suffix = f"e{_EXPONENTS[suffix]}"
    return f"{value // scale}{suffix}"


def in_binary_units(count: int) -> str:
    """Bytes as people write them: in the largest binary unit that leaves no fraction."""
    fitting = (unit for unit, scale in _BINARY.items() if count >= scale and not count % scale)
    unit = next(fitting, "")
    return f"{count // _BINARY[unit]}{unit}"


def check_cpu(text: str) -> Fraction:
    """Return a container's CPUs. Raise ValueError unless above zero and in whole thousandths."""
    value = parse(text)
    if value <= 0:
        raise ValueError(f"{text!r} is not above zero; write CPUs such as 500m or 2")
    if value % _MILLI:
        raise ValueError(f"{text!r} is finer than 1m; write CPUs in whole thousandths such as 500m")
    return value


def check_memory(text: str) -> Fraction:
    """Return bytes of memory. Raise ValueError unless above zero, whole and plausible.

    A number below 1Mi without a unit, or with the unit m (thousandths), is probably missing its Mi.
    """
    return _check_bytes(text, "memory such as 128", "Mi")


def check_storage(text: str) -> Fraction:
    """Return bytes of a volume. Raise ValueError like `check_memory`; what is missing is Gi."""
    return _check_bytes(text, "a size such as 10", "Gi")


def _check_bytes(text: str, example: str, missing: str) -> Fraction:
    number, unit, value = _split(text)
    if value <= 0:
        raise ValueError(f"{text!r} is not above zero; write {example}{missing}")
    if unit in ("n", "u", "m") or (unit == "" and value < LEAST_BYTES_WITHOUT_UNIT):
        raise ValueError(f"{text} is {_decimal(value)} bytes; write {number.lstrip('+')}{missing}")
    if value.denominator != 1:
        whole = f"a whole number such as {example.rpartition(' ')[2]}{missing}"
        raise ValueError(f"{text} is {_decimal(value)} bytes; write {whole}")
    return value


def _split(text: str) -> tuple[str, str, Fraction]:
    """The number and the unit as written, and the value of both. An exponent belongs to neither."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
    if match is None:
        shown = text[:_MOST_CHARACTERS]
        raise ValueError(
            f"{shown!r} is not a quantity; write a number with a unit such as 128Mi or 500m"
        )
    number, unit, exponent = match["number"], match["unit"] or "", int(match["exponent"] or 0)
    value = Fraction(number) * _SCALES[unit] * Fraction(10) ** exponent
    if abs(value) > MOST:
        raise ValueError(f"{text!r} is too large for Kubernetes; write less than 8Ei")
    return number, unit, value


def _decimal(value: Fraction) -> str:
    return f"{(Decimal(value.numerator) / value.denominator).normalize():f}"
