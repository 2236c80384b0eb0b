"""The arcs between apps of a team, at the right of its cards: each inside longer ones."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tools.reach.drawn import Link
from tools.reach.edges import Node
from tools.reach.shapes import Area, Card, Line

_FIRST, _STEP, _MOST = 16, 9, 64  # how far the handles of a curve are from the cards
_APART = 0.8  # of half a card's height that the ends of its arcs share


def room(links: Iterable[Link], apps: Sequence[Node]) -> float:
    """The width that they need."""
    places = {node: place for place, node in enumerate(apps)}
    spans = [places[link.target] - places[link.source] for link in links]
    # A curve with both handles this far out reaches three quarters of the way.
    return 0.75 * _handle(max(spans)) + 2 if spans else 0


def arcs(links: Sequence[Link], column: Sequence[Card]) -> list[Line]:
    """The lines of a team, whose cards are in their places."""
    cards = {card.node: card.area for card in column}
    places = {node: place for place, node in enumerate(cards)}
    ends = _ends(links, cards, places)
    lines: list[Line] = []
    for number, link in enumerate(links):
        x = cards[link.source].right
        y1, y2 = ends[number, False], ends[number, True]
        handle = x + _handle(places[link.target] - places[link.source])
        lines.append(Line(link, f"M{x:g} {y1:g}C{handle:g} {y1:g} {handle:g} {y2:g} {x:g} {y2:g}"))
    return lines


def _handle(span: int) -> float:
    return min(_FIRST + _STEP * abs(span), _MOST)


def _ends(
    links: Sequence[Link], cards: Mapping[Node, Area], places: Mapping[Node, int]
) -> dict[tuple[int, bool], float]:
    """The y of each end, by the link's number and whether it is its target.

    Arcs to cards below start in the lower half of a card, the shortest lowest.
    """
    below: defaultdict[Node, list[tuple[int, int, bool]]] = defaultdict(list)
    above: defaultdict[Node, list[tuple[int, int, bool]]] = defaultdict(list)
    for number, link in enumerate(links):
        span = places[link.target] - places[link.source]
        below[link.source if span >= 0 else link.target].append((abs(span), number, span < 0))
        above[link.target if span >= 0 else link.source].append((abs(span), number, span >= 0))
    found: dict[tuple[int, bool], float] = {}
    for side, sign in ((below, 1), (above, -1)):
        for node, ends in side.items():
            area = cards[node]
            step = area.height / 2 * _APART / len(ends)
            for place, (_, number, is_target) in enumerate(sorted(ends, reverse=True), 1):
                found[number, is_target] = round(area.y + area.height / 2 + sign * place * step, 1)
    return found
