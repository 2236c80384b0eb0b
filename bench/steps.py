"""`python -m bench.steps FOLDER`: the CPU time of a preview by its steps, from Python's start on.

With `--unsaved` it does without what saves time: the SDKs' annotations are evaluated, and debug
messages are sent.
"""

import argparse
import importlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.measure import PYTHON, run
from bench.measured_row import MeasuredRow, seconds
from plain import lazy_annotations
from plain.table import markdown

_HEADER = ("Part", "CPU without", "CPU")
_OPTIONS: tuple[list[str], ...] = (["--unsaved"], [])
_ALL = "all"


# Seconds of CPU of each step without and with the savings; the last is the sum of all.
Steps = Mapping[str, tuple[float, float]]


def steps_of(folder: Path, times: int) -> Steps:
    """The steps of a checkout's preview: medians of `times` pairs."""
    pairs = [
        [json.loads(run(PYTHON, "-m", "bench.steps", folder, *options)[1]) for options in _OPTIONS]
        for _ in range(times)
    ]

    def of(step: str, side: int) -> float:
        return median(pair[side][step] for pair in pairs)

    return {step: (of(step, 0), of(step, 1)) for step in pairs[0][0]}


def table_of(steps: Steps) -> str:
    """The steps as a table."""
    cells = [(step, *map(seconds, both)) for step, both in steps.items()]
    return "\n".join(markdown([_HEADER, *cells], aligned=True))


def row_of(steps: Steps) -> MeasuredRow:
    """The whole preview."""
    without, ours = steps[_ALL]
    return MeasuredRow(
        "CPU time of a preview of one team's stack",
        "without what saves time (last table)",
        seconds(ours),
        seconds(without),
        ours / without,
        0.8,
    )


def _steps(folder: Path, unsaved: bool) -> dict[str, float]:
    """Seconds of CPU by step, in the order in which a program takes them."""
    took: dict[str, float] = {"starting Python": time.process_time()}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        took[name] = time.process_time() - began

    with step("loading Pulumi's SDK"):
        importlib.import_module("pulumi.automation")
    with step("loading models and checks: specs/, pydantic, PyYAML"):
        importlib.import_module("specs.fleet")
        importlib.import_module("specs.settings")
    if unsaved:
        lazy_annotations.leave_annotations = lambda *_: None
    with step("loading components and the SDKs of the providers"):
        importlib.import_module("components")
        importlib.import_module("components.grafana")
    from bench import engine
    from components.host import DEBUG

    def program(checkout: Path) -> None:
        if unsaved:
            os.environ[DEBUG] = "1"
        engine.ours(checkout)

    engine.PROGRAMS["measured"] = program
    found = engine.preview(folder, "measured")
    took["reading files, registering resources"] = found.program_cpu
    took["Pulumi's engine"] = found.engine_cpu
    took[_ALL] = sum(took.values())
    return took


def main() -> None:
    """Prints the steps as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a checkout")
    parser.add_argument("--unsaved", action="store_true", help="without what saves time")
    asked = parser.parse_args()
    print(json.dumps(_steps(asked.folder, asked.unsaved)))


if __name__ == "__main__":
    main()
