"""Pages as tests read them: a tree of elements, and the cells of tables."""

from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder

_WITHOUT_END = {"meta", "input", "link", "img", "br", "hr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tree = TreeBuilder()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tree.start(tag, {name: value or "" for name, value in attrs})
        if tag in _WITHOUT_END:
            self.tree.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tree.end(tag)

    def handle_data(self, data: str) -> None:
        self.tree.data(data)


def tree(text: str) -> Element:
    """The root of a page, whose tags are all closed."""
    reader = _Reader()
    reader.feed(text.removeprefix("<!doctype html>\n").rstrip("\n"))
    reader.close()
    return reader.tree.close()


def words(element: Element | None) -> str:
    """Its text, with single spaces."""
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def cells(page: Element, name: str) -> list[list[str]]:
    """The rows of the tables of a class, without their heads."""
    tables = [each for each in page.iter("table") if each.get("class") == name]
    return [[words(cell) for cell in row] for each in tables for row in each.iterfind("tbody/tr")]
