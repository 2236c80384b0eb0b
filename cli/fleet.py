"""`./sre fleet`: previews, updates and compares many stacks in one run."""

import argparse
import fcntl
import os
import shlex
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cli import Commands, doctor, fleet_stacks
from cli.diff import MISTAKE
from cli.fleet_options import positive, selected_stacks, selection
from cli.stack_options import ROOT
from specs.cluster_file import cluster_names
from specs.fleet import TeamsFolder
from specs.problem import ProblemsError

if TYPE_CHECKING:
    from tools.fleet.checks import Check
    from tools.fleet.credentials import Credentials
    from tools.fleet.outcome import StackResult
    from tools.fleet.processes import Processes
    from tools.review.affected import Stack

DRIFT = 2  # so a wrong command line is not
_FOLDER = ".fleet"


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "fleet",
        help="preview, update or compare many stacks in one run",
        description="Previews or updates many stacks in one run, several at a time, or compares "
        "them with their servers. Each stack keeps its own state and lock. Backend and credentials "
        "come from the environment, as for `pulumi`.",
        epilog="example: ./sre fleet preview 'team-*' --parallel 8",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_preview(actions)
    _add_up(actions)
    _add_drift(actions)
    fleet_stacks.add(actions)


def _add_preview(actions: Commands) -> None:
    parser = actions.add_parser(
        "preview",
        parents=[selection(), _options("preview")],
        help="show what an update of each stack would change",
        description="Previews the stacks and changes nothing. Exit code: 0 all could be "
        "previewed, 1 not all, or a wrong command line.",
        epilog="example: ./sre fleet preview --affected origin/main --format markdown",
    )
    _add_refresh(parser)
    parser.set_defaults(run=run, action=_preview, kind="preview")


def _add_up(actions: Commands) -> None:
    parser = actions.add_parser(
        "up",
        parents=[selection(), _options("up")],
        help="update stacks in waves, as previewed in the same run",
        description="Previews the stacks, then updates those that would change, in waves: those "
        "with sre-platform:platform, the canaries, then shares of the others. An update does only "
        "what its preview shows, and none starts once a file has changed. A stack that the backend "
        "lacks is created. After Ctrl-C, no other stack starts, and running updates finish what is "
        "under way; after a second one, they save their state and stop. Exit code: 0 all are up to "
        "date, 1 not all, or a wrong command line.",
        epilog="example: ./sre fleet up --canary team-alpha --waves '1,10%,rest' --healthy",
    )
    _add_refresh(parser)
    parser.add_argument(
        "--canary",
        metavar="STACK",
        action="append",
        default=[],
        help="name or pattern of stacks that go before the others; repeatable",
    )
    parser.add_argument(
        "--waves",
        metavar="SHARES",
        type=_shares,
        default=("rest",),
        help="sizes of the waves after the canaries, such as 1,10%%,rest (default: rest)",
    )
    parser.add_argument(
        "--pause",
        metavar="SECONDS",
        type=_pause,
        default=0,
        help="how long to wait between two waves (default: 0)",
    )
    between = parser.add_mutually_exclusive_group()
    between.add_argument(
        "--check",
        metavar="COMMAND",
        help="shell command to run between two waves, with the names of the updated stacks in "
        "STACKS; nothing else starts if it fails",
    )
    between.add_argument(
        "--healthy",
        action="store_true",
        help="between two waves, wait until ./sre status finds that all apps run",
    )
    parser.add_argument(
        "--max-failures",
        metavar="N",
        type=positive,
        default=1,
        help="start nothing else once N stacks were refused or have failed (default: 1)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the last run, which was interrupted or stopped, with its stacks",
    )
    parser.set_defaults(run=run, action=_up, kind="up")


def _pause(text: str) -> int:
    return 0 if text == "0" else positive(text)


def _add_refresh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refresh", action="store_true", help="read the servers first, once Harbor answers"
    )


def _add_drift(actions: Commands) -> None:
    parser = actions.add_parser(
        "drift",
        parents=[selection(), _options("drift")],
        help="compare each stack with its servers",
        description="Compares the stacks with their servers, once Harbor answers, and changes "
        "nothing. Exit code: 0 none differs, 1 not all could be compared, or a wrong command line, "
        "2 at least one differs.",
        epilog="example: ./sre fleet drift --format junit > drift.xml",
    )
    parser.set_defaults(run=run, action=_drift, kind="drift", refresh=True)


def _options(kind: str) -> argparse.ArgumentParser:
    """How stacks are run, as a parent of an action's parser."""
    logs = f"{_FOLDER}/logs/{kind}"  # a preview beside an update leaves the update's alone
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--parallel",
        metavar="N",
        type=positive,
        default=4,
        help="how many stacks run at a time (default: 4)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive,
        default=3600,
        help="how long a stack may take before it is interrupted (default: 3600)",
    )
    parser.add_argument(
        "--logs",
        metavar="DIR",
        type=Path,
        default=ROOT / logs,
        help=f"folder for each stack's log, STACK.ACTION.txt (default: {logs})",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json", "markdown", "junit"),
        default="table",
        help="form of the report on standard output (default: table)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Do it and print the report. Raises OSError for a folder that cannot be made."""
    from binaries.console import INTERRUPTED, UserError, no_longer_read
    from tools.fleet.operation import Kind
    from tools.fleet.report import FORMATS
    from tools.review.affected import stacks
    from tools.review.git import GitError

    try:
        every = stacks(ROOT)
        selected = [stack.name for stack in selected_stacks(arguments, every)]
        with _processes(arguments, every) as processes:
            results, code = arguments.action(arguments, processes, selected, every)
            if code:
                print(f"Logs: {os.path.relpath(arguments.logs)}", file=sys.stderr)
    except (UserError, GitError, ValueError) as error:
        print(f"./sre fleet: error: {error}", file=sys.stderr)
        return MISTAKE
    try:
        print(FORMATS[arguments.format](Kind(arguments.kind), results), end="", flush=True)
    except BrokenPipeError:
        no_longer_read(sys.stdout)
    return INTERRUPTED if processes.interrupted else code


def _preview(
    arguments: argparse.Namespace,
    processes: "Processes",
    stacks: Sequence[str],
    every: Sequence["Stack"],
) -> tuple[list["StackResult"], int]:
    from tools.fleet.looks import preview

    results = preview(processes, stacks, arguments.refresh)
    return results, _code(results)


def _drift(
    arguments: argparse.Namespace,
    processes: "Processes",
    stacks: Sequence[str],
    every: Sequence["Stack"],
) -> tuple[list["StackResult"], int]:
    from tools.fleet.looks import drift
    from tools.review.outcome import Outcome

    results = drift(processes, stacks)
    differs = any(result.outcome is Outcome.CHANGED for result in results)
    return results, _code(results) or (DRIFT if differs else 0)


def _up(
    arguments: argparse.Namespace,
    processes: "Processes",
    stacks: Sequence[str],
    every: Sequence["Stack"],
) -> tuple[list["StackResult"], int]:
    from tools.fleet.inputs import Inputs
    from tools.fleet.journal import read
    from tools.fleet.selection import selected
    from tools.fleet.update import Order, Update

    file = ROOT / _FOLDER / "journal.json"
    resumed = None
    if arguments.resume:
        if arguments.stacks or arguments.affected or arguments.cluster or arguments.only:
            raise ValueError("--resume continues with the stacks of that run; select none")
        resumed = read(file)
        stacks = resumed.stacks
    if gone := set(stacks) - {stack.name for stack in every}:
        raise ValueError(
            f"the run to resume had stack '{min(gone)}', which has no file; leave out --resume"
        )
    canaries = selected([stack.name for stack in every], arguments.canary)
    if arguments.canary and not {*canaries} & {*stacks}:
        print("None of the canaries is among the stacks.", file=sys.stderr)
    order = Order(
        first=[stack.name for stack in every if stack.platform],
        canaries=canaries if arguments.canary else (),
        shares=arguments.waves,
        pause=arguments.pause,
        check=_check(arguments, every, processes.credentials),
        max_failures=arguments.max_failures,
    )
    folders = {stack.folder for stack in every}
    update = Update(processes, order, lambda: Inputs(ROOT, folders), file, arguments.refresh)
    results = update.run(stacks, resumed)
    if code := _code(results):
        print(f"To continue: {_resuming(arguments)}", file=sys.stderr)
    return results, code


def _resuming(arguments: argparse.Namespace) -> str:
    """The command that continues the run in the same order, and stops where it would."""
    words = ["./sre", "fleet", "up", "--resume"]
    for canary in arguments.canary:
        words += ["--canary", canary]
    for option, value, usual in (
        ("--waves", ",".join(arguments.waves), "rest"),
        ("--pause", str(arguments.pause), "0"),
        ("--check", arguments.check, None),
        ("--max-failures", str(arguments.max_failures), "1"),
    ):
        words += [] if value == usual else [option, value]
    words += [f"--{flag}" for flag in ("healthy", "refresh") if getattr(arguments, flag)]
    return shlex.join(words)


def _check(
    arguments: argparse.Namespace, every: Sequence["Stack"], credentials: "Credentials"
) -> "Check":
    from tools.fleet.checks import command, healthy, nothing

    if arguments.check:
        return command(arguments.check)
    if not arguments.healthy:
        return nothing
    return healthy(ROOT, {stack.name: _teams(stack) for stack in every}, credentials)


def _teams(stack: "Stack") -> Sequence[str]:
    if isinstance(stack.teams, tuple):
        return stack.teams
    return TeamsFolder(ROOT / stack.folder, stack.folder).names()


def _code(results: Sequence["StackResult"]) -> int:
    from tools.fleet.outcome import BAD

    return 1 if any(result.outcome in BAD for result in results) else 0


@contextmanager
def _processes(arguments: argparse.Namespace, every: Sequence["Stack"]) -> Generator["Processes"]:
    """What runs the stacks. Raises UserError if they cannot be run, or a file has changed."""
    from binaries.console import UserError
    from tools.fleet.backend import prepared_cli
    from tools.fleet.credentials import Credentials
    from tools.fleet.preload import preload
    from tools.fleet.processes import Processes
    from tools.fleet.progress import Progress

    cli = prepared_cli()
    writable = False
    with suppress(OSError):
        arguments.logs.mkdir(parents=True, exist_ok=True)
        writable = os.access(arguments.logs, os.W_OK | os.X_OK)
    if not writable:
        raise UserError(f"{arguments.logs} cannot be written; name another folder (--logs)")
    folder = ROOT / _FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a", encoding="utf-8") as lock:
        if arguments.kind == "up":
            _take(lock, {stack.folder for stack in every})
        preload()
        if arguments.refresh:
            import tools.doctor.examine  # noqa: F401  (with the clients, which take two seconds)
        with Processes(
            ROOT,
            cli,
            lock,
            arguments.logs.absolute(),
            arguments.parallel,
            arguments.timeout,
            Progress(sys.stderr),
            Credentials({stack.name: stack.cluster for stack in every}, cluster_names(ROOT)),
            _harbor_answers,
        ) as processes:
            yield processes


def _take(lock: IO[str], folders: Iterable[str]) -> None:
    """Wait until no other run, or what a killed run has left, updates stacks from this checkout.

    `folders` have the teams' files. Raises UserError if a file changes meanwhile: this process has
    loaded some of the code before.
    """
    from binaries.console import UserError
    from tools.fleet.inputs import Inputs

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        inputs = Inputs(ROOT, folders)
        print("Waiting for another ./sre fleet up of this checkout to end ...", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path := inputs.changed():
            raise UserError(f"{path} has changed during the wait; run the command again") from None


def _harbor_answers(stack: str) -> bool:
    """Whether Harbor works, or the stack does not manage it; prints what is wrong.

    On any error, a refresh assumes that a robot was deleted: one that writes drops it from the
    state. The check runs the program too, so it is made in a process of its own.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asked = argparse.Namespace(stack=stack, tenants=None, server="harbor")
            code = doctor.run(asked)
        except ProblemsError as found:
            print(*found.problems, sep="\n")
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _shares(text: str) -> tuple[str, ...]:
    from tools.fleet.waves import check_shares

    shares = tuple(text.split(","))
    try:
        check_shares(shares)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return shares
