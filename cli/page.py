"""`./sre page`: the fleet as a static site."""

import argparse
import sys
from pathlib import Path

from cli import Commands
from cli.stack_options import ROOT, options, stack_files


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "page",
        parents=[options()],
        help="write the fleet as a static site",
        description="Writes the stack's teams as a static site: apps and versions, lifecycle, "
        "quota used and left, exceptions and when they end, and what may reach what. The site has "
        "no values of variables or secrets, loads nothing from elsewhere, and can be read without "
        "JavaScript. It is written as a whole, or not at all. Exit code: 0 written, 1 a problem in "
        "a file, 2 a wrong command line.",
        epilog="example: ./sre page --out /tmp/site, then open /tmp/site/index.html",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="output folder: new, empty, or an earlier site, which is replaced",
    )
    parser.add_argument(
        "--expired",
        action="store_true",
        help="write the site although exceptions of apps have expired",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the site. If it raises ProblemsError, nothing is written."""
    from tools.page.facts import gather, read_fleet  # with the SDKs: a second to load
    from tools.page.site import site
    from tools.page.write import check_folder, write

    stack = stack_files(arguments)
    expired = arguments.expired
    check_folder(arguments.out)
    fleet = read_fleet(stack.folder, stack.settings, expired=expired)
    for warning in fleet.warnings:
        print(warning.as_warning(), file=sys.stderr)
    found = gather(ROOT, stack.name, stack.settings, stack.folder, fleet.teams, expired=expired)
    count = write(site(found), arguments.out)
    print(f"{count} pages written; start with {arguments.out / 'index.html'}.")
    return 0
