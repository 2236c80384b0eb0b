"""The matrix as text for a terminal, and as the tables of docs/isolation.md."""

from collections.abc import Iterator, Sequence

from plain import table
from specs.settings import LEAVE_OUT
from tools.isolation.attempts import Caller, checks
from tools.isolation.matrix import MatrixRow
from tools.isolation.verdict import NOT_ASKED

_HEADS = ("WHO", "WHAT", "EXPECTED", "SEEN")

_WITHOUT_HARBOR = (
    "a stack creates none if it does not manage Harbor, or if `up` ran with "
    f"{LEAVE_OUT}=harbor; set it here too if that is intended"
)

_CALLERS = {
    Caller.DEVELOPER: "A user of the team's developers' group in Keycloak, with the role `edit`.",
    Caller.VIEWER: "A user of the team's viewers' group in Keycloak, with the role `view`.",
    Caller.ROLE: "A user of a further group, with a ClusterRole that the stack allows.",
    Caller.APP: "The ServiceAccount of one of the team's apps, with its own token.",
    Caller.ROBOT: "The team's robot in Harbor, whose password is tried on the other servers.",
    Caller.ANONYMOUS: "Anyone who can reach the servers.",
    Caller.STORE: "What External Secrets can read for a team, with the login of its store.",
    Caller.DEVELOPER_IN_OPENBAO: "The same developer, signed in to OpenBao with Keycloak.",
    Caller.WRITER_IN_OPENBAO: "A developer in OpenBao, in a stack with "
    "`openbao.developerAccess: write`.",
    Caller.VIEWER_IN_OPENBAO: "The same viewer, signed in to OpenBao with Keycloak.",
    Caller.ROLE_IN_OPENBAO: "The same user of a further group, signed in to OpenBao with Keycloak.",
}


def text(rows: Sequence[MatrixRow]) -> str:
    """One line per row, in columns."""
    lines = [(row.who, row.what, row.expected, row.seen) for row in rows]
    return "\n".join(table.columns([_HEADS, *lines]))


def summary(rows: Sequence[MatrixRow]) -> str:
    """The last line, after the rows that are not as expected."""
    asked = [row for row in rows if row.asked]
    failed = [row for row in asked if not row.passed]
    lines = [text(failed), ""] if failed else []
    if asked != rows:
        lines.append(f"{len(rows) - len(asked)} checks {NOT_ASKED}: {_WITHOUT_HARBOR}.")
    how = f"{len(failed)} not as expected" if failed else "all as expected"
    return "\n".join([*lines, f"{len(asked)} checks, {how}."])


def markdown(rows: Sequence[MatrixRow]) -> str:
    """A table for each kind of caller, with one line for results that all teams share."""
    return "\n".join(
        line
        for caller, about in _CALLERS.items()
        if any(row.caller is caller for row in rows)
        for line in _part(caller, about, rows)
    )


def _part(caller: Caller, about: str, rows: Sequence[MatrixRow]) -> Iterator[str]:
    name = f"{caller[0].upper()}{caller[1:]}"
    yield f"### {name}\n\n{about}\n"
    outcomes: dict[str, list[MatrixRow]] = {}
    for row in rows:
        if row.caller is caller:
            outcomes.setdefault(row.what, []).append(row)
    lines = [(f"{name} asks to", "Expected", "Seen")]
    # A stack without a shared store has only these.
    for what in [check.what for check in checks(shared_store=True)[caller]]:
        if same := outcomes.get(what):
            seen = "; ".join(dict.fromkeys(row.seen for row in same))
            lines.append((what, same[0].expected, seen))
    yield from table.markdown(lines)
    yield ""
