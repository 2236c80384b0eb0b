"""The picture of edges: the platform above, teams in a grid, and what is outside below."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.reach import drawn
from tools.reach.arcs import arcs, room
from tools.reach.boxes import app_card, app_width, chips, other_card, team_box, wide_box
from tools.reach.drawn import Link
from tools.reach.edges import Edge, Node
from tools.reach.grid import Grid
from tools.reach.shapes import Box, BoxKind, Card, Picture

MARGIN = 20
BETWEEN = 24  # rows of boxes
NARROWEST = 640


@dataclass(frozen=True)
class _Links:
    """By how they are drawn."""

    arcs: defaultdict[str, list[Link]] = field(default_factory=lambda: defaultdict(list))
    lines: list[Link] = field(default_factory=list)
    chips: defaultdict[Node, list[tuple[Link, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )


def picture(edges: Sequence[Edge]) -> Picture:
    """The same edges have the same picture."""
    nodes = drawn.nodes(edges)
    symbols = drawn.symbols(nodes)
    links = _sorted(drawn.links(edges), symbols)
    grid = Grid(_teams(nodes, symbols, links), links.lines)
    width = max(grid.width, NARROWEST)
    platform = _others("platform", "Platform", symbols, width)
    outside = _others("outside", "Outside the cluster", symbols, width)
    above = MARGIN + sum(box.area.height + BETWEEN for box in platform)
    boxes = [
        *(box.moved(MARGIN, MARGIN) for box in platform),
        *(box.moved(MARGIN, above) for box in grid.boxes),
        *(box.moved(MARGIN, above + grid.height + BETWEEN) for box in outside),
    ]
    lines = [
        line
        for box in boxes
        if box.kind == "team"
        for line in arcs(links.arcs[box.cards[0].node.team], box.cards)
    ]
    bottom = max((box.area.bottom for box in boxes), default=MARGIN)
    return Picture(
        width + 2 * MARGIN,
        bottom + MARGIN,
        tuple(boxes),
        (*lines, *grid.lines(MARGIN, above)),
    )


def _sorted(links: Sequence[Link], symbols: Mapping[Node, str]) -> _Links:
    found = _Links()
    for link in links:
        if link.source in symbols:
            found.chips[link.target].append((link, True))
        elif link.target in symbols:
            found.chips[link.source].append((link, False))
        elif link.source.team == link.target.team:
            found.arcs[link.source.team].append(link)
        else:
            found.lines.append(link)
    return found


def _teams(nodes: Sequence[Node], symbols: Mapping[Node, str], links: _Links) -> list[Box]:
    apps: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if node not in symbols:
            apps[node.team].append(node)
    width = app_width(node for each in apps.values() for node in each)
    order = {node: number for number, node in enumerate(symbols)}
    ends = Counter(node for link in links.lines for node in (link.source, link.target))

    def card(node: Node) -> Card:
        return app_card(node, chips(links.chips[node], symbols, order), width, ends[node])

    return [
        team_box(team, [card(node) for node in each], room(links.arcs[team], each))
        for team, each in apps.items()
    ]


def _others(kind: BoxKind, label: str, symbols: Mapping[Node, str], width: float) -> list[Box]:
    """A box, if there is something for it."""
    cards = [
        other_card(node, symbol)
        for node, symbol in symbols.items()
        if (node.kind == "outside") is (kind == "outside")
    ]
    return [wide_box(kind, label, cards, width)] if cards else []
