"""Options shared by commands that read team files as a stack does, and what they name."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from specs.fleet import TeamsFolder
from specs.problem import ProblemsError
from specs.settings import Settings
from specs.stack_file import outdated, read_stack, stack_names
from specs.stack_teams import SANDBOX

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class StackFiles:
    """A stack's name, its settings and the folder of its teams' files."""

    name: str
    settings: Settings
    folder: TeamsFolder


def options() -> argparse.ArgumentParser:
    """`--stack` and `--tenants`, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False, parents=[stack_option()])
    parser.add_argument(
        "--tenants",
        metavar="DIR",
        help="folder of the team files (default: the stack's, tenants/)",
    )
    return parser


def stack_option() -> argparse.ArgumentParser:
    """`--stack`, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--stack",
        metavar="NAME",
        type=_stack,
        default=SANDBOX,
        help=f"stack whose settings apply (default: {SANDBOX})",
    )
    return parser


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add `--format`, for a command that prints text or JSON."""
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="output format (default: text)"
    )


def stack_files(arguments: argparse.Namespace) -> StackFiles:
    """What the options name. Raises ProblemsError if the stack's file is wrong."""
    settings, problems = read_stack(ROOT, arguments.stack)
    if settings is None or problems:
        raise ProblemsError(*problems)
    for warning in outdated(ROOT, arguments.stack, settings):
        print(warning.as_warning(), file=sys.stderr)
    folder = shown_folder(arguments.tenants or str(ROOT / settings.tenants))
    return StackFiles(arguments.stack, settings, folder)


def _stack(name: str) -> str:
    if name not in (names := stack_names(ROOT)):
        raise argparse.ArgumentTypeError(f"no stack '{name}'; use one of: {', '.join(names)}")
    return name


def shown_folder(tenants: str) -> TeamsFolder:
    """A folder of team files; messages name these relative to the user's current folder."""
    path = Path(tenants)
    shown = os.path.relpath(path) if path.is_absolute() and path.is_relative_to(ROOT) else tenants
    return TeamsFolder(path, shown.rstrip("/"))
