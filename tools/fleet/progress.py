"""How far a run is: on a terminal, a live line for each running stack; elsewhere, plain lines."""

import time
from dataclasses import dataclass, field
from typing import TextIO

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
        self._erase()
        print(text, file=self._stream, flush=True)
        self._draw()

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
            self._erase()
            self._draw()
            self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\033[{self._drawn}F\033[J")
            self._drawn = 0

    def _draw(self) -> None:
        if not self._live:
            return
        for stack, line in self._lines.items():
            passed = time.monotonic() - line.started
            text = f"{stack}: {line.kind} ... {line.resources} resources, {passed:.0f} s"
            self._stream.write(f"{text}\n")
        self._drawn = len(self._lines)
        self._last = time.monotonic()
