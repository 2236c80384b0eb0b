"""`python -m bench.stand_in`: the sandbox's providers in a process of their own.

Real providers are processes of their own too: their work must not slow down the program's.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox import provider


@contextmanager
def stand_in() -> Iterator[str]:
    """Runs the process; gives PULUMI_DEBUG_PROVIDERS' value."""
    command = [sys.executable, "-m", "bench.stand_in"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()  # at the end its input is closed


def main() -> None:
    """Serves until its input ends."""
    with provider.serve([]) as providers:
        print(providers, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
