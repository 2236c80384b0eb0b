"""Lanes for lines between boxes in a grid: lines run between the boxes, never over them.

Gutters lie between the rows and between the columns of boxes. A line leaves its card sideways, runs
along a column's gutter, if need be along a row's gutter to another column's, and enters its card
sideways. In a gutter, lines that would touch have different lanes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Side = Literal["left", "right"]
_ROW = 1e6


class Spot(NamedTuple):
    """Where a card is: the row and column of its box, and from where to where in its box."""

    row: int
    column: int
    top: float
    bottom: float


@dataclass(frozen=True)
class Run:
    """A straight part of a line: a gutter, and from where to where in it."""

    gutter: int
    start: float
    end: float


@dataclass(frozen=True)
class Route:
    """The way of a line: the sides on which it leaves and enters cards, and its runs.

    One run along a column's gutter; or three, of which the second is along a row's.
    """

    sides: tuple[Side, Side]
    runs: tuple[Run, ...]


def route(source: Spot, target: Spot) -> Route:
    """The shortest way between cards of two boxes; gutter N is before column or row N."""
    sides: tuple[Side, Side] = ("left", "left")
    if target.column > source.column:
        sides = ("right", "left")
    elif target.column < source.column:
        sides = ("left", "right")
    first = source.column + (sides[0] == "right")
    last = target.column + (sides[1] == "right")
    if first == last:
        return Route(sides, (_run(first, *_reach(source), *_reach(target)),))
    row = max(source.row, target.row)
    runs = (
        _run(first, *_reach(source), _above(row)),
        _run(row, first, last),
        _run(last, *_reach(target), _above(row)),
    )
    return Route(sides, runs)


def goes_down(run: Run, spot: Spot) -> bool:
    """Whether a line goes down from the card, or else up."""
    return run.end > _reach(spot)[1]


def _run(gutter: int, *places: float) -> Run:
    return Run(gutter, min(places), max(places))


def _reach(spot: Spot) -> tuple[float, float]:
    """Where a line may leave the card: rows are as far apart as no box is high."""
    return spot.row * _ROW + spot.top, spot.row * _ROW + spot.bottom


def _above(row: int) -> float:
    """The place of the gutter before a row."""
    return row * _ROW - 1


def lanes(runs: Sequence[Run]) -> list[int]:
    """The lane of each run; lane 0 of a gutter is the first."""
    found = [0] * len(runs)
    ends: defaultdict[int, list[float]] = defaultdict(list)  # of each lane's last run
    for number in sorted(range(len(runs)), key=lambda each: (runs[each].start, runs[each].end)):
        run = runs[number]
        taken = ends[run.gutter]
        free = next((lane for lane, end in enumerate(taken) if end < run.start), len(taken))
        taken[free : free + 1] = [run.end]
        found[number] = free
    return found
