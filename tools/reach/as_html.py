"""Edges as one page that needs no server: the picture, a table, and a script that filters them.

The table has everything; the script reads it from there. The page may load nothing and run only its
own script: its Content-Security-Policy names the script and the style by their hashes.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tools.reach import as_svg, drawn
from tools.reach.edges import Edge

_STYLES = (as_svg.STYLE, Path(__file__).with_name("page.css"))
_SCRIPT = Path(__file__).with_name("page.js")
_TITLE = "What may reach what"
_KEYS = (
    "Click an app or a line for its reasons. With the keyboard: Tab to the picture, arrow keys to "
    "an app, Enter for its connections, Tab to each of them."
)


def html(edges: Sequence[Edge]) -> str:
    """A complete document."""
    style = "\n".join(path.read_text(encoding="utf-8") for path in _STYLES)
    script = _SCRIPT.read_text(encoding="utf-8")
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    policy = {"http-equiv": "Content-Security-Policy", "content": _policy(style, script)}
    SubElement(head, "meta", policy)
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    _add(head, "title", _TITLE)
    _add(head, "style", style)
    body = SubElement(page, "body")
    header = SubElement(body, "header")
    _add(header, "h1", _TITLE)
    _add(header, "p", _summary(edges))
    main = SubElement(body, "main")
    main.append(_filters(edges))
    main.append(_picture(edges))
    main.append(_table(edges))
    _add(body, "script", script)
    return f"<!doctype html>\n{ElementTree.tostring(page, encoding='unicode', method='html')}\n"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


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
    teams = SubElement(_add(filters, "label", "Team"), "select", {"id": "team"})
    _add(teams, "option", "All teams", {"value": ""})
    for team in _teams(edges):
        _add(teams, "option", team, {"value": team})
    SubElement(_add(filters, "label", "Text"), "input", {"type": "search", "id": "text"})
    kinds = SubElement(filters, "fieldset")
    _add(kinds, "legend", "Kinds")
    for kind, label in drawn.KINDS.items():
        _checkbox(kinds, label, {"name": "kind", "value": kind, "checked": "checked"})
    _checkbox(filters, "Fit the picture to the window", {"id": "fit"})
    SubElement(filters, "span", {"id": "count", "role": "status"})
    return filters


def _picture(edges: Sequence[Edge]) -> Element:
    split = Element("div", {"class": "split"})
    drawing = SubElement(split, "section", {"class": "drawing", "aria-label": "Picture"})
    _add(drawing, "p", _KEYS, {"id": "keys", "hidden": "hidden"})
    # Can be scrolled with the keyboard before the script makes the nodes stops of the Tab key.
    attributes = {"id": "picture", "class": "scroll", "role": "region", "tabindex": "0"}
    scroll = SubElement(drawing, "div", {**attributes, "aria-label": "Picture to scroll"})
    scroll.append(as_svg.drawing(edges))
    panel = SubElement(
        split,
        "section",
        {"class": "panel", "id": "panel", "aria-labelledby": "selected", "hidden": "hidden"},
    )
    _add(panel, "h2", "Reasons", {"id": "selected"})
    _add(panel, "p", "", {"id": "selected-count", "role": "status"})
    SubElement(panel, "ol", {"id": "selected-edges"})
    _add(panel, "button", "Clear", {"id": "clear", "type": "button", "hidden": "hidden"})
    return split


def _table(edges: Sequence[Edge]) -> Element:
    table = Element("table", {"id": "edges"})
    _add(table, "caption", "All connections")
    heads = SubElement(SubElement(table, "thead"), "tr")
    for head in ("From", "To", "Port", "Kind", "Reasons"):
        _add(heads, "th", head, {"scope": "col"})
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
            _add(row, "td", cell)
        row.append(_reasons(edge))
    return table


def _reasons(edge: Edge) -> Element:
    cell = Element("td")
    details = SubElement(cell, "details")
    count = len(edge.reasons)
    _add(details, "summary", f"{count} reason{'' if count == 1 else 's'}")
    reasons = SubElement(details, "ul", {"class": "reasons"})
    for reason in edge.reasons:
        entry = SubElement(reasons, "li")
        _add(entry, "span", reason.side, {"class": "side"}).tail = ": "
        if reason.policy:
            _add(entry, "span", reason.policy, {"class": "policy"}).tail = f" {reason.text}"
        else:
            entry[-1].tail = f": {reason.text}"
    return cell


def _checkbox(parent: Element, label: str, attributes: dict[str, str]) -> None:
    around = SubElement(parent, "label")
    SubElement(around, "input", {"type": "checkbox", **attributes}).tail = label


def _add(parent: Element, tag: str, text: str, attributes: dict[str, str] | None = None) -> Element:
    found = SubElement(parent, tag, attributes or {})
    found.text = text
    return found
