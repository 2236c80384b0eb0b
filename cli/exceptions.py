"""`./sre exceptions`: what apps may do beyond the hardening, who answers for it, and until when."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from cli import Commands
from cli.team_report import report_options, team_report
from plain.table import columns
from specs.exception_checks import days_left
from specs.exception_list import ListedException, listed_exceptions
from specs.exceptions import controls

_HEAD = ("UNTIL", "DAYS", "TEAM", "APP", "ALLOWS", "TICKET", "APPROVED BY", "CONTROLS")


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "exceptions",
        parents=[report_options()],
        help="list what apps may do beyond the hardening, and until when",
        description="Lists the exceptions from the hardening of all teams' apps, the one that ends "
        "first at the top: the days that are left, what is allowed, ticket, approver and NIST "
        "800-53 controls. Problems of files, such as an expired exception, are reported on stderr "
        "in the format of `validate`; of a file with a wrong value, nothing is listed. Exit code: "
        "0 no problem, 1 a problem in a file, 2 a wrong command line.",
        epilog="example: ./sre exceptions --team team-alpha --format json",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List what can be read. Raises ProblemsError for problems in any of the files."""
    report = team_report(arguments)
    # None of a file with a wrong value, whose team is not what the file says.
    listed = listed_exceptions(file.team for file in report.files if file.team and file.capacity)
    if arguments.format == "json":
        print(json.dumps({"exceptions": [_as_data(each) for each in listed]}, indent=2))
    elif listed:
        print("\n".join(columns([_HEAD, *map(_cells, listed)])))
    else:
        print("No exceptions.")
    return report.finish()


def _as_data(listed: ListedException) -> dict[str, Any]:
    exception = listed.exception
    return {
        "team": listed.team,
        "app": listed.app,
        **exception.model_dump(mode="json", by_alias=True),
        "daysLeft": days_left(exception),
        "controls": list(controls(exception.allow)),
    }


def _cells(listed: ListedException) -> Sequence[str]:
    exception = listed.exception
    left = days_left(exception)
    return (
        exception.until.isoformat(),
        "expired" if left < 0 else str(left),
        listed.team,
        listed.app,
        exception.allow,
        _in_one_line(exception.ticket),
        _in_one_line(exception.approved_by),
        ", ".join(controls(exception.allow)),
    )


def _in_one_line(text: str) -> str:
    """Text of a file may contain line breaks and a terminal's escape sequences."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())
