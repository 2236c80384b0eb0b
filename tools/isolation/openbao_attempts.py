"""What OpenBao grants: to an app and a developer their team's secrets, to everyone else nothing.

The app's login is real: with its ServiceAccount's token, which OpenBao has the API server review.
"""

from specs.settings import STORE_ROLE
from tools.isolation.requests import (
    Attempt,
    Request,
    all_of,
    logs_in,
    vault_answers,
    vault_deletes,
    vault_knows,
    vault_reads,
    vault_would_write,
    vault_writes,
)
from tools.isolation.samples import OTHERS_SECRET, OWN_SECRET
from tools.isolation.verdict import ALLOWED, BY_OPENBAO


def _data(path: str) -> str:
    """A secret's path in the API, whose KV engine has version 2."""
    return path.replace("sre/", "sre/data/", 1)


_HERE = "OpenBao: "
_OWN, _OTHERS = _data(OWN_SECRET), _data(OTHERS_SECRET)
_DETOUR = "sre/data/{own}/..%2f{other}/harbor-pull"
_SECRET = {"data": {"value": "isolation-check"}}
_POLICY = {"policy": 'path "sre/*" {{ capabilities = ["read"] }}'}
_ROLE = {"bound_service_account_names": "*", "bound_service_account_namespaces": "*"}

_WRITES = "write a secret of the team"

_NOBODYS: dict[str, Request] = {
    "read another team's secret": vault_reads(_OTHERS),
    "read another team's secret through `..`": vault_reads(_DETOUR, of=_OTHERS),
    "list another team's secrets": vault_reads("sre/metadata/{other}", method="LIST"),
    "list the teams": vault_reads("sre/metadata", method="LIST"),
    _WRITES: vault_writes("sre/data/{own}/isolation-check", _SECRET),
    "write a secret of another team": vault_writes("sre/data/{other}/isolation-check", _SECRET),
    "read the team's policy": vault_reads("sys/policies/acl/{own}"),
    "write a policy": vault_writes("sys/policies/acl/isolation-check", _POLICY),
    "write a login role": vault_writes("auth/kubernetes/role/isolation-check", _ROLE),
    "list the mounts": vault_reads("sys/mounts"),
    "get a token for another team": vault_writes("auth/token/create", {"policies": ["{other}"]}),
}
_OWN_ONES: dict[str, Request] = {
    "read a secret of the team": vault_reads(_OWN),
    "list the team's secrets": vault_reads("sre/metadata/{own}", method="LIST"),
}
_OTHERS_LOGIN = {"log in as another team": logs_in("{other}")}
_OPERATORS_LOGIN = {"log in as External Secrets": logs_in(STORE_ROLE)}


def app_checks(shared_store: bool) -> tuple[Attempt, ...]:
    """An app's; with a shared store, there is also the role of its reader."""
    logins = {**_OTHERS_LOGIN, **(_OPERATORS_LOGIN if shared_store else {})}
    return (
        *all_of(_OWN_ONES, ALLOWED, _HERE),
        *all_of({**_NOBODYS, **logins}, BY_OPENBAO, _HERE),
    )


_KNOWN = Attempt("log in", ALLOWED, vault_knows())
DEVELOPER_CHECKS = (_KNOWN, *all_of(_OWN_ONES, ALLOWED), *all_of(_NOBODYS, BY_OPENBAO))

_NOT_A_WRITER_S = {
    "read a secret of the team": vault_reads("sre/data/{own}/isolation-check"),
    "delete a secret of the team": vault_deletes("sre/data/{own}/isolation-check"),
    "delete all versions of a secret of the team": vault_deletes(
        "sre/metadata/{own}/isolation-check"
    ),
    "read a robot's credential": vault_reads(_data("sre/{own}/harbor-push")),
    "change a robot's credential": vault_would_write("{own}/harbor-pull"),
    "change a key of a robot's credential": vault_would_write("{own}/harbor-pull", merge=True),
    "change the metadata of a secret of the team": vault_writes(
        "sre/metadata/{own}/isolation-check", {"max_versions": 1}
    ),
    **{what: request for what, request in _NOBODYS.items() if what != _WRITES},
}
# Of developers who may store secrets, and may not read them.
WRITER_CHECKS = (
    _KNOWN,
    *all_of(
        {
            "list the team's secrets": vault_reads("sre/metadata/{own}", method="LIST"),
            "list the keys of a secret of the team": vault_reads(
                "sre/subkeys/{own}/isolation-check"
            ),
            "create a secret of the team": vault_would_write("{own}/isolation-check-new"),
            "change a secret of the team": vault_would_write("{own}/isolation-check"),
            "change a key of a secret of the team": vault_would_write(
                "{own}/isolation-check", merge=True
            ),
        },
        ALLOWED,
    ),
    *all_of(_NOT_A_WRITER_S, BY_OPENBAO),
)
OTHER_PEOPLE_S_CHECKS = (_KNOWN, *all_of({**_OWN_ONES, **_NOBODYS}, BY_OPENBAO))

STRANGER_CHECKS = (
    Attempt(f"{_HERE}ask whether it is up", ALLOWED, vault_answers()),
    *all_of({**_OWN_ONES, **_NOBODYS}, BY_OPENBAO, _HERE),
)
