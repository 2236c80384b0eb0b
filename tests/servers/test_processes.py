"""Processes that outlive their starter: known again, and never mistaken for others."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers.processes import Interrupts, Process, stop
from tests.servers.conftest import until
from tests.written import ROOT


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
    until(process.last_lines)
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


@pytest.mark.parametrize("text", ["", "1", "one 1", "\xff"])
def test_a_process_whose_id_is_not_to_be_read_does_not_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "pids" / "odd").write_text(text, encoding="latin-1")
    assert Process(tmp_path, "odd").pid is None


def test_a_process_whose_id_cannot_be_kept_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, content: str) -> None:
        started.append(int(content.split()[0]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    started: list[int] = []
    monkeypatch.setattr("sandbox.servers.processes.write_private", full)
    with pytest.raises(OSError, match="No space left"):
        Process(tmp_path, "sleeper").start(["/bin/sleep", "60"], {})
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_a_signal_waits_for_what_is_held() -> None:
    told: list[str] = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        _interrupted_while_held(interrupts, told)
    assert told == ["all done"]


def _interrupted_while_held(interrupts: Interrupts, told: list[str]) -> None:
    with interrupts.held():
        signal.raise_signal(signal.SIGTERM)
        told.append("all done")


def test_a_signal_is_not_lost_where_what_is_held_fails() -> None:
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        _failed_while_held(interrupts)


def _failed_while_held(interrupts: Interrupts) -> None:
    with interrupts.held():
        signal.raise_signal(signal.SIGTERM)
        raise OSError


# The signal comes while an object is finalised, where Python drops exceptions.
_FINALISED = """\
import os, signal, sys
from sandbox.servers import prometheus_process

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

class Pod:
    refreshed = 0

    def __init__(self, settings):
        pass

    def refresh(self):
        self.refreshed += 1
        if self.refreshed == 2:
            Finalised()
        return self.refreshed == 1

    def command(self):
        return ["sleep", "infinity"]

prometheus_process._Pod = Pod
sys.exit(-prometheus_process.run(None))
"""


def test_a_signal_ends_prometheus_and_its_process_whenever_it_comes() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _FINALISED], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (signal.SIGTERM, "")
