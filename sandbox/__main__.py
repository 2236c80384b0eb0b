"""`python -m sandbox COMMAND`, behind the `make` targets of the same names."""

import argparse
import sys

from binaries.console import INTERRUPTED

ON_ENGINE = ("up", "preview", "down")
ON_SERVERS = ("servers", "servers-down")

parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
subparsers = parser.add_subparsers(dest="command", required=True)
for name in ON_ENGINE:
    subparsers.add_parser(name).add_argument(
        "--refresh", action="store_true", help="look first at what is on the servers"
    )
for name in ON_SERVERS:
    subparsers.add_parser(name)
arguments = parser.parse_args()
try:
    # Loading the SDK takes a second, during which Ctrl-C has nothing to stop.
    if arguments.command in ON_ENGINE:
        from sandbox import engine

        code = engine.run(arguments.command, refresh=arguments.refresh)
    else:
        from sandbox.servers import commands as servers

        code = servers.run(arguments.command)
except KeyboardInterrupt:
    code = INTERRUPTED
sys.exit(code)
