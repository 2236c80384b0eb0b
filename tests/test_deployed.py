"""Reading the stack's own state, which another run may be writing at the time."""

import time
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from tests.conftest import Program
from tests.program import team_file

HALF_WRITTEN = "failed to load checkpoint: EOF"


def failing(monkeypatch: pytest.MonkeyPatch, errors: Iterator[str]) -> list[float]:
    """The engine answers with each of `errors`, and then well; the pauses between the attempts."""
    pauses: list[float] = []
    read = pulumi.runtime.invoke

    def invoke(token: str, *arguments: Any) -> Any:
        for error in errors:
            raise Exception(
                f"invoke of {token} failed: invocation of {token} returned an error: {error}"
            )
        return read(token, *arguments)

    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def test_a_state_that_is_being_written_is_read_once_it_is(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = failing(monkeypatch, iter([HALF_WRITTEN] * 3))
    assert program(team_file(team="team-late")).names("sre:platform:Tenant") == ["team-late"]
    assert len(pauses) == 3


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(HALF_WRITTEN, 20), ("unknown stack 'test'", 1)],
    ids=["always", "other"],
)
def test_a_state_that_cannot_be_read_is_one_line(
    program: Program, monkeypatch: pytest.MonkeyPatch, error: str, attempts: int
) -> None:
    pauses = failing(monkeypatch, iter([error] * 100))
    with pytest.raises(pulumi.RunError) as raised:
        program(team_file(team=f"team-{attempts}"))
    assert str(raised.value).startswith("the state of stack ")
    assert str(raised.value).endswith(f"/test cannot be read: {error}; run this again")
    assert len(pauses) == attempts - 1
