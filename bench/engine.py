"""`python -m bench.engine`: measures a program on Pulumi's engine, in a separate process."""

import argparse
import dataclasses
import json
import os
import resource
import runpy
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from pulumi.automation import EngineEvent, LocalWorkspace, OpType, Stack

from bench import bare
from bench.measure import cpu, peak
from bench.previews import Preview
from bench.stand_in import stand_in
from binaries import pulumi_cli
from binaries.cli_process import CliProcess, Signals
from dryrun.recording import record_stack
from sandbox.checkout import STACK, Checkout


def ours(folder: Path) -> None:
    """The platform's program."""
    with chdir(folder):
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")


PROGRAMS: dict[str, Callable[[Path], None]] = {"ours": ours, "bare": bare.run}


def preview(folder: Path, program: str) -> Preview:
    """Preview a checkout's stack, of which nothing exists yet."""
    with _stack(folder, PROGRAMS[program]) as stack:
        started, before = time.perf_counter(), _usage()
        changes = stack.preview(color="never").change_summary
        wall, after = time.perf_counter() - started, _usage()
    took, engine_took = (cpu(now) - cpu(then) for now, then in zip(after, before, strict=True))
    return Preview(
        wall=wall,
        program_cpu=took,
        engine_cpu=engine_took,
        peak=peak(after[0]),
        engine_peak=peak(after[1]),
        resources=sum(changes.values()),
    )


def _usage() -> list[resource.struct_rusage]:
    """What this process has used, and the engines that have ended."""
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def change(folder: Path, file: Path) -> dict[str, int]:
    """How many resources a preview touches after an `up`, if `file` replaces a team's file.

    Also how many the program registers differently from before, and in how many these differ.
    """
    touched = set()

    def note(event: EngineEvent) -> None:
        if (step := event.resource_pre_event) and step.metadata.op != OpType.SAME:
            _, _, types, name = step.metadata.urn.split("::", maxsplit=3)
            touched.add((types.rpartition("$")[2], name))

    before = _registered(folder)
    with _stack(folder, ours) as stack:
        stack.up(color="never")
        shutil.copy(file, folder / "tenants")
        stack.preview(color="never", on_event=note)
    after = _registered(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {
        "touched": len(touched),
        "changed": len(changed),
        "differing": len(touched ^ changed),
    }


def _registered(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The inputs of all resources, by type and name."""
    made = record_stack(folder, STACK, folder / "tenants").registrations
    return {(one.type, one.name): one.inputs for one in made}


@contextmanager
def _stack(folder: Path, program: Callable[[Path], None]) -> Generator[Stack]:
    """The checkout's stack with the sandbox's settings, and its providers."""
    checkout = Checkout(folder)
    with (
        checkout.locked("bench") as lock,
        checkout.environment(),
        Signals() as signals,
        stand_in() as providers,
    ):
        os.environ["PULUMI_DEBUG_PROVIDERS"] = providers
        workspace = LocalWorkspace(
            work_dir=str(checkout.work),
            program=lambda: program(checkout.root),
            pulumi_command=CliProcess(pulumi_cli.find(), lock, signals),
        )
        yield Stack.create_or_select(STACK, workspace)


def main() -> None:
    """Prints the figures of a preview, or what a change touches, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a checkout")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--preview", choices=PROGRAMS)
    what.add_argument("--changed", type=Path, metavar="FILE", help="a team's file as it is to be")
    asked = parser.parse_args()
    if asked.changed:
        print(json.dumps(change(asked.folder, asked.changed)))
    else:
        print(json.dumps(dataclasses.asdict(preview(asked.folder, asked.preview))))


if __name__ == "__main__":
    main()
