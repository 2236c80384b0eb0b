"""Rooms: the picture of imports in docs/how-it-is-built.md by grimp, the rules by import-linter."""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import grimp
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-it-is-built.md"

_PICTURE = re.compile(r"(?<=^```mermaid\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
_TOOLS = "tools"  # each of its packages is a room


def packages() -> list[str]:
    """The project's packages, from the import rules in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed: list[str] = settings["tool"]["importlinter"]["root_packages"]
    return listed


def imports() -> dict[str, frozenset[str]]:
    """The rooms that each room imports, by their packages' names."""
    graph = grimp.build_graph(*packages(), cache_dir=None)
    rooms = {*packages(), *graph.find_children(_TOOLS)} - {_TOOLS}
    for room in rooms:
        graph.squash_module(room)
    return {
        room: frozenset(graph.find_modules_directly_imported_by(room) & rooms - {room})
        for room in sorted(rooms)
    }


def picture() -> str:
    """A Mermaid graph; an import that a chain of others implies has no arrow."""
    found = imports()
    nodes = [f'{_id(room)}["{room.replace(".", "/")}"]' for room in found]
    arrows = [f"{_id(room)} --> {_id(other)}" for room, other in _arrows(found)]
    return "\n  ".join(["graph TD", *nodes, *arrows]) + "\n"


def page() -> str:
    """The page with its picture for the current code."""
    return _PICTURE.sub(lambda _: picture(), PAGE.read_text(encoding="utf-8"), count=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with `--check`, exit with 1 if an import breaks a rule of pyproject.toml."""
    parser = argparse.ArgumentParser(prog="python -m cli.rooms", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check the imports; write nothing")
    if parser.parse_args(arguments).check:
        return lint_imports(no_cache=True, no_logo=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def _arrows(imports: dict[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    def reached(room: str) -> frozenset[str]:
        return imports[room].union(*map(reached, imports[room]))

    for room, direct in imports.items():
        implied = frozenset[str]().union(*map(reached, direct))
        yield from ((room, other) for other in sorted(direct - implied))


def _id(room: str) -> str:
    return room.replace(".", "_")


if __name__ == "__main__":
    sys.exit(main())
