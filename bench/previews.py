"""Previews on Pulumi's engine: the platform's program against a bare one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import PYTHON, run


@dataclass(frozen=True)
class Preview:
    """The cost of one: seconds, MiB at the peak of each process, and the number of resources.

    The program is a Python process and the engine another, and both work at the same time.
    Preparations, such as creating the stack, and the stand-in for the providers are not included.
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
        """Seconds per resource."""
        return self.wall / self.resources


def preview(folder: Path, program: str = "ours") -> Callable[[], Preview]:
    """A preview of a checkout by one of the two programs, `ours` or `bare`."""

    def measured() -> Preview:
        _, printed = run(PYTHON, "-m", "bench.engine", folder, "--preview", program)
        return Preview(**json.loads(printed.splitlines()[-1]))

    return measured
