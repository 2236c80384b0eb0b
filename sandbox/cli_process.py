"""Runs the Pulumi CLI so that a signal to us stops it gently, and no second run starts before it ends."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import IO

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CliProcess(PulumiCommand):
    """The CLI in a process group of its own, so that each signal reaches it once, through us.

    The engine stops gently on the first SIGINT: it lets what runs finish and saves the state.
    The CLI inherits the lock, so that it stays taken even where we are killed and the CLI is not.
    """

    def __init__(self, cli: PulumiCommand, lock: IO[str]) -> None:
        self.command = cli.command
        self.version = cli.version
        self.interrupted = False
        self._lock = lock
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """As the base class runs it; raises CommandError if the CLI's exit code is not 0."""
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            process_group=0,
            pass_fds=(self._lock.fileno(),),
        ) as process:
            self._process = process
            errors: list[str] = []
            reader = threading.Thread(target=_read, args=(process.stderr, on_error, errors))
            reader.start()
            output: list[str] = []
            _read(process.stdout, on_output, output)
            reader.join()
            code = process.wait()
            self._process = None
        result = CommandResult("\n".join(output), "\n".join(errors), code)
        if code != 0:
            raise create_command_error(result)
        return result

    @contextmanager
    def signals_passed_on(self) -> Iterator[None]:
        """Within it, SIGINT, SIGTERM and SIGHUP stop the CLI; KeyboardInterrupt if none runs."""

        def pass_on(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            if self._process is None:
                raise KeyboardInterrupt
            self._process.send_signal(signal.SIGINT)

        before = {number: signal.signal(number, pass_on) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _read(stream: IO[str] | None, on_line: OnOutput | None, lines: list[str]) -> None:
    assert stream is not None
    for line in stream:
        lines.append(line.rstrip())
        if on_line:
            on_line(lines[-1])
