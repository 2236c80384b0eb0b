"""Runs the Pulumi CLI: a signal stops it gently, and it shares its caller's lock."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from types import FrameType
from typing import IO

from pulumi.automation import CommandResult, OnOutput, PulumiCommand, StackNotFoundError
from pulumi.automation.errors import create_command_error

from binaries.console import complain
from binaries.signals import SignalReceiver


class Signals(SignalReceiver):
    """SIGINT, SIGTERM and SIGHUP stop the CLI gently; KeyboardInterrupt where none runs.

    On its first SIGINT, the engine lets running operations finish and saves the state; on the
    second, it saves the state at once.
    """

    def __init__(self) -> None:
        self.received = False
        self.process: subprocess.Popen[str] | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if self.process is None:
            raise KeyboardInterrupt
        self.process.send_signal(signal.SIGINT)


class CliProcess(PulumiCommand):
    """The CLI: a signal reaches it once, through `Signals`.

    It has a process group of its own, unless `own_group` is false: then this process must have one.
    It inherits the lock, which stays taken if this process is killed and the CLI is not.
    """

    def __init__(
        self, cli: PulumiCommand, lock: IO[str], signals: Signals, own_group: bool = True
    ) -> None:
        self.command = cli.command
        self.version = cli.version
        self._lock = lock
        self._signals = signals
        self._group = 0 if own_group else None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Like the base class; a failure that no callback showed is shown on stderr.

        Raises CommandError if the exit code is not 0, KeyboardInterrupt if a signal was the cause.
        """
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            process_group=self._group,
            pass_fds=(self._lock.fileno(),),
        ) as process:
            self._signals.process = process
            errors: list[str] = []
            reader = threading.Thread(target=_read, args=(process.stderr, on_error, errors))
            reader.start()
            output: list[str] = []
            _read(process.stdout, on_output, output)
            reader.join()
            code = process.wait()
            self._signals.process = None
        result = CommandResult("\n".join(output), "\n".join(errors), code)
        if code == 0:
            return result
        if self._signals.received:
            raise KeyboardInterrupt
        failure = create_command_error(result)
        if on_error is None and not isinstance(failure, StackNotFoundError):
            complain(result.stderr)
        raise failure


def _read(stream: IO[str] | None, on_line: OnOutput | None, lines: list[str]) -> None:
    assert stream is not None
    for line in stream:
        lines.append(line.rstrip())
        if on_line:
            on_line(lines[-1])
