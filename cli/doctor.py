"""`./sre doctor`: checks whether a stack's servers have what it needs."""

import argparse
import sys

from cli import Commands
from cli.stack_options import ROOT, options, stack_files
from specs.problem import ProblemsError
from specs.settings import LEAVE_OUT


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "doctor",
        parents=[options()],
        help="check that a stack's servers have what it needs",
        description="Checks that the servers of a stack are ready for `pulumi up`, without "
        "changing "
        "anything: connections, certificates, permissions and required objects. Addresses "
        "and credentials come from the same settings that the program uses. Prints one line "
        "per check and what to do about each that fails; the exit code is 1 if any fails.",
        epilog="example: ./sre doctor --stack team-alpha",
    )
    parser.add_argument(
        "--server",
        choices=["kubernetes", "openbao", "harbor"],
        help="check only this server; fails unless it answers or the stack does not manage it",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 if a check fails. Raises ProblemsError."""
    from tools.doctor.examine import (  # with the clients, which take two seconds to load
        SERVERS,
        doctor,
    )

    stack = stack_files(arguments)
    targets = [arguments.server] if arguments.server else list(SERVERS)
    try:
        problems, report = doctor(ROOT, stack.name, stack.settings, stack.folder, targets)
    except ValueError as error:
        print(f"{LEAVE_OUT}: {error}", file=sys.stderr)
        return 1
    if report is None:
        raise ProblemsError(*problems)
    print(report)
    return 1 if report.failed else 0
