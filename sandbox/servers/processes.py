"""Processes that outlive the command that starts them, identified by ID and start time."""

import os
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from binaries.signals import SignalReceiver
from sandbox.servers.record import write_private

STOPS_WITHIN = 10  # seconds, then it is killed
LOG_LINES = 8


class Process:
    """A server of a checkout; `folder` has its log, and its ID while it is supposed to run."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._file = folder / "pids" / name

    def start(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        """Start it in a separate session, so that no terminal ends it. Raises OSError."""
        for file in (self.log, self._file):
            file.parent.mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.log.parent,
                start_new_session=True,
            )
        try:
            write_private(self._file, f"{process.pid} {_start_time(process.pid)}")
        except BaseException:  # nobody would find it again
            process.kill()
            process.wait()
            raise

    @property
    def pid(self) -> int | None:
        """None unless it runs: the machine may have given its ID to another process."""
        try:
            number, _, started = self._file.read_text(encoding="utf-8").partition(" ")
            pid = int(number)
        except (OSError, ValueError):
            return None
        return pid if _start_time(pid) == started else None

    def last_lines(self) -> list[str]:
        """The end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return text.splitlines()[-LOG_LINES:]

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if pid := self.pid:
            with suppress(ProcessLookupError):  # it may have ended since
                os.kill(pid, number)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def stop(processes: Iterable[Process]) -> None:
    """Stop them all at once and wait until they are gone."""
    left = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            process.send(number)
        deadline = time.monotonic() + STOPS_WITHIN
        while any(process.pid for process in left) and time.monotonic() < deadline:
            time.sleep(0.05)
    for process in left:
        process.forget()


class Interrupts(SignalReceiver):
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, but only once what is held is done."""

    def __init__(self) -> None:
        self._holding = False
        self._received = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if not self._holding:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Generator[None]:
        self._holding, self._received = True, False
        try:
            yield
        finally:
            self._holding = False
            if self._received:
                raise KeyboardInterrupt


def _start_time(pid: int) -> str | None:
    """When the process began; None if it does not exist or is only a remnant of an ended one."""
    if not Path("/proc/self/stat").exists():
        ps = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        answer = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
        state, _, started = answer.strip().partition(" ")
        return started if state and not state.startswith("Z") else None
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5); the name, second, may contain anything and ends with the last bracket.
    state, *fields = line.rpartition(")")[2].split()
    threads, started = int(fields[16]), fields[18]
    # A dead process (Z) keeps its ports until the last of its threads is gone.
    return started if threads > 1 or state not in "ZX" else None
