"""A Harbor registry."""

import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients.http import Http
from specs.settings import HarborSettings


class Harbor:
    """Harbor, as one user or robot sees it."""

    def __init__(
        self,
        address: str,
        username: str,
        password: str,
        verify: bool | Path = True,
        retries: int = 4,
    ) -> None:
        self._http = Http(address, verify, retries=retries)
        login = b64encode(f"{username}:{password}".encode()).decode("ascii")
        # Paths contain a project's name, not its number.
        self._headers = {"Authorization": f"Basic {login}", "X-Is-Resource-Name": "true"}

    @property
    def address(self) -> str:
        return self._http.address

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """`path` is without `api/v2.0/`. Raises RefusedError and UnreachableError.

        With a wrong password, Harbor treats the caller as anonymous and returns no error, except
        for `users/current`.
        """
        return self._http.call("GET", f"api/v2.0/{path}", self._headers, query=query)

    def robots(self, project: int) -> Any:
        """The robots of a project, by its number; a project has at most a few."""
        query = {"q": f"Level=project,ProjectID={project}", "page_size": "100"}
        return self.get("robots", query)

    def set_password(self, robot: int, password: str) -> None:
        """Give a robot, by its number, that password in place of the one it has.

        Harbor asks for 8 to 128 characters, with a capital, a small letter and a digit.
        """
        path = f"api/v2.0/robots/{robot}"
        self._http.call("PATCH", path, self._headers, {"secret": password})


def harbor_of(settings: HarborSettings, retries: int = 4) -> Harbor:
    """The stack's Harbor, with address and login from where the provider takes them."""
    return Harbor(
        settings.url or os.environ["HARBOR_URL"],
        os.environ["HARBOR_USERNAME"],
        os.environ["HARBOR_PASSWORD"],
        not settings.insecure,
        retries,
    )
