"""`python -m sandbox up|preview|down`, behind `make up`, `make preview` and `make down`."""

import argparse
import sys

from sandbox.console import INTERRUPTED

COMMANDS = ("up", "preview", "down")

parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
parser.add_argument("command", choices=COMMANDS)
command = parser.parse_args().command
try:
    # Loading the SDK takes a second, in which Ctrl-C has nothing to stop.
    from sandbox import engine

    code = engine.run(command)
except KeyboardInterrupt:
    code = INTERRUPTED
sys.exit(code)
