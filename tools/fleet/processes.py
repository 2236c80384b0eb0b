"""Runs operations on several stacks at a time, each in a child that has the SDKs loaded.

Loading them is most of a small preview. The SDK keeps a program's data in its modules, so each
program needs a process of its own; a fork has the modules without loading them.
"""

import json
import os
import selectors
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from pulumi.automation import PulumiCommand
from pydantic import TypeAdapter

from binaries.cli_process import CliProcess, Signals
from binaries.signals import SIGNALS, SignalReceiver
from tools.fleet.credentials import Credentials
from tools.fleet.log import Log
from tools.fleet.operation import Kind, Operation, Run, locked
from tools.fleet.outcome import BAD, StackResult, not_run
from tools.fleet.progress import Progress
from tools.fleet.room import without_room
from tools.review.outcome import Outcome

INTERRUPTED = "interrupted"
_FINISHING = (
    "Interrupted: no other stack starts, and running ones finish what is under way; Ctrl-C again "
    "makes them save their state and stop."
)
# After its time, an operation may finish what is under way, then only save its state; in seconds.
_GRACE = 30
_AWAKE = 0.5  # seconds until it looks at the time again
# An engine that lives for seconds takes a sixth less with less collection.
_COLLECT = {"GOGC": "400"}
_RESULTS = TypeAdapter(StackResult)


@dataclass
class _Child:
    """A running operation; `warned` is how often it was asked to end because of its time."""

    operation: Operation
    pid: int
    started: float
    received: bytes = b""
    result: StackResult | None = None
    warned: int = 0


@dataclass
class Processes(SignalReceiver):
    """Settings of all operations of a command; a context manager that receives its signals.

    `parallel` run at a time, each for `timeout` seconds at most. The CLI inherits `lock`. If the
    servers are to be read, `ready` first gets the stack, and prints what is wrong. After the first
    signal, nothing starts, and what is under way is finished; after the second, states are saved
    at once.
    """

    root: Path
    cli: PulumiCommand
    lock: IO[str]
    logs: Path
    parallel: int
    timeout: float
    progress: Progress
    credentials: Credentials
    ready: Callable[[str], bool]
    interrupted: bool = field(default=False, init=False)
    _awaiting: bool = field(default=False, init=False)
    _announced: bool = field(default=False, init=False)
    _running: dict[int, _Child] = field(default_factory=dict, init=False)

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        for child in self._running.values():
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGINT)
        if self._awaiting:
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Generator[None]:
        """Within it, which is for programs that are awaited, a signal raises KeyboardInterrupt."""
        self._awaiting = True
        try:
            yield
        finally:
            self._awaiting = False

    def log(self, stack: str, kind: Kind) -> Path:
        """The file of a stack's log, by the name that `tools.review.stacks_report` expects."""
        return self.logs / f"{stack}.{kind}.txt"

    def run(
        self,
        operations: Iterable[Operation],
        before: Callable[[], str] = str,
        ended: Callable[[StackResult], None] = lambda result: None,
    ) -> list[StackResult]:
        """The results, in the order of the operations.

        `before` returns a reason not to start the next one, or nothing; `ended` gets each result
        at its time.
        """
        waiting = deque(operations)
        order = [operation.stack for operation in waiting]
        results: dict[str, StackResult] = {}
        alive, held = os.pipe()  # its end tells the children that this process is gone

        def finish(result: StackResult, kind: Kind) -> None:
            results[result.stack] = result
            self.progress.ended(result, kind)
            ended(result)

        with selectors.DefaultSelector() as selector:
            while waiting or self._running:
                while waiting and len(self._running) < self.parallel:
                    operation = waiting.popleft()
                    if why := INTERRUPTED if self.interrupted else before():
                        finish(not_run(operation.stack, why), operation.kind)
                        continue
                    try:
                        reading = self._start(operation, alive, held)
                    except OSError as error:
                        finish(_not_started(operation, error), operation.kind)
                        continue
                    selector.register(reading, selectors.EVENT_READ)
                    self.progress.started(operation.stack, operation.kind)
                heard = selector.select(timeout=_AWAKE)
                self._announce_interruption()
                for key, _ in heard:
                    child = self._running[key.fd]
                    if not self._receive(key.fd, child):
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        del self._running[key.fd]
                        finish(self._ended(child), child.operation.kind)
                for child in self._running.values():
                    self._mind_time(child)
                self.progress.tick()
        os.close(alive)
        os.close(held)
        return [results[stack] for stack in order]

    def _announce_interruption(self) -> None:
        """Once. Not from the handler: that may come while something else is being printed."""
        if self.interrupted and self._running and not self._announced:
            self._announced = True
            self.progress.say(_FINISHING)

    def pause(self, seconds: float) -> str:
        """Wait; returns why nothing may follow if a signal came, or nothing."""
        until = time.monotonic() + seconds
        while not self.interrupted and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _AWAKE))
        return INTERRUPTED if self.interrupted else ""

    def _start(self, operation: Operation, alive: int, held: int) -> int:
        """Fork; return the file descriptor from which to read what the child sends.

        Raises OSError if the system has no room for another process.
        """
        reading, writing = os.pipe()
        # Until the child has its own handlers, it would pass signals on to its siblings.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_child(operation, alive, held, reading, writing)
            self._running[reading] = _Child(operation, pid, time.monotonic())
        except OSError:
            os.close(reading)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.close(writing)
        return reading

    def _be_child(
        self, operation: Operation, alive: int, held: int, reading: int, writing: int
    ) -> None:
        """Never returns."""
        try:
            os.close(reading)
            os.close(held)
            self._serve(operation, alive, writing)
        except BaseException:
            traceback.print_exc()  # in the log
        finally:
            os._exit(1)

    def _receive(self, reading: int, child: _Child) -> bool:
        """Take what the child has sent; false once it has ended."""
        received = os.read(reading, 65536)
        *lines, child.received = (child.received + received).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "resources" in said:
                self.progress.moved(child.operation.stack, said["resources"])
            else:
                child.result = _RESULTS.validate_python(said)
        return bool(received)

    def _ended(self, child: _Child) -> StackResult:
        _, status = os.waitpid(child.pid, 0)
        operation, result = child.operation, child.result
        if result is None:
            result = _lost(operation, status)
        if child.warned and result.outcome in BAD:
            late = f"not done after {self.timeout:g} s (--timeout)"
            messages = (late, *(line for line in result.messages if line != INTERRUPTED))
            result = StackResult(operation.stack, Outcome.FAILED, messages=messages)
        return replace(result, seconds=round(time.monotonic() - child.started, 1))

    def _mind_time(self, child: _Child) -> None:
        late = time.monotonic() - child.started - self.timeout
        if late < child.warned * _GRACE:
            return
        child.warned += 1
        with suppress(ProcessLookupError):
            if child.warned <= 2:
                os.kill(child.pid, signal.SIGINT)
            else:
                os.killpg(child.pid, signal.SIGKILL)

    def _serve(self, operation: Operation, alive: int, writing: int) -> NoReturn:
        """What a child does."""
        os.setpgid(0, 0)  # Ctrl-C reaches it through this process, once
        self._running.clear()  # its siblings are not its own
        environment = self.credentials.of(operation.stack)
        os.environ.clear()
        os.environ.update(environment)
        for name, value in _COLLECT.items():
            os.environ.setdefault(name, value)
        log = Log(self.log(operation.stack, operation.kind))
        log.take_output()

        sending = threading.Lock()  # the engine's events come in other threads

        def send(said: Mapping[str, object]) -> None:
            with sending, suppress(BrokenPipeError):
                os.write(writing, json.dumps(said).encode() + b"\n")

        with Signals() as signals:
            cli = CliProcess(self.cli, self.lock, signals, own_group=False)
            run = Run(self.root, cli, log.write, lambda number: send({"resources": number}))
            threading.Thread(target=_end_with, args=[alive], daemon=True).start()
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                result = self._operate(run, operation)
            except KeyboardInterrupt:
                result = _interrupted(operation)
        log.finish(operation.kind, result)
        send(_RESULTS.dump_python(result, mode="json"))
        os._exit(0)

    def _operate(self, run: Run, operation: Operation) -> StackResult:
        if operation.kind in (Kind.CREATE, Kind.UP) and (why := without_room()):
            return StackResult(operation.stack, Outcome.FAILED, messages=(why,))
        if operation.refresh and not self.ready(operation.stack):
            message = "Harbor must answer before the servers are compared; see the log"
            return StackResult(operation.stack, Outcome.FAILED, messages=(message,))
        return run.operate(operation)


def _not_started(operation: Operation, error: OSError) -> StackResult:
    message = f"no process could be started: {error.strerror}; lower --parallel"
    return StackResult(operation.stack, Outcome.FAILED, messages=(message,))


def _interrupted(operation: Operation) -> StackResult:
    if operation.kind is Kind.UP:
        message = f"{INTERRUPTED}; its state records what was done"
        return StackResult(operation.stack, Outcome.FAILED, messages=(message,))
    return not_run(operation.stack, INTERRUPTED)


def _lost(operation: Operation, status: int) -> StackResult:
    """The result of a process that has sent none."""
    why = "its process ended without a result; see the log"
    if os.WIFSIGNALED(status):
        why = f"its process was killed ({signal.Signals(os.WTERMSIG(status)).name})"
    messages = (why, locked(operation.stack)) if operation.kind is Kind.UP else (why,)
    return StackResult(operation.stack, Outcome.FAILED, messages=messages)


def _end_with(parent: int) -> None:
    """Interrupt this process once the other end of the pipe is gone."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGINT)
