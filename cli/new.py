"""`./sre new team` and `./sre new app`: adds a team's file, or an entry in it, valid at once."""

import argparse
import os

from cli import Commands
from cli.schema import SCHEMA
from cli.stack_options import ROOT, options, stack_files
from specs.fleet import SUFFIX
from tools.editing.new import ARCHETYPES, new_app, new_team
from tools.editing.team_file import alone


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "new",
        help="create a team's file, or add an app to one",
        description="Creates the file of a new team, or adds an app to a team's file. The result "
        "is valid immediately; existing content and comments are kept.",
        epilog="example: ./sre new app team-alpha shop --archetype web-app",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    team = kinds.add_parser(
        "team",
        parents=[options()],
        help="create tenants/NAME.yaml",
        description="Creates a valid tenants/NAME.yaml to edit.",
        epilog="example: ./sre new team team-gamma",
    )
    team.add_argument(
        "name", metavar="NAME", help="name of the team: lower-case letters, digits and '-'"
    )
    team.set_defaults(run=_new_team)
    app = kinds.add_parser(
        "app",
        parents=[options()],
        help="add an app to tenants/TEAM.yaml",
        description="Adds a valid app to tenants/TEAM.yaml to edit.",
        epilog="example: ./sre new app team-alpha shop --archetype web-app",
    )
    app.add_argument("team", metavar="TEAM", help="name of the team")
    app.add_argument(
        "name", metavar="NAME", help="name of the app: lower-case letters, digits and '-'"
    )
    app.add_argument("--archetype", choices=ARCHETYPES, required=True, help="archetype of the app")
    app.set_defaults(run=_new_app)


def _new_team(arguments: argparse.Namespace) -> int:
    """Write the file. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    schema = os.path.relpath(SCHEMA, stack.folder.path)
    with alone(stack.folder):
        written = new_team(stack.folder, stack.settings, arguments.name, schema)
    print(f"{written}: written; review it, and add an app with ./sre new app.")
    file = (stack.folder.path / f"{arguments.name}{SUFFIX}").resolve()
    if file.is_relative_to(ROOT):
        owner = f"/{file.relative_to(ROOT)} @ORGANIZATION/{arguments.name}-developers"
        print(f"Add a line to .github/CODEOWNERS: {owner}")
    return 0


def _new_app(arguments: argparse.Namespace) -> int:
    """Add the app. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    with alone(stack.folder):
        place, image = new_app(
            stack.folder, stack.settings, arguments.team, arguments.name, arguments.archetype
        )
    print(f"{place}: added {arguments.name}; its image is {image}.")
    return 0
