"""The commands of `./sre`, a module each: its arguments and what it prints."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
