"""`./sre isolation`: shows on running servers that no team reaches another team's objects."""

import argparse
import os
import sys

from cli import Commands
from cli.stack_options import ROOT, options, stack_files
from specs.fleet import load_stack
from specs.problem import ProblemsError
from specs.settings import LEAVE_OUT


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "isolation",
        parents=[options()],
        help="check on the servers of `make servers` that teams are isolated",
        description="Makes allowed and forbidden requests to the servers of `make servers`, after "
        "`make up`: as a developer, a viewer, a member of a further group, an app and a robot of "
        "each active team, and anonymously. Prints caller, request, expected and actual result; "
        "the exit code is 1 if any differ. Writes to the API server are dry runs, but during the "
        "run each team's namespace has a Secret isolation-check, and ServiceAccounts get real "
        "tokens and logins to OpenBao, which soon expire.",
        epilog="example: ./sre isolation --format markdown",
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown"),
        default="text",
        help="text, one line per caller (default), or markdown, one line per kind of caller",
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="update the table in docs/isolation.md if all results are as expected",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the matrix; 1 if a row is not as expected. Raises ProblemsError."""
    from tools.isolation.matrix_page import (
        isolation,  # with the clients, which take two seconds to load
    )

    stack = stack_files(arguments)
    try:
        settings = stack.settings.leaving_out(os.environ.get(LEAVE_OUT, ""))
    except ValueError as error:
        print(f"{LEAVE_OUT}: {error}", file=sys.stderr)
        return 1
    fleet = load_stack(stack.folder, stack.settings)
    if fleet.problems:
        raise ProblemsError(*fleet.problems)
    # The matrix describes teams that are neither suspended nor being offboarded.
    teams = [team for team in fleet.teams if team.running]
    return isolation(ROOT, teams, settings, arguments.format, arguments.write_docs)
