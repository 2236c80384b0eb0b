"""`./sre schema`: the JSON Schema with which editors complete and check team files."""

import argparse
import sys

from cli import Commands
from cli.stack_options import ROOT
from tools.editing.write import replace

SCHEMA = ROOT / "schemas" / "team.schema.json"


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "schema",
        help="update the JSON Schema of team files, for editors",
        description="Generates schemas/team.schema.json from the models. A team's file names it "
        "in its first line; editors that run yaml-language-server then complete and explain "
        "keys, and mark mistakes.",
        epilog="example: ./sre schema --check",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with code 1 if the file is out of date",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file, or report whether it is current."""
    from specs.schema import team_schema  # with pydantic's own, which validate does not need

    shown = SCHEMA.relative_to(ROOT)
    text = team_schema()
    if SCHEMA.is_file() and SCHEMA.read_bytes() == text.encode():
        print(f"{shown} is current.")
        return 0
    if arguments.check:
        print(f"{shown} is out of date; run ./sre schema", file=sys.stderr)
        return 1
    SCHEMA.parent.mkdir(exist_ok=True)
    replace(SCHEMA, text)
    print(f"{shown} written.")
    return 0
