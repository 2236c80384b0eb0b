"""A review as a comment on a pull request.

Text from a team is in code spans that it cannot end: in them, GitHub interprets no Markdown, HTML,
mention or link. There are no tables, because a `|` would end their cells even there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tools.review.comment import LIMIT, fence
from tools.review.comparison import ComparedObject
from tools.review.edge_layout import counted_edges, edge_groups
from tools.review.layout import (
    NO_PROTECTION,
    by_team,
    counted,
    grouped,
    lines_of,
    place_name,
    printable,
)
from tools.review.object_changes import FieldChange
from tools.review.review import NONE, SECOND_REVIEWER, Review

# The text around it in a comment needs room too.
_MOST = LIMIT - 1_536

_EDGE_WORDS = {"appears": "appears", "other-ports": "other ports", "vanishes": "vanishes"}
_WORDS = {"added": "added", "changed": "changed", "removed": "**destroyed**"}


@dataclass(frozen=True)
class _Section:
    """Lines that may be cut, between lines that may not."""

    before: tuple[str, ...]
    lines: tuple[str, ...]
    after: tuple[str, ...] = ()


def markdown_report(review: Review) -> str:
    """The review, within the length limit of a comment."""
    sections = [_head(review), _edges(review), _found(review), _shared(review)]
    sections += [_team(team, entries) for team, entries in by_team(review.entries)]
    return "\n".join(_fitting(sections)) + "\n"


def marker(stack: str) -> str:
    """The first line of a stack's comment, which identifies it."""
    return f"<!-- sre diff {stack} -->"


def _head(review: Review) -> _Section:
    verdict = {
        NONE: "no differences",
        SECOND_REVIEWER: "**changes that need a second reviewer**",
    }.get(review.exit_code, "changes")
    since = f"since {_code(review.base)} ({_code(review.commit[:12])})"
    said = f"Stack {_code(review.stack)}, {since}: {verdict}. Objects: {counted(review.entries)}."
    return _Section((marker(review.stack), said, ""), ())


def _edges(review: Review) -> _Section:
    """What a reviewer sees first, in no more than its share of a comment."""
    if not review.edges:
        return _Section((), ())
    before = (f"**Who may connect to whom**: {counted_edges(review.edges)}.", "")
    groups, lines, room = edge_groups(review.edges), list[str](), _MOST // 4
    for number, each in enumerate(groups):
        mark = f" (**{each.mark}**)" if each.mark else ""
        by = f", by {_code(each.policies)}" if each.policies else ""
        line = f"- {_EDGE_WORDS[each.one.action]} {_code(each.ends)}: {_code(each.ports)}{mark}{by}"
        room -= _length([line])
        if room < 0:
            lines.append(f"- and {len(groups) - number} more lines; run `./sre diff` to see them")
            break
        lines.append(line)
    return _Section(before, tuple(lines), ("",))


def _found(review: Review) -> _Section:
    findings = grouped(review.findings)
    before = ["**What a reviewer must not miss**", ""] if findings else []
    lines = list[str]()
    for each in findings:
        sign = ":warning:" if each.rule.value.second else ":information_source:"
        controls = ", ".join(each.controls)
        lines.append(f"- {sign} {_code(each.place)}: {each.rule.value.says} ({controls})")
        lines += [f"  - {_code(detail)}" for detail in each.details]
    return _Section(tuple(before), tuple(lines), ("",) if lines else ())


def _shared(review: Review) -> _Section:
    lines: list[str] = []
    for each in review.settings:
        lines += _change(each.change, f"{_code(each.file)}: ", "")
    if not review.protection:
        lines.append(f"- {NO_PROTECTION}")
    return _Section((), tuple(lines), ("",) if lines else ())


def _team(team: str, entries: Sequence[ComparedObject]) -> _Section:
    title = f"<b>{escape(place_name(team))}</b>: {counted(entries)}"
    before = ("<details>", f"<summary>{title}</summary>", "")
    return _Section(before, tuple(_objects(entries)), ("", "</details>"))


def _objects(entries: Sequence[ComparedObject]) -> Iterator[str]:
    for entry in entries:
        app = f" of {_code(entry.object.app)}" if entry.object.app else ""
        yield f"- {_WORDS[entry.action]} {_code(entry.object.shown)}{app}"
        for change in entry.changes:
            yield from _change(change, "", "  ")


def _change(change: FieldChange, before: str, indent: str) -> Iterator[str]:
    values = lines_of(change)
    yield f"{indent}- {before}{_code(change.path)}: {'<br>'.join(map(_code, values))}"


def _code(text: str) -> str:
    """`text` as a code span, between more backticks than it contains."""
    plain = printable(text)
    ticks = fence(plain)
    # Markdown removes these spaces: a backtick in the text must not touch the others.
    space = " " if "`" in plain or plain != plain.strip() or not plain else ""
    return f"{ticks}{space}{plain}{space}{ticks}"


def _fitting(sections: Sequence[_Section]) -> Iterator[str]:
    """The sections' lines in turn, as many as fit, and a note about the cut."""
    room = _MOST - 200  # for the note itself
    cut = 0
    for section in sections:
        fixed = (*section.before, *section.after)
        room -= _length(fixed)
        kept = list[str]()
        if room < 0:
            cut += len(section.lines)
            continue
        for line in section.lines:
            if cut or _length([line]) > room:
                cut += 1
                continue
            room -= _length([line])
            kept.append(line)
        if kept or not section.lines:
            yield from (*section.before, *kept, *section.after)
        else:
            room += _length(fixed)
    if cut:
        yield f"**{cut} lines do not fit into a comment**; run `./sre diff` to see them all."


def _length(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
