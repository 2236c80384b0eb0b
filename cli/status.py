"""`./sre status`: whether a team's apps run, and if one does not, why."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from cli import Commands
from cli.kubeconfig_cluster import MISTAKE, SINCE, answered, cluster
from cli.stack_options import add_format, options, stack_files
from specs.fleet import SUFFIX
from specs.load import load_team
from specs.names import nearest
from specs.problem import ProblemsError

if TYPE_CHECKING:
    from tools.status.as_text import Progress
    from tools.status.report import TeamReport

BROKEN, UNFINISHED = 1, 3
_PATIENCE = timedelta(minutes=10)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "status",
        parents=[options()],
        help="show whether a team's apps run, and if one does not, why",
        description="Shows for each of a team's apps whether it runs as wanted, is rolling out or "
        "is broken; and for each problem the cause, what to do, and the key of the team's file "
        "that fixes it. Reads the cluster with your kubeconfig and changes nothing; a viewer's "
        "rights are enough, and what you may not read is listed. Exit code: 0 all run as wanted or "
        "are suspended, 1 an app is broken, 2 a wrong command line, a problem in the file, no "
        "answer or an unknown status, 3 an app is rolling out, or differs from its file.",
        epilog="example: ./sre status team-alpha my-api --watch --timeout 5m",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    parser.add_argument("app", metavar="APP", nargs="?", help="only this app (default: all)")
    parser.add_argument(
        "--since",
        metavar="DURATION",
        type=_duration,
        default=SINCE,
        help="how far back restarts, events and runs count, such as 30m or 2h (default: 24h)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="follow a rollout: end once all run as the file says, an app is broken in a way that "
        "waiting does not fix, a status is unknown, or time is up",
    )
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=_duration,
        help="how long --watch follows, such as 90s or 15m (default: 10m)",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; the exit code says how the worst of the apps is doing."""
    from tools.status.look import NothingSeenError

    try:
        return answered("status", partial(_run, arguments))
    except ProblemsError as found:
        for problem in found.problems:
            print(problem, file=sys.stderr)
    except NothingSeenError as error:
        print(f"./sre status: error: {error}", file=sys.stderr)
    return MISTAKE


def _run(arguments: argparse.Namespace) -> int:
    from tools.status.as_json import as_json
    from tools.status.as_text import Progress, text
    from tools.status.look import look
    from tools.status.report import Status
    from tools.status.watching import follow

    stack = stack_files(arguments)
    path = stack.folder.path / f"{arguments.team}{SUFFIX}"
    if not path.exists():
        return _unknown("team", arguments.team, stack.folder.names())
    file = load_team(path, stack.folder.shown_as(path), stack.settings)
    if file.problems or file.team is None:
        raise ProblemsError(*file.problems)
    names = [app.name for app in file.team.deployed]
    if arguments.app and arguments.app not in names:
        return _unknown("app", arguments.app, names)
    if arguments.timeout and not arguments.watch:
        print("./sre status: error: --timeout is for --watch; add it", file=sys.stderr)
        return MISTAKE
    asked = (cluster(stack), file, stack.settings, arguments.app, arguments.since)
    as_text = arguments.format == "text"
    if arguments.watch:
        progress = Progress() if as_text else None
        report, in_time = follow(*asked, arguments.timeout or _PATIENCE, partial(_show, progress))
        if as_text:
            print()
        if not in_time:
            print("./sre status: time is up", file=sys.stderr)
    else:
        report = look(*asked)
    print(text(report) if as_text else as_json(report), end="")
    ends = {
        Status.BROKEN: BROKEN,
        Status.UNKNOWN: MISTAKE,
        Status.ROLLING_OUT: UNFINISHED,
        Status.DIFFERS: UNFINISHED,
    }
    return ends.get(report.status, 0)


def _show(progress: "Progress | None", report: "TeamReport") -> None:
    for line in progress.lines(report) if progress else ():
        print(line, flush=True)


def _unknown(what: str, name: str, known: Sequence[str]) -> int:
    near = nearest(name, known)
    listed = f"choose from {', '.join(known)}" if known else "there are none"
    hint = f"did you mean {near}?" if near else listed
    print(f"./sre status: error: no {what} '{name}'; {hint}", file=sys.stderr)
    return MISTAKE


def _duration(text: str) -> timedelta:
    """A time such as `90s`, `30m`, `2h`, `7d`, or several of these in a row."""
    if not re.fullmatch(r"([0-9]{1,6}[smhd])+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a duration; write one such as 30m or 2h")
    sizes = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    parts = re.findall(r"[0-9]+[smhd]", text)
    return timedelta(seconds=sum(int(part[:-1]) * sizes[part[-1]] for part in parts))
