"""`python -m bench.reach FOLDER TEAMS`: computes all edges of the first teams of a checkout.

Prints the number of edges, and the seconds from the objects in memory to the edges: on the clock
and of CPU.
"""

import gc
import json
import sys
import time
from pathlib import Path

from sandbox.checkout import STACK
from tools.reach.matrix import edges
from tools.reach.world import KINDS, world
from tools.rendering.documents import made_objects

_COLLECT = (50_000, 10, 1_000)  # as `./sre` does


def main() -> None:
    """Make the objects, compute, print."""
    folder, teams = Path(sys.argv[1]), int(sys.argv[2])
    gc.set_threshold(*_COLLECT)
    tenants = folder / "tenants"
    names = sorted(file.stem for file in tenants.iterdir())[:teams]
    made = made_objects(folder, STACK, names, tenants, KINDS)
    objects = [each.content for each in made if each.content]
    started, worked = time.perf_counter(), time.process_time()
    found = len([*edges(world(objects))])
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"edges": found, "wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
