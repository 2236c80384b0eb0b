"""Adds an entry to `apps` in a team's file, in the file's own layout."""

import re
from collections.abc import Sequence

import yaml

from specs.problem import ProblemsError
from specs.source import Loader, Source
from tools.editing.lines import line_end, with_lines

_STEP = 2  # columns by which an entry's lines are indented when they arrive here
_NO_BLOCK = "must be a list of lines that begin with '- '; rewrite it, or add the app by hand"


def with_entry(source: Source, entry: Sequence[str]) -> str:
    """The file's text with one more entry, whose lines are those of a mapping of its own.

    Raises ProblemsError if the file's form leaves no place for it.
    """
    text = source.text
    root, apps = source.node(()), source.node(("apps",))
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise ProblemsError(source.problem((), "is written in braces; use `key: value` lines"))
    column = root.start_mark.column
    if apps is None:
        lines = ["", f"{' ' * column}apps:", *_indented(entry, column + _STEP)]
        return with_lines(text, len(text), lines)
    if isinstance(apps, yaml.SequenceNode) and apps.value and not apps.flow_style:
        return with_lines(text, _end(text, apps), _as_last(text, apps, entry))
    start, end = apps.start_mark.index, apps.end_mark.index
    if text[start:end].replace(" ", "") not in ("", "[]", "~", "null"):
        raise ProblemsError(source.problem(("apps",), _NO_BLOCK))
    before = text[:start].rstrip(" ")
    at = line_end(before + text[end:], len(before))
    return with_lines(before + text[end:], at, _indented(entry, column + _STEP))


def _as_last(text: str, apps: yaml.SequenceNode, entry: Sequence[str]) -> list[str]:
    """The entry's lines in the columns of the last one, at the same distance as the others."""
    last = apps.value[-1]
    dash, width, step = _dash(text, apps), last.start_mark.column - _dash(text, apps), _STEP
    for _, value in last.value if isinstance(last, yaml.MappingNode) else ():
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            step = value.value[0][0].start_mark.column - last.start_mark.column
            break
    lines = _indented(entry, dash, width, step)
    above = text[: last.start_mark.index].split("\n")[:-1]
    while above and above[-1].lstrip().startswith("#"):
        above.pop()
    apart = len(apps.value) == 1 or not above[-1].strip()
    return ["", *lines] if apart else lines


def _dash(text: str, apps: yaml.SequenceNode) -> int:
    """The column of the last entry's '-'; an anchor before the list would hide the list's own."""
    before = text[: apps.value[-1].start_mark.index]
    return before.rfind("-") - before.rfind("\n", 0, before.rfind("-")) - 1


def _indented(entry: Sequence[str], dash: int, width: int = _STEP, step: int = _STEP) -> list[str]:
    """With the '-' in column `dash`, the keys `width` columns further, and levels of `step`."""
    lines = []
    for line in entry:
        level = (len(line) - len(line.lstrip())) // _STEP
        lines.append(" " * (dash + width + level * step) + line.lstrip())
    return [" " * dash + "-" + lines[0][dash + 1 :], *lines[1:]]


def _end(text: str, apps: yaml.SequenceNode) -> int:
    """Where the last entry's lines end, including comments indented further than its '-'."""
    # A block's own end mark is at the next token, after comments and blank lines.
    within = range(apps.start_mark.index, apps.end_mark.index)
    ends = [
        event.end_mark.index
        for event in yaml.parse(text, Loader=Loader)
        if event.start_mark.index in within and event.end_mark.index > event.start_mark.index
    ]
    at = line_end(text, max(ends))
    further_in = rf"(?:[ \t]*\r?\n)*[ ]{{{_dash(text, apps) + 1},}}#[^\n]*(?:\n|\Z)"
    while comment := re.compile(further_in).match(text, at):
        at = comment.end()
    return at
