"""What tests of pages share: a browser, and axe-core."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests import browser
from tests.optional import available


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    started = browser.browser(tmp_path_factory.mktemp("profile"))
    chrome = available(started.__enter__)
    yield chrome
    started.__exit__(None, None, None)


@pytest.fixture
def large(chrome: Chrome) -> Chrome:
    """As on a large screen, whatever the last test has set."""
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.set_window_size(1400, 1000)
    return chrome


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("axe")
    return available(lambda: browser.axe(folder))
