"""`./sre diff`: summarises a change from the rendered objects of both sides."""

import argparse
import os
import sys

from cli import Commands
from cli.stack_options import ROOT, stack_files, stack_option
from specs.fleet import load_stack
from specs.problem import ProblemsError

_FORMATS = ("text", "markdown", "json")

# Ends the command for any error: 2 is a result.
MISTAKE = 1


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "diff",
        parents=[stack_option()],
        help="summarise a change for its reviewer",
        description="Compares the working tree with the base, the merge base of HEAD and REF: "
        "first what a reviewer must not miss, then every object that is added, changed or removed. "
        "Exit code: 0 no differences, 2 changes, 3 changes that need a second reviewer, 1 an "
        "error or a wrong command line.",
        epilog="example: ./sre diff --base origin/main --format markdown",
    )
    parser.add_argument(
        "--base", metavar="REF", required=True, help="branch, tag or commit to compare with"
    )
    parser.add_argument(
        "--format", choices=_FORMATS, default="text", help="output format (default: text)"
    )
    parser.set_defaults(run=run, tenants=None)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print. Raises ProblemsError for problems in the working tree's files."""
    stack = stack_files(arguments)
    fleet = load_stack(stack.folder, stack.settings)
    if fleet.problems:
        raise ProblemsError(*fleet.problems)
    # With the SDKs, which take a second to load
    from tools.review.as_json import json_report
    from tools.review.git import GitError
    from tools.review.markdown import markdown_report
    from tools.review.review import review
    from tools.review.sides import SideError
    from tools.review.terminal import text_report

    try:
        teams = [team.name for team in fleet.teams]
        found = review(ROOT, arguments.base, stack.name, stack.settings, stack.folder, teams)
    except (GitError, SideError) as error:
        print(f"./sre diff: {error}", file=sys.stderr)
        return MISTAKE
    if arguments.format == "json":
        text = json_report(found)
    elif arguments.format == "markdown":
        text = markdown_report(found)
    else:
        text = text_report(found, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    print(text, end="")
    return found.exit_code
