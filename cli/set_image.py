"""`./sre set-image`: sets an app's image tag, for release pipelines."""

import argparse
import sys

from cli import Commands
from cli.stack_options import options, stack_files
from specs.credentials import without_credentials
from tools.editing.image import set_tag
from tools.editing.team_file import alone


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "set-image",
        parents=[options()],
        help="give an app another image tag",
        description="Writes another image tag for an app into tenants/TEAM.yaml: one value "
        "changes, all else stays as it is. What `validate` would refuse is refused, and nothing "
        "is written then. An older version than the current one is a warning, as Harbor may "
        "have deleted its image. With the tag that is there already nothing is written either, and "
        "the exit code is 0.",
        epilog="example: ./sre set-image team-alpha my-api v1.1.0",
    )
    parser.add_argument("team", metavar="TEAM", help="the team whose file it is")
    parser.add_argument("app", metavar="APP", help="the app's name")
    parser.add_argument("tag", metavar="TAG", help="the version; never latest, no digest")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the tag. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    team, app, tag = arguments.team, arguments.app, arguments.tag
    with alone(stack.folder):
        change = set_tag(stack.folder, stack.settings, team, app, tag)
    shown = f"{stack.folder.shown}/{team}.yaml: {app}"
    if change is None:
        print(f"{shown}: is at {tag} already.")
        return 0
    print(f"{shown}: {without_credentials(change.before) or 'no tag'} is now {tag}.")
    for warning in change.warnings:
        print(warning.as_warning(), file=sys.stderr)
    return 0
