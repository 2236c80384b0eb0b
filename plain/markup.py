"""HTML as a tree of elements, so that all text is escaped; and pages that may load nothing."""

import base64
import hashlib
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement


def add(
    parent: Element, tag: str, text: str = "", attributes: Mapping[str, str] | None = None
) -> Element:
    """A new last child, with its text."""
    found = SubElement(parent, tag, dict(attributes or {}))
    found.text = text
    return found


def element(tag: str, *parts: str | Element, **attributes: str) -> Element:
    """A new element with texts and children in order; `class_` and `aria_label` name attributes."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    return put(Element(tag, names), *parts)


def put(parent: Element, *parts: str | Element) -> Element:
    """Append texts and children in order; returns the parent."""
    for part in parts:
        if isinstance(part, Element):
            parent.append(part)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + part
        else:
            parent.text = (parent.text or "") + part
    return parent


def document(title: str, style: str, script: str, body: Element) -> str:
    """A complete page.

    Its Content-Security-Policy names the style and the script by their hashes. The page may run no
    other script, and load nothing at all.
    """
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    policy = {"http-equiv": "Content-Security-Policy", "content": _policy(style, script)}
    SubElement(head, "meta", policy)
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    add(head, "title", title)
    add(head, "style", style)
    page.append(body)
    add(body, "script", script)
    return f"<!doctype html>\n{ElementTree.tostring(page, encoding='unicode', method='html')}\n"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
