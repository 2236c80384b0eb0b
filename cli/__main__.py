"""Parses the command line of `./sre`: each module of this folder is a command."""

import os
import signal

from binaries.console import INTERRUPTED

ENDS_ON_CTRL_C = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if __name__ == "__main__" and ENDS_ON_CTRL_C:
    # Importing the commands takes most of a short one's time, and nothing has begun that would have
    # to be undone. An exception would show a traceback, and be lost in some places of an import.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

import argparse
import gc
import sys
from types import ModuleType
from typing import Any, NoReturn

from cli import (
    affected,
    capacity,
    diff,
    doctor,
    exceptions,
    fleet,
    import_,
    isolation,
    new,
    offboard,
    page,
    reach,
    render,
    schema,
    secret,
    set_image,
    status,
    validate,
)
from specs.names import nearest
from specs.problem import WHOLE_FILE, Problem, ProblemsError

COMMANDS = (
    validate,
    capacity,
    new,
    set_image,
    offboard,
    import_,
    render,
    affected,
    diff,
    exceptions,
    reach,
    page,
    status,
    doctor,
    fleet,
    isolation,
    secret,
    schema,
)


class _Version(argparse.Action):
    """`--version`: other commands do not read pyproject.toml."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from specs.version import version

        print(f"sre-platform {version()}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Without arguments, it lists the commands below it; an unknown option gets the nearest one."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if not args and self._subparsers:
            self.print_help(sys.stderr)
            self.exit(2)
        arguments, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = nearest(unknown[0].partition("=")[0], self._option_string_actions)
            hint = f"; did you mean {near}?" if near else ""
            what = f"unrecognized arguments: {' '.join(unknown)}{hint}"
            self.error(getattr(arguments, "unknown", what))
        return arguments, unknown


def _name(command: ModuleType) -> str:
    return command.__name__.rpartition(".")[2].strip("_").replace("_", "-")


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 is success, 1 a problem in a file, 2 a wrong command line.

    `diff` and `fleet` themselves return 2, and report a wrong command line as 1.
    """
    parser: argparse.ArgumentParser = _Parser(
        prog="./sre",
        description="Create, check, render and review team files; operate a stack.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    words = sys.argv[1:] if argv is None else argv
    # The options of the others take longer to set up than some commands take to run.
    for command in [each for each in COMMANDS if words[:1] == [_name(each)]] or COMMANDS:
        command.add(commands)
    if words and not words[0].startswith("-") and words[0] not in commands.choices:
        near = nearest(words[0], commands.choices)
        hint = f"did you mean {near}?" if near else f"choose from {', '.join(commands.choices)}"
        parser.error(f"no command '{words[0]}'; {hint}")
    try:
        arguments = parser.parse_args(words)
    except SystemExit as ended:
        if ended.code == 2 and words[:1] in (["diff"], ["fleet"]):
            sys.exit(diff.MISTAKE)
        raise
    try:
        code: int = arguments.run(arguments)
    except ProblemsError as found:
        for problem in found.problems:
            print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        # A path on the command line that the system cannot look at: too long, or not accessible.
        message = f"{error.strerror}; check the path"
        print(Problem(str(error.filename), 1, 1, WHOLE_FILE, message), file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    # A command creates millions of objects and hardly any cycles: it looks for them among new
    # objects, hardly ever among all, and not when it ends.
    gc.set_threshold(50_000, 10, 1_000)
    try:
        if ENDS_ON_CTRL_C:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    gc.freeze()
    sys.exit(code)
