"""`./sre reach`: what may reach what, by the objects that the program would create."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli import Commands
from cli.stack_options import ROOT, StackFiles, options, stack_files
from specs.fleet import load_stack
from specs.problem import ProblemsError

if TYPE_CHECKING:
    from tools.reach.world import World

_FORMATS = ("text", "json", "dot", "svg", "html")

# Ends the command for any error: 1 is an answer.
MISTAKE = 2

_DESCRIPTION = """\
Shows what apps may reach, and what may reach them: other apps, the platform,
and everything outside the cluster. The answer considers all NetworkPolicies
and AuthorizationPolicies that the program would create, together. If X and Y
each name one thing, it is yes or no, with what lets the connection through or
stops it on each side; otherwise, it is a list.
"""
_SPELLINGS = """\
what X and Y may be:
  TEAM                  a team, such as team-alpha, or another namespace
  TEAM/APP              an app, such as team-alpha/my-api
  NAMESPACE/LABELS      other pods, as a list shows them, such as
                        databases/app=postgresql
  SERVICE               a service that the stack defines in network.platform,
                        such as smtp, databases or kubernetes-api
  gateway, prometheus   Istio's gateways; the platform's Prometheus
  10.1.2.3, fd00::1     an address
  10.200.0.0/16         a range of addresses
  api.stripe.com        a host outside the cluster
  anywhere              every address
  Y:PORT                a port of Y, by number or name, also with a protocol:
                        TEAM/APP:8080, TEAM/APP:http, 10.1.2.3:53/UDP,
                        [fd00::1]:443; without a port, any port; for a SERVICE,
                        its own ports

exit code:
  0  yes, or a list (even if it is empty)
  1  no
  2  no answer: an unknown name, a wrong command line, a problem in a file

examples:
  ./sre reach --from team-alpha
  ./sre reach --from team-alpha/my-api --to team-beta/order-processor:9090
  ./sre reach --format html --out reach.html
"""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "reach",
        parents=[options()],
        help="show what may reach what, and why",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
        epilog=_SPELLINGS,
    )
    parser.add_argument("--from", metavar="X", dest="source", help="the source (default: all)")
    parser.add_argument("--to", metavar="Y", dest="target", help="the target (default: all)")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="text",
        help="text (default), json, or a picture: dot (Graphviz), svg, html (a page for a browser)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="file to write (default: stdout)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer, or list edges; 2 for any error, since 1 is an answer."""
    from tools.reach.names import UnknownNameError

    try:
        said, code = _said(arguments)
        if arguments.out:
            arguments.out.write_text(said, encoding="utf-8")
        else:
            print(said, end="")
        return code
    except ProblemsError as found:
        for problem in found.problems:
            print(problem, file=sys.stderr)
    except UnknownNameError as unknown:
        print(f"./sre reach: error: {unknown}", file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; check the path", file=sys.stderr)
    return MISTAKE


def _said(arguments: argparse.Namespace) -> tuple[str, int]:
    """What to print, and the exit code."""
    from tools.reach.answer import answer_for
    from tools.reach.as_dot import dot
    from tools.reach.as_html import html
    from tools.reach.as_json import answer_json, edges_json
    from tools.reach.as_svg import svg
    from tools.reach.as_text import answer_text, text
    from tools.reach.named import platform_names
    from tools.reach.names import UnknownNameError, find
    from tools.reach.ports import ALL
    from tools.reach.questions import listed

    stack = stack_files(arguments)
    world = _world(stack)
    platform = platform_names(world, stack.settings)
    source, target = (
        find(world, given, platform) if given is not None else None
        for given in (arguments.source, arguments.target)
    )
    if source and source.asked != ALL and ":" in arguments.source:
        raise UnknownNameError(f"{arguments.source}: only --to takes a port; write it there")
    code = 0
    if source and source.nodes and target and target.nodes:
        found = answer_for(world, source.nodes, target.nodes, target.asked)
        code = 0 if found.allowed else 1
        if arguments.format == "text":
            return answer_text(source.shown, target.shown, found), code
        if arguments.format == "json":
            return answer_json(source, target, found), code
    written = {"text": text, "json": edges_json, "dot": dot, "svg": svg, "html": html}
    return written[arguments.format](listed(world, source, target)), code


def _world(stack: StackFiles) -> "World":
    """The world of the stack's objects. Raises ProblemsError for a problem in a file."""
    from tools.reach.world import KINDS, stack_world
    from tools.rendering.documents import made_objects  # with the SDKs: a second to load

    fleet = load_stack(stack.folder, stack.settings)
    if fleet.problems:
        raise ProblemsError(*fleet.problems)
    # Warnings are left to `./sre validate`: here, they would bury the answer.
    teams = [team.name for team in fleet.teams]
    made = made_objects(ROOT, stack.name, teams, stack.folder.path, KINDS)
    return stack_world((each.content for each in made), stack.folder, stack.settings)
