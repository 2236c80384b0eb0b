"""`./sre render`: writes every object that the program would create, one YAML document per file."""

import argparse
import sys
from pathlib import Path

from cli import Commands
from cli.stack_options import ROOT, options, stack_files
from specs.problem import ProblemsError


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "render",
        parents=[options()],
        help="write every object that the program would create",
        description="Writes every object that the program would create, one YAML document "
        "per file, under "
        "DIR/kubernetes, DIR/harbor and DIR/openbao. Secret values show as [secret].",
        epilog="example: ./sre render --stack team-alpha --out /tmp/rendered",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="output folder: new, empty, or an earlier render, which is replaced",
    )
    parser.add_argument(
        "--expired",
        action="store_true",
        help="render although exceptions of apps have expired, as `diff` does with its base",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Render the stack. If it raises ProblemsError, nothing is written."""
    from tools.rendering.render import render  # with the SDKs, which take a second to load

    stack = stack_files(arguments)
    outcome = render(
        ROOT,
        stack.name,
        stack.settings,
        stack.folder,
        Path(arguments.out),
        expired=arguments.expired,
    )
    if outcome.problems:
        raise ProblemsError(*outcome.problems)
    for warning in outcome.warnings:
        print(warning.as_warning(), file=sys.stderr)
    print(f"{outcome.written} objects written to {arguments.out}.")
    return 0
