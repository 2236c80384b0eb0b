"""A real browser without a window, for tests of pages; and axe-core, which judges accessibility."""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from binaries.console import UserError

AXE = "axe-core@4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
NPM_WITHIN = 120  # seconds
WITHIN = 20  # seconds
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
INSTALL = "on Debian, run scripts/install-browser"

# Without these, Chromium itself asks for updates, hosts and lists, which no page causes.
_QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-quic",
    "--disable-sync", "--no-first-run", "--no-default-browser-check",
)  # fmt: skip


@contextmanager
def browser(profile: Path) -> Iterator[Chrome]:
    """Chromium or Chrome with an empty profile; raises UserError where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        raise UserError(f"Chromium (or Chrome) and chromedriver are not on PATH; {INSTALL}.")
    options = ChromeOptions()
    options.binary_location = program
    for argument in ("--headless", "--disable-gpu", f"--user-data-dir={profile}", *_QUIET):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # refuses to start as root with it
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = Chrome(options, Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def requested(chrome: Chrome) -> list[str]:
    """The URLs that it has asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in chrome.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def prefer(chrome: Chrome, scheme: str) -> None:
    """The reader's choice of colours: light or dark."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def as_on_a_phone(chrome: Chrome) -> None:
    """The screen is that of `PHONE` when this returns."""
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    width = PHONE["width"]
    WebDriverWait(chrome, WITHIN).until(lambda c: c.execute_script("return screen.width") == width)


@contextmanager
def without_scripts(chrome: Chrome) -> Iterator[Chrome]:
    """Pages that are opened meanwhile run none."""
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        yield chrome
    finally:
        chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def violations(chrome: Chrome, axe: str) -> list[tuple[str, str]]:
    """What axe-core finds on the page: each rule with the first element that breaks it."""
    chrome.execute_script(axe)
    result: dict[str, Any] = chrome.execute_async_script(
        "axe.run().then(arguments[arguments.length - 1])"
    )
    assert len(result["passes"]) > 15
    return [(each["id"], each["nodes"][0]["html"]) for each in result["violations"]]


def axe(folder: Path) -> str:
    """The script of axe-core; raises UserError where npm cannot get it."""
    npm = shutil.which("npm")
    if not npm:
        raise UserError(f"npm, which gets {AXE}, is not on PATH.")
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), AXE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=NPM_WITHIN)
    except subprocess.TimeoutExpired:
        raise UserError(f"npm does not get {AXE} within {NPM_WITHIN} s.") from None
    if done.returncode:
        raise UserError(f"npm cannot get {AXE}: {done.stderr.decode().strip()}")
    archive = folder / f"{AXE.replace('@', '-')}.tgz"
    with archive.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == AXE_SHA256
    with tarfile.open(archive) as files:
        script = files.extractfile("package/axe.min.js")
        assert script
        return script.read().decode()
