"""The matrix: what each kind of caller asks for, and who must refuse it.

It includes the checks of the Kubernetes multi-tenancy benchmark.
"""

from enum import StrEnum

from tools.isolation.namespace_attempts import everything, more_than_views, views
from tools.isolation.openbao_attempts import (
    DEVELOPER_CHECKS,
    OTHER_PEOPLE_S_CHECKS,
    STRANGER_CHECKS,
    WRITER_CHECKS,
    app_checks,
)
from tools.isolation.outside_attempts import outside_checks
from tools.isolation.own_attempts import OWN_CHECKS
from tools.isolation.requests import (
    Attempt,
    Request,
    acts_as,
    all_of,
    asks_who_it_is,
    may,
    reads_path,
)
from tools.isolation.stores import SHARED_STORE_CHECKS, TEAM_STORE_CHECKS
from tools.isolation.target_kinds import OWN
from tools.isolation.verdict import ALLOWED, BY_AUTHENTICATION, BY_RBAC


class Caller(StrEnum):
    """A kind of caller, of which each team has one or more."""

    DEVELOPER = "developer"
    VIEWER = "viewer"
    ROLE = "group with a role"
    APP = "app"
    ROBOT = "robot"
    ANONYMOUS = "anonymous"
    STORE = "secret store"
    DEVELOPER_IN_OPENBAO = "developer in OpenBao"
    WRITER_IN_OPENBAO = "developer who stores secrets"
    VIEWER_IN_OPENBAO = "viewer in OpenBao"
    ROLE_IN_OPENBAO = "group with a role in OpenBao"


# People who sign in to OpenBao; developers are of the first kind or of the second.
DEVELOPERS_IN_OPENBAO = (Caller.DEVELOPER_IN_OPENBAO, Caller.WRITER_IN_OPENBAO)
IN_OPENBAO = (*DEVELOPERS_IN_OPENBAO, Caller.VIEWER_IN_OPENBAO, Caller.ROLE_IN_OPENBAO)


_KNOWN: dict[str, Request] = {"authenticate to the API server": asks_who_it_is()}
_EVERYTHING = everything(OWN)
_REVIEWED: dict[str, Request] = {
    "the cluster's: impersonate a user": may("impersonate", "users"),
    "the cluster's: impersonate a group": may("impersonate", "groups"),
}


def checks(shared_store: bool) -> dict[Caller, tuple[Attempt, ...]]:
    """The whole matrix.

    `shared_store`: whether teams get their secrets through the ClusterSecretStore, or each through
    its own SecretStore.
    """
    return {
        Caller.DEVELOPER: (*OWN_CHECKS, *outside_checks(BY_RBAC), *all_of(_REVIEWED, BY_RBAC)),
        Caller.VIEWER: (
            *all_of({**_KNOWN, **views(OWN)}, ALLOWED),
            *all_of(more_than_views(OWN), BY_RBAC),
            *outside_checks(BY_RBAC),
            *all_of(_REVIEWED, BY_RBAC),
        ),
        # The role's author decides what the role itself grants.
        Caller.ROLE: (
            *all_of(_KNOWN, ALLOWED),
            *outside_checks(BY_RBAC),
            *all_of(_REVIEWED, BY_RBAC),
        ),
        Caller.APP: (
            *all_of(_KNOWN, ALLOWED),
            *all_of(_EVERYTHING, BY_RBAC),
            *outside_checks(BY_RBAC),
            Attempt(
                "the cluster's: impersonate an admin", BY_RBAC, acts_as("root", "system:masters")
            ),
            *app_checks(shared_store),
        ),
        Caller.ROBOT: (
            *all_of({**_KNOWN, **_EVERYTHING}, BY_AUTHENTICATION),
            *outside_checks(BY_AUTHENTICATION),
            *STRANGER_CHECKS,
        ),
        Caller.ANONYMOUS: (
            Attempt("read the API server's version", ALLOWED, reads_path("version")),
            *all_of({**_KNOWN, **_EVERYTHING}, BY_RBAC),
            *outside_checks(BY_RBAC),
            *STRANGER_CHECKS,
        ),
        Caller.STORE: SHARED_STORE_CHECKS if shared_store else TEAM_STORE_CHECKS,
        Caller.DEVELOPER_IN_OPENBAO: DEVELOPER_CHECKS,
        Caller.WRITER_IN_OPENBAO: WRITER_CHECKS,
        Caller.VIEWER_IN_OPENBAO: OTHER_PEOPLE_S_CHECKS,
        Caller.ROLE_IN_OPENBAO: OTHER_PEOPLE_S_CHECKS,
    }
