"""What public charts and releases of well-known apps need, rewritten as files of made-up teams.

`tests/field/` has a file for each; its first line says what kind of app it stands for.
"""

import re
from datetime import date
from pathlib import Path

import pytest

from specs import exception_checks
from specs.load import TeamFile, load_team
from tests.written import dev_settings, marked

FIELD = Path(__file__).parent / "field"
FILES = sorted(FIELD.glob("*.yaml"))

# All that is wrong with what this platform cannot run, by file.
REFUSED: dict[str, list[str]] = {}

ACCEPTED = [file for file in FILES if file.stem not in REFUSED]


@pytest.fixture(autouse=True)
def _before_the_exceptions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: date(2026, 12, 1))


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.stem)
def test_what_can_be_right_is_accepted(file: Path) -> None:
    loaded = _loaded(file)
    assert [str(problem) for problem in loaded.problems] == []
    assert marked(loaded.source.data) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_with_the_true_reason(name: str) -> None:
    problems = _loaded(FIELD / f"{name}.yaml").problems
    assert [str(problem) for problem in problems] == [f"{name}:{said}" for said in REFUSED[name]]


def test_each_file_says_what_kind_of_app_it_stands_for() -> None:
    for file in FILES:
        assert re.match(r"# An? [^\n]+\.\n|# [A-Z][^\n]+\.\n", file.read_text("utf-8")), file


def _loaded(file: Path) -> TeamFile:
    return load_team(file, file.stem, dev_settings())
