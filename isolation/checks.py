"""The matrix: for each kind of caller, what it asks for and who is to refuse it.

The checks of the Kubernetes multi-tenancy benchmark are among them.
"""

from enum import StrEnum

from isolation.kinds import DEPLOYMENT, OWN, OWN_NAMESPACE, POD, QUOTA, SECRET
from isolation.objects import binding, external_secret, network_policy, pod, role, service
from isolation.openbao_checks import STRANGER_CHECKS, app_checks
from isolation.outside_checks import OUTSIDE_CHECKS
from isolation.own_checks import OWN_CHECKS
from isolation.requests import (
    Check,
    Request,
    acts_as,
    all_of,
    asks_who_it_is,
    changes,
    connects,
    creates,
    deletes,
    gets_token,
    lists,
    may,
    reads,
    reads_path,
)
from isolation.stores import SHARED_STORE_CHECKS, TEAM_STORE_CHECKS
from isolation.verdict import ALLOWED, BY_AUTHENTICATION, BY_RBAC


class Caller(StrEnum):
    """Who asks: a kind of caller, of which each team has one or more."""

    DEVELOPER = "developer"
    VIEWER = "viewer"
    APP = "app"
    ROBOT = "robot"
    ANONYMOUS = "anonymous"
    STORE = "secret store"


_READS: dict[str, Request] = {
    "list pods": lists(POD, OWN),
    "read a pod": reads(POD, OWN),
    "list Deployments": lists(DEPLOYMENT, OWN),
    "read the quota": reads(QUOTA, OWN),
}
_SECRETS: dict[str, Request] = {
    "list secrets": lists(SECRET, OWN),
    "read a secret": reads(SECRET, OWN),
    "get a token of a ServiceAccount": gets_token(OWN),
}
_WRITES: dict[str, Request] = {
    "run a command in a pod": connects(POD, OWN, "/exec"),
    "forward a port of a pod": connects(POD, OWN, "/portforward"),
    "create a pod": creates(pod()),
    "create a Service": creates(service()),
    "create an ExternalSecret": creates(external_secret()),
    "create a NetworkPolicy": creates(network_policy()),
    "create a Role": creates(role()),
    "create a RoleBinding": creates(binding()),
    "change a Deployment": changes(DEPLOYMENT, OWN, {"spec": {"replicas": 0}}),
    "change the quota": changes(QUOTA, OWN, {"spec": {"hard": {"pods": "999"}}}),
    "label the namespace": changes(OWN_NAMESPACE, "", {"metadata": {"labels": {"own": "label"}}}),
    "delete a pod": deletes(POD, OWN),
}
_KNOWN: dict[str, Request] = {"be known to the API server": asks_who_it_is()}
_EVERYTHING = {**_READS, **_SECRETS, **_WRITES}
_REVIEWED: dict[str, Request] = {
    "the cluster's: impersonate a user": may("impersonate", "users"),
    "the cluster's: impersonate a group": may("impersonate", "groups"),
}


def checks(shared_store: bool) -> dict[Caller, tuple[Check, ...]]:
    """The whole matrix.

    `shared_store`: whether teams have their secrets through the ClusterSecretStore, or each through
    a SecretStore of its own.
    """
    return {
        Caller.DEVELOPER: (*OWN_CHECKS, *OUTSIDE_CHECKS, *all_of(_REVIEWED, BY_RBAC)),
        Caller.VIEWER: (
            *all_of({**_KNOWN, **_READS}, ALLOWED),
            *all_of({**_SECRETS, **_WRITES}, BY_RBAC),
            *OUTSIDE_CHECKS,
            *all_of(_REVIEWED, BY_RBAC),
        ),
        Caller.APP: (
            *all_of(_KNOWN, ALLOWED),
            *all_of(_EVERYTHING, BY_RBAC),
            *OUTSIDE_CHECKS,
            Check(
                "the cluster's: impersonate an admin", BY_RBAC, acts_as("root", "system:masters")
            ),
            *app_checks(shared_store),
        ),
        Caller.ROBOT: (
            *all_of({**_KNOWN, **_EVERYTHING}, BY_AUTHENTICATION),
            *STRANGER_CHECKS,
        ),
        Caller.ANONYMOUS: (
            Check("read the API server's version", ALLOWED, reads_path("version")),
            *all_of({**_KNOWN, **_EVERYTHING}, BY_RBAC),
            *STRANGER_CHECKS,
        ),
        Caller.STORE: SHARED_STORE_CHECKS if shared_store else TEAM_STORE_CHECKS,
    }
