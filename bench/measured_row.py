"""A row of the comparison, and how the rows are shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from plain.table import markdown


@dataclass(frozen=True)
class MeasuredRow:
    """One thing measured: our figure, what it is held against, and what that comes to.

    `reached` is in `unit`, and must be at most `limit`, or with `at_least` no less than it. `why`
    says why that cannot be, where it is known.
    """

    what: str
    against: str
    ours: str
    theirs: str
    reached: float
    limit: float
    unit: str = "times"
    at_least: bool = False
    why: str = ""

    def met(self, noise: float = 1) -> bool:
        """Whether the limit is kept, give or take a factor `noise`."""
        if self.at_least:
            return self.reached >= self.limit / noise
        return self.reached <= self.limit * noise

    def missed(self, noise: float = 1) -> str:
        """A line that says by how much it is not met."""
        bound = "at least" if self.at_least else "at most"
        room = f", with room for noise {noise:g} times that" if noise != 1 else ""
        return (
            f"{self.what}: {self.reached:.3g} {self.unit} ({self.ours} against {self.theirs}, "
            f"{self.against}); must be {bound} {self.limit:g}{room}"
        )

    def cells(self) -> tuple[str, ...]:
        """What the table says of it."""
        sign = "≥" if self.at_least else "≤"
        return (
            self.what,
            self.against,
            self.ours,
            self.theirs,
            f"{self.reached:.3g} {self.unit}",
            f"{sign} {self.limit:g} {self.unit}",
            "yes" if self.met() else "**no**",
        )


HEADER = ("What", "Against", "Ours", "Theirs", "Reached", "Must reach", "Met")


def comparison(rows: Sequence[MeasuredRow]) -> str:
    """The rows as a table."""
    return "\n".join(markdown([HEADER, *(row.cells() for row in rows)], aligned=True))


def reasons(rows: Sequence[MeasuredRow]) -> str:
    """Why rows are not met, a line each."""
    return "\n".join(f"Not met: {row.what}. {row.why}" for row in rows if row.why and not row.met())


def seconds(value: float) -> str:
    """A time as a person reads it."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def mebibytes(value: float) -> str:
    """An amount of memory."""
    return f"{value:,.0f} MiB"
