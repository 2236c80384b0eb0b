"""`./sre schema`: the JSON Schemas with which editors complete and check files."""

import argparse
import sys

from cli import Commands
from cli.stack_options import ROOT
from plain.whole_files import replace
from specs.settings import ClusterSettings
from specs.team import Team

SCHEMA = ROOT / "schemas" / "team.schema.json"
CLUSTER_SCHEMA = ROOT / "schemas" / "cluster.schema.json"


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "schema",
        help="update the JSON Schemas of teams' and clusters' files, for editors",
        description="Generates schemas/team.schema.json and schemas/cluster.schema.json from the "
        "models. A file names its schema in its first line; editors that run "
        "yaml-language-server then complete and explain keys, and mark mistakes.",
        epilog="example: ./sre schema --check",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with code 1 if a file is out of date",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files, or report whether they are current."""
    from specs.schema import json_schema  # with pydantic's own, which validate does not need

    code = 0
    for file, model in ((SCHEMA, Team), (CLUSTER_SCHEMA, ClusterSettings)):
        shown = file.relative_to(ROOT)
        text = json_schema(model)
        if file.is_file() and file.read_bytes() == text.encode():
            print(f"{shown} is current.")
        elif arguments.check:
            print(f"{shown} is out of date; run ./sre schema", file=sys.stderr)
            code = 1
        else:
            file.parent.mkdir(exist_ok=True)
            replace(file, text)
            print(f"{shown} written.")
    return code
