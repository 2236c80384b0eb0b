"""Where YAML readers differ: PyYAML reads 1.1, kubectl and editors 1.2, Helm a mixture."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

# Plain words that some reader takes for a number, a date, a truth value, null or a merge. Go's
# readers remove every `_` first; some JavaScript readers take `._` or `e3` for a number.
AMBIGUOUS = re.compile(
    r"(?=[-+.0-9])[-+._]*[0-9].*"
    r"|[-+.][-+._]*(e[-+]?[0-9]*)?"
    r"|e[-+]?[0-9_]+"
    r"|[-+]?\.(inf|nan)"
    r"|y|n|yes|no|on|off|true|false|null|~|=|<<",
    re.IGNORECASE,
)
# Line ends that exist only in YAML 1.1.
LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def style(text: str, quote: str) -> str | None:
    """How to write text so that every reader gets that text; None if a dumper decides.

    `quote` is the quote for a word that needs quotes only because of some readers.
    """
    if LINE_ENDS.search(text):
        return '"'
    if "\n" in text:
        return "|"
    return quote if AMBIGUOUS.fullmatch(text) else None


def word(value: str | int) -> str:
    """A name, a host, a range of addresses or a number, in quotes where some reader needs them."""
    text = str(value)
    is_ambiguous = isinstance(value, str) and "/" not in text and AMBIGUOUS.fullmatch(text)
    return f'"{text}"' if is_ambiguous or ":" in text or text.startswith("*") else text


def flow(keys: Mapping[str, str | int | None]) -> str:
    """`{team: team-beta, app: ledger}`, as people write it; keys without a value are left out."""
    said = (f"{key}: {word(value)}" for key, value in keys.items() if value is not None)
    return f"{{{', '.join(said)}}}"


class OddNumber(float):
    """A number whose value is not what its digits suggest: 010 is 8 in YAML 1.1, 1:30 is 90."""

    typed: str

    def __new__(cls, value: float, typed: str = "") -> "OddNumber":
        """`typed` is the text in the file."""
        number = super().__new__(cls, value)
        number.typed = typed
        return number


# libyaml, included in PyYAML's wheels; the pure-Python dumper is the same but ten times slower.
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Dumper(_SafeDumper):  # type: ignore[misc]
    """Writes text, including keys, so that every YAML reader gets that text."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style(text, "'"))


Dumper.add_representer(str, _represent_text)
