"""`./sre affected`: the stacks that a change affects."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cli import Commands
from cli.stack_options import ROOT

if TYPE_CHECKING:
    from tools.review.affected import Stack


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "affected",
        help="list the stacks that a change affects",
        description="Lists the stacks affected by changes in the working tree since its merge base "
        "with REF, in the order to run them: a team's file affects the stacks that include "
        "it, and those of teams whose calls or callers name the team; a stack's file affects that "
        "stack, a cluster's file the stacks whose settings it changes, and the program's code "
        "affects all stacks.",
        epilog="example: ./sre affected --base origin/main --format json",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--base", metavar="REF", help="revision that the change targets")
    which.add_argument("--all", action="store_true", help="every stack, whether changed or not")
    add_only(parser)
    parser.add_argument(
        "--skip",
        metavar="NAME",
        action="append",
        default=[],
        help="stack to leave out; repeatable",
    )
    parser.add_argument(
        "--format",
        choices=("lines", "json"),
        default="lines",
        help="one name per line (default), or a JSON list for `fromJSON` in a workflow",
    )
    parser.set_defaults(run=run)


def add_only(parser: argparse.ArgumentParser) -> None:
    """Add the option `--only`."""
    parser.add_argument(
        "--only",
        choices=("platform", "teams"),
        help="only stacks that manage the shared objects of all teams, or only the others",
    )


def only(found: Sequence["Stack"], arguments: argparse.Namespace) -> list["Stack"]:
    """The stacks that `--only` lets through."""
    return [
        stack
        for stack in found
        if arguments.only is None or stack.platform == (arguments.only == "platform")
    ]


def complain_of_gone(names: Iterable[str]) -> None:
    """A line on stderr for each stack whose file the change removes."""
    for name in names:
        print(
            f"Pulumi.{name}.yaml is gone, so stack '{name}' cannot be run and its resources "
            "stay; restore the file, remove the stack's resources (docs/lifecycle.md), "
            "and delete the file last",
            file=sys.stderr,
        )


def run(arguments: argparse.Namespace) -> int:
    """Print the stacks; 1 if Git cannot determine them."""
    from tools.review.affected import (  # no other command needs it
        Affected,
        affected,
        stacks,
    )
    from tools.review.git import GitError

    try:
        every = stacks(ROOT)
        found = Affected(every, ()) if arguments.all else affected(ROOT, arguments.base, every)
    except (GitError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    complain_of_gone(name for name in found.gone if name not in arguments.skip)
    names = [
        stack.name for stack in only(found.stacks, arguments) if stack.name not in arguments.skip
    ]
    if arguments.format == "json":
        print(json.dumps(names))
    else:
        for name in names:
            print(name)
    return 0
