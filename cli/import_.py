"""`./sre import`: converts the manifests that Flux applied into teams' files."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from binaries.console import UserError
from cli import Commands
from cli.stack_options import ROOT, options, stack_files
from plain.whole_files import replace
from specs.fleet import SUFFIX, TeamsFolder
from specs.problem import WHOLE_FILE, Problem, ProblemsError


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "import",
        parents=[options()],
        help="create team files from the manifests that Flux applied",
        description="Reads HelmReleases with their values, and tenant manifests, and writes a "
        "file for each team. Writes nothing if anything would be lost: each loss is one "
        "line on stderr, FILE:LINE:COLUMN: KEY PATH: what is wrong; what to do.",
        epilog="example: ./sre import apps/tenants/team-alpha",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="folders or files of manifests")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="write what can be imported, and report what is left out",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import the paths on the command line. Raises ProblemsError."""
    from tools.migration.importing import import_tree  # with the SDKs, which take a second to load

    stack = stack_files(arguments)
    try:
        found = import_tree(ROOT, stack.name, stack.settings, stack.folder, arguments.paths)
    except (ValueError, UserError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in (*found.notes, *found.lost, *found.refused):
        print(line, file=sys.stderr)
    if found.refused:
        return 1
    if found.lost and not arguments.partial:
        count = len(found.lost)
        things, it = ("1 thing", "it") if count == 1 else (f"{count} things", "them")
        print(
            f"Nothing is written: {things} above would be lost; --partial leaves {it} out.",
            file=sys.stderr,
        )
        return 1
    _write(stack.folder, found.texts)
    for team in found.texts:
        print(f"{stack.folder.shown}/{team}{SUFFIX} written.")
    return 0


def _write(folder: TeamsFolder, texts: Mapping[str, str]) -> None:
    """Write all files, or none. Raises ProblemsError."""
    written: list[Path] = []
    for team, text in texts.items():
        file = folder.path / f"{team}{SUFFIX}"
        try:
            replace(file, text)
        except OSError as error:
            for each in written:
                each.unlink()
            message = f"cannot be written: {error.strerror}; name another folder (--tenants)"
            problem = Problem(folder.shown_as(file), 1, 1, WHOLE_FILE, message)
            raise ProblemsError(problem) from None
        written.append(file)
