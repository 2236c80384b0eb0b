"""How a stack's run ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from binaries.display import colour_codes
from tools.review.outcome import Outcome

_colours = re.compile(r"<\{%.*?%\}>")  # as the engine's events have them


# What keeps a run from being a success.
BAD = frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.NOT_RUN})


# Stands among a stack's changes for its outputs, such as the program's version.
OUTPUTS = "outputs"


@dataclass(frozen=True)
class StackResult:
    """`changes` counts resources by Pulumi's word for what is done to them, without `same`.

    `messages` are lines: errors, or why it was not run. What a terminal would obey, or XML cannot
    contain, is `?` there. `seconds` is its duration.
    """

    stack: str
    outcome: Outcome
    changes: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    seconds: float = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(map(printable, self.messages)))

    @property
    def summary(self) -> str:
        """Its changes in words, `2 create, 1 update`."""
        return ", ".join(
            operation if operation == OUTPUTS else f"{count} {operation}"
            for operation, count in self.changes.items()
        )


def not_run(stack: str, why: str) -> StackResult:
    """The result of a stack that was left alone."""
    return StackResult(stack, Outcome.NOT_RUN, messages=(why,))


def printable(text: str) -> str:
    """One line of what another program has said."""
    line = " ".join(_colours.sub("", colour_codes.sub("", text)).split())
    return "".join(each if each.isprintable() else "?" for each in line)
