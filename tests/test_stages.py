"""What a test run reports about itself: its stages, their table, and its progress."""

import threading
from types import SimpleNamespace

import pytest

from tests import progress, stages
from tests.progress import Progress


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stages, progress):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 7.0))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that were run; `types` fails."""
    names: list[str] = []

    def run(stage: str) -> int:
        names.append(stage)
        return 3 if stage == "types" else 0

    monkeypatch.setattr(stages, "run", run)
    return names


def test_the_first_stage_that_fails_is_the_last_and_the_table_says_so(
    ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert stages.main(["lint", "types", "unit"]) == 3
    assert ran == ["lint", "types"]
    assert capsys.readouterr().out.splitlines() == [
        "== lint",
        "== types",
        "stage      time",
        "lint       0:00  passed",
        "types      0:00  failed",
        "unit             not run",
        "all        0:00",
    ]


def test_an_unknown_stage_is_refused_with_the_known_ones(
    ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        stages.main(["lint", "unity"])
    assert ran == []
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(
        "no stage 'unity'; choose from lint, types, unit, commands, bench, engine, servers"
    )


def test_a_line_says_how_far_it_is_and_what_runs_longest(pytestconfig: pytest.Config) -> None:
    told = Progress(pytestconfig)
    assert told.line() == "0:00  0 of 0 tests done; collecting tests"
    told.pytest_xdist_node_collection_finished(["a", "b", "c", "d"])
    for name in "abcd":
        told.pytest_runtest_logstart(name)
    told.pytest_runtest_logfinish("a")
    assert told.line() == "0:00  1 of 4 tests done; b (0:00), c (0:00)"


def test_progress_is_reported_repeatedly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    said: list[str] = []
    thrice = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            thrice.set()

    with progress.lines(lambda: "at work", say):
        thrice.wait()
    assert set(said) == {"at work"}
