"""`./sre capacity`: how much of their quota the teams' apps use."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from cli import Commands
from cli.team_report import report_options, team_report
from plain.table import columns
from specs.capacity import RESOURCES, UNLIMITED, AppDemand, Bounds, Capacity, shown
from specs.load import TeamFile

_MOMENTS = {"rest": "AT REST", "rollout": "ROLLOUT", "run": "RUN", "full": "FULL SCALE"}

_APP = ("APP", "PODS", "ROLLOUT", "RUN", "FULL SCALE")
_POD = ("POD'S CPU", "MEMORY", "CPU LIMIT", "MEMORY LIMIT")

_NO_LIMIT = "none"

# A bar is as long as the quota: at rest, other pods that must fit, the rest of full scale, free.
_BAR = 24
_BLOCKS, _ASCII = "█▓▒░", "#+-."
_RED, _YELLOW, _PLAIN = "\033[31m", "\033[33m", "\033[0m"


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "capacity",
        parents=[report_options()],
        help="show how much quota the teams' apps use",
        description="Shows how much quota the teams' apps use, including sidecars: at rest, during "
        "the largest rollout, during the largest cronjob run, and with all apps at full "
        "scale. Apps that cannot run or roll out are errors, and a full scale that does not "
        "fit is a warning; both are reported on stderr in the format of `validate`.",
        epilog="example: ./sre capacity --team team-alpha",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the teams that can be counted. Raises ProblemsError for problems in any of them."""
    report = team_report(arguments)
    if arguments.format == "json":
        teams = [_as_data(file, file.capacity) for file in report.files if file.capacity]
        print(json.dumps({"teams": teams}, indent=2))
    else:
        tables = ("\n".join(_as_text(file.capacity)) for file in report.files if file.capacity)
        if text := "\n\n".join(tables):
            print(text)
    return report.finish()


def _as_data(file: TeamFile, capacity: Capacity) -> dict[str, Any]:
    """Amounts as Kubernetes quantities, null for no limit, numbers of pods as numbers."""
    return {
        "team": capacity.team.name,
        "lifecycle": capacity.team.lifecycle,
        "quota": _named(capacity.quota),
        **{moment: _named(getattr(capacity, moment)) for moment in _MOMENTS},
        "apps": [
            {
                "app": demand.app.name,
                "archetype": demand.app.archetype,
                "pods": {
                    "rest": demand.rest,
                    "surge": demand.surge,
                    "run": demand.run,
                    "full": demand.full,
                },
                "pod": _named(demand.pod),
            }
            for demand in capacity.apps
        ],
        "errors": [str(problem) for problem in file.problems],
        "warnings": [str(warning) for warning in file.warnings],
    }


def _named(amounts: Bounds) -> dict[str, str | None]:
    return {
        resource: None if amount is None else shown(resource, amount)
        for resource, amount in zip(RESOURCES, amounts, strict=True)
    }


def _as_text(capacity: Capacity) -> Iterator[str]:
    """Two tables: the team's resources, with bars on a terminal, and its apps."""
    yield f"{capacity.team.name} ({capacity.team.lifecycle})"
    moments = [
        _named(amounts)
        for amounts in (capacity.quota, *(getattr(capacity, moment) for moment in _MOMENTS))
    ]
    rows = [("", "QUOTA", *_MOMENTS.values())]
    shown_ones = [
        number
        for number, resource in enumerate(RESOURCES)
        if resource not in UNLIMITED or capacity.quota[number] is not None or capacity.rest[number]
    ]
    rows += [
        (RESOURCES[number], *(amounts[RESOURCES[number]] or _NO_LIMIT for amounts in moments))
        for number in shown_ones
    ]
    ends = ["", *(_end(capacity, number) for number in shown_ones)]
    for line, end in zip(columns(rows, numbers=True), ends, strict=True):
        yield f"{line}  {end}".rstrip()
    if capacity.apps:
        yield ""
        yield from columns([_APP + _POD, *map(_app_cells, capacity.apps)], numbers=True)


def _app_cells(demand: AppDemand) -> tuple[str, ...]:
    return (
        demand.app.name,
        str(demand.rest),
        f"+{demand.surge}" if demand.surge else "-",
        f"+{demand.run}" if demand.run else "-",
        str(demand.full),
        *(shown(*each) for each in zip(RESOURCES[: len(_POD)], demand.pod, strict=False)),
    )


def _end(capacity: Capacity, number: int) -> str:
    """A resource at a glance: a bar on a terminal, and where it does not fit."""
    quota = capacity.quota[number]
    taken = [amounts[number] for amounts in (capacity.rest, capacity.needed, capacity.full)]
    if quota is None:
        return ""
    _, needed, full = taken
    word, colour = "", ""
    if needed > quota:
        word, colour = "too little", _RED
    elif full > quota:
        word, colour = "too little for full scale", _YELLOW
    if not sys.stdout.isatty():
        return word
    if word and not os.environ.get("NO_COLOR"):
        word = f"{colour}{word}{_PLAIN}"
    return f"{_bar(quota, taken)}  {word}"


def _bar(quota: int, taken: Sequence[int]) -> str:
    marks = _BLOCKS if "utf" in sys.stdout.encoding.lower() else _ASCII
    bar = ""
    for amount, mark in zip(taken, marks, strict=False):
        part = -(-amount * _BAR // quota) if quota else _BAR * amount
        bar = bar.ljust(min(_BAR, part), mark)
    return bar.ljust(_BAR, marks[-1])
