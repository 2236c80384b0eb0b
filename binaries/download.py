"""Downloads published programs and verifies each against its publisher's SHA-256."""

import hashlib
import json
import queue
import re
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from binaries.console import passing_every, say

ANSWERS_WITHIN = 5  # seconds
STALLED_AFTER = 30  # seconds
DOWNLOADED_WITHIN = 600  # seconds, for one file
CHUNK = 1 << 20  # bytes


class DownloadError(Exception):
    """No usable download; the message gives the reason, without a full stop."""


def read(url: str) -> str:
    """Return a small page; raise DownloadError if it does not arrive soon.

    Runs in a thread, because looking up a name has no time limit.
    """
    answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with urlopen(url, timeout=ANSWERS_WITHIN) as response:
                answers.put(response.read().decode())
        except (OSError, HTTPException, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWERS_WITHIN)
    except queue.Empty:
        answer = TimeoutError()
    if isinstance(answer, str):
        return answer
    raise DownloadError(f"Cannot read {url} ({_reason(answer)})")


def fetch(url: str, sha256: str, file: Path) -> None:
    """Download a file; raise DownloadError if it is incomplete or has another checksum."""
    digest = hashlib.sha256()
    started = time.monotonic()
    said = started
    try:
        with urlopen(url, timeout=STALLED_AFTER) as response, file.open("wb") as out:
            while chunk := response.read1(CHUNK):
                out.write(chunk)
                digest.update(chunk)
                now = time.monotonic()
                if now - said >= passing_every():
                    say(f"Downloading {file.name}: {out.tell() / 1e6:.0f} MB", passing=True)
                    said = now
                if now - started > DOWNLOADED_WITHIN:
                    raise TimeoutError
    except (OSError, HTTPException) as error:
        raise DownloadError(f"Cannot download {url} ({_reason(error)})") from None
    if digest.hexdigest() != sha256:
        raise DownloadError(f"The checksum of {url} does not match")


def checksum(page: str, file: str) -> str:
    """Return a file's SHA-256 from its publisher's text: the sum alone, a list in the form of
    `sha256sum`, or a release in GitHub's API. Raises DownloadError if it is missing.
    """
    if page.startswith("{"):
        assets = json.loads(page).get("assets", [])
        sums = {asset["name"]: asset.get("digest") for asset in assets}
        page = (sums.get(file) or "").removeprefix("sha256:")
    match = re.search(rf"^([0-9a-f]{{64}})(\s+\*?{re.escape(file)})?$", page, re.MULTILINE)
    if match is None:
        raise DownloadError(f"The publisher provides no checksum for {file}")
    return match[1]


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or "no answer in time"
