"""A row of the comparison, and its display."""

from collections.abc import Sequence
from dataclasses import dataclass

from plain.table import markdown


@dataclass(frozen=True)
class MeasuredRow:
    """One measurement: this program's figure, the figure to compare it with, and the result.

    `reached` is in `unit`, and must be at most `limit`; None is for a figure without one. `why`
    explains why that is not possible, if known.
    """

    what: str
    against: str
    ours: str
    theirs: str
    reached: float
    limit: float | None
    unit: str = "times"
    why: str = ""

    def met(self, noise: float = 1) -> bool:
        """Whether the limit is met, give or take a factor `noise`."""
        return self.limit is None or self.reached <= self.limit * noise

    def missed(self, noise: float = 1) -> str:
        """A line that says by how much the limit is missed."""
        room = f", with room for noise {noise:g} times that" if noise != 1 else ""
        return (
            f"{self.what}: {self.reached:.3g} {self.unit} ({self.ours} against {self.theirs}, "
            f"{self.against}); must be at most {self.limit:g}{room}"
        )

    def cells(self) -> tuple[str, ...]:
        """The row's cells in the table."""
        bounded = self.limit is not None
        return (
            self.what,
            self.against,
            self.ours,
            self.theirs,
            f"{self.reached:.3g} {self.unit}",
            f"≤ {self.limit:g} {self.unit}" if bounded else "-",
            ("yes" if self.met() else "**no**") if bounded else "-",
        )


HEADER = ("What", "Against", "Ours", "Theirs", "Reached", "Must reach", "Met")


def comparison(rows: Sequence[MeasuredRow]) -> str:
    """The rows as a table."""
    return "\n".join(markdown([HEADER, *(row.cells() for row in rows)], aligned=True))


def reasons(rows: Sequence[MeasuredRow]) -> str:
    """Why rows are not met, one line each."""
    return "\n".join(f"Not met: {row.what}. {row.why}" for row in rows if row.why and not row.met())


def seconds(value: float) -> str:
    """A time in a form for people."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def mebibytes(value: float) -> str:
    """An amount of memory."""
    return f"{value:,.0f} MiB"
