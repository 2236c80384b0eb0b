"""`make screenshots`: takes pictures of the site of `./sre page` for docs/images, in Chromium."""

import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from binaries.console import UserError
from cli.__main__ import main as sre
from specs import exception_checks
from tests import browser
from tests.page_fleet import write_fleet
from tests.program import ROOT

FOLDER = ROOT / "docs" / "images"
TODAY = date(2027, 3, 11)
_DAY = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Picture:
    """A page as a reader sees it; sizes are in CSS pixels."""

    name: str
    path: str
    scheme: str
    width: int
    height: int


PICTURES = (
    Picture("page-teams", "index.html", "light", 1280, 640),
    Picture("page-team", "teams/team-alpha.html", "dark", 1280, 820),
    Picture("page-phone", "teams/team-alpha.html", "light", 390, 780),
)


def main() -> int:
    """Take them; 1 if there is no browser."""
    exception_checks.today = lambda: TODAY
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_fleet(folder / "tenants")
        site = folder / "site"
        if code := sre(["page", "--tenants", str(folder / "tenants"), "--out", str(site)]):
            return code
        try:
            take(site, folder / "profile")
        except UserError as error:
            print(f"No pictures were taken: {error}", file=sys.stderr)
            return 1
    return 0


def take(site: Path, profile: Path) -> None:
    """Open each page and write its picture; raises UserError if there is no browser."""
    FOLDER.mkdir(exist_ok=True)
    with browser.browser(profile) as chrome:
        # Pages count the days that are left.
        clock = f"Date.now = () => {(TODAY - date(1970, 1, 1)).days * _DAY}"
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": clock})
        for picture in PICTURES:
            browser.prefer(chrome, picture.scheme)
            mobile = picture.width < 500
            size = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "mobile": mobile})
            chrome.get((site / picture.path).as_uri())
            file = FOLDER / f"{picture.name}.png"
            chrome.save_screenshot(str(file))
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
