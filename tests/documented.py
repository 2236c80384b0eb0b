"""The keys of team files by the paths that docs/reference.md gives them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cli import reference
from tests.program import read_yaml


def unused_keys(files: Iterable[Path]) -> list[str]:
    """The documented keys that none of the files has."""
    keys = reference.team_keys()
    places = {key.entry: key.shared for key in keys if key.shared}
    used = {
        _as_documented(path, places)
        for file in files
        for path in _paths(read_yaml(file.read_text(encoding="utf-8")))
    }
    return [key.path for key in keys if key.path not in used]


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of each key in a file, as the reference writes paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            below = f"{path}.{key}" if path else str(key)
            yield below
            yield from _paths(inner, below)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{path}[]")


def _as_documented(path: str, places: dict[str, str]) -> str:
    """The path under which the reference has it, where a shared block has a section of its own."""
    for place, title in places.items():
        if path.startswith(f"{place}."):
            return _as_documented(title + path.removeprefix(place), places)
    return path
