"""`./sre new`: writes the files of a team, its stack or a cluster, or adds an app to a team."""

import argparse
import os
import sys
from fnmatch import fnmatchcase

from cli import Commands
from cli.schema import SCHEMA
from cli.stack_options import ROOT, options, shown_folder, stack_files
from specs.cluster_file import cluster_file, cluster_names
from specs.fleet import TeamsFolder
from specs.stack_file import stack_names
from specs.stack_teams import SANDBOX
from tools.editing.cluster import new_cluster
from tools.editing.new import ARCHETYPES, new_app, new_stack, new_team
from tools.editing.owners import FILE as OWNERS
from tools.editing.owners import owned_path, read_owners, with_owner
from tools.editing.team_file import alone, save


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "new",
        help="create a team's or a cluster's file, or add an app to a team's",
        description="Creates the file of a new team or cluster, or adds an app to a team's file. "
        "The result is valid immediately; existing content and comments are kept.",
        epilog="example: ./sre new app team-alpha shop --archetype web-app",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    team = kinds.add_parser(
        "team",
        parents=[options()],
        help="create tenants/NAME.yaml, and with --cluster the team's stack",
        description="Creates a valid tenants/NAME.yaml to edit. With --cluster, also creates the "
        "team's own stack, Pulumi.NAME.yaml, and adds the team's developers to "
        ".github/CODEOWNERS. Writes nothing if any of it is wrong or exists.",
        epilog="example: ./sre new team team-gamma --cluster sre-production",
    )
    team.add_argument(
        "name", metavar="NAME", help="name of the team: lower-case letters, digits and '-'"
    )
    team.add_argument(
        "--cluster",
        metavar="CLUSTER",
        type=_cluster,
        help="cluster of the team's own stack; its settings apply, and the team's file goes to its "
        "folder (no --stack or --tenants)",
    )
    team.set_defaults(run=_new_team)
    cluster = kinds.add_parser(
        "cluster",
        help="create clusters/NAME.yaml from what stacks have in common",
        description="Moves the settings that all named stacks have in common from their files to "
        "clusters/NAME.yaml, with their comments. The settings of each stack stay what they are, "
        "and what differs stays in its file. Leave out a stack that sets little itself, because "
        "only what all have is moved. Writes nothing if a file is wrong (exit code 1).",
        epilog="example: ./sre new cluster sre-dev --from dev",
    )
    cluster.add_argument(
        "name", metavar="NAME", help="name of the cluster: lower-case letters, digits and '-'"
    )
    cluster.add_argument(
        "--from",
        dest="stacks",
        metavar="STACK",
        nargs="+",
        required=True,
        help="stacks of the cluster, or patterns of their names, such as 'team-*'",
    )
    cluster.set_defaults(run=_new_cluster)
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


def _cluster(name: str) -> str:
    if name not in (names := cluster_names(ROOT)):
        known = f"use one of: {', '.join(names)}" if names else "add it (./sre new cluster)"
        raise argparse.ArgumentTypeError(f"no cluster '{name}'; {known}")
    return name


def _new_team(arguments: argparse.Namespace) -> int:
    """Write the file, or files. If it raises ProblemsError, nothing is written."""
    if arguments.cluster:
        return _new_team_with_stack(arguments)
    stack = stack_files(arguments)
    with alone(stack.folder):
        source = new_team(stack.folder, stack.settings, arguments.name, _schema(stack.folder))
        save(source)
    _print_written(source.shown)
    if path := owned_path(ROOT, source.file):
        _print_owner(path, arguments.name)
    return 0


def _new_team_with_stack(arguments: argparse.Namespace) -> int:
    if arguments.tenants or arguments.stack != SANDBOX:
        option = "--tenants" if arguments.tenants else "--stack"
        message = "the cluster's settings apply, and its folder of team files"
        print(f"{option} cannot be used with --cluster: {message}", file=sys.stderr)
        return 2
    team = arguments.name
    stack, settings = new_stack(ROOT, team, arguments.cluster)
    folder = shown_folder(str(ROOT / settings.tenants))
    with alone(folder):
        source = new_team(folder, settings, team, _schema(folder))
        path, owners = owned_path(ROOT, source.file), read_owners(ROOT)
        owned = with_owner(owners, path, _developers(team)) if owners and path else None
        # If it is killed halfway, `validate` names a team without a stack; a line in CODEOWNERS
        # hinders nobody, and a repetition finds it.
        save(*([owned] if owned else []), source, stack)
    _print_written(source.shown)
    print(f"{stack.shown}: written; a stack of {cluster_file(arguments.cluster)}.")
    if owned and path:
        print(f"{owned.shown}: {owned.line_of(path)}")
    elif path:
        _print_owner(path, team)
    return 0


def _new_cluster(arguments: argparse.Namespace) -> int:
    """Write the files. If it raises ProblemsError, nothing is written."""
    names, stacks = stack_names(ROOT), set[str]()
    for pattern in arguments.stacks:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            print(f"no stack '{pattern}'; use some of: {', '.join(names)}", file=sys.stderr)
            return 2
        stacks.update(found)
    moved = new_cluster(ROOT, arguments.name, sorted(stacks))
    print(f"{moved.file}: written, with {', '.join(moved.keys)}.")
    for file, kept in moved.kept.items():
        print(f"{file}: names the cluster, and keeps {', '.join(kept)}.")
    print("The settings of each stack are as before.")
    return 0


def _print_written(shown: str) -> None:
    print(f"{shown}: written; review it, and add an app with ./sre new app.")


def _print_owner(path: str, team: str) -> None:
    print(f"Add a line to {OWNERS}: /{path} @ORGANIZATION/{_developers(team)}")


def _developers(team: str) -> str:
    """The team on GitHub; its name is that of the group in Keycloak."""
    return f"{team}-developers"


def _schema(folder: TeamsFolder) -> str:
    return os.path.relpath(SCHEMA, folder.path)


def _new_app(arguments: argparse.Namespace) -> int:
    """Add the app. If it raises ProblemsError, nothing is written."""
    stack = stack_files(arguments)
    with alone(stack.folder):
        place, image = new_app(
            stack.folder, stack.settings, arguments.team, arguments.name, arguments.archetype
        )
    print(f"{place}: added {arguments.name}; its image is {image}.")
    return 0
