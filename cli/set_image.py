"""`./sre set-image`: sets an app's image tag and digest, for release pipelines."""

import argparse
import sys

from cli import Commands
from cli.stack_options import options, stack_files
from specs.credentials import without_credentials
from tools.editing.image import set_image
from tools.editing.team_file import alone


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "set-image",
        parents=[options()],
        help="set the image tag of an app",
        description="Sets the image tag of an app in tenants/TEAM.yaml, and the digest if given, "
        "and keeps everything else as it is. An app with a digest needs the new one. Writes "
        "nothing if `validate` would refuse the result. Warns about a version older than the "
        "current one, as Harbor may have deleted its image. Writes nothing and exits with code 0 "
        "if the tag is already set.",
        epilog="example: ./sre set-image team-alpha my-api v1.1.0",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    parser.add_argument("app", metavar="APP", help="name of the app")
    parser.add_argument(
        "version",
        metavar="TAG",
        help="the version, not `latest`; with the image's digest as TAG@sha256:...",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the tag. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    team, app, version = arguments.team, arguments.app, arguments.version
    with alone(stack.folder):
        change = set_image(stack.folder, stack.settings, team, app, version)
    shown = f"{stack.folder.shown}/{team}.yaml: {app}"
    if change is None:
        print(f"{shown}: already at {version}.")
        return 0
    print(f"{shown}: {without_credentials(change.before) or 'no tag'} is now {version}.")
    for warning in change.warnings:
        print(warning.as_warning(), file=sys.stderr)
    return 0
