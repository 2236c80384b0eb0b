"""`./sre page`: the fleet as a static site."""

import argparse
import sys
from functools import partial
from pathlib import Path

from cli import Commands
from cli.kubeconfig_cluster import answered
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
        "JavaScript. It is written as a whole, or not at all. With --live, it also shows what the "
        "cluster of your kubeconfig says: whether apps run, and if not, why; the quota in use; and "
        "what differs from the files. Exit code: 0 written, 1 a problem in a file, 2 a wrong "
        "command line, or no answer from the cluster.",
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
    parser.add_argument(
        "--live", action="store_true", help="also show what the cluster of your kubeconfig says"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the site. If it raises ProblemsError or returns 2, nothing is written."""
    written = partial(_run, arguments)
    return answered("page", written) if arguments.live else written()


def _run(arguments: argparse.Namespace) -> int:
    from tools.page.facts import gather, read_fleet  # with the SDKs: a second to load
    from tools.page.site import site
    from tools.page.write import check_folder, write

    stack = stack_files(arguments)
    expired = arguments.expired
    check_folder(arguments.out)
    fleet = read_fleet(stack.folder, stack.settings, expired=expired)
    for warning in fleet.warnings:
        print(warning.as_warning(), file=sys.stderr)
    live = None
    if arguments.live:
        from cli.live import live as read_live

        live = read_live(stack, fleet.teams)
    found = gather(
        ROOT, stack.name, stack.settings, stack.folder, fleet.teams, expired=expired, live=live
    )
    count = write(site(found), arguments.out)
    print(f"{count} pages written; start with {arguments.out / 'index.html'}.")
    return 0
