"""Reads the command line of `./sre`."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cli.validate import validate
from specs.fleet import TeamsFolder, load_stack
from specs.problem import Problem
from specs.settings import LEAVE_OUT, Settings
from specs.stack import read_stack, stack_names

ROOT = Path(__file__).parent.parent


def main(argv: list[str] | None = None) -> int:
    """Runs a command; 0 is success, 1 a problem in a file, 2 a wrong command line."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.stack not in (names := stack_names(ROOT)):
        parser.error(f"there is no stack '{arguments.stack}'; use one of: {', '.join(names)}")
    settings, problems = read_stack(ROOT, arguments.stack)
    if settings is None or problems:
        return _fail(problems)
    folder = _folder(arguments.tenants or str(ROOT / settings.tenants))
    if arguments.command == "validate":
        problems, checked = validate(arguments.files, folder, settings)
        if problems:
            return _fail(problems)
        print(f"{checked} team {'file' if checked == 1 else 'files'} checked, nothing wrong.")
        return 0
    # What follows loads the SDKs, which takes longer than a whole validation.
    if arguments.command == "doctor":
        return _doctor(arguments.stack, settings, folder)
    if arguments.command == "isolation":
        return _isolation(settings, folder, arguments.format, arguments.write_docs)
    from cli.render import render

    problems, written = render(ROOT, arguments.stack, settings, folder, Path(arguments.out))
    if problems:
        return _fail(problems)
    print(f"{written} objects written to {arguments.out}.")
    return 0


def _doctor(stack: str, settings: Settings, folder: TeamsFolder) -> int:
    from doctor.stack import doctor

    try:
        problems, report = doctor(ROOT, stack, settings, folder)
    except ValueError as error:
        print(f"{LEAVE_OUT}: {error}", file=sys.stderr)
        return 1
    if report is None:
        return _fail(problems)
    print(report)
    return 1 if report.failed else 0


def _isolation(settings: Settings, folder: TeamsFolder, form: str, write_docs: bool) -> int:
    from cli.isolation import isolation

    fleet = load_stack(folder, settings)
    if fleet.problems:
        return _fail(fleet.problems)
    return isolation(ROOT, fleet.teams, settings, form, write_docs)


def _folder(tenants: str) -> TeamsFolder:
    """Messages name files as the user would from where they stand."""
    path = Path(tenants)
    shown = os.path.relpath(path) if path.is_absolute() and path.is_relative_to(ROOT) else tenants
    return TeamsFolder(path, shown.rstrip("/"))


def _fail(problems: Iterable[Problem]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--tenants",
        metavar="DIR",
        help="folder of the teams' files (default: the stack's, tenants/)",
    )
    shared.add_argument(
        "--stack", metavar="NAME", default="dev", help="stack whose settings apply (default: dev)"
    )
    parser = argparse.ArgumentParser(
        prog="./sre",
        description="Checks and renders team files, and looks after a stack's servers.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "validate",
        parents=[shared],
        help="check team files",
        description="Checks team files, all of them unless some are named. A problem is a line on "
        "stderr: FILE:LINE:COLUMN: KEY PATH: what is wrong; what to do.",
        epilog="example: ./sre validate tenants/team-alpha.yaml",
    )
    check.add_argument("files", nargs="*", metavar="FILE", help="team files to check")
    write = commands.add_parser(
        "render",
        parents=[shared],
        help="write every object the program would create",
        description="Writes every object the program would create, a YAML document a file, under "
        "DIR/kubernetes, DIR/harbor and DIR/openbao. Secret values show as [secret].",
        epilog="example: ./sre render --stack team-alpha --out /tmp/rendered",
    )
    write.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="where to write: a new or empty folder, or an earlier render, which is replaced",
    )
    commands.add_parser(
        "doctor",
        parents=[shared],
        help="see whether a stack's servers have what it needs",
        description="Asks the servers of a stack for what `pulumi up` needs of them, and changes "
        "nothing: reachable, verified, permissions, what must be there. Addresses and credentials "
        "come from where the program takes them. A line a check, and what to do about each that "
        "fails; the exit code is 1 if one does.",
        epilog="example: ./sre doctor --stack team-alpha",
    )
    matrix = commands.add_parser(
        "isolation",
        parents=[shared],
        help="show on the servers of `make servers` that teams are kept apart",
        description="Asks the servers of `make servers`, after `make up`, for what each may have "
        "and what not, as a developer, a viewer, an app and a robot of each team and as anybody: "
        "who, what, what is expected, what was seen. What is written to the API server is a dry "
        "run; but while it runs each team's namespace has a Secret isolation-check, and "
        "ServiceAccounts get real tokens and logins to OpenBao, which soon expire. The exit code "
        "is 1 if anything differs.",
        epilog="example: ./sre isolation --format markdown",
    )
    matrix.add_argument(
        "--format",
        choices=("text", "markdown"),
        default="text",
        help="text, a line for each caller (default), or markdown, a line for each kind of caller",
    )
    matrix.add_argument(
        "--write-docs",
        action="store_true",
        help="renew the table in docs/isolation.md, if all is as expected",
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # the shell's exit code for "ended by Ctrl-C"
