"""Reads the command line of `./sre`: a module of this folder is a command."""

import argparse
import sys

from cli import doctor, isolation, render, validate
from cli.stack import ProblemsError

COMMANDS = (validate, render, doctor, isolation)


def main(argv: list[str] | None = None) -> int:
    """Runs a command; 0 is success, 1 a problem in a file, 2 a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="./sre",
        description="Checks and renders team files, and looks after a stack's servers.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ProblemsError as found:
        for problem in found.problems:
            print(problem, file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # the shell's exit code for "ended by Ctrl-C"
