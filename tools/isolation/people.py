"""People who sign in with Keycloak during a run of the matrix: one member of each group."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from clients.keycloak import Keycloak
from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from tools.isolation.samples import NAME
from tools.isolation.verdict import SelectsNothingError


class People:
    """Members of groups in Keycloak, with a password that only this run knows.

    `openbao` is a client with an administrator's token.
    """

    def __init__(self, keycloak: Keycloak, openbao: OpenBao) -> None:
        self._keycloak = keycloak
        self._openbao = openbao
        self._password = secrets.token_urlsafe(24)
        self._members: dict[str, str] = {}
        self._entities: list[str] = []

    @contextmanager
    def made(self, groups: Iterable[str]) -> Iterator[None]:
        """Create a member of each of these groups, and remove them all at the end.

        Each is in one group only. Groups that Keycloak does not have are left out.
        """
        try:
            for number, group in enumerate(groups):
                if self._keycloak.group(group):
                    name = self._members[group] = f"{NAME}-{number}"
                    self._keycloak.remove_person(name)  # left by a run that was killed
                    self._keycloak.add_person(name, self._password, group)
            yield
        finally:
            for name in self._members.values():
                self._keycloak.remove_person(name)
            for entity in self._entities:
                self._openbao.call("DELETE", f"identity/entity/id/{entity}")

    def in_cluster(self, cluster: Cluster, group: str, known_as: str) -> Cluster:
        """A client of the API server for a member, whose group it must know as `known_as`."""
        token = self._keycloak.id_token(self._member(group), self._password)
        signed_in = cluster.with_token(token)
        groups = set(signed_in.who_am_i()["groups"])
        if known_as not in groups:
            seen = ", ".join(sorted(groups - {"system:authenticated"})) or "no group"
            raise SelectsNothingError(
                f"the API server sees a member of {group} in {seen}, not in {known_as}"
            )
        return signed_in

    def in_openbao(self, group: str) -> OpenBao:
        """A client of OpenBao for a member."""
        name = self._member(group)
        signed_in, entity = self._openbao.sign_in(
            lambda url: self._keycloak.sign_in(url, name, self._password)
        )
        self._entities.append(entity)
        return signed_in

    def _member(self, group: str) -> str:
        if group not in self._members:
            raise SelectsNothingError(f"Keycloak has no group {group}")
        return self._members[group]
