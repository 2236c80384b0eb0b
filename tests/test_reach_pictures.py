"""Pictures of what may reach what: every node and edge is there, escaped, and nothing overlaps."""

import base64
import hashlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.reach_edges import DNS, ODD, app, edge, fleet
from tools.reach.as_dot import dot
from tools.reach.as_html import html
from tools.reach.as_svg import svg
from tools.reach.boxes import AT_MOST, NAME
from tools.reach.drawn import symbols
from tools.reach.edges import Edge, Node, Reason
from tools.reach.layout import picture
from tools.reach.shapes import Area, Line

pytestmark = pytest.mark.commands

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"
ALPHA, BETA = app("team-alpha", "web"), app("team-beta", "ledger")

FLEETS = {
    "two teams": fleet(2, 3, 3),
    "forty teams": fleet(40, 5, 80),
    "teams of one app": fleet(9, 1, 12),
    "a large team": fleet(2, 30, 8),
    "busy neighbours": fleet(2, 4, 60),
}


@pytest.fixture(params=FLEETS.values(), ids=list(FLEETS))
def edges(request: pytest.FixtureRequest):
    return request.param


def test_the_svg_has_each_node_with_its_name_and_each_edge_once(edges):
    root = ElementTree.fromstring(svg(edges))
    cards = [group for group in root.iter(f"{SVG}g") if "data-node" in group.attrib]
    names = {end.shown for each in edges for end in (each.source, each.target)}
    assert Counter(group.findtext(f"{SVG}title") for group in cards) == Counter(names)
    links = [group for group in root.iter(f"{SVG}g") if "data-edges" in group.attrib]
    seen: Counter[int] = Counter()
    for link in links:
        title = link.findtext(f"{SVG}title") or ""
        for number in map(int, link.attrib["data-edges"].split()):
            each = edges[number]
            seen[number] += 1
            ends = f"{each.source.shown} → {each.target.shown}: "
            (ports,) = (line for line in title.splitlines() if line.startswith(ends))
            assert each.port in ports.removeprefix(ends).split(", ")
            assert each.kind in link.attrib["class"].split()
    assert seen == Counter(range(len(edges)))


def test_nothing_overlaps(edges):
    seen = picture(edges)
    everything = Area(0, 0, seen.width, seen.height)
    apart([box.area for box in seen.boxes])
    for box in seen.boxes:
        assert within(box.area, everything)
        apart([card.area for card in box.cards])
        for card in box.cards:
            assert within(card.area, box.area)
            assert len(card.label) * NAME <= card.area.width
            apart([chip.area for chip in card.chips])
            name = Area(card.area.x, card.area.y, card.area.width, 22)
            for chip in card.chips:
                assert within(chip.area, card.area)
                assert not overlap(chip.area, name)


def test_a_line_between_teams_runs_over_no_card_and_no_other_box(edges):
    seen = picture(edges)
    lines = [line for line in seen.lines if line.link.kind == "cross-team"]
    assert lines
    for line in lines:
        ends = (line.link.source.team, line.link.target.team)
        areas = [box.area for box in seen.boxes if box.label not in ends]
        areas += [card.area for box in seen.boxes if box.label in ends for card in box.cards]
        for piece in pieces(line):
            thick = Area(piece.x - 1, piece.y - 1, piece.width + 2, piece.height + 2)
            # A line ends at the border of a card.
            inner = (Area(a.x + 2, a.y + 2, a.width - 4, a.height - 4) for a in areas)
            assert not any(overlap(thick, area) for area in inner)


def test_no_two_lines_between_teams_lie_on_each_other(edges):
    """They cross, but have no stretch in common."""
    upright: defaultdict[float, list[tuple[float, float]]] = defaultdict(list)
    across: defaultdict[float, list[tuple[float, float]]] = defaultdict(list)
    for line in picture(edges).lines:
        if line.link.kind == "cross-team":
            for piece in pieces(line):
                if not piece.width:
                    upright[piece.x].append((piece.y, piece.bottom))
                elif not piece.height:
                    across[piece.y].append((piece.x, piece.right))
    for stretches in (*upright.values(), *across.values()):
        for (_, end), (start, _) in pairwise(sorted(stretches)):
            assert end <= start + 0.01  # pieces of one line touch


def test_apps_that_may_reach_each_other_have_one_line_with_two_arrowheads():
    a, b = app("team-alpha", "api"), app("team-alpha", "web")
    both = [edge(a, b, "8080/TCP", "same-team"), edge(b, a, "9090/TCP", "same-team")]
    (link,) = links(svg(both))
    assert "marker-start" in link[2].attrib
    assert link.findtext(f"{SVG}title") == (
        "team-alpha/api → team-alpha/web: 8080/TCP\nteam-alpha/web → team-alpha/api: 9090/TCP"
    )
    for one in both:
        (link,) = links(svg([one]))
        assert "marker-start" not in link[2].attrib
        assert (
            link.findtext(f"{SVG}title") == f"{one.source.shown} → {one.target.shown}: {one.port}"
        )


def test_a_long_name_is_shortened_and_its_title_is_whole():
    name = "a-very-long-name-of-an-app-" + 30 * "x" + "-end"
    text = svg([edge(app("team-alpha", name), DNS, "53/UDP", "platform")])
    labels = [each.text or "" for each in ElementTree.fromstring(text).iter(f"{SVG}text")]
    (label,) = (each for each in labels if each.startswith("a-very"))
    assert len(label) == AT_MOST
    assert label.endswith("-end")
    assert f"<title>team-alpha/{name}</title>" in text


def test_an_app_may_reach_itself():
    (line,) = picture([edge(ALPHA, ALPHA, "8080/TCP", "same-team")]).lines
    assert line.path


def test_odd_names_are_escaped():
    odd = [edge(ALPHA, Node("outside", "", ODD), "443/TCP", "outside")]
    root = ElementTree.fromstring(svg(odd))
    assert ODD in [each.text for each in root.iter(f"{SVG}title")]
    assert '[label="a <b>bold</b> &amp; \\"quoted\\" \\\\ name"]' in dot(odd)


def test_the_page_has_a_row_for_each_edge_with_its_reasons(edges):
    page = parsed(html(edges))
    rows = page.findall(".//tbody/tr")
    assert len(rows) == len(edges)
    for row, each in zip(rows, edges, strict=True):
        cells = ["".join(cell.itertext()) for cell in row]
        assert cells[:3] == [each.source.shown, each.target.shown, each.port]
        for reason in each.reasons:
            assert f"{reason.policy} {reason.text}".strip() in cells[4]


def test_the_page_may_load_nothing_and_run_only_its_own_script():
    page = parsed(html(FLEETS["two teams"]))
    (policy,) = page.findall(".//meta[@http-equiv='Content-Security-Policy']")
    rules = policy.attrib["content"].split("; ")
    assert "default-src 'none'" in rules
    for tag in ("style", "script"):
        (element,) = page.iter(tag)
        digest = hashlib.sha256((element.text or "").encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in rules
    for element in page.iter():
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        assert not {"src", "href", "action"} & element.attrib.keys()


def test_the_page_escapes_what_comes_from_files():
    reason = Reason("egress", f"NetworkPolicy team-alpha/{ODD}", f"opens {ODD}")
    text = html([Edge(ALPHA, Node("outside", "", ODD), "443/TCP", "outside", (reason,))])
    page = parsed(text)
    assert not list(page.iter("b"))
    (row,) = page.findall(".//tbody/tr")
    assert row[1].text == ODD
    assert "".join(row[4].itertext()).endswith(f"NetworkPolicy team-alpha/{ODD} opens {ODD}")


def test_pictures_of_no_edges_are_complete():
    assert html([]).endswith("</html>\n")
    assert ElementTree.fromstring(svg([])).tag == f"{SVG}svg"
    assert dot([]).endswith("}\n")


def test_symbols_go_on_after_z():
    nodes = [Node("platform", "kube-system", f"pods-{number:03}") for number in range(80)]
    found = list(symbols(nodes).values())
    assert found[:2] + found[25:28] + found[51:53] == ["A", "B", "Z", "AA", "AB", "AZ", "BA"]


def test_dot_has_a_cluster_for_each_team_and_an_arrow_for_each_direction():
    a, b = app("team-alpha", "api"), ALPHA
    text = dot(
        [
            edge(a, b, "8080/TCP", "same-team"),
            edge(b, BETA, "8080/TCP", "cross-team"),
            edge(b, BETA, "9000/TCP", "cross-team"),
            edge(b, DNS, "53/UDP", "platform"),
            edge(b, a, "8080/TCP", "same-team"),
        ]
    )
    clusters = re.findall(r"subgraph cluster_\d \{\n    graph \[label=\"([^\"]*)\"", text)
    assert clusters == ["platform", "team-alpha", "team-beta"]
    assert re.findall(r'^  "app:(\S*)" -> "\w+:(\S*)" \[label="([^"]*)"', text, re.MULTILINE) == [
        ("team-alpha/api", "team-alpha/web", "8080/TCP"),
        ("team-alpha/web", "team-alpha/api", "8080/TCP"),
        ("team-alpha/web", "team-beta/ledger", "8080/TCP, 9000/TCP"),
        ("team-alpha/web", "kube-system/k8s-app=kube-dns", "53/UDP"),
    ]


def test_the_same_edges_give_the_same_bytes_in_every_process():
    code = (
        "from tests.reach_edges import fleet; from tools.reach import as_dot, as_html; "
        "edges = fleet(5, 4, 9); print(as_dot.dot(edges), as_html.html(edges))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


class _Reader(HTMLParser):
    """Builds a tree; elements without content are closed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.builder = ElementTree.TreeBuilder()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in ("meta", "input"):
            self.builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self.builder.end(tag)

    def handle_data(self, data: str) -> None:
        self.builder.data(data)


def parsed(text: str) -> ElementTree.Element:
    start = "<!doctype html>\n"
    assert text.startswith(start)
    reader = _Reader()
    reader.feed(text.removeprefix(start).strip())
    reader.close()
    return reader.builder.close()


def links(text: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(text)
    return [group for group in root.iter(f"{SVG}g") if "data-edges" in group.attrib]


def pieces(line: Line) -> Iterator[Area]:
    """The straight pieces of a line, corners cut."""
    points = [tuple(map(float, each)) for each in re.findall(r"([\d.]+) ([\d.]+)", line.path)]
    for (x1, y1), (x2, y2) in pairwise(points):
        yield Area(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))


def overlap(a: Area, b: Area) -> bool:
    """Whether they share more than a border."""
    return min(a.right, b.right) > max(a.x, b.x) and min(a.bottom, b.bottom) > max(a.y, b.y)


def within(inner: Area, outer: Area) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def apart(areas: list[Area]) -> None:
    for a, b in combinations(areas, 2):
        assert not overlap(a, b)
