"""How a stack's run ended, as the report of a run and CI's comment count it."""

from collections.abc import Iterable
from enum import StrEnum

# The beginning of the line with the outcome, the last one of a log but for what went wrong.
OUTCOME = "Outcome: "


class Outcome(StrEnum):
    """The order is that of totals."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"  # would change, has changed or, in a drift run, differs from the servers
    REFUSED = "refused"  # by a check or a policy, before anything changed
    FAILED = "failed"
    NOT_RUN = "not run"


def counted(outcomes: Iterable[Outcome]) -> dict[Outcome, int]:
    """How many stacks ended so; only outcomes that occur."""
    found = list(outcomes)
    return {each: found.count(each) for each in Outcome if each in found}


def totals(kind: str, outcomes: Iterable[Outcome]) -> str:
    """Such as `3 stacks, preview: 2 unchanged, 1 failed`."""
    counts = counted(outcomes)
    number = sum(counts.values())
    stacks = "1 stack" if number == 1 else f"{number} stacks"
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"{stacks}, {kind}: {said}"
