"""Processes that outlive their starter: known again, and never mistaken for others."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers.processes import Interrupts, Process, stop


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, "sleeper")
    process.start(["/bin/sh", "-c", "echo awake; exec sleep 60"], {})
    yield process
    stop([process])


def test_a_process_is_known_until_it_is_stopped(process: Process, tmp_path: Path) -> None:
    assert Process(tmp_path, "sleeper").pid == process.pid
    stop([process])
    assert process.pid is None


def test_one_that_does_not_heed_a_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.servers.processes.STOPS_WITHIN", 1)
    process = Process(tmp_path, "deaf")
    process.start(["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], {})
    while not process.last_lines():
        time.sleep(0.01)
    stop([process])
    assert process.pid is None


def test_the_id_of_a_process_that_began_at_another_time_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        process = Process(tmp_path, "gone")
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "gone").write_text(f"{other.pid} 1")
        assert process.pid is None
        stop([process])
        assert other.poll() is None
        other.kill()


def test_a_signal_waits_for_what_is_held() -> None:
    told: list[str] = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        _interrupted_while_held(interrupts, told)
    assert told == ["all done"]


def _interrupted_while_held(interrupts: Interrupts, told: list[str]) -> None:
    with interrupts.held():
        signal.raise_signal(signal.SIGTERM)
        told.append("all done")
