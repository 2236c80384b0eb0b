"""`python -m bench.fleet FOLDER STACKS [--singly] [--memory]`: measures previews of stacks.

Together by `./sre fleet preview`, or singly, one command after another. Prints seconds on the
clock and seconds of CPU; or MiB at the peak of all processes together, which takes time to watch.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.measure import Cost, children
from bench.stand_in import stand_in
from binaries import pulumi_cli
from sandbox.checkout import Checkout, own_salt

LANGUAGE = "pulumi-language-python"
_EVERY = 0.05  # seconds between two looks at the memory


@contextmanager
def served(folder: Path, *program: str | Path) -> Iterator[dict[str, str]]:
    """The environment of commands on a checkout's stacks while the stand-in for servers runs.

    `program` is that of `stand_in`, if it is another one.
    """
    checkout = Checkout(folder)
    with (
        checkout.locked("bench"),
        checkout.environment(),
        stand_in(*map(str, program)) as providers,
    ):
        cli = Path(pulumi_cli.find().command)
        path = os.environ["PATH"]
        yield {
            **os.environ,
            "PULUMI_DEBUG_PROVIDERS": providers,
            "PULUMI_SKIP_CHECKPOINTS": "false",
            "PATH": f"{cli.parent}:{path}" if cli.is_absolute() else path,
        }


def create(folder: Path, names: Sequence[str], environment: Mapping[str, str]) -> None:
    """Stacks without resources: one by the CLI, and the others like it."""
    states = folder / ".sandbox/state/.pulumi/stacks/sre-platform"
    first, *others = names
    if (states / f"{first}.json").exists():
        return
    init = ["pulumi", "stack", "init", "--no-select", "--non-interactive", first]
    subprocess.run(init, cwd=folder, env=environment, check=True, capture_output=True)
    salt = own_salt.search((folder / f"Pulumi.{first}.yaml").read_text(encoding="utf-8"))
    assert salt
    state = (states / f"{first}.json").read_text(encoding="utf-8")
    for name in others:
        (states / f"{name}.json").write_text(state.replace(first, name), encoding="utf-8")
        with (folder / f"Pulumi.{name}.yaml").open("a", encoding="utf-8") as settings:
            settings.write(f"{salt[0]}\n")


def commands(names: Sequence[str], singly: bool) -> list[list[str]]:
    """What previews the stacks; `make stack-preview` needs Pulumi's language host for Python."""
    if not singly:
        return [["./sre", "fleet", "preview", *names]]
    if shutil.which(LANGUAGE):
        return [["make", "--silent", "stack-preview", f"STACK={name}"] for name in names]
    return [["./sre", "fleet", "preview", name] for name in names]


class Memory(threading.Thread):
    """Watches what a process and all below it use together, without counting a page twice."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._pid = pid

    def run(self) -> None:
        while Path(f"/proc/{self._pid}").exists():
            used = sum(_proportional(pid) for pid in below(self._pid))
            self.peak = max(self.peak, used / 1024)
            time.sleep(_EVERY)


def below(pid: int) -> Iterator[int]:
    """A process and all that it started, as far as they run."""
    yield pid
    for child in children(pid):
        yield from below(child)


def _proportional(pid: int) -> int:
    """Its share of memory, in KiB: of a page that n processes have, 1/n."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


def measured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], watched: bool
) -> Cost:
    """The cost of a command and all that it starts; no memory, unless that is watched."""
    started, before = time.perf_counter(), os.times()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        memory = Memory(process.pid)
        if watched:
            memory.start()
        _, said = process.communicate()
    wall, after = time.perf_counter() - started, os.times()
    if process.returncode:
        sys.exit("\n".join(said.splitlines()[-10:]))
    if watched:
        memory.join()
    cpu = after.children_user + after.children_system
    return Cost(wall, cpu - before.children_user - before.children_system, memory.peak)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkout with a stack for each team")
    parser.add_argument("stacks", type=int, help="how many of them")
    parser.add_argument("--singly", action="store_true")
    parser.add_argument("--memory", action="store_true")
    asked = parser.parse_args()
    every = sorted(file.stem.removeprefix("Pulumi.") for file in asked.folder.glob("Pulumi.*-*"))
    names = every[: asked.stacks]
    with served(asked.folder) as environment:
        os.environ["PATH"] = environment["PATH"]
        create(asked.folder, every, environment)
        costs = [
            measured(command, asked.folder, environment, asked.memory)
            for command in commands(names, asked.singly)
        ]
    wall, cpu = sum(cost.wall for cost in costs), sum(cost.cpu for cost in costs)
    peak = max(cost.peak for cost in costs)
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))


if __name__ == "__main__":
    main()
