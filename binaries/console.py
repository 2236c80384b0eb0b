"""What the sandbox itself says, beside Pulumi's own display."""

import os
import sys

INTERRUPTED = 130  # the shell's exit code for "ended by Ctrl-C"


class UserError(Exception):
    """Something the user can put right; the message is the one line they see."""


def say(line: str, passing: bool = False) -> None:
    """Print a line; on a terminal, a passing one is overwritten by the next."""
    terminal = sys.stdout.isatty()
    try:
        print(
            f"\033[K{line}" if terminal else line,
            end="\r" if terminal and passing else "\n",
            flush=True,
        )
    except BrokenPipeError:  # as in `make up | head`: nobody reads on, but the work is to be done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def passing_every() -> int:
    """Seconds from one passing line of a long job to the next."""
    return 1 if sys.stdout.isatty() else 15


def complain(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)
