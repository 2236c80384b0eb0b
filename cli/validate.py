"""`./sre validate`: checks team files."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from cli import Commands
from cli.stack_options import ROOT, options, stack_files
from specs.fleet import validate_files, validate_folder
from specs.problem import Problem, ProblemsError
from specs.stack_teams import warn_of_stacks


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "validate",
        parents=[options()],
        help="check team files",
        description="Checks the named team files, or all of them. Reports one problem per line on "
        "stderr: FILE:LINE:COLUMN: KEY PATH: what is wrong; what to do. Warnings are "
        "reported too, but do not fail the check. Without FILE, these include teams that no stack "
        "deploys, and stacks whose teams are gone.",
        epilog="example: ./sre validate tenants/team-alpha.yaml",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="team files to check")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the files on the command line. Raises ProblemsError."""
    stack = stack_files(arguments)
    of_stacks: Iterable[Problem] = ()
    if arguments.files:
        named = [(Path(file), file) for file in dict.fromkeys(arguments.files)]
        fleet, checked = validate_files(named, stack.folder, stack.settings), len(named)
    else:
        fleet, checked = validate_folder(stack.folder, stack.settings), len(stack.folder.files())
        of_stacks = warn_of_stacks(ROOT, stack.folder)
    for warning in (*fleet.warnings, *of_stacks):
        print(warning.as_warning(), file=sys.stderr)
    if fleet.problems:
        raise ProblemsError(*fleet.problems)
    print(f"{checked} team {'file' if checked == 1 else 'files'} checked, no problems.")
    return 0
