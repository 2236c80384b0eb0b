"""The site of `./sre page` in a real browser."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from cli.__main__ import main
from specs import exception_checks
from specs.team import Team
from tests import browser
from tests.page_fleet import LONG, write_fleet
from tools.page.live import Live, LiveApp, LiveCause, LiveQuota, LiveTeam
from tools.status.report import NOT_AS_WANTED, Status

pytestmark = pytest.mark.parts

INDEX, EXCEPTIONS, ALPHA = "index.html", "exceptions.html", "teams/team-alpha.html"
# Beside the site is one that shows what a cluster says.
LIVE = tuple(f"../live/{path}" for path in (INDEX, ALPHA, f"teams/{LONG}.html"))
PATHS = (
    *(INDEX, EXCEPTIONS, "controls.html", ALPHA, f"teams/{LONG}.html", "teams/team-leaving.html"),
    *LIVE,
)
MORE = [f"team-more-{number}" for number in range(4)]
DAY = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    write_fleet(folder / "tenants", odd=True)
    for name in MORE:  # so that there is something to search and sort
        (folder / "tenants" / f"{name}.yaml").write_text(f"team: {name}\n", encoding="utf-8")
    out = folder / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exception_checks, "today", lambda: date(2027, 1, 1))
        patch.setattr("cli.live.live", in_the_cluster)
        for more, where in ([], out), (["--live"], folder / "live"):
            tenants = ["--tenants", str(folder / "tenants")]
            assert main(["page", *tenants, "--out", str(where), *more]) == 0
    return out


def in_the_cluster(_: object, teams: Sequence[Team]) -> Live:
    """Every app of every team is broken and differs from its file, and the quota is exceeded."""
    missing = LiveCause("the registry has no image; push it", "apps[0].app.image.tag", False)
    other = LiveCause(f"it runs {LONG}:v1.0.0; see why the last `pulumi up` did not", "", True)
    found = {
        team.name: LiveTeam(
            Status.BROKEN,
            [
                LiveApp(app.app.name, Status.BROKEN, "0/2", "v1.0.0 -> v1.1.0", [missing, other])
                for app in team.apps
            ],
            [LiveQuota("requests.cpu", "4", "5"), LiveQuota("pods", "20", "0")],
            ["gateways in istio-system: forbidden; whether hosts are served is not known"],
            "",
        )
        for team in teams
    }
    return Live("sre-production", datetime(2027, 1, 1, tzinfo=UTC), ["Event"], NOT_AS_WANTED, found)


@pytest.fixture
def opened(large: Chrome, site: Path) -> Callable[[str], Chrome]:
    """Opens a page of the site, as on a large screen."""

    def page(path: str) -> Chrome:
        browser.requested(large)
        large.get_log("browser")
        large.get((site / path).resolve().as_uri())
        return large

    return page


@pytest.fixture
def day(large: Chrome) -> Iterator[Callable[[date], None]]:
    """Sets the day on which pages are read from now on."""
    scripts: list[str] = []

    def read_on(when: date) -> None:
        clock = f"Date.now = () => {(when - date(1970, 1, 1)).days * DAY + DAY // 2}"
        added = large.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": clock})
        scripts.append(added["identifier"])

    yield read_on
    for script in scripts:
        large.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


@pytest.mark.parametrize("path", PATHS)
def test_no_request_leaves_and_nothing_is_refused(opened, site: Path, path: str):
    chrome = opened(path)
    assert chrome.get_log("browser") == []
    assert browser.requested(chrome) == [(site / path).resolve().as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(opened, axe: str, path: str, width: int, scheme: str):
    chrome = opened(path)
    browser.prefer(chrome, scheme)
    if width < 1000:
        browser.as_on_a_phone(chrome)
    assert browser.violations(chrome, axe) == []


@pytest.mark.parametrize("path", [*PATHS, f"reach/{LONG}.html"])
def test_a_phone_scrolls_pages_only_down(opened, path: str):
    chrome = opened(path)
    browser.as_on_a_phone(chrome)
    assert chrome.execute_script("return document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [1280, 1100, 700, 390])
@pytest.mark.parametrize("path", PATHS)
def test_no_text_leaves_its_cell(opened, path: str, width: int):
    chrome = opened(path)
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wide = chrome.execute_script(
        """
        const cells = [...document.querySelectorAll("tbody :is(th, td), dd, h1, h2, h3, nav")];
        return cells.filter((each) => each.scrollWidth > each.clientWidth)
          .map((each) => each.textContent);
        """
    )
    assert wide == []


def test_without_scripts_everything_can_be_read(opened, site: Path):
    with browser.without_scripts(opened(INDEX)) as chrome:
        chrome.get((site / INDEX).as_uri())
        rows = chrome.find_elements(By.CSS_SELECTOR, "tbody tr")
        assert len(rows) == 6 + len(MORE)
        assert all(row.is_displayed() for row in rows)
        assert not chrome.find_elements(By.CSS_SELECTOR, "input, button")
        one(chrome, "tbody a").click()
        assert one(chrome, "h1").text.startswith("team-alpha")
        one(chrome, "#apps a").click()
        assert chrome.current_url.endswith("#app-my-api")


def test_a_search_leaves_the_rows_with_all_its_words(opened):
    chrome = opened(INDEX)
    search = one(chrome, "input[type=search]")
    search.send_keys("LEDGER active")
    assert shown(chrome) == ["team-beta"]
    assert one(chrome, "[role=status]").text == f"1 of {6 + len(MORE)} shown"
    search.send_keys(Keys.CONTROL, "a", Keys.BACKSPACE)
    assert len(shown(chrome)) == 6 + len(MORE)


def test_the_keyboard_sorts_by_a_column_and_back(opened):
    chrome = opened(INDEX)
    button = head(chrome, "Exceptions")
    press(chrome, button, Keys.ENTER)
    assert shown(chrome)[:2] == [LONG, "team-alpha"]  # 1, 2, and then those without any
    press(chrome, button, Keys.SPACE)
    assert shown(chrome)[:3] == ["team-alpha", LONG, "team-beta"]
    column = button.find_element(By.XPATH, "..")
    assert column.get_attribute("aria-sort") == "descending"
    press(chrome, head(chrome, "Team"), Keys.ENTER)
    assert column.get_attribute("aria-sort") is None
    assert shown(chrome) == sorted(shown(chrome))


def test_per_cents_are_sorted_as_numbers(opened):
    chrome = opened(INDEX)
    press(chrome, head(chrome, "Quota used"), Keys.ENTER)
    cells = chrome.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(4)")
    shares = [int(cell.text.split()[0]) for cell in cells]
    assert shares == sorted(shares)
    assert len({len(str(share)) for share in shares}) > 1


def test_tab_starts_with_a_way_past_the_navigation(opened):
    chrome = opened(INDEX)
    ActionChains(chrome).send_keys(Keys.TAB).perform()
    skip = chrome.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.rect["y"] >= 0
    assert skip.value_of_css_property("outline-style") == "solid"
    press(chrome, skip, Keys.ENTER)
    assert chrome.current_url.endswith("#content")


def test_days_that_are_left_are_counted_when_the_page_is_read(opened, day):
    day(date(2027, 3, 11))
    chrome = opened(EXCEPTIONS)
    first, second, _ = (each.text for each in chrome.find_elements(By.CSS_SELECTOR, "tbody th"))
    assert (first, second) == ("2027-03-31 (20 days left)", "2027-06-30")
    for when, said in ((30, "1 day left"), (31, "last day")):
        day(date(2027, 3, when))
        assert one(opened(EXCEPTIONS), "tbody th").text == f"2027-03-31 ({said})"
    day(date(2027, 4, 1))
    assert one(opened(EXCEPTIONS), "tbody th").text == "2027-03-31 (expired)"


def test_pages_follow_the_colours_of_the_reader(opened):
    chrome = opened(INDEX)
    colours = set[str]()
    for scheme in ("light", "dark"):
        browser.prefer(chrome, scheme)
        colours.add(one(chrome, "body").value_of_css_property("background-color"))
    assert len(colours) == 2


def one(chrome: Chrome, selector: str) -> WebElement:
    return chrome.find_element(By.CSS_SELECTOR, selector)


def head(chrome: Chrome, text: str) -> WebElement:
    return chrome.find_element(By.XPATH, f"//th/button[text()='{text}']")


def press(chrome: Chrome, element: WebElement, key: str) -> None:
    chrome.execute_script("arguments[0].focus()", element)
    ActionChains(chrome).send_keys(key).perform()


def shown(chrome: Chrome) -> list[str]:
    """The teams of the rows that are shown."""
    rows = chrome.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden]) th")
    return [row.text for row in rows]
