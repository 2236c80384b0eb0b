"""`python -m sandbox up|preview|down`, behind `make up`, `make preview` and `make down`."""

import argparse
import sys

from sandbox import engine

parser = argparse.ArgumentParser(prog="python -m sandbox", description=engine.__doc__)
parser.add_argument("command", choices=engine.COMMANDS)
sys.exit(engine.run(parser.parse_args().command))
