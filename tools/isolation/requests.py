"""What a check does: one request of a caller, which the servers grant or refuse.

Writes of objects to the API server are dry runs: they pass authorization and all of admission, and
change nothing. Granted tokens and logins are real, and short-lived.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from clients.http import RefusedError
from clients.kubernetes import Cluster
from clients.kv import KeyValue
from clients.openbao import OpenBao
from tools.isolation.people import People
from tools.isolation.samples import Object
from tools.isolation.target_kinds import ALL, TargetKind
from tools.isolation.verdict import NoRobotError, NotThisOneError, SelectsNothingError

# Where the program itself stores secrets: only the robots'.
_OF_ROBOTS = re.compile(r"sre/(metadata(/[^/]+)?|data/[^/]+/harbor-(pull|push))")

_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}


class Admin:
    """An administrator who sees everything and can tell whether a check has a target.

    Its methods raise SelectsNothingError. `ca_cert` verifies OpenBao. `people` are those who sign
    in, where there is a Keycloak.
    """

    def __init__(
        self, cluster: Cluster, openbao: OpenBao, ca_cert: Path, people: People | None = None
    ) -> None:
        self.cluster = cluster
        self.openbao = openbao
        self.ca_cert = ca_cert
        self.people = people
        self._listed: dict[tuple[str, str, str], list[Object]] = {}

    def objects(self, api_version: str, kind: str, namespace: str) -> list[Object]:
        """The kind's objects as first seen; "" is all namespaces."""
        place = (api_version, kind, namespace)
        if place not in self._listed:
            with admin_is_not_refused():
                self._listed[place] = self.cluster.list(api_version, kind, namespace or None)
        return self._listed[place]

    def path(self, api_version: str, kind: str, namespace: str | None, name: str = "") -> str:
        """The URL path of an object, or of the kind."""
        with admin_is_not_refused():
            return self.cluster.path(api_version, kind, namespace or None, name or None)

    def must_know(self, path: str, method: str) -> None:
        """Check that OpenBao has something at that path."""
        with admin_is_not_refused():
            try:
                self.openbao.call(method, path)
            except RefusedError as refusal:
                if refusal.status == 404 and _OF_ROBOTS.fullmatch(path):
                    raise NoRobotError(path) from None
                raise


@contextmanager
def admin_is_not_refused() -> Iterator[None]:
    """A refusal of the administrator must not count as a refusal of the caller."""
    try:
        yield
    except RefusedError as refusal:
        raise SelectsNothingError(str(refusal)) from None


class _Names(dict[str, str]):
    def __missing__(self, name: str) -> str:
        raise NotThisOneError(name)


@dataclass(frozen=True)
class Scene:
    """A caller as the two servers see it, and the values of the names in checks."""

    admin: Admin
    cluster: Cluster
    openbao: OpenBao
    names: Mapping[str, str]
    token: str = ""  # a ServiceAccount's

    def filled(self, value: Any) -> Any:
        """`value` with the names in its texts replaced."""
        if isinstance(value, str):
            return value.format_map(_Names(self.names))
        if isinstance(value, Mapping):
            return {self.filled(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        return value

    def found(self, kind: TargetKind, namespace: str) -> Object:
        """An existing object of the kind.

        Raises SelectsNothingError if there is none.
        """
        word, place = self.filled(kind.kind), self.filled(namespace)
        objects = self.admin.objects(self.filled(kind.api_version), word, place)
        name = self.filled(kind.name)
        for object in objects:
            if name in ("", object["metadata"]["name"]):
                return object
        where = f" in {place}" if place else ""
        raise SelectsNothingError(" ".join(f"no {word} {name}".split()) + where)

    def path(self, kind: TargetKind, namespace: str) -> str:
        """The URL path of that object."""
        name = self.found(kind, namespace)["metadata"]["name"]
        version, place = self.filled(kind.api_version), self.filled(namespace)
        return self.admin.path(version, self.filled(kind.kind), place, name)


Request = Callable[[Scene], object]


class Attempt(NamedTuple):
    """`what` a caller asks for, and the `expected` outcome."""

    what: str
    expected: str
    request: Request


def all_of(requests: Mapping[str, Request], expected: str, before: str = "") -> list[Attempt]:
    """A check of each; its description starts with `before`."""
    return [Attempt(before + what, expected, request) for what, request in requests.items()]


def creates(wanted: Object) -> Request:
    """POST the object."""

    def request(scene: Scene) -> object:
        made = scene.filled(wanted)
        namespace = made["metadata"].get("namespace")
        path = scene.admin.path(made["apiVersion"], made["kind"], namespace)
        return scene.cluster.call("POST", path, made, _DRY_RUN)

    return request


def lists(kind: TargetKind, namespace: str = ALL) -> Request:
    """GET the kind's objects; there must be some."""
    return lambda scene: scene.cluster.call("GET", scene.path(kind, namespace).rpartition("/")[0])


def reads(kind: TargetKind, namespace: str = ALL, below: str = "") -> Request:
    """GET an object; `below` names a part of it, such as `/log`."""
    return lambda scene: scene.cluster.call("GET", scene.path(kind, namespace) + below)


def changes(kind: TargetKind, namespace: str, change: Object) -> Request:
    """A merge PATCH of an object."""
    return lambda scene: scene.cluster.call(
        "PATCH",
        scene.path(kind, namespace),
        scene.filled(change),
        _DRY_RUN,
        "application/merge-patch+json",
    )


def deletes(kind: TargetKind, namespace: str = ALL) -> Request:
    """DELETE an object."""
    return lambda scene: scene.cluster.call(
        "DELETE", scene.path(kind, namespace), query={"dryRun": "All"}
    )


def connects(kind: TargetKind, namespace: str, below: str) -> Request:
    """POST to a part of an object, such as `/exec`."""
    return lambda scene: scene.cluster.call("POST", scene.path(kind, namespace) + below)


def gets_token(namespace: str, account: str = "default") -> Request:
    """A TokenRequest for a ServiceAccount."""
    body: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    kind = TargetKind("v1", "ServiceAccount", account)
    return lambda scene: scene.cluster.call("POST", scene.path(kind, namespace) + "/token", body)


def asks_who_it_is() -> Request:
    """A SelfSubjectReview, which everyone who is authenticated may make."""
    return lambda scene: scene.cluster.who_am_i()


def reads_path(path: str) -> Request:
    """GET a path that is not an object's."""
    return lambda scene: scene.cluster.call("GET", path)


def may(verb: str, resource: str) -> Request:
    """If no request can show it: what the API server's authorizers say about the caller."""

    def request(scene: Scene) -> None:
        if not scene.cluster.may(verb, "", resource):
            reason = f'User "" cannot {verb} resource "{resource}"'  # in the authorizers' words
            raise RefusedError(scene.cluster.address, 403, reason)

    return request


def acts_as(user: str, group: str) -> Request:
    """A request with impersonation headers, for a caller with a token."""
    return lambda scene: scene.cluster.impersonating(user, group).call("GET", "api/v1/namespaces")


def vault_reads(path: str, of: str = "", method: str = "GET") -> Request:
    """Read (or LIST) something in OpenBao; `of` is its real path if `path` is a detour."""

    def request(scene: Scene) -> object:
        scene.admin.must_know(scene.filled(of or path), method)
        return scene.openbao.call(method, scene.filled(path))

    return request


def vault_writes(path: str, body: Object) -> Request:
    """A write in OpenBao, which has no dry run: only for writes that must be refused."""
    return lambda scene: scene.openbao.call("POST", scene.filled(path), scene.filled(body))


def vault_would_write(path: str, merge: bool = False) -> Request:
    """A write of a secret that OpenBao's policies admit or refuse, and that changes nothing."""
    return lambda scene: KeyValue(scene.openbao).try_to_write(scene.filled(path), merge)


def vault_deletes(path: str) -> Request:
    """A deletion in OpenBao, which has no dry run: only of what this run has made itself."""

    def request(scene: Scene) -> object:
        scene.admin.must_know(scene.filled(path), "GET")
        return scene.openbao.call("DELETE", scene.filled(path))

    return request


def vault_knows() -> Request:
    """Look up its own token, which everyone who is logged in may do."""
    return lambda scene: scene.openbao.call("GET", "auth/token/lookup-self")


def vault_answers() -> Request:
    """Read something that OpenBao shows to everyone."""
    return lambda scene: scene.openbao.call("GET", "sys/health")


def logs_in(role: str) -> Request:
    """A login with the ServiceAccount's token and an existing role."""

    def request(scene: Scene) -> object:
        scene.admin.must_know(scene.filled(f"auth/kubernetes/role/{role}"), "GET")
        return scene.openbao.login(scene.filled(role), scene.token)

    return request
