"""What an import reports: what it cannot carry over, and what users should know."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from specs.problem import Loc, Problem

# Flux substitutes `${NAME}` if one of its Kustomizations has postBuild.
_SUBSTITUTION = re.compile(r"\$\{[A-Za-z_]")


@dataclass
class Findings:
    """`lost` is what the teams' files would not contain; `notes` report what they change."""

    lost: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def note(self, problem: Problem) -> None:
        """Add a note, which is marked as one."""
        self.notes.append(replace(problem, message=f"note: {problem.message}"))


# What to do about something that a team's file cannot express, without touching what runs.
ACCEPT = "accept that it is lost (--partial), or keep it by other means"

UNREADABLE = "the folder cannot be read: no permission; make it readable (chmod +rx)"

SUBSTITUTED = (
    "Flux substitutes ${...} where postBuild is used; write the value in use (in a shell command, "
    "$NAME without braces)"
)


def is_substituted(data: Any) -> bool:
    """Whether a scalar is text in which Flux may substitute something."""
    return isinstance(data, str) and _SUBSTITUTION.search(data) is not None


def texts(data: Any, at: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """Every scalar of plain data, and its place."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from texts(value, (*at, key))
    elif isinstance(data, tuple):
        for index, value in enumerate(data):
            yield from texts(value, (*at, index))
    else:
        yield at, data
