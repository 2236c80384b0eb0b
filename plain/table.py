"""Rows of cells as a table: in columns for a terminal, or as Markdown."""

from collections.abc import Iterator, Sequence

Cells = Sequence[str]


def columns(rows: Sequence[Cells], numbers: bool = False) -> Iterator[str]:
    """One line per row; with `numbers`, all columns except the first are aligned right."""
    for cells in padded(rows, numbers):
        yield "  ".join(cells).rstrip()


def markdown(rows: Sequence[Cells], aligned: bool = False) -> Iterator[str]:
    """The lines of a Markdown table, whose first row is its header.

    `aligned` makes it readable without rendering, too.
    """
    head, *others = [[_escaped(cell) for cell in row] for row in rows]
    if aligned:
        head, *others = padded([head, *others])
    rule = ["-" * (len(cell) if aligned else 3) for cell in head]
    yield from (f"| {' | '.join(cells)} |" for cells in (head, rule, *others))


def padded(rows: Sequence[Cells], numbers: bool = False) -> Iterator[list[str]]:
    """Each row with its cells padded to the width of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [
            cell.rjust(width) if numbers and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]


def _escaped(cell: str) -> str:
    """A pipe ends a cell even within code."""
    return cell.replace("|", r"\|")
