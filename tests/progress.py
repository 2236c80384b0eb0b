"""Progress of a long run of pytest: a line every ten seconds, instead of a dot for each test.

A plugin, `-p tests.progress`; the workers of pytest-xdist tell it what they do.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

EVERY = 10  # seconds
NAMED = 2  # tests at most in a line


@contextmanager
def lines(line: Callable[[], str], say: Callable[[str], None]) -> Generator[None]:
    """Meanwhile `say` is called every ten seconds with what `line` then is."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(EVERY):
            say(line())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def passed(seconds: float) -> str:
    """Minutes and seconds, as in `3:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Progress:
    """Counts tests as they begin and end."""

    def __init__(self, config: pytest.Config) -> None:
        self._started = time.monotonic()
        self._total = self._done = 0
        self._running: dict[str, float] = {}  # when each began
        self._config = config

    def line(self) -> str:
        """How many are done, and those that have been running longest."""
        now = time.monotonic()
        running = sorted(self._running.copy().items(), key=lambda each: each[1])
        named = [f"{test} ({passed(now - began)})" for test, began in running[:NAMED]]
        what = ", ".join(named) or "collecting tests"
        return f"{passed(now - self._started)}  {self._done} of {self._total} tests done; {what}"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        with lines(self.line, terminal.write_line):
            return (yield)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = max(self._total, len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._running.pop(nodeid, None)
        self._done += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """A failure is reported at once; the others are only counted."""
        if report.passed and report.when == "call":
            return "passed", "", ""
        if report.skipped:
            return "skipped", "", ""
        return None


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that reports, not in a worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config))
