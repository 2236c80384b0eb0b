"""`python -m sandbox COMMAND`, behind the `make` targets of the same names."""

import argparse
import sys

from sandbox.console import INTERRUPTED

ON_ENGINE = ("up", "preview", "down")
ON_SERVERS = ("servers", "servers-down")

parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
parser.add_argument("command", choices=ON_ENGINE + ON_SERVERS)
command = parser.parse_args().command
try:
    # Loading the SDK takes a second, in which Ctrl-C has nothing to stop.
    if command in ON_ENGINE:
        from sandbox.engine import run
    else:
        from sandbox.servers.commands import run

    code = run(command)
except KeyboardInterrupt:
    code = INTERRUPTED
sys.exit(code)
