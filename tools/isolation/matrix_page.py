"""The matrix of a stack as a report, printed or written into its page."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from clients import administrator
from clients.http import RefusedError, UnreachableError
from clients.kubeconfig import KubeconfigError
from clients.local_servers import running
from specs.settings import Settings
from specs.team import Team
from tools.isolation.matrix import MatrixRow, run
from tools.isolation.matrix_table import markdown, summary, text
from tools.isolation.people import People
from tools.isolation.requests import Admin

_PAGE = Path("docs", "isolation.md")
_MARK = "<!-- Below: `./sre isolation --write-docs` -->\n"


class CannotRunError(Exception):
    """The matrix cannot be run; the message says what to run first."""


def isolation(
    root: Path, teams: Sequence[Team], settings: Settings, form: str, write_docs: bool
) -> int:
    """Print the matrix as `form` (text or markdown); exit code 1 if a row is not as expected."""
    try:
        rows = _rows(root, teams, settings)
    except CannotRunError as error:
        print(error, file=sys.stderr)
        return 1
    needed = [row for row in rows if row.asked or settings.manage.harbor]
    passed = all(row.passed for row in needed)
    if form == "markdown":
        print(markdown(rows))
    else:
        print(text(rows))
    print()
    print(summary(rows))
    if write_docs and all(row.passed for row in rows):
        page = root / _PAGE
        page.write_text(renewed(page.read_text(encoding="utf-8"), rows), encoding="utf-8")
    return 0 if passed else 1


def renewed(page: str, rows: Sequence[MatrixRow]) -> str:
    """The page with these rows in its tables; tables of other callers stay."""
    text, _, tables = page.partition(_MARK)
    parts = {**_by_heading(tables), **_by_heading(markdown(rows))}
    return text + _MARK + "\n" + "\n\n".join(parts.values()) + "\n"


def _by_heading(tables: str) -> dict[str, str]:
    parts = (part.strip() for part in re.split(r"^(?=### )", tables, flags=re.MULTILINE)[1:])
    return {part.partition("\n")[0]: part for part in parts}


def _rows(root: Path, teams: Sequence[Team], settings: Settings) -> list[MatrixRow]:
    if len(teams) < 2:
        raise CannotRunError("the stack has fewer than two active teams; nothing to isolate")
    servers = running(root)
    if servers is None:
        raise CannotRunError("no servers are running here; run `make servers` and `make up` first")
    try:
        cluster, openbao = administrator.cluster(servers), administrator.openbao(servers)
        keycloak = administrator.keycloak(servers)
        people = People(keycloak, openbao) if keycloak else None
        admin = Admin(cluster, openbao, servers.ca_cert, people)
        missing = [t.name for t in teams if not admin.cluster.get("v1", "Namespace", None, t.name)]
        if missing:
            raise CannotRunError(f"the cluster has no {missing[0]}; run `make up` first")
        return run(teams, settings, admin)
    except (KubeconfigError, UnreachableError) as error:
        raise CannotRunError(f"{error}; run `make servers`") from None
    except RefusedError as error:  # refused to the command: a caller's refusal is a row
        raise CannotRunError(f"{error}; run `make servers` and `make up`") from None
