"""`python -m sandbox up|preview|down`, behind `make up`, `make preview` and `make down`."""

import argparse
import sys

from sandbox import engine
from sandbox.console import Refusal, complain


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=engine.__doc__)
    commands = {"up": engine.up, "preview": engine.preview, "down": engine.down}
    parser.add_argument("command", choices=commands)
    try:
        return commands[parser.parse_args().command]()
    except Refusal as refusal:
        complain(str(refusal))
        return 1
    except KeyboardInterrupt:
        complain("Interrupted.")
        return engine.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
