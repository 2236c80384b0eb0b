"""`./sre offboard`: changes files for the next step by which a team leaves."""

import argparse
import json
from dataclasses import asdict

from cli import Commands
from cli.stack_options import ROOT, add_format, options, stack_files
from tools.editing.offboarding import offboard
from tools.editing.team_file import alone


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "offboard",
        parents=[options()],
        help="change files for the next step of a team's offboarding",
        description="Changes files for the next step by which a team leaves, and prints what comes "
        "after it. The first step sets `lifecycle: offboarding` in the team's file. The second "
        "deletes that file, and removes the team from .github/CODEOWNERS and from its stacks' "
        "files; `up` refuses that until the first step has been applied. After that it only prints "
        "what is left to do. Writes nothing if a file is wrong, or if another team's calls or "
        "callers still name the team (exit code 1).",
        epilog="example: ./sre offboard team-beta",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Change the files. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    with alone(stack.folder):
        step = offboard(ROOT, stack.folder, stack.settings, arguments.team)
    if arguments.format == "json":
        print(json.dumps({"team": arguments.team, **asdict(step)}, indent=2))
        return 0
    for file in step.changed:
        print(f"{file}: changed.")
    for file in step.removed:
        print(f"{file}: deleted.")
    state = step.after if step.before == step.after else f"{step.before} -> {step.after}"
    print(f"{arguments.team}: {state}. Next:")
    for number, following in enumerate(step.following, 1):
        print(f"{number}. {following}")
    return 0
