"""Hides what Secrets contain: whole values, and the parts that a program would print."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

from specs.credentials import HIDDEN, without_credentials

# Parts of a value that are shorter say nothing, and hiding them would hide ordinary words.
_PART = 4
_PASSWORD = re.compile(r"://[^\s/?#:@]*:([^\s/?#@]+)@")
_ASSIGNED = re.compile(r"^\s*[\"']?[\w.-]+[\"']?\s*[=:]\s*[\"']?(.+?)[\"']?\s*[;,]?\s*$", re.M)
_IN_DSN = re.compile(r"(?:password|pwd|key|secret|token)\s*=\s*([^\s;&]+)", re.I)


def hidden(contents: Iterable[Mapping[str, str]]) -> Sequence[str]:
    """All that must not be shown of Secrets, the longest first; `contents` are their `data`."""
    found: set[str] = set()
    for content in contents:
        for encoded in content.values():
            raw = base64.b64decode(encoded)
            value = raw.decode("utf-8", "replace")
            whole = {value, value.strip(), encoded}
            parts = {part for part in _parts(value) if len(part) >= _PART}
            found |= whole | parts
    found |= {form for value in found for form in _forms(value)}
    return sorted((value for value in found if value.strip()), key=len, reverse=True)


def masked(text: str, values: Sequence[str]) -> str:
    """The text, printable, without these values and without credentials of a known form."""
    for value in values:
        text = text.replace(value, HIDDEN)
    lines = (without_credentials(line) for line in text.splitlines())
    return "\n".join(_printable(line) for line in lines)


def _parts(value: str) -> Iterator[str]:
    """What a program reads out of a value: a line, a field, a password in an address."""
    yield from (line.strip() for line in value.splitlines())
    for pattern in (_PASSWORD, _ASSIGNED, _IN_DSN):
        yield from pattern.findall(value)
    with suppress(ValueError, RecursionError):
        yield from _leaves(json.loads(value))
    with suppress(ValueError):  # binascii's error is one, too
        yield base64.b64decode(value.strip(), validate=True).decode("utf-8")


def _leaves(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from _leaves(each)
    elif isinstance(document, str):
        yield document


def _forms(value: str) -> Iterator[str]:
    """The ways in which a program may write a value."""
    yield quote(value, safe="")
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    yield base64.b64encode(value.encode("utf-8", "replace")).decode("ascii")


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)
