"""An OpenBao server."""

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from clients.http import Http, RefusedError
from specs.settings import OpenBaoSettings

REDIRECT = "http://localhost:8250/oidc/callback"  # where `bao login` waits for a person


class OpenBao:
    """OpenBao, as the bearer of one token sees it; None is a caller without a token."""

    def __init__(
        self,
        address: str,
        token: str | None,
        verify: bool | Path = True,
        namespace: str | None = None,
        retries: int = 4,
    ) -> None:
        self._http = Http(address, verify, retries=retries)
        self._headers = {"X-Vault-Request": "true"}
        if namespace:
            self._headers["X-Vault-Namespace"] = namespace
        if token:
            self._headers["X-Vault-Token"] = token

    @property
    def address(self) -> str:
        return self._http.address

    @property
    def has_token(self) -> bool:
        """Whether the caller is somebody; the token may have expired."""
        return "X-Vault-Token" in self._headers

    def with_token(self, token: str | None) -> Self:
        """The same server as the bearer of another token, or of none, sees it."""
        other = copy.copy(self)
        other._headers = {k: v for k, v in self._headers.items() if k != "X-Vault-Token"}
        if token:
            other._headers["X-Vault-Token"] = token
        return other

    def in_root(self) -> Self:
        """The same, in the root namespace; only that one knows about the server as a whole."""
        other = copy.copy(self)
        other._headers = {k: v for k, v in self._headers.items() if k != "X-Vault-Namespace"}
        return other

    def call(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """`path` is without `v1/`. Raises RefusedError and UnreachableError, like all methods."""
        return self._http.call(method, f"v1/{path}", self._headers, body, content_type=content_type)

    def read(self, path: str) -> dict[str, Any] | None:
        """The answer's `data`, or None if there is nothing at that path."""
        try:
            answer = self.call("GET", path)
        except RefusedError as refusal:
            if refusal.status == 404:
                return None
            raise
        data: dict[str, Any] = answer["data"]
        return data

    def login(self, role: str, jwt: str, mount: str = "kubernetes") -> Self:
        """Log in as a ServiceAccount does, with its token."""
        answer = self.call("POST", f"auth/{mount}/login", {"role": role, "jwt": jwt})
        return self.with_token(answer["auth"]["client_token"])

    def sign_in(
        self, browser: Callable[[str], Mapping[str, str]], mount: str = "oidc"
    ) -> tuple[Self, str]:
        """Sign a person in as `bao login -method=oidc` does; also return the ID of their entity.

        `browser` takes a URL and returns what the provider sends back from there.
        """
        stranger = self.with_token(None)
        asked = {"redirect_uri": REDIRECT, "role": ""}  # the mount's default role
        url = stranger.call("POST", f"auth/{mount}/oidc/auth_url", asked)["data"]["auth_url"]
        if not url:
            reason = f"auth/{mount} does not allow the redirect URI {REDIRECT}"
            raise RefusedError(self.address, 400, reason)
        back = browser(url)
        passed_on = urlencode({"state": back["state"], "code": back["code"]})
        auth = stranger.call("GET", f"auth/{mount}/oidc/callback?{passed_on}")["auth"]
        return self.with_token(auth["client_token"]), auth["entity_id"]


def openbao_of(settings: OpenBaoSettings, retries: int = 4) -> OpenBao | None:
    """The stack's OpenBao, with address, token and CA from where the provider takes them.

    None if there is no address.
    """
    return _openbao(settings, retries, "VAULT_")


def callers_openbao(settings: OpenBaoSettings, retries: int = 0) -> OpenBao | None:
    """The same, with what the caller's own `bao` takes: `BAO_...` comes before `VAULT_...`.

    Without retries, as a write must not be repeated unless its outcome is known.
    """
    return _openbao(settings, retries, "BAO_", "VAULT_")


def _openbao(settings: OpenBaoSettings, retries: int, *prefixes: str) -> OpenBao | None:
    """`prefixes` of environment variables; the first one that is set counts."""

    def variable(name: str) -> str | None:
        found = (os.environ.get(prefix + name) for prefix in prefixes)
        return next(filter(None, found), None)

    address = settings.address or variable("ADDR")
    if not address:
        return None
    ca_cert = variable("CACERT") or variable("CAPATH")
    verify: bool | Path = not settings.skip_tls_verify
    if verify and ca_cert:
        verify = Path(ca_cert)
    token = variable("TOKEN") or _left_by_login()
    return OpenBao(address, token, verify, variable("NAMESPACE"), retries)


def _left_by_login() -> str | None:
    """The token that `bao login` has left."""
    file = Path(os.environ.get("BAO_TOKEN_PATH") or Path.home() / ".vault-token")
    return file.read_text("utf-8", errors="replace").strip() if file.is_file() else None
