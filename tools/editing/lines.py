"""Adds lines to a YAML file and removes entries from it; leaves the rest of the text as it is."""

from collections.abc import Collection, Sequence

import yaml

from specs.problem import Loc
from specs.source import Source


def with_lines(text: str, at: int, lines: Sequence[str]) -> str:
    """The text with further lines at a place where a line begins, or at its end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    before = text[:at] if not at or text[:at].endswith("\n") else text[:at] + newline
    return before + "".join(line + newline for line in lines) + text[at:]


def without(source: Source, loc: Loc, comments: Collection[str] | None = None) -> str:
    """The file's text without the entry at `loc`, which is not the only one of its block.

    Comment lines directly above the entry go with it; if `comments` is given, only those in it.
    """
    text, parent = source.text, source.node(loc[:-1])
    assert isinstance(parent, yaml.CollectionNode)
    if isinstance(parent, yaml.MappingNode):
        entries = parent.value
        index = [str(key.value) for key, _ in entries].index(str(loc[-1]))
    else:
        entries = [(item, item) for item in parent.value]
        index = int(loc[-1])
    first, last = entries[index]
    if parent.flow_style:
        if index + 1 < len(entries):
            following, _ = entries[index + 1]
            return text[: first.start_mark.index] + text[following.start_mark.index :]
        start = end(entries[index - 1][1]) if index else first.start_mark.index
        return text[:start] + text[end(last) :]
    start = line_start(text, first.start_mark.index)
    above = text[comments_above(text, start) : start].splitlines(keepends=True)
    kept = [line for line in above if comments is not None and line.strip() not in comments]
    before = text[: start - len("".join(above))]
    return before + "".join(kept) + text[line_end(text, end(last)) :]


def end(node: yaml.Node) -> int:
    """Where the node's last value ends; a block's own mark is after comments and blank lines."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return node.end_mark.index
    last = node.value[-1]
    return end(last[1] if isinstance(last, tuple) else last)


def line_start(text: str, at: int) -> int:
    """The beginning of the line that contains `at`."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """The beginning of the line after the one that contains `at`; `at` if a line begins there."""
    if text[:at].endswith("\n"):
        return at
    newline = text.find("\n", at)
    return len(text) if newline < 0 else newline + 1


def comments_above(text: str, start: int) -> int:
    """The beginning of the comment lines directly above the line that begins at `start`."""
    while start and text[line_start(text, start - 1) : start].lstrip().startswith("#"):
        start = line_start(text, start - 1)
    return start
