"""The results as a table that fits in a terminal."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from plain.table import padded
from tools.doctor.examination import Line, Status

WIDTH = 110  # columns


def table(lines: Sequence[Line]) -> str:
    """One line per check, followed by what to do; at the end, the number of checks per status."""
    named = [(f"{line.finding.status:<7}", line.what) for line in lines]
    head, *firsts = ("  ".join(cells) + "  " for cells in padded([("STATUS", "CHECK"), *named]))
    rows = [row for line, first in zip(lines, firsts, strict=True) for row in _rows(line, first)]
    counts = Counter(line.finding.status for line in lines)
    total = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    return "\n".join([f"{head}FOUND", *rows, "", f"{total}."])


def _rows(line: Line, first: str) -> Iterator[str]:
    finding = line.finding
    beside = " " * len(first)
    yield _wrapped(finding.found, first, beside)
    if finding.do:
        yield _wrapped(finding.do, f"{beside}-> ", f"{beside}   ")


def _wrapped(text: str, first: str, beside: str) -> str:
    # Names and addresses are not cut, so that users can copy them.
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=beside,
        break_long_words=False,
        break_on_hyphens=False,
    )
