"""`python -m bench.reach FOLDER TEAMS`: computes all edges of some teams of a rendered fleet.

Prints the number of edges, and the seconds from the objects in memory to the edges: on the clock
and of CPU.
"""

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tools.reach.matrix import edges
from tools.reach.world import KINDS, world

_COLLECT_EVERY = 50_000  # as in `./sre`


def main() -> None:
    """Read the objects, compute, print."""
    folder, teams = Path(sys.argv[1]), int(sys.argv[2])
    gc.set_threshold(_COLLECT_EVERY)
    objects = _objects(folder / "kubernetes", teams)
    started, worked = time.perf_counter(), time.process_time()
    found = len([*edges(world(objects))])
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"edges": found, "wall": wall, "cpu": cpu}))


def _objects(folder: Path, teams: int) -> list[dict[str, Any]]:
    """The documents that have a part in it, of the first teams by name."""
    names = sorted(file.name for file in folder.glob("team-*"))[:teams]
    files = [folder / "_cluster" / f"Namespace-{name}.yaml" for name in names]
    files += [
        file
        for name in names
        for file in (folder / name).iterdir()
        if file.name.partition("-")[0] in KINDS
    ]
    return [yaml.load(file.read_bytes(), yaml.CSafeLoader) for file in files if file.exists()]


if __name__ == "__main__":
    main()
