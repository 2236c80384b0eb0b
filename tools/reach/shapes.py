"""The parts of the picture, with their places; all figures are CSS pixels."""

from dataclasses import dataclass, replace
from typing import Literal

from tools.reach.drawn import Link
from tools.reach.edges import Node

BoxKind = Literal["team", "platform", "outside"]


@dataclass(frozen=True)
class Area:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.y + self.height

    def moved(self, x: float, y: float) -> "Area":
        """The same size, elsewhere."""
        return replace(self, x=self.x + x, y=self.y + y)


@dataclass(frozen=True)
class Chip:
    """A link between an app and a node that is not an app: on the app's card, with its symbol."""

    link: Link
    symbol: str
    incoming: bool
    area: Area


@dataclass(frozen=True)
class Card:
    """A node; an app has no symbol."""

    node: Node
    label: str
    symbol: str
    area: Area
    chips: tuple[Chip, ...] = ()

    def moved(self, x: float, y: float) -> "Card":
        """The same, elsewhere."""
        chips = tuple(replace(chip, area=chip.area.moved(x, y)) for chip in self.chips)
        return replace(self, area=self.area.moved(x, y), chips=chips)


@dataclass(frozen=True)
class Box:
    """A team, the platform or what is outside, with their nodes."""

    kind: BoxKind
    label: str
    area: Area
    cards: tuple[Card, ...]

    def moved(self, x: float, y: float) -> "Box":
        """The same, elsewhere."""
        cards = tuple(card.moved(x, y) for card in self.cards)
        return replace(self, area=self.area.moved(x, y), cards=cards)


@dataclass(frozen=True)
class Line:
    """A link between two apps; `path` is the data of an SVG path."""

    link: Link
    path: str


@dataclass(frozen=True)
class Picture:
    """All of it; later lines lie over earlier ones."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
