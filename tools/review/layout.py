"""Shared by the reports: the order of findings and objects, and the form of values."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile
from typing import Any

from plain.trees import ABSENT
from tools.review.comparison import ComparedObject
from tools.review.object_changes import FieldChange
from tools.review.review import Review
from tools.review.review_findings import ReviewFinding, Rules

_LONG = 300  # characters of a value

PLATFORM = "platform"
SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@dataclass(frozen=True)
class FindingGroup:
    """Findings of one kind at one place, reported together."""

    rule: Rules
    place: str
    controls: tuple[str, ...]
    details: tuple[str, ...]


def grouped(findings: Sequence[ReviewFinding]) -> list[FindingGroup]:
    """The findings, with those of a kind and a place together; each detail once."""
    return [
        FindingGroup(
            rule,
            place_name(team, app),
            tuple(dict.fromkeys(control for each in same for control in each.controls)),
            tuple(dict.fromkeys(each.detail for each in same)),
        )
        for (rule, team, app), group in groupby(
            findings, key=lambda each: (each.rule, each.team, each.app)
        )
        for same in [list(group)]
    ]


def place_name(team: str, app: str = "") -> str:
    """The name of a team, an app or the platform in a report."""
    return "/".join(filter(None, (team, app))) or PLATFORM


def by_team(entries: Sequence[ComparedObject]) -> list[tuple[str, list[ComparedObject]]]:
    """Teams by name, the platform first, and each team's differences: by app, then by kind."""
    in_order = sorted(
        entries,
        key=lambda each: (each.object.team, each.object.app, each.object.kind, each.object.name),
    )
    return [(team, list(group)) for team, group in groupby(in_order, lambda each: each.object.team)]


def counted(entries: Sequence[ComparedObject]) -> str:
    """`1 added, 2 changed, 1 destroyed`."""
    words = {"added": "added", "changed": "changed", "removed": "destroyed"}
    numbers = {
        word: sum(each.action == action for each in entries) for action, word in words.items()
    }
    return (
        ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
        or "none differs"
    )


def lines_of(change: FieldChange) -> list[str]:
    """The values of a change: one line `before -> after`, or the lines of a text that differ."""
    before, after = change.before, change.after
    if _is_text(before) and _is_text(after):
        both = before.splitlines(), after.splitlines()
        found = islice(difflib.unified_diff(*both, n=0, lineterm=""), 2, None)  # no file names
        lines = [f"{line[0]} {line[1:]}" for line in found if not line.startswith("@@")]
        if lines:  # or only their ends differ, or what is hidden
            return [_shortened(line) for line in lines]
    if before is ABSENT:
        return [f"+ {shown_value(after)}"]
    if after is ABSENT:
        return [f"- {shown_value(before)}"]
    texts = [_on_a_line(before), _on_a_line(after)]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    if same > _LONG // 2 and max(map(len, texts)) > _LONG:
        # The part that differs must not be cut off.
        texts = [f"...{text[same - _LONG // 4 :]}" for text in texts]
    return [" -> ".join(map(_shortened, texts))]


def shown_value(value: Any) -> str:
    """A value on one line."""
    return _shortened(_on_a_line(value))


def _on_a_line(value: Any) -> str:
    plain = isinstance(value, str) and value and value == value.strip() and value.isprintable()
    return value if plain else json.dumps(value, sort_keys=True, ensure_ascii=False)


def printable(text: str) -> str:
    """`text` without characters that a terminal or a browser would interpret."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def summary(review: Review) -> str:
    """The subject of the review, in a line."""
    return f"stack {review.stack}, since {review.base} ({review.commit[:12]})"


NO_PROTECTION = (
    "The base does not record what is protected, so removed protection is not shown here."
)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.strip("\n")


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONG else f"{text[:_LONG]}... ({len(text)} characters)"
