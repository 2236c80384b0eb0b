"""Which stacks a command of `./sre fleet` is for."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli import affected as affected_command
from cli.stack_options import ROOT

if TYPE_CHECKING:
    from tools.review.affected import Stack


def selection() -> argparse.ArgumentParser:
    """The options that select stacks, as a parent of each action's parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "stacks",
        metavar="STACK",
        nargs="*",
        help="name, or pattern such as 'team-*' (default: all but dev, the sandbox's)",
    )
    parser.add_argument(
        "--affected", metavar="REF", help="only stacks that the change since REF affects"
    )
    parser.add_argument(
        "--cluster", metavar="NAME", help="only stacks of this cluster, clusters/NAME.yaml"
    )
    affected_command.add_only(parser)
    return parser


def selected_stacks(arguments: argparse.Namespace, every: Sequence["Stack"]) -> list["Stack"]:
    """What the options select of all stacks. Raises GitError, ValueError.

    A stack whose file the change removes is named on stderr.
    """
    from tools.fleet.selection import of_cluster, selected
    from tools.review.affected import affected

    names = set(selected([stack.name for stack in every], arguments.stacks))
    if arguments.cluster is not None:
        names &= set(of_cluster(every, arguments.cluster))
    if arguments.affected is not None:
        found = affected(ROOT, arguments.affected, every)
        affected_command.complain_of_gone(found.gone)
        every = found.stacks
    return [stack for stack in affected_command.only(every, arguments) if stack.name in names]


def positive(text: str) -> int:
    """A whole number from 1, or a wrong command line."""
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"'{text}' must be a positive whole number, such as 4")
    return int(text)
