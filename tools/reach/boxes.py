"""The boxes of a picture, each at the origin, with their cards.

Labels have a fixed-width font, so that their widths are known without it.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from tools.reach.drawn import Link
from tools.reach.edges import Node
from tools.reach.shapes import Area, Box, BoxKind, Card, Chip

# The width of a character, rather too large: of names, headings and symbols.
NAME, HEADING, SYMBOL = 7.4, 8.0, 5.8
# The most characters of a label, for apps and for others; the middle of longer names is left out.
AT_MOST, OTHERS_AT_MOST = 30, 60

PADDING = 12  # of a box
ABOVE = 34  # of a box: its heading
NARROWEST = 172  # of cards: two tags and four
NAME_HEIGHT, CHIP_HEIGHT = 26, 15
GAP = 8  # between cards
CHIP_GAP = 4
FROM_CORNER, APART = 4, 4  # ends of lines on a side of a card
INSIDE = 7  # from the side of a card to its chips


def team_box(label: str, cards: Sequence[Card], room: float) -> Box:
    """A column of cards, with room for arcs at their right."""
    placed: list[Card] = []
    height = float(ABOVE)
    for card in cards:
        placed.append(card.moved(PADDING, height))
        height += card.area.height + GAP
    label = shortened(label)
    inside = max(room + max(card.area.width for card in cards), ceil(len(label) * HEADING))
    area = Area(0, 0, inside + 2 * PADDING, height - GAP + PADDING)
    return Box("team", label, area, tuple(placed))


def wide_box(kind: BoxKind, label: str, cards: Sequence[Card], width: float) -> Box:
    """Lines of cards."""
    placed: list[Card] = []
    height = float(ABOVE)
    for line in _lines([card.area.width for card in cards], width - 2 * PADDING, GAP):
        x = float(PADDING)
        for number in line:
            placed.append(cards[number].moved(x, height))
            x += cards[number].area.width + GAP
        height += NAME_HEIGHT + GAP
    return Box(kind, label, Area(0, 0, width, height - GAP + PADDING), tuple(placed))


def app_card(node: Node, chips: Sequence[Chip], width: float, lines_to: int) -> Card:
    """Its name; below, who may reach it at the left, and what it may reach at the right.

    `lines_to` is how many lines from other boxes end at its sides.
    """
    entering = [chip for chip in chips if chip.incoming]
    leaving = [chip for chip in chips if not chip.incoming]
    room = width - 2 * INSIDE
    lines = [[entering[each] for each in line] for line in _flow(entering, room)]
    after = [[leaving[each] for each in line] for line in _flow(leaving, room)]
    if len(lines) == len(after) == 1 and _long(lines[0]) + _long(after[0]) + NAME <= room:
        lines[0] += after.pop()
    lines += after
    placed: list[Chip] = []
    height = float(NAME_HEIGHT)
    for line in lines:
        left, right = float(INSIDE), width - INSIDE - _long([c for c in line if not c.incoming])
        for chip in line:
            x = left if chip.incoming else right
            placed.append(Chip(chip.link, chip.symbol, chip.incoming, chip.area.moved(x, height)))
            step = chip.area.width + CHIP_GAP
            left, right = left + step * chip.incoming, right + step * (not chip.incoming)
        height += CHIP_HEIGHT + CHIP_GAP
    height = max(height + (2 if lines else 0), 2 * FROM_CORNER + lines_to * APART)
    return Card(node, shortened(node.app), "", Area(0, 0, width, height), tuple(placed))


def app_width(nodes: Iterable[Node]) -> float:
    """The width of the cards of all apps."""
    longest = max((len(shortened(node.app)) for node in nodes), default=0)
    return max(NARROWEST, ceil(longest * NAME) + 2 * PADDING)


def other_card(node: Node, symbol: str) -> Card:
    """Its symbol and name."""
    label = shortened(node.shown, OTHERS_AT_MOST)
    width = ceil(len(label) * NAME) + chip_width(symbol) + 3 * INSIDE
    return Card(node, label, symbol, Area(0, 0, width, NAME_HEIGHT))


def chips(
    links: Iterable[tuple[Link, bool]], symbols: Mapping[Node, str], order: Mapping[Node, int]
) -> list[Chip]:
    """Those of an app, at the origin, from its links and whether each enters; in order."""
    found = [(link.source if incoming else link.target, link, incoming) for link, incoming in links]
    return [
        Chip(link, symbols[node], incoming, Area(0, 0, chip_width(symbols[node]), CHIP_HEIGHT))
        for node, link, incoming in sorted(found, key=lambda each: order[each[0]])
    ]


def chip_width(symbol: str) -> float:
    """With the point of its arrow."""
    return ceil(len(symbol) * SYMBOL) + 14


def shortened(name: str, most: int = AT_MOST) -> str:
    """The name, with a mark instead of its middle if it is longer than that."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def _flow(line: Sequence[Chip], room: float) -> list[list[int]]:
    return _lines([chip.area.width for chip in line], room, CHIP_GAP)


def _long(line: Sequence[Chip]) -> float:
    return sum(chip.area.width + CHIP_GAP for chip in line) - CHIP_GAP if line else 0


def _lines(widths: Sequence[float], room: float, gap: float) -> list[list[int]]:
    """Their numbers, line by line; one that is too wide has its own line."""
    found: list[list[int]] = []
    used = 0.0
    for number, width in enumerate(widths):
        if not found or used + gap + width > room:
            found.append([number])
            used = width
        else:
            found[-1].append(number)
            used += gap + width
    return found
