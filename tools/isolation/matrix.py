"""Makes all requests as all callers, and reports the outcomes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from clients.http import RefusedError
from specs.secret_paths import MOUNT
from specs.settings import Settings
from specs.team import Team
from tools.isolation.attempts import DEVELOPERS_IN_OPENBAO, IN_OPENBAO, Caller, checks
from tools.isolation.callers import (
    Subject,
    developers_in_openbao,
    signs_in_to_openbao,
    subjects,
)
from tools.isolation.requests import Admin, Attempt, Scene
from tools.isolation.samples import NAME, thing
from tools.isolation.verdict import (
    ALLOWED,
    NO_SUCH_FIELD,
    NOT_ASKED,
    NotThisOneError,
    SelectsNothingError,
    refusal,
    selects_nothing,
)

_AT_A_TIME = 8


@dataclass(frozen=True)
class MatrixRow:
    """A line of the matrix: `who`, one of the kind `caller`, asked for `what`."""

    caller: Caller
    who: str
    what: str
    expected: str
    seen: str

    @property
    def passed(self) -> bool:
        """Whether the outcome is the expected one, from the expected source.

        What the cluster's version of a kind cannot say need not be refused by anyone else.
        """
        return self.seen in (self.expected, NO_SUCH_FIELD)

    @property
    def asked(self) -> bool:
        """Whether the check could be made."""
        return self.seen != NOT_ASKED


def run(teams: Sequence[Team], settings: Settings, admin: Admin) -> list[MatrixRow]:
    """The matrix, in the order of callers and checks; it needs two teams or more.

    Raises UnreachableError, and RefusedError if `admin` is refused something.
    """
    table = checks(settings.external_secrets.secret_store == "cluster")
    if not any(team.access.roles for team in teams):
        del table[Caller.ROLE], table[Caller.ROLE_IN_OPENBAO]
    in_openbao = {*IN_OPENBAO} if signs_in_to_openbao(settings, admin) else set()
    in_openbao -= {*DEVELOPERS_IN_OPENBAO} - {developers_in_openbao(settings)}
    table = {
        caller: lines
        for caller, lines in table.items()
        if caller in in_openbao or caller not in IN_OPENBAO
    }
    people = admin.people.made(_groups(teams)) if admin.people else nullcontext()
    stored = _stored(teams, admin) if Caller.WRITER_IN_OPENBAO in table else nullcontext()
    with _secrets(teams, admin), stored, people, ThreadPoolExecutor(_AT_A_TIME) as pool:
        callers = list(subjects(teams, settings, admin))
        scenes = list(pool.map(_enter, callers))
        asked = [
            pool.submit(outcome, caller, scene, check)
            for caller, scene in zip(callers, scenes, strict=True)
            for check in table[caller.caller]
        ]
        rows = [row for row in (future.result() for future in asked) if row]
    return [*rows, *untried(table, rows)]


def _groups(teams: Sequence[Team]) -> list[str]:
    return sorted({group for team in teams for group in team.groups})


@contextmanager
def _secrets(teams: Sequence[Team], admin: Admin) -> Iterator[None]:
    """Meanwhile, each namespace has a Secret like those that External Secrets would create."""
    with ExitStack() as removals:
        for team in teams:
            removals.callback(admin.cluster.delete, "v1", "Secret", team.name, NAME)
            secret = thing("v1", "Secret", team.name, stringData={"value": "check"})
            admin.cluster.apply(secret, NAME)
        yield


@contextmanager
def _stored(teams: Sequence[Team], admin: Admin) -> Iterator[None]:
    """Meanwhile, each team has a secret in OpenBao that nothing depends on."""
    with ExitStack() as removals:
        for team in teams:
            path = f"{team.name}/{NAME}"
            removals.callback(admin.openbao.call, "DELETE", f"{MOUNT}/metadata/{path}")
            admin.openbao.call("POST", f"{MOUNT}/data/{path}", {"data": {"value": "check"}})
        yield


def _enter(caller: Subject) -> Scene | SelectsNothingError:
    try:
        return caller.enter()
    except SelectsNothingError as error:
        return error


def outcome(
    caller: Subject, scene: Scene | SelectsNothingError, check: Attempt
) -> MatrixRow | None:
    """The outcome of a check; None if it does not apply to this team."""
    try:
        if isinstance(scene, SelectsNothingError):
            raise scene
        check.request(scene)
        seen = ALLOWED
    except NotThisOneError:
        return None
    except SelectsNothingError as error:
        seen = selects_nothing(error)
    except RefusedError as error:
        seen = refusal(error)
    return MatrixRow(caller.caller, caller.name, check.what, check.expected, seen)


def untried(
    table: dict[Caller, tuple[Attempt, ...]], rows: Sequence[MatrixRow]
) -> Iterator[MatrixRow]:
    """A row for each check that applied to no team."""
    tried = {(row.caller, row.what) for row in rows}
    for caller, lines in table.items():
        for check in lines:
            if (caller, check.what) not in tried:
                error = SelectsNothingError("no team has the needed objects")
                yield MatrixRow(
                    caller, f"any {caller}", check.what, check.expected, selects_nothing(error)
                )
