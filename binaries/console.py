"""The sandbox's own messages, beside Pulumi's display."""

import os
import sys
from typing import TextIO

INTERRUPTED = 130  # the shell's exit code for "ended by Ctrl-C"


class UserError(Exception):
    """A mistake that the user can fix; the message is the one line they see."""


def say(line: str, passing: bool = False) -> None:
    """Print a line; on a terminal, the next line overwrites a passing one."""
    terminal = sys.stdout.isatty()
    try:
        print(
            f"\033[K{line}" if terminal else line,
            end="\r" if terminal and passing else "\n",
            flush=True,
        )
    except BrokenPipeError:
        no_longer_read(sys.stdout)


def no_longer_read(stream: TextIO) -> None:
    """As in `make up | head`: nobody reads on, but the work must be done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def passing_every() -> int:
    """Seconds between passing lines of a long job."""
    return 1 if sys.stdout.isatty() else 15


def complain(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)
