"""A Keycloak server: its API for administrators, and how people sign in."""

import base64
import hashlib
import html
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests

from clients.http import FORM, TIMEOUT, Http, RefusedError, UnreachableError

REALM = "sre"  # of the people; administrators' clients are in `master`

KUBERNETES_REDIRECT = "http://localhost:8000"  # where `kubectl oidc-login` waits for a person

_LOGIN_FORM = re.compile(r'<form id="kc-form-login"[^>]* action="([^"]*)"')
_SAID = re.compile(
    r'id="(?:input-error[\w-]*|kc-error-message)"[^>]*>(.*?)</(?:div|span)>', re.DOTALL
)


class Keycloak:
    """A realm of Keycloak, with the rights of a client that administers the server."""

    def __init__(
        self,
        address: str,
        client: tuple[str, str],
        ca_cert: Path,
        retries: int = 4,
        realm: str = REALM,
    ) -> None:
        """`client`: its ID and secret, in the realm `master`."""
        self.realm = realm
        self._client = client
        self._ca_cert = ca_cert
        self._http = Http(address, ca_cert, retries=retries)
        self._token = ""
        self._valid_until = 0.0

    @property
    def issuer(self) -> str:
        """The issuer that its tokens name."""
        return f"{self._http.address}/realms/{self.realm}"

    def ready(self) -> None:
        """Raise RefusedError or UnreachableError while it is starting."""
        self._http.call("GET", "health/ready", {})

    def call(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """`path` is below the realm's; "" is the realm. Raises RefusedError, UnreachableError."""
        where = f"admin/realms/{self.realm}/{path}".rstrip("/")
        return self._http.call(method, where, self._headers(), body, query)

    def create_realm(self, realm: Mapping[str, object]) -> None:
        """Create the realm with everything in it, unless it exists."""
        try:
            self.call("GET", "")
        except RefusedError as refusal:
            if refusal.status != 404:
                raise
            self._http.call("POST", "admin/realms", self._headers(), realm)

    def find(self, kind: str, **attributes: str) -> dict[str, Any] | None:
        """The one of the realm's `clients` or `users` that has these attributes."""
        found: list[dict[str, Any]] = self.call("GET", kind, query={**attributes, "exact": "true"})
        return found[0] if found else None

    def add_person(self, name: str, password: str, *groups: str) -> None:
        """Add a person in the groups at these paths, who can sign in at once."""
        self.call("POST", "users", {**person(name, password), "groups": groups})

    def remove_person(self, name: str) -> None:
        """Remove them, if they exist."""
        if found := self.find("users", username=name):
            self.call("DELETE", f"users/{found['id']}")

    def group(self, path: str) -> dict[str, Any] | None:
        """The group at that path, such as `team-alpha/developers`."""
        try:
            group: dict[str, Any] = self.call("GET", f"group-by-path/{quote(path.strip('/'))}")
        except RefusedError as refusal:
            if refusal.status == 404:
                return None
            raise
        return group

    def id_token(self, user: str, password: str, client: str = "kubernetes") -> str:
        """Sign a person in to a public client, as `kubectl oidc-login` does; its ID token."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": client,
            "redirect_uri": KUBERNETES_REDIRECT,
            "response_type": "code",
            "scope": "openid",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoints = f"{self.issuer}/protocol/openid-connect"
        code = self.sign_in(f"{endpoints}/auth?{urlencode(asked)}", user, password)
        answer = self._http.call(
            "POST",
            f"realms/{self.realm}/protocol/openid-connect/token",
            {},
            urlencode(
                {
                    "grant_type": "authorization_code",
                    "client_id": client,
                    "redirect_uri": KUBERNETES_REDIRECT,
                    "code": code["code"],
                    "code_verifier": verifier,
                }
            ),
            content_type=FORM,
        )
        return str(answer["id_token"])

    def sign_in(self, url: str, user: str, password: str) -> dict[str, str]:
        """Fill in its form as a person does in a browser, after a client has sent them to `url`.

        Returns what it sends back to the client. Raises RefusedError in the words of the page, and
        UnreachableError.
        """
        with requests.Session() as browser:
            browser.trust_env = False  # no proxy, and no other CA
            browser.verify = str(self._ca_cert)
            try:
                page = browser.get(url, timeout=TIMEOUT)
                form = _LOGIN_FORM.search(page.text)
                if not form:
                    raise RefusedError(self._http.address, page.status_code, _said(page))
                filled = {"username": user, "password": password}
                target = html.unescape(form[1])
                answer = browser.post(target, filled, timeout=TIMEOUT, allow_redirects=False)
            except requests.exceptions.RequestException:
                raise UnreachableError(self._http.address, "does not answer") from None
        if not answer.is_redirect:
            raise RefusedError(self._http.address, answer.status_code, _said(answer))
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def _headers(self) -> dict[str, str]:
        now = time.monotonic()
        if now >= self._valid_until:
            name, secret = self._client
            asked = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
            path = "realms/master/protocol/openid-connect/token"
            answer = self._http.call("POST", path, {}, urlencode(asked), content_type=FORM)
            self._token = answer["access_token"]
            self._valid_until = now + answer["expires_in"] / 2
        return {"Authorization": f"Bearer {self._token}"}


def person(name: str, password: str) -> dict[str, Any]:
    """A user with everything that Keycloak requires at sign-in."""
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.com",
        "emailVerified": True,
        "firstName": name.capitalize(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": password}],
    }


def _said(page: requests.Response) -> str:
    """What the page says to the person."""
    texts = (" ".join(re.sub(r"<[^>]*>", " ", text).split()) for text in _SAID.findall(page.text))
    return "; ".join(filter(None, texts)) or "a page without a form to sign in"
