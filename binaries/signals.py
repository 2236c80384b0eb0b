"""The signals that ask a command to end."""

import signal
from abc import ABC, abstractmethod
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalReceiver(ABC):
    """Receives SIGINT, SIGTERM and SIGHUP inside a `with` block."""

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @abstractmethod
    def receive(self, number: int, frame: FrameType | None) -> None:
        """Act on one signal."""
