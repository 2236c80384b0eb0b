"""`python -m tests.engine.fleet_providers STATE`: the stand-in for the servers of all stacks.

It starts with what the states in the folder list, and serves until its input ends.
"""

import json
import sys
from pathlib import Path

from sandbox import provider


def main(state: Path) -> None:
    """Print the value of PULUMI_DEBUG_PROVIDERS first."""
    resources = [
        resource
        for file in sorted(state.glob(".pulumi/stacks/sre-platform/*.json"))
        for resource in json.loads(file.read_text())["checkpoint"]["latest"].get("resources") or []
    ]
    with provider.serve(resources) as providers:
        print(providers, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
