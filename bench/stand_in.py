"""`python -m bench.stand_in`: the sandbox's providers in a separate process.

Real providers are separate processes too: their work must not slow down the program's.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.measure import ROOT
from sandbox import provider


@contextmanager
def stand_in(module: str = "bench.stand_in", *arguments: str) -> Iterator[str]:
    """Run the process, this module's or one like it; yield the value of PULUMI_DEBUG_PROVIDERS."""
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()  # its input is closed at the end


def main() -> None:
    """Serve until the input ends."""
    with provider.serve([]) as providers:
        print(providers, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
