"""A review for a terminal."""

from collections.abc import Iterator

from tools.review.edge_layout import counted_edges, edge_groups
from tools.review.layout import (
    NO_PROTECTION,
    SIGNS,
    by_team,
    counted,
    grouped,
    lines_of,
    place_name,
    printable,
    summary,
)
from tools.review.object_changes import FieldChange
from tools.review.review import NONE, SECOND_REVIEWER, Review

_RED, _GREEN, _YELLOW, _BOLD, _END = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
# Lines, each of which may have several edges.
_MOST_EDGES = 200
_COLOURS = {"+": _GREEN, "-": _RED, "~": _YELLOW}


def text_report(review: Review, colour: bool) -> str:
    """The review as lines of text, with ANSI colours if `colour`."""

    def painted(text: str, code: str) -> str:
        return f"{code}{text}{_END}" if colour else text

    lines = [painted(line, _BOLD) for line in _head(review)]
    for line in _edges(review):
        sign = line.lstrip()[:1]
        lines.append(painted(line, _COLOURS[sign]) if _is_object(line) else line)
    lines += [painted(line, _RED if second else _YELLOW) for second, line in _findings(review)]
    lines += _shared(review)
    for line in _objects(review):
        sign = line.lstrip()[:1]
        lines.append(painted(line, _COLOURS[sign]) if _is_object(line) else line)
    return "\n".join(lines) + "\n"


def _head(review: Review) -> Iterator[str]:
    yield printable(f"{summary(review)}: objects: {counted(review.entries)}")
    if review.exit_code == SECOND_REVIEWER:
        yield "needs a second reviewer"
    elif review.exit_code == NONE:
        yield "no differences"


def _edges(review: Review) -> Iterator[str]:
    if not review.edges:
        return
    yield ""
    yield f"who may connect to whom: {counted_edges(review.edges)}"
    groups = edge_groups(review.edges)
    for group in groups[:_MOST_EDGES]:
        mark = f" ({group.mark})" if group.mark else ""
        yield f"  {group.sign} {printable(group.ends)}: {printable(group.ports)}{mark}"
        if group.policies:
            yield f"      by {printable(group.policies)}"
    if len(groups) > _MOST_EDGES:
        yield f"  and {len(groups) - _MOST_EDGES} more lines; see `--format json`"


def _findings(review: Review) -> Iterator[tuple[bool, str]]:
    for group in grouped(review.findings):
        second = group.rule.value.second
        yield second, ""
        where = f"{' '.join(group.controls)}  {group.place}: {group.rule.value.says}"
        yield second, f"{'!' if second else '.'} {where}"
        yield from ((second, f"    {printable(detail)}") for detail in group.details)


def _shared(review: Review) -> Iterator[str]:
    if review.settings:
        yield ""
        for each in review.settings:
            yield from _change(each.change, f"{each.file}: ", "")
    if not review.protection:
        yield ""
        yield NO_PROTECTION


def _is_object(line: str) -> bool:
    return line.startswith("  ") and line[2:4] in ("+ ", "- ", "~ ")


def _objects(review: Review) -> Iterator[str]:
    for team, entries in by_team(review.entries):
        yield ""
        yield f"{place_name(team)}: {counted(entries)}"
        for entry in entries:
            app = f" ({entry.object.app})" if entry.object.app else ""
            yield f"  {SIGNS[entry.action]} {printable(entry.object.shown)}{app}"
            for change in entry.changes:
                yield from _change(change, "", "      ")


def _change(change: FieldChange, before: str, indent: str) -> Iterator[str]:
    values = lines_of(change)
    path = printable(f"{before}{change.path}")
    if len(values) == 1:
        yield f"{indent}{path}: {values[0]}"
        return
    yield f"{indent}{path}:"
    yield from (f"{indent}  {value}" for value in values)
