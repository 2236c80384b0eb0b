"""The log of one operation on a stack; without it, the operation goes on."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from tools.fleet.operation import Kind
from tools.fleet.outcome import BAD, StackResult
from tools.review.outcome import OUTCOME, Outcome


class Log:
    """A file of lines, written at once. Once the disk is full, later lines are lost."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        try:
            self._file = os.open(path, flags, 0o644)
        except OSError:
            self._file = os.open(os.devnull, os.O_WRONLY)

    def take_output(self) -> None:
        """What this process and its children print goes there too; they have no input."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)

    def write(self, line: str) -> None:
        """Add a line."""
        with suppress(OSError):
            os.write(self._file, line.encode() + b"\n")

    def finish(self, kind: Kind, result: StackResult) -> None:
        """Add the outcome and what went wrong, as `tools.review.stacks_report` reads it; close."""
        self.write(f"{OUTCOME}{result.outcome}")
        if result.outcome in BAD:
            self.write(f"FAILED: {result.messages[0]}")
        elif kind is Kind.DRIFT and result.outcome is Outcome.CHANGED:
            self.write("FAILED: the servers differ")
        os.close(self._file)
