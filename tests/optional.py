"""What a machine may lack: tests that need it are skipped there, and say why."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from binaries import pinned
from binaries.console import UserError
from binaries.pinned import Release

T = TypeVar("T")


def available(get: Callable[[], T]) -> T:
    """What `get` returns; if it cannot be had here, the test is skipped with the reason."""
    try:
        return get()
    except UserError as error:
        pytest.skip(str(error))


@contextmanager
def reader(request: pytest.FixtureRequest, release: Release) -> Iterator[Callable[[Any], Any]]:
    """A program of this repository in Go that answers each value, such as a text, with another.

    One process reads all of them: a line of JSON in, a line of JSON out.
    """
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # building it takes a while, and says so
        folder = available(lambda: pinned.cached(release, None))
    (program,) = release.packages
    with subprocess.Popen(
        [str(folder / "bin" / program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin
        assert process.stdout
        sent, answers = process.stdin, process.stdout

        def read(value: Any) -> Any:
            sent.write(json.dumps(value) + "\n")
            sent.flush()
            return json.loads(answers.readline())

        yield read
        sent.close()
