"""`results.md`: the results of a complete run, and the machine."""

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measured_row import (
    MeasuredRow,
    comparison,
    mebibytes,
    reasons,
    seconds,
)
from bench.previews import Preview
from plain.table import markdown

CPU_INFO = Path("/proc/cpuinfo")


def page(
    found: Sequence[MeasuredRow],
    fleets: Mapping[int, tuple[Preview, Preview]],
    shares: str,
    steps: str,
    load: float,
    helm_apps: int,
) -> str:
    """The page.

    `fleets` has this program's preview and the bare program's, by the number of teams; `shares` and
    `steps` are tables; `load` is the machine's when the run began.
    """
    return f"""\
# What it costs

Written by `make bench` on {datetime.date.today().isoformat()}.
Machine: {_machine()}; its load was {load:.1f} when the run began.

{comparison(found)}

{reasons(found)}

Wall-clock times decide; CPU time is shown beside them. Both are medians of alternating runs
(ours, theirs, ours, and so on), except for 1,000 teams, where one run of each takes minutes. The
bare program is [bare.py](bare.py). Helm renders {helm_apps} apps, each in a separate process, from
[charts](charts) that create the same objects for an app as `./sre render`.

## Previews of all teams

The time per resource is that of the whole preview, including loading the SDKs, divided by the
number of resources; ours includes components. Memory is the peak of one process.

{_previews(fleets)}

## Where a preview's time goes

CPU time of a preview of 100 teams; within the program, from a sample every two milliseconds.

{shares}

## Where the time of one team's preview goes

Medians of CPU times, without and with what saves time: the SDKs' annotations are not evaluated, and
no debug messages are sent ([decisions.md](../docs/decisions.md#loading-the-sdks)).

{steps}
"""


def _previews(fleets: Mapping[int, tuple[Preview, Preview]]) -> str:
    """A line for each fleet and program."""
    lines = [
        {
            "Teams": f"{teams:,}",
            "Program": name,
            "Resources": f"{one.resources:,.0f}",
            "Time": seconds(one.wall),
            "Per resource": f"{one.each * 1000:.1f} ms",
            "CPU": seconds(one.program_cpu),
            "Memory": mebibytes(one.peak),
            "Engine's CPU": seconds(one.engine_cpu),
            "Engine's memory": mebibytes(one.engine_peak),
        }
        for teams, pair in fleets.items()
        for name, one in zip(("ours", "bare"), pair, strict=True)
    ]
    rows = [list(lines[0]), *(list(line.values()) for line in lines)]
    return "\n".join(markdown(rows, aligned=True))


def _machine() -> str:
    """What this runs on."""
    names = [
        line.partition(":")[2].strip()
        for line in (CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else ())
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
