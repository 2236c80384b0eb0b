"""Edges as a picture in SVG, for light and dark pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tools.reach import drawn
from tools.reach.boxes import CHIP_HEIGHT, NAME, chip_width
from tools.reach.edges import Edge, EdgeKind, Node
from tools.reach.layout import MARGIN, picture
from tools.reach.shapes import Area, Box, Card, Chip, Line

STYLE = Path(__file__).with_name("picture.css")
_TITLE = "What may reach what"
_POINT = 5  # of a chip
_LEGEND_LINE, _SAMPLE, _APART = 22, 34, 24


def svg(edges: Sequence[Edge]) -> str:
    """A complete document."""
    root = drawing(edges)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    style = Element("style")
    style.text = "\n" + STYLE.read_text(encoding="utf-8")
    root.insert(1, style)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def drawing(edges: Sequence[Edge]) -> Element:
    """The picture, without the style that its classes need.

    A card's `data-node` is its number in `drawn.nodes`; a link's `data-edges` are the numbers of
    its edges.
    """
    seen = picture(edges)
    legend, above = _legend(seen.width)
    width, height = f"{seen.width:g}", f"{seen.height + above:g}"
    attributes = {"class": "reach", "viewBox": f"0 0 {width} {height}", "role": "img"}
    root = Element("svg", {**attributes, "width": width, "height": height})
    _titled(root, _TITLE)
    root.append(_arrowheads())
    SubElement(root, "rect", {"class": "paper", "width": width, "height": height})
    root.append(legend)
    body = SubElement(root, "g", {"transform": f"translate(0 {above:g})"})
    numbers = {node: number for number, node in enumerate(drawn.nodes(edges))}
    body.extend(_box(box, numbers) for box in seen.boxes)
    body.extend(_line(line) for line in seen.lines)
    return root


def _box(box: Box, numbers: Mapping[Node, int]) -> Element:
    group = Element("g", {"class": f"box {box.kind}"})
    SubElement(group, "rect", _corners(box.area, 10))
    group.append(_text("heading", box.area.x + 12, box.area.y + 22, box.label))
    group.extend(_card(card, numbers[card.node]) for card in box.cards)
    return group


def _card(card: Card, number: int) -> Element:
    """The chips come after the name: they are links of their own."""
    group = Element("g")
    kind = "app" if not card.symbol else _kind_of(card.node)
    name = SubElement(group, "g", {"class": f"card {kind}", "data-node": str(number)})
    _titled(name, card.node.shown)
    SubElement(name, "rect", _corners(card.area, 6))
    x = card.area.x + 10
    if card.symbol:
        at = Area(card.area.x + 6, card.area.y + 5, chip_width(card.symbol), CHIP_HEIGHT + 1)
        name.append(_pointed("symbol", at, card.symbol))
        x = at.right + 6
    name.append(_text("name", x, card.area.y + 17, card.label))
    for chip in card.chips:
        group.append(_chip(chip))
    return group


def _kind_of(node: Node) -> EdgeKind:
    return "outside" if node.kind == "outside" else "platform"


def _chip(chip: Chip) -> Element:
    link = chip.link
    group = Element("g", _link(f"chip {link.kind} {'in' if chip.incoming else 'out'}", link))
    _titled(group, link.title)
    group.append(_pointed("tag", chip.area, chip.symbol))
    return group


def _pointed(name: str, area: Area, text: str) -> Element:
    """A tag that points to the right."""
    group = Element("g", {"class": name})
    middle, tip = area.y + area.height / 2, area.right - _POINT
    points = (
        (area.x, area.y), (tip, area.y), (area.right, middle), (tip, area.bottom),
        (area.x, area.bottom),
    )  # fmt: skip
    SubElement(group, "polygon", {"points": " ".join(f"{x:g},{y:g}" for x, y in points)})
    group.append(_text("", area.x + 5, area.y + area.height - 4, text))
    return group


def _line(line: Line) -> Element:
    """The path that is seen, and a wider one to point at."""
    link = line.link
    group = Element("g", _link(f"line {link.kind}", link))
    _titled(group, link.title)
    ends = {"marker-end": f"url(#arrow-{link.kind})"}
    if link.mutual:
        ends["marker-start"] = ends["marker-end"]
    SubElement(group, "path", {"class": "wide", "d": line.path})
    SubElement(group, "path", {"class": "seen", "d": line.path, **ends})
    return group


def _link(name: str, link: drawn.Link) -> dict[str, str]:
    return {"class": f"link {name}", "data-edges": " ".join(map(str, link.numbers))}


def _arrowheads() -> Element:
    defs = Element("defs")
    for kind in ("same-team", "cross-team"):
        size = "5" if kind == "same-team" else "7"
        marker = SubElement(
            defs,
            "marker",
            {
                "id": f"arrow-{kind}",
                "class": kind,
                "viewBox": "0 0 10 10",
                "refX": "9",
                "refY": "5",
                "markerWidth": size,
                "markerHeight": size,
                "markerUnits": "userSpaceOnUse",
                "orient": "auto-start-reverse",
            },
        )
        SubElement(marker, "path", {"d": "M0 0L10 5L0 10z"})
    return defs


def _legend(width: float) -> tuple[Element, float]:
    """What lines and tags mean, with its height."""
    group = Element("g", {"class": "legend"})
    x, y = float(MARGIN), float(MARGIN)
    for name, text in (
        ("line cross-team", "reaches another team"),
        ("line same-team", "reaches within the team"),
        ("chip platform in", "may reach the app"),
        ("chip platform out", "the app may reach it"),
        ("chip outside out", "outside the cluster"),
    ):
        room = _SAMPLE + len(text) * NAME
        if x + room > width - MARGIN:
            x, y = float(MARGIN), y + _LEGEND_LINE
        sample = SubElement(group, "g", {"class": name})
        kind = name.split()[1]
        if name.startswith("line"):
            path = f"M{x:g} {y:g}L{x + 26:g} {y:g}"
            ends = {"marker-end": f"url(#arrow-{kind})"}
            SubElement(sample, "path", {"class": "seen", "d": path, **ends})
        else:
            symbol = "1" if kind == "outside" else "A"
            area = Area(x + 3, y - CHIP_HEIGHT / 2, chip_width(symbol), CHIP_HEIGHT)
            sample.append(_pointed("tag", area, symbol))
        group.append(_text("name", x + _SAMPLE, y + 4, text))
        x += room + _APART
    return group, y + 6


def _corners(area: Area, radius: float) -> dict[str, str]:
    numbers = {"x": area.x, "y": area.y, "width": area.width, "height": area.height, "rx": radius}
    return {name: f"{number:g}" for name, number in numbers.items()}


def _text(name: str, x: float, y: float, text: str) -> Element:
    found = Element("text", {**({"class": name} if name else {}), "x": f"{x:g}", "y": f"{y:g}"})
    found.text = text
    return found


def _titled(parent: Element, text: str) -> None:
    SubElement(parent, "title").text = text
