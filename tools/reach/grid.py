"""The boxes of teams in a grid, and the lines between them along its gutters."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import log

from tools.reach.boxes import APART, FROM_CORNER
from tools.reach.drawn import Link
from tools.reach.edges import Node
from tools.reach.lanes import Run, Side, Spot, goes_down, lanes, route
from tools.reach.shapes import Box, Line

_NARROWEST, _LANE = 28, 6  # of gutters, and between lines in them
_ASPECT = 1.5  # width by height
_CORNER = 12

Point = tuple[float, float]


class Grid:
    """Boxes from left to right and top to bottom, in the order given."""

    def __init__(self, boxes: Sequence[Box], links: Iterable[Link]) -> None:
        columns = _columns(boxes)
        spots = {
            card.node: Spot(*divmod(number, columns), card.area.y, card.area.bottom)
            for number, box in enumerate(boxes)
            for card in box.cards
        }
        self._links = list(links)
        self._spots = spots
        self._routes = [route(spots[link.source], spots[link.target]) for link in self._links]
        self._upright = _Gutters(run for each in self._routes for run in each.runs[::2])
        self._across = _Gutters(run for each in self._routes for run in each.runs[1:2])
        rows = [boxes[start : start + columns] for start in range(0, len(boxes), columns)]
        wide = [boxes[column::columns] for column in range(columns if boxes else 0)]
        xs = self._upright.place([max(box.area.width for box in each) for each in wide])
        ys = self._across.place([max(box.area.height for box in row) for row in rows])
        self.width, self.height = self._upright.end, self._across.end
        self.boxes = [
            box.moved(xs[column], ys[row])
            for row, each in enumerate(rows)
            for column, box in enumerate(each)
        ]
        self._cards = {card.node: card.area for box in self.boxes for card in box.cards}

    def lines(self, x: float, y: float) -> Iterator[Line]:
        """One for each link, for a grid whose corner is here."""
        ends = self._ends()
        for number, link in enumerate(self._links):
            corners = self._corners(number, ends)
            yield Line(link, _path([(x + across, y + down) for across, down in corners]))

    def _corners(self, number: int, ends: dict[tuple[int, bool], Point]) -> list[Point]:
        """Where the line starts, turns and ends."""
        (x1, y1), (x2, y2) = ends[number, False], ends[number, True]
        runs = self._routes[number].runs
        if len(runs) == 1 and abs(y1 - y2) < APART:
            return [(x1, y1), (x2, y1)]  # straight: the other end's height is nobody else's
        first, last = self._upright.lane(runs[0]), self._upright.lane(runs[-1])
        between: list[Point] = [(first, y1), (last, y2)]
        if len(runs) > 1:
            y = self._across.lane(runs[1])
            between[1:1] = [(first, y), (last, y)]
        return [(x1, y1), *between, (x2, y2)]

    def _ends(self) -> dict[tuple[int, bool], Point]:
        """Where each line leaves (False) and enters (True) its cards.

        On a side of a card, lines do not cross each other: of those that go up, the one with the
        nearest lane is highest, of those that go down, lowest.
        """
        found: defaultdict[tuple[Node, Side], list[tuple[bool, float, int, bool]]]
        found = defaultdict(list)
        for number, (link, way) in enumerate(zip(self._links, self._routes, strict=True)):
            for node, side, run, enters in (
                (link.source, way.sides[0], way.runs[0], False),
                (link.target, way.sides[1], way.runs[-1], True),
            ):
                down = goes_down(run, self._spots[node])
                far = self._upright.lane(run) * (1 if side == "right" else -1)
                found[node, side].append((down, -far if down else far, number, enters))
        points: dict[tuple[int, bool], Point] = {}
        for (node, side), lines in found.items():
            area = self._cards[node]
            step = (area.height - 2 * FROM_CORNER) / len(lines)
            # On cards that face each other, ends are never at one height.
            x, shift = (area.x, 0) if side == "left" else (area.right, APART / 2)
            for place, (_, _, number, enters) in enumerate(sorted(lines)):
                y = area.y + FROM_CORNER + (place + 0.5) * step
                points[number, enters] = (x, y // APART * APART + shift)
        return points


class _Gutters:
    """The gutters in one direction; each is as wide as its lanes need."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = list(runs)
        # Equal runs are different lines, so that they are known by identity.
        self._lane = dict(zip(map(id, self._runs), lanes(self._runs), strict=True))
        self._first: list[float] = []
        self.end = 0.0

    def place(self, sizes: Sequence[float]) -> list[float]:
        """Where what lies between the gutters starts: columns of these widths, rows of heights."""
        count = [0] * (len(sizes) + 1)
        for run in self._runs:
            count[run.gutter] = max(count[run.gutter], self._lane[id(run)] + 1)
        starts: list[float] = []
        for gutter, size in enumerate((*sizes, 0)):
            inner = 0 < gutter < len(sizes)
            needed = (count[gutter] + 1) * _LANE + 8 if count[gutter] else 0
            width = max(needed, _NARROWEST if inner else 0)
            self._first.append(self.end + (width - (count[gutter] - 1) * _LANE) / 2)
            self.end += width
            starts.append(self.end)
            self.end += size
        return starts[:-1]

    def lane(self, run: Run) -> float:
        """Where the lane of a run lies."""
        return self._first[run.gutter] + self._lane[id(run)] * _LANE


def _columns(boxes: Sequence[Box]) -> int:
    """How many make the grid as wide as it should be for its height."""

    widest = max((box.area.width for box in boxes), default=0)
    heights = [box.area.height for box in boxes]

    def off(columns: int) -> float:
        rows = range(0, len(boxes), columns)
        height = sum(max(heights[at : at + columns]) for at in rows)
        return abs(log(widest * columns / height / _ASPECT))

    return min(range(1, len(boxes) + 1), key=off, default=1)


def _path(points: Sequence[Point]) -> str:
    """The data of a path along these points, with rounded corners."""
    parts = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        size = min(_CORNER, _length(before, corner) / 2, _length(corner, after) / 2)
        parts.append(
            f"L{_at(_towards(corner, before, size))}Q{_at(corner)} "
            f"{_at(_towards(corner, after, size))}"
        )
    return "".join([*parts, f"L{_at(points[-1])}"])


def _length(start: Point, end: Point) -> float:
    return abs(end[0] - start[0]) + abs(end[1] - start[1])


def _towards(start: Point, end: Point, by: float) -> Point:
    length = _length(start, end)
    share = by / length if length else 0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _at(point: Point) -> str:
    return f"{round(point[0], 1):g} {round(point[1], 1):g}"
