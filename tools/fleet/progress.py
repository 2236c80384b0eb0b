"""How far a run is: on a terminal, a live line for each running stack; elsewhere, plain lines."""

import shutil
import time
from dataclasses import dataclass, field
from typing import TextIO

from binaries.console import no_longer_read
from tools.fleet.operation import Kind
from tools.fleet.outcome import BAD, StackResult

_DRAWN_EVERY = 0.2  # seconds


@dataclass
class _Line:
    kind: Kind
    started: float = field(default_factory=time.monotonic)
    resources: int = 0


class Progress:
    """Writes to a stream that is not the report's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._lines: dict[str, _Line] = {}
        self._drawn = 0  # live lines on the terminal
        self._last = 0.0

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._write(f"{self._erased()}{text}\n{self._drawing()}")

    def started(self, stack: str, kind: Kind) -> None:
        """An operation has begun."""
        self._lines[stack] = _Line(kind)

    def moved(self, stack: str, resources: int) -> None:
        """It has reached this many resources."""
        self._lines[stack].resources = resources

    def ended(self, result: StackResult, kind: Kind) -> None:
        """It has ended, or was not started."""
        self._lines.pop(result.stack, None)
        said = result.summary or (result.messages[0] if result.outcome in BAD else "")
        took = f" ({result.seconds:.1f} s)" if result.seconds else ""
        ended = "done" if kind is Kind.CREATE and result.outcome not in BAD else result.outcome
        self.say(f"{result.stack}: {kind}: {ended}{took}{': ' if said else ''}{said}")

    def tick(self) -> None:
        """Draw the live lines again, if they are due."""
        if self._live and time.monotonic() - self._last > _DRAWN_EVERY:
            self._write(self._erased() + self._drawing())

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            no_longer_read(self._stream)

    def _erased(self) -> str:
        """What removes the live lines that are shown."""
        return f"\033[{self._drawn}F\033[J" if self._drawn else ""

    def _drawing(self) -> str:
        """The live lines, as far as they fit: a terminal cannot go back to one that is gone."""
        if not self._live:
            return ""
        width, height = shutil.get_terminal_size()
        lines = []
        for stack, line in [*self._lines.items()][: height - 1]:
            passed = time.monotonic() - line.started
            text = f"{stack}: {line.kind} ... {line.resources} resources, {passed:.0f} s"
            lines.append(f"{text[: width - 1]}\n")
        self._drawn = len(lines)
        self._last = time.monotonic()
        return "".join(lines)
