"""The page of `./sre reach` in a real browser; its graph in Graphviz."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from binaries.console import UserError
from tests import browser
from tests.optional import available
from tests.reach_edges import ANYWHERE, ODD, app, fleet
from tools.reach.as_dot import dot
from tools.reach.as_html import html
from tools.reach.as_svg import svg
from tools.reach.edges import Edge, Reason

pytestmark = pytest.mark.parts

TEAMS, APPS = 40, 5
FLEET = fleet(TEAMS, APPS, 80)
# For programs that take minutes for the other.
SMALL = fleet(8, 4, 20)
# Ends that are no apps: two in the cluster, three outside.
OTHERS = 5


@pytest.fixture
def page(large: Chrome, tmp_path: Path) -> Callable[[str], Chrome]:
    """Opens a page with this text."""

    def opened(text: str) -> Chrome:
        file = tmp_path / "reach.html"
        file.write_text(text, encoding="utf-8")
        browser.requested(large)
        large.get_log("browser")
        large.get(file.as_uri())
        return large

    return opened


def test_no_request_leaves_and_nothing_is_refused(page, tmp_path: Path):
    chrome = page(html(FLEET))
    assert chrome.get_log("browser") == []
    assert browser.requested(chrome) == [(tmp_path / "reach.html").as_uri()]


def test_the_policy_refuses_what_the_page_does_not_have(page):
    chrome = page(html(FLEET))
    refused = chrome.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        document.addEventListener("securitypolicyviolation", (e) => done(e.effectiveDirective));
        document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/" }));
        """
    )
    assert refused == "img-src"


def test_filters_leave_the_rows_and_links_that_they_say(page):
    chrome = page(html(FLEET))
    Select(one(chrome, "#team")).select_by_value("team-03")
    of_team = [e for e in FLEET if "team-03" in (e.source.team, e.target.team)]
    assert rows(chrome) == len(of_team)
    assert links(chrome) == {number for number, e in enumerate(FLEET) if e in of_team}
    assert one(chrome, "#count").text == f"{len(of_team)} of {len(FLEET)} connections"
    one(chrome, "input[value=same-team]").click()
    assert rows(chrome) == sum(e.kind != "same-team" for e in of_team)
    one(chrome, "#text").send_keys("ALLOW-dns")
    assert rows(chrome) == sum("allow-dns" in e.reasons[0].policy for e in of_team)
    dim = chrome.find_elements(By.CSS_SELECTOR, ".card.dim")
    assert (
        len(dim) == TEAMS * APPS + OTHERS - APPS - 1
    )  # all but the team's apps and the name server


def test_the_keyboard_reaches_an_app_its_reasons_and_each_connection(page):
    chrome = page(html(FLEET))
    one(chrome, "#fit").send_keys(Keys.TAB)
    first = chrome.switch_to.active_element
    assert "card" in (first.get_attribute("class") or "")
    press(chrome, Keys.END, Keys.ARROW_UP)
    card = chrome.switch_to.active_element
    name = card.accessible_name
    assert name.startswith("team-")
    own = [e for e in FLEET if name in (e.source.shown, e.target.shown)]
    press(chrome, Keys.ENTER)
    assert one(chrome, "#selected").text == name
    assert card.get_attribute("aria-pressed") == "true"
    for edge in own:
        assert edge.reasons[0].text in one(chrome, "#panel").text
    press(chrome, Keys.TAB, Keys.ENTER)  # to the first of the connections
    button = chrome.switch_to.active_element
    assert button.get_attribute("aria-pressed") == "true"
    assert button.text.startswith(f"{own[0].source.shown} → {own[0].target.shown}")
    (link,) = chrome.find_elements(By.CSS_SELECTOR, ".link.on")
    assert str(FLEET.index(own[0])) in (link.get_attribute("data-edges") or "").split()
    press(chrome, Keys.ESCAPE)
    assert not chrome.find_elements(By.CSS_SELECTOR, ".link.on, #selected-edges li")


def test_focus_is_visible_and_one_stop_of_tab_leads_past_the_picture(page):
    chrome = page(html(FLEET))
    one(chrome, "#fit").send_keys(Keys.TAB)
    rect = chrome.switch_to.active_element.find_element(By.TAG_NAME, "rect")
    others = one(chrome, ".card:not(:focus) rect")
    assert rect.value_of_css_property("stroke-width") != others.value_of_css_property(
        "stroke-width"
    )
    press(chrome, Keys.TAB)
    assert chrome.switch_to.active_element.tag_name == "summary"
    press(chrome, Keys.ENTER, Keys.ARROW_DOWN)
    assert one(chrome, "tbody tr:first-child .reasons").is_displayed()
    assert chrome.switch_to.active_element == one(chrome, "tbody tr:nth-child(2) summary")


def test_a_click_on_a_line_shows_its_reasons(page):
    chrome = page(html(FLEET))
    link = one(chrome, ".line.cross-team .wide")
    # A line is hit on its path, not in the middle of the rectangle around it. The browser can
    # scroll to a card, but not to a point.
    x, y = chrome.execute_script(
        """
        const [path] = arguments;
        const start = () => path.getPointAtLength(12).matrixTransform(path.getScreenCTM());
        const away = (card) => {
          const box = card.getBoundingClientRect();
          return Math.hypot(box.x - start().x, box.y - start().y);
        };
        const cards = [...document.querySelectorAll(".card")];
        const next = cards.reduce((one, other) => (away(one) < away(other) ? one : other));
        next.scrollIntoView({ block: "center", inline: "center" });
        return [start().x, start().y];
        """,
        link,
    )
    actions = ActionChains(chrome)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.w3c_actions.pointer_action.click()
    actions.perform()
    parent = link.find_element(By.XPATH, "..")
    number = int((parent.get_attribute("data-edges") or "").split()[0])
    assert FLEET[number].reasons[0].text in one(chrome, "#selected-edges").text
    assert FLEET[number].reasons[0].policy in one(chrome, "#selected-edges").text


def test_odd_names_are_shown_as_they_are(page):
    reason = Reason("egress", f"NetworkPolicy team-alpha/{ODD}", f"rule of {ODD}")
    odd = Edge(app("team-alpha", ODD), ANYWHERE, "443/TCP", "outside", (reason,))
    chrome = page(html([odd]))
    one(chrome, "[data-node]").click()
    assert f"{ODD} → anywhere" in one(chrome, "#panel").text
    assert f"rule of {ODD}" in one(chrome, "#panel").text
    assert not chrome.find_elements(By.TAG_NAME, "b")


def test_without_scripts_the_table_has_everything(page):
    with browser.without_scripts(page("<!doctype html>")) as chrome:
        page(html(FLEET))
        assert not one(chrome, "#filters").is_displayed()
        assert not one(chrome, "#panel").is_displayed()
        one(chrome, "tbody tr:nth-child(7) summary").click()
        assert FLEET[6].reasons[0].text in one(chrome, "tbody tr:nth-child(7)").text
        assert one(chrome, "svg").get_attribute("role") == "img"


def test_a_phone_scrolls_the_page_only_down(page):
    chrome = page(html(FLEET))
    browser.as_on_a_phone(chrome)
    assert chrome.execute_script("return document.documentElement.scrollWidth") == 390
    one(chrome, "[data-node]").click()
    top, bottom = chrome.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.top, r.bottom]",
        one(chrome, "#panel"),
    )
    assert top >= 0
    assert bottom <= 844


@pytest.mark.parametrize("edges", [fleet(6, 10, 30), FLEET], ids=["large teams", "many teams"])
def test_no_text_of_the_picture_overlaps_or_leaves_its_card(page, edges):
    chrome = page(html(edges))
    wrong = chrome.execute_script(
        """
        const inside = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top - 1
          && a.bottom <= b.bottom + 1;
        const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top
          || b.bottom <= a.top;
        const box = (each) => each.getBoundingClientRect();
        const wrong = [];
        for (const text of document.querySelectorAll(".card > text, .tag > text")) {
          const around = text.parentElement.querySelector("rect, polygon");
          if (!inside(box(text), box(around))) wrong.push(text.textContent);
        }
        const texts = [...document.querySelectorAll("svg text")];
        for (const [number, text] of texts.entries()) {
          for (const other of texts.slice(number + 1)) {
            if (!apart(box(text), box(other))) wrong.push(text.textContent + other.textContent);
          }
        }
        return wrong;
        """
    )
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing(page, axe: str, scheme: str, width: int):
    chrome = page(html(SMALL))
    browser.prefer(chrome, scheme)
    if width < 1000:
        browser.as_on_a_phone(chrome)
    one(chrome, "[data-node]").click()
    one(chrome, "tbody tr summary").click()
    assert browser.violations(chrome, axe) == []


def test_the_picture_follows_the_colours_of_the_reader(chrome: Chrome, tmp_path: Path):
    file = tmp_path / "reach.svg"
    file.write_text(svg(FLEET), encoding="utf-8")
    colours = set[str]()
    for scheme in ("light", "dark"):
        browser.prefer(chrome, scheme)
        chrome.get(file.as_uri())
        colours.add(one(chrome, ".paper").value_of_css_property("fill"))
    assert len(colours) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_the_picture_stands_out_from_what_is_behind_it(page, scheme: str):
    """axe leaves out text in SVG. 4.5 is what WCAG asks for."""
    chrome = page(html(FLEET))
    browser.prefer(chrome, scheme)
    pairs: list[list[str]] = chrome.execute_script(
        """
        const fill = (each) => getComputedStyle(each).fill;
        const behind = (text) => text.parentElement.querySelector(":scope > rect, :scope > polygon")
          ?? document.querySelector(".paper");
        const texts = [...document.querySelectorAll("svg text")];
        return texts.map((text) => [fill(text), fill(behind(text))]);
        """
    )
    assert len(pairs) > 100
    assert all(contrast(*pair) >= 4.5 for pair in {(text, behind) for text, behind in pairs})


def test_graphviz_reads_the_dot_format():
    program = available(graphviz)
    drawn = subprocess.run(
        [program, "-Tsvg"], input=dot(SMALL), capture_output=True, text=True, check=True
    )
    assert not drawn.stderr
    root = ElementTree.fromstring(drawn.stdout)
    kinds = [group.attrib.get("class") for group in root.iter("{http://www.w3.org/2000/svg}g")]
    assert kinds.count("cluster") == 8 + 2
    assert kinds.count("node") == 8 * 4 + OTHERS


def graphviz() -> str:
    program = shutil.which("dot")
    if not program:
        raise UserError(f"Graphviz is not on PATH; {browser.INSTALL}.")
    return program


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    shares = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def one(chrome: Chrome, selector: str) -> WebElement:
    return chrome.find_element(By.CSS_SELECTOR, selector)


def press(chrome: Chrome, *keys: str) -> None:
    for key in keys:
        ActionChains(chrome).send_keys(key).perform()


def rows(chrome: Chrome) -> int:
    """How many are shown."""
    return len(chrome.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden])"))


def links(chrome: Chrome) -> set[int]:
    """The numbers of the edges whose links are shown."""
    shown = chrome.find_elements(By.CSS_SELECTOR, "[data-edges]:not(.off)")
    numbers = " ".join(link.get_attribute("data-edges") or "" for link in shown)
    return set(map(int, numbers.split()))
