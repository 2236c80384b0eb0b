"""Edges as one page that needs no server: the picture, a table, and a script that filters them.

The table has everything; the script reads it from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from plain.markup import add, document
from tools.reach import as_svg, drawn
from tools.reach.edges import Edge

_STYLES = (as_svg.STYLE, Path(__file__).with_name("page.css"))
_SCRIPT = Path(__file__).with_name("page.js")
_TITLE = "What may reach what"
_KEYS = (
    "Click an app or a line for its reasons. With the keyboard: Tab to the picture, arrow keys to "
    "an app, Enter for its connections, Tab to each of them."
)


@dataclass(frozen=True)
class Around:
    """What a page is part of: its title there, and the page to which it leads back."""

    title: str
    back: str
    back_to: str


def html(edges: Sequence[Edge], around: Around | None = None) -> str:
    """A complete document."""
    title = around.title if around else _TITLE
    body = Element("body")
    header = SubElement(body, "header")
    if around:
        add(SubElement(header, "nav"), "a", around.back, {"href": around.back_to})
    add(header, "h1", title)
    add(header, "p", _summary(edges))
    main = SubElement(body, "main")
    main.append(_filters(edges))
    main.append(_picture(edges))
    main.append(_table(edges))
    style = "\n".join(path.read_text(encoding="utf-8") for path in _STYLES)
    return document(title, style, _SCRIPT.read_text(encoding="utf-8"), body)


def _teams(edges: Sequence[Edge]) -> list[str]:
    return list(dict.fromkeys(node.team for node in drawn.nodes(edges) if node.kind == "app"))


def _summary(edges: Sequence[Edge]) -> str:
    apps = sum(node.kind == "app" for node in drawn.nodes(edges))
    counted = ((len(edges), "connection"), (apps, "app"), (len(_teams(edges)), "team"))
    shown = [f"{number:,} {name}{'' if number == 1 else 's'}" for number, name in counted]
    return f"{shown[0]}, of {shown[1]} of {shown[2]}, as network policies and the mesh allow them."


def _filters(edges: Sequence[Edge]) -> Element:
    filters = Element(
        "div",
        {
            "class": "filters",
            "id": "filters",
            "role": "search",
            "aria-label": "Connections",
            "hidden": "hidden",
        },
    )
    teams = SubElement(add(filters, "label", "Team"), "select", {"id": "team"})
    add(teams, "option", "All teams", {"value": ""})
    for team in _teams(edges):
        add(teams, "option", team, {"value": team})
    SubElement(add(filters, "label", "Text"), "input", {"type": "search", "id": "text"})
    kinds = SubElement(filters, "fieldset")
    add(kinds, "legend", "Kinds")
    for kind, label in drawn.KINDS.items():
        _checkbox(kinds, label, {"name": "kind", "value": kind, "checked": "checked"})
    _checkbox(filters, "Fit the picture to the window", {"id": "fit"})
    SubElement(filters, "span", {"id": "count", "role": "status"})
    return filters


def _picture(edges: Sequence[Edge]) -> Element:
    split = Element("div", {"class": "split"})
    drawing = SubElement(split, "section", {"class": "drawing", "aria-label": "Picture"})
    add(drawing, "p", _KEYS, {"id": "keys", "hidden": "hidden"})
    # Can be scrolled with the keyboard before the script makes the nodes stops of the Tab key.
    attributes = {"id": "picture", "class": "scroll", "role": "region", "tabindex": "0"}
    scroll = SubElement(drawing, "div", {**attributes, "aria-label": "Picture to scroll"})
    scroll.append(as_svg.drawing(edges))
    panel = SubElement(
        split,
        "section",
        {"class": "panel", "id": "panel", "aria-labelledby": "selected", "hidden": "hidden"},
    )
    add(panel, "h2", "Reasons", {"id": "selected"})
    add(panel, "p", "", {"id": "selected-count", "role": "status"})
    SubElement(panel, "ol", {"id": "selected-edges"})
    add(panel, "button", "Clear", {"id": "clear", "type": "button", "hidden": "hidden"})
    return split


def _table(edges: Sequence[Edge]) -> Element:
    table = Element("table", {"id": "edges"})
    add(table, "caption", "All connections")
    heads = SubElement(SubElement(table, "thead"), "tr")
    for head in ("From", "To", "Port", "Kind", "Reasons"):
        add(heads, "th", head, {"scope": "col"})
    body = SubElement(table, "tbody")
    numbers = {node: str(number) for number, node in enumerate(drawn.nodes(edges))}
    for edge in edges:
        teams = {node.team for node in (edge.source, edge.target) if node.kind == "app"}
        attributes = {
            "class": edge.kind,
            "data-kind": edge.kind,
            "data-source": numbers[edge.source],
            "data-target": numbers[edge.target],
            "data-teams": " ".join(sorted(teams)),
        }
        row = SubElement(body, "tr", attributes)
        for cell in (edge.source.shown, edge.target.shown, edge.port, drawn.KINDS[edge.kind]):
            add(row, "td", cell)
        row.append(_reasons(edge))
    return table


def _reasons(edge: Edge) -> Element:
    cell = Element("td")
    details = SubElement(cell, "details")
    count = len(edge.reasons)
    add(details, "summary", f"{count} reason{'' if count == 1 else 's'}")
    reasons = SubElement(details, "ul", {"class": "reasons"})
    for reason in edge.reasons:
        entry = SubElement(reasons, "li")
        add(entry, "span", reason.side, {"class": "side"}).tail = ": "
        if reason.policy:
            add(entry, "span", reason.policy, {"class": "policy"}).tail = f" {reason.text}"
        else:
            entry[-1].tail = f": {reason.text}"
    return cell


def _checkbox(parent: Element, label: str, attributes: dict[str, str]) -> None:
    around = SubElement(parent, "label")
    SubElement(around, "input", {"type": "checkbox", **attributes}).tail = label
