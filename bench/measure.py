"""Runs programs as whole processes and measures time on the clock, CPU time and memory."""

import ctypes
import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock; seconds of CPU; most memory of one process, in MiB."""

    wall: float
    cpu: float
    peak: float


class FailedError(Exception):
    """A measured program failed; the message is its output."""


def run(*command: str | Path, codes: Collection[int] = (0,)) -> tuple[Cost, str]:
    """Run a program from the checkout's root; return its cost, children included, and its output.

    `codes` are the exit codes of a successful run.

    Linux counts the memory of the process that starts another into that one's peak, so the caller
    must be small and load no SDK. Raises FailedError.
    """
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    # With it, each process would recompile the SDKs.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
        _adopted() as orphans,
    ):
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        worked = cpu(usage) + orphans()
        for stream in (output, errors):
            stream.seek(0)
        if process.returncode not in codes:
            last = "\n".join(errors.read().splitlines()[-10:])
            raise FailedError(f"{' '.join(map(str, command))}: {last}")
        return Cost(wall, worked, peak(usage)), output.read()


@contextmanager
def _adopted() -> Iterator[Callable[[], float]]:
    """Gives this process what outlives those that it starts meanwhile, as a server of forks does.

    The function that it gives waits for these orphans, and returns their seconds of CPU.
    """
    known = {*children(os.getpid())}

    def wait() -> float:
        worked = 0.0
        while orphans := {*children(os.getpid())} - known:
            worked += sum(cpu(os.wait4(pid, 0)[2]) for pid in orphans)
        return worked

    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield wait
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def children(pid: int) -> Iterator[int]:
    """The processes that a process has started, as far as they run."""
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text("ascii").split())


def cpu(usage: resource.struct_rusage) -> float:
    """Seconds of CPU."""
    return usage.ru_utime + usage.ru_stime


def peak(usage: resource.struct_rusage) -> float:
    """MiB of memory, for the process that used most."""
    return usage.ru_maxrss / 1024


def cost(*command: str | Path, codes: Collection[int] = (0,)) -> Callable[[], Cost]:
    """The cost of running a program whose output does not matter."""
    return lambda: run(*command, codes=codes)[0]


Figures = TypeVar("Figures")


def interleaved(
    times: int, ours: Callable[[], Figures], theirs: Callable[[], Figures]
) -> tuple[Figures, Figures]:
    """The medians of both, run in turn (A B A B), so that a busy period affects both."""
    pairs = [(ours(), theirs()) for _ in range(times)]
    first, second = zip(*pairs, strict=True)
    return medians(first), medians(second)


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each field of equal dataclasses of numbers."""
    values = zip(*map(dataclasses.astuple, runs), strict=True)  # type: ignore[arg-type]
    return type(runs[0])(*map(median, values))
