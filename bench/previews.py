"""Previews on Pulumi's engine: the platform's program against a bare one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import PYTHON, run


@dataclass(frozen=True)
class Preview:
    """What one took: seconds, MiB at the peak of each process, and how many resources there are.

    The program is a Python process and the engine another, at work at the same time. Left out are
    what comes before, such as making the stack, and the stand-in for the providers.
    """

    wall: float
    program_cpu: float
    engine_cpu: float
    peak: float
    engine_peak: float
    resources: float

    @property
    def cpu(self) -> float:
        """Seconds of program and engine."""
        return self.program_cpu + self.engine_cpu

    @property
    def each(self) -> float:
        """Seconds a resource."""
        return self.wall / self.resources


def preview(folder: Path, program: str = "ours") -> Callable[[], Preview]:
    """A preview of a checkout by one of the two programs, `ours` or `bare`."""

    def measured() -> Preview:
        _, printed = run(PYTHON, "-m", "bench.engine", folder, "--preview", program)
        return Preview(**json.loads(printed.splitlines()[-1]))

    return measured
