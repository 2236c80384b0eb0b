"""What the pages have in common: their frame, tables, and small marks."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from xml.etree.ElementTree import Element

from plain.markup import document, element, put

_STYLE = Path(__file__).with_name("page.css")
_SCRIPT = Path(__file__).with_name("page.js")

INDEX, EXCEPTIONS, CONTROLS = "index.html", "exceptions.html", "controls.html"
_NAVIGATION = {INDEX: "Teams", EXCEPTIONS: "Exceptions", CONTROLS: "Controls"}

# A cell's text or content; several parts as a tuple.
Part = str | Element
Cell = Part | tuple[Part, ...]

_FULL = 100  # per cent
_TALL = 6  # of a bar, which is stretched


def _up(path: str) -> str:
    return "../" * path.count("/")


def page(path: str, stack: str, title: str, content: Iterable[Element]) -> str:
    """A page at a path of the site, with what leads to the others."""
    links = [
        element(
            "a", text, href=f"{_up(path)}{to}", **({"aria_current": "page"} if to == path else {})
        )
        for to, text in _NAVIGATION.items()
    ]
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#content"),
        element(
            "header",
            element("p", "Stack ", element("strong", stack), class_="site"),
            element("nav", *links, aria_label="Site"),
        ),
        put(element("main", id="content"), *content),
    )
    return document(
        f"{title} · {stack}",
        _STYLE.read_text(encoding="utf-8"),
        _SCRIPT.read_text(encoding="utf-8"),
        body,
    )


def table(
    name: str, caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], noun: str = ""
) -> Element:
    """A table; with a noun for its rows, the page's script can search and sort them.

    Roles are said because a narrow page lays rows out as blocks, which makes browsers forget them.
    """
    body = element("tbody", role="rowgroup")
    for row in rows:
        cells = element("tr", role="row")
        for number, (head, cell) in enumerate(zip(heads, row, strict=True)):
            parts = cell if isinstance(cell, tuple) else (cell,)
            tag, role = ("td", "cell") if number else ("th", "rowheader")
            scope = {} if number else {"scope": "row"}
            put(cells, element(tag, *parts, role=role, data_label=head, **scope))
        body.append(cells)
    columns = (element("th", head, scope="col", role="columnheader") for head in heads)
    attributes = {"data_noun": noun} if noun else {}
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *columns, role="row"), role="rowgroup"),
        body,
        class_=name,
        role="table",
        **attributes,
    )


def section(name: str, title: str, *content: Part) -> Element:
    """A part of a page that others can link to."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def facts(pairs: Iterable[tuple[str, Cell]], name: str = "") -> Element:
    """Names with their values."""
    found = element("dl", class_=f"facts {name}".strip())
    for name, value in pairs:
        parts = value if isinstance(value, tuple) else (value,)
        found.append(element("div", element("dt", name), element("dd", *parts)))
    return found


def bar(rest: int, full: int) -> Element:
    """Shares of a quota in per cent: at rest, and paler at full scale. Text beside it has both."""
    shares = [("full", full), ("rest", rest)]
    marks = (
        element("rect", class_=name, width=str(min(_FULL, share)), height=str(_TALL))
        for name, share in shares
        if share
    )
    return element(
        "svg",
        *marks,
        class_="bar over" if full > _FULL else "bar",
        viewBox=f"0 0 {_FULL} {_TALL}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def quiet(*parts: Part) -> Element:
    """Less important text."""
    return element("span", *parts, class_="quiet")


def code(text: str) -> Element:
    """A name or value as it is in files."""
    return element("code", text)


def listed(parts: Iterable[Part]) -> tuple[Part, ...]:
    """With commas in between."""
    found: list[Part] = []
    for part in parts:
        found += [", ", part] if found else [part]
    return tuple(found)


def control_ids(ids: Iterable[str]) -> tuple[Part, ...]:
    """Identifiers such as AC-6, which no line break divides."""
    return listed(element("span", each, class_="ids") for each in ids)


def day(when: date) -> Element:
    """A date, to which the page's script adds the days that are left."""
    return element("time", when.isoformat(), datetime=when.isoformat())


def none(word: str = "none") -> Element:
    """In place of a value that there is none of; comes last in a sorted table."""
    return element("span", word, class_="none")


def team_path(name: str) -> str:
    """Where a team's page is in the site."""
    return f"teams/{name}.html"


def picture_path(name: str) -> str:
    """Where the picture of a team's connections is in the site."""
    return f"reach/{name}.html"


def team_link(name: str, path: str) -> Element:
    """To a team's page, from the page at a path."""
    return element("a", name, href=f"{_up(path)}{team_path(name)}")


def app_link(team: str, app: str, path: str, text: str = "") -> Element:
    """To an app on its team's page, from the page at a path."""
    to = "" if path == team_path(team) else f"{_up(path)}{team_path(team)}"
    return element("a", text or app, href=f"{to}#{app_id(app)}")


def app_id(app: str) -> str:
    """By which others link to an app on its team's page."""
    return f"app-{app}"


def status(of_app: str) -> Element:
    """How an app does in the cluster, in the words of `./sre status`."""
    return element("span", of_app, class_=f"state {of_app.partition(' ')[0]}")


def state(lifecycle: str) -> Element:
    """A team's lifecycle."""
    return element("span", lifecycle, class_=f"state {lifecycle}")
