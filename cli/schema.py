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
        help="renew the JSON Schema of team files, for editors",
        description="Writes schemas/team.schema.json, made from the models. A team's file names "
        "it in its first line; editors that run yaml-language-server then complete keys, explain "
        "them and mark mistakes.",
        epilog="example: ./sre schema --check",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; the exit code is 1 if the file is not what would be written",
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
        print(f"{shown} is not what the models say; run ./sre schema", file=sys.stderr)
        return 1
    SCHEMA.parent.mkdir(exist_ok=True)
    replace(SCHEMA, text)
    print(f"{shown} written.")
    return 0
