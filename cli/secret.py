"""`./sre secret`: stores, lists and compares teams' secrets in OpenBao, with the caller's login."""

import argparse
import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cli import Commands
from cli.stack_options import StackFiles, add_format, options, stack_files
from plain.table import columns
from specs.env_vars import (
    PULL_SECRET,
    PUSH_SECRET,
    VALUE,
    check_secret_key,
    check_secret_name,
)
from specs.load import TeamFile, check_source, load_team
from specs.problem import ProblemsError
from specs.secret_paths import secret_path
from tools.editing.team_file import open_team

if TYPE_CHECKING:
    from tools.secrets.comparison import ComparedSecret, ComparedTeam, Lack

_HEAD = ("SECRET", "STATE", "VERSION", "WRITTEN", "KEYS", "USED BY")

_LOGIN = (
    "OpenBao is the stack's (openbao.address), or if it sets none, that of BAO_ADDR or VAULT_ADDR. "
    "The login is the caller's own: BAO_TOKEN, VAULT_TOKEN, or what `bao login` has stored. "
    "BAO_CACERT or VAULT_CACERT name a private CA."
)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "secret",
        help="store, list and compare teams' secrets in OpenBao; renew robots' passwords",
        description="Stores, lists and compares teams' secrets in OpenBao, and renews robots' "
        f"passwords. {_LOGIN} No value is "
        "ever shown. Exit code: 0 no problem, 1 something is missing, wrong or refused, 2 a wrong "
        "command line.",
        epilog="example: ./sre secret diff",
    )
    kinds = parser.add_subparsers(required=True, metavar="ACTION")
    _add_set(kinds)
    _add_list(kinds)
    _add_diff(kinds)
    _add_rotate(kinds)


def run(arguments: argparse.Namespace) -> int:
    """Do it; 1 if something is missing, or was refused. Raises ProblemsError."""
    from tools.secrets.error import SecretError

    try:
        code: int = arguments.action(arguments)
    except SecretError as error:
        line = "".join(char for char in str(error) if char.isprintable())
        print(f"./sre secret: {line}", file=sys.stderr)
        return 1
    return code


def _add_set(kinds: Commands) -> None:
    parser = kinds.add_parser(
        "set",
        parents=[options()],
        help="store one key of a secret",
        description="Stores one key of the secret sre/TEAM/NAME in OpenBao and keeps its other "
        "keys. The value comes from standard input, or from a prompt that does not show it; it is "
        "never an argument, because others on this machine can read those. One newline at the "
        "end of a single line, as `echo` adds, is not part of the value; several lines are stored "
        "as they are. The value must be text in UTF-8, of 1 MiB at most. If someone else changes "
        "the secret meanwhile, nothing is stored. Afterwards, the command says how the value "
        f"reaches the apps. {_LOGIN}",
        epilog="example: ./sre secret set team-alpha shop-db --key password < password.txt",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    parser.add_argument("name", metavar="NAME", help="name of the secret, as in secretRef")
    parser.add_argument("--key", metavar="KEY", default=VALUE, help="its key (default: value)")
    parser.set_defaults(
        run=run,
        action=_set,
        # Not repeated: it may be the value.
        unknown="only TEAM, NAME and --key are arguments; give the value on standard input",
    )


def _add_list(kinds: Commands) -> None:
    parser = kinds.add_parser(
        "list",
        parents=[options(), _format()],
        help="list a team's secrets",
        description="Lists the secrets that a team's file names and those that OpenBao has: "
        "versions, keys and times, and the apps that use them; no values. What the login may not "
        f"read is marked. {_LOGIN}",
        epilog="example: ./sre secret list team-alpha",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    parser.set_defaults(run=run, action=_list)


def _add_diff(kinds: Commands) -> None:
    parser = kinds.add_parser(
        "diff",
        parents=[options(), _format()],
        help="show what files name and OpenBao lacks",
        description="Shows the secrets and keys that the teams' files name and that OpenBao lacks, "
        "in the format of `validate`. What the login may not read is reported on stderr, and not "
        f"counted as missing. {_LOGIN} Exit code: 0 nothing is missing, 1 something is, 2 a wrong "
        "command line.",
        epilog="example: ./sre secret diff team-alpha --format json",
    )
    parser.add_argument("team", metavar="TEAM", nargs="?", help="only this team (default: all)")
    parser.set_defaults(run=run, action=_diff)


def _add_rotate(kinds: Commands) -> None:
    parser = kinds.add_parser(
        "rotate",
        parents=[options()],
        help="renew the passwords of a team's robots",
        description="Gives the robots of a team's Harbor project new passwords and stores them in "
        "OpenBao, from where CI and the cluster read them; the old ones stop working at once. Then "
        "has External Secrets fetch the pull robot's into the namespace, with the caller's "
        "kubeconfig. If it is interrupted, run it again. Harbor's login is that of the stack's "
        "`pulumi up`: "
        f"HARBOR_URL, HARBOR_USERNAME, HARBOR_PASSWORD. {_LOGIN}",
        epilog="example: ./sre secret rotate team-alpha --robot push",
    )
    parser.add_argument("team", metavar="TEAM", help="name of the team")
    parser.add_argument("--robot", choices=("pull", "push"), help="only this robot (default: both)")
    parser.set_defaults(run=run, action=_rotate)


def _format() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    add_format(parser)
    return parser


def _set(arguments: argparse.Namespace) -> int:
    from tools.secrets.refusals import callers_login  # with the clients, which take time to load
    from tools.secrets.storing import store, unused, what_follows

    name, key = arguments.name, arguments.key
    _check_words(name, key)
    stack = stack_files(arguments)
    file = _team(stack, arguments.team)
    if warning := unused(file, name, key):
        print(f"warning: {warning}", file=sys.stderr)
    openbao = callers_login(stack.settings)
    stored = store(openbao, arguments.team, name, key, lambda: _value(f"{name}, {key}"))
    only = ", which is its only key" if stored.alone else ""
    print(f"{secret_path(arguments.team, name)}: stored {key}{only}, as version {stored.version}.")
    for line in what_follows(file, name, key, stack.settings):
        print(line)
    return 0


def _check_words(name: str, key: str) -> None:
    """Raise SecretError, which repeats neither unless it is a name: it may be a value."""
    from tools.secrets.error import SecretError

    if name in (PULL_SECRET, PUSH_SECRET):
        do = "renew it with ./sre secret rotate"
        raise SecretError(f"NAME: {name} has a robot's password; {do}")
    for word, check, text in (("NAME", check_secret_name, name), ("--key", check_secret_key, key)):
        try:
            check(text)
        except ValueError as error:
            raise SecretError(f"{word}: {error}") from None


def _value(what: str) -> str:
    from tools.secrets.error import SecretError
    from tools.secrets.value import LIMIT, value_of

    if not sys.stdin.isatty():
        return value_of(sys.stdin.buffer.read(LIMIT + 1))
    try:
        typed = getpass.getpass(f"Value of {what} (not shown): ")
        again = getpass.getpass("Once more: ")
    except EOFError:
        print(file=sys.stderr)
        raise SecretError("no value was typed; nothing is stored") from None
    if typed != again:
        raise SecretError("the two values differ; nothing is stored")
    return value_of(typed.encode(errors="surrogateescape"))


def _list(arguments: argparse.Namespace) -> int:
    stack = stack_files(arguments)
    (team,) = _compared(stack, [_team(stack, arguments.team)])
    if arguments.format == "json":
        data = {
            "team": team.name,
            "secrets": [_as_data(secret) for secret in team.secrets],
            "unreadable": _unreadable([team]),
        }
        print(json.dumps(data, indent=2))
        return 0
    if team.secrets:
        print("\n".join(columns([_HEAD, *map(_cells, team.secrets)])))
    elif not team.unreadable:
        print(f"{team.name} has no secrets.")
    _report_unreadable([team])
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    stack = stack_files(arguments)
    folder = stack.folder
    if arguments.team:
        files = [_team(stack, arguments.team)]
    elif problems := [*folder.problems()]:
        raise ProblemsError(*problems)
    else:
        files = [load_team(path, folder.shown_as(path), stack.settings) for path in folder.files()]
    teams = _compared(stack, files)
    lacks = [lack for team in teams for lack in team.lacks]
    if arguments.format == "json":
        missing = [_as_lack(lack) for lack in lacks]
        print(json.dumps({"missing": missing, "unreadable": _unreadable(teams)}, indent=2))
    elif lacks:
        print(*(lack.problem for lack in lacks), sep="\n")
    else:
        named = [each for team in teams for each in team.secrets if each.named]
        seen = sum(each.unreadable is None for each in named)
        print(f"{seen} of {len(named)} secrets in the files compared, none is missing.")
    _report_unreadable(teams)
    if unread := [problem for file in files if file.team is None for problem in file.problems]:
        raise ProblemsError(*unread)
    return 1 if lacks else 0


def _rotate(arguments: argparse.Namespace) -> int:
    from tools.secrets.refusals import callers_login
    from tools.secrets.rotation import callers_harbor, fetch_pull_secret, rotate

    stack = stack_files(arguments)
    settings = stack.settings
    _team(stack, arguments.team)
    robots = {
        secret: name
        for secret, name in ((PUSH_SECRET, "push"), (PULL_SECRET, "pull"))
        if arguments.robot in (None, name)
    }
    openbao, harbor = callers_login(settings), callers_harbor(settings)
    for line in rotate(openbao, harbor, arguments.team, robots, settings.harbor.host):
        print(line, flush=True)
    if PULL_SECRET in robots:
        print(fetch_pull_secret(arguments.team, settings))
    return 0


def _team(stack: StackFiles, team: str) -> TeamFile:
    """A team's file, whose apps may have mistakes. Raises ProblemsError if it names no apps."""
    file = check_source(open_team(stack.folder, team), stack.settings)
    if file.team is None:
        raise ProblemsError(*file.problems)
    return file


def _compared(stack: StackFiles, files: Sequence[TeamFile]) -> list["ComparedTeam"]:
    from tools.secrets.comparison import compare  # with the clients, which take time to load
    from tools.secrets.refusals import callers_login

    return compare(files, callers_login(stack.settings, retries=1))


def _cells(secret: "ComparedSecret") -> Sequence[str]:
    from tools.secrets.comparison import ROBOTS
    from tools.secrets.times import shown_time

    version = secret.stored.version if secret.stored else None
    users = ", ".join(secret.named.apps) if secret.named else ROBOTS.get(secret.name, "-")
    return (
        secret.name,
        secret.state,
        str(version.number) if version else "-",
        shown_time(version.written) if version else "-",
        ", ".join(_keys(secret)) or "-",
        users,
    )


def _keys(secret: "ComparedSecret") -> Iterator[str]:
    if secret.stored:
        yield from sorted(secret.stored.names)
        yield from (f"{key} (missing)" for key in secret.lacking)
    elif secret.named:
        yield from (f"{key} (named)" for key in sorted(secret.named.keys))


def _as_data(secret: "ComparedSecret") -> dict[str, Any]:
    version = secret.stored.version if secret.stored else None
    return {
        "secret": secret.name,
        "path": secret.path,
        "state": secret.state,
        "version": version.number if version else None,
        "written": version.written if version else None,
        "keys": sorted(secret.stored.names) if secret.stored else None,
        "namedKeys": sorted(secret.named.keys) if secret.named else [],
        "wholeNamed": secret.named.whole if secret.named else False,
        "usedBy": secret.named.apps if secret.named else [],
    }


def _as_lack(lack: "Lack") -> dict[str, Any]:
    problem = lack.problem
    assert lack.secret.named
    return {
        "team": lack.secret.team,
        "path": lack.secret.path,
        "key": lack.key,
        "namedKeys": sorted(lack.secret.named.keys),
        "usedBy": lack.secret.named.apps,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "place": problem.path,
    }


def _unreadable(teams: Sequence["ComparedTeam"]) -> list[dict[str, str]]:
    return [
        {"team": team.name, "path": each.path, "capability": each.capability}
        for team in teams
        for each in team.not_shown
    ]


def _report_unreadable(teams: Sequence["ComparedTeam"]) -> None:
    for each in _unreadable(teams):
        print(
            f"not compared: your login may not {each['capability']} {each['path']}", file=sys.stderr
        )
