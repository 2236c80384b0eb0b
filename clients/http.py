"""JSON over HTTP, with TLS verified unless switched off, and with one-line errors."""

import ssl
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# Answers after which a retry makes sense: too many requests, or a passing fault.
PASSING = (429, 500, 502, 503, 504)
REPEATABLE = frozenset({"GET", "LIST", "PUT", "PATCH", "DELETE"})
TIMEOUT = (5, 30)  # seconds to connect, and to wait for an answer
FORM = "application/x-www-form-urlencoded"
PATIENCE = 10  # seconds to wait at most if an answer says when to retry


class RefusedError(Exception):
    """The server refused the request. `status` is HTTP's, `reason` the server's own words."""

    def __init__(self, server: str, status: int, reason: str) -> None:
        super().__init__(f"{server} answered {status}: {reason}")
        self.server = server
        self.status = status
        self.reason = reason


class UnreachableError(Exception):
    """No answer: nothing listens there, or the connection broke.

    `untrusted`: something listens there, but its certificate cannot be verified, or the file with
    the CA to verify it with cannot be read.
    """

    def __init__(self, server: str, why: str, untrusted: bool = False) -> None:
        super().__init__(f"{server} {why}")
        self.untrusted = untrusted


class CredentialError(UnreachableError):
    """The request cannot be sent, because the caller's own credential cannot be used."""


class Http:
    """One server; safe to use from several threads.

    `verify`: a file with the CA's certificates, True for the machine's own (or `SSL_CERT_FILE`,
    which the providers also use), False for no check.
    """

    def __init__(
        self,
        address: str,
        verify: bool | Path = True,
        client_cert: tuple[str, str] | None = None,
        retries: int = 4,
    ) -> None:
        self.address = address.rstrip("/")
        if verify is False:  # the caller's choice, which it reports in its own words
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session = requests.Session()
        self._verify = str(verify) if isinstance(verify, Path) else verify and _machine_cas()
        self._session.cert = self._client_cert = client_cert
        # Otherwise a machine's .netrc would replace the Authorization header.
        self._session.auth = lambda request: request
        # No proxy reaches this machine's own servers; the Go clients bypass it by default.
        self._session.trust_env = urlsplit(address).hostname not in ("127.0.0.1", "localhost")
        retry = Retry(
            retries,
            redirect=0,
            status_forcelist=PASSING,
            allowed_methods=REPEATABLE,
            backoff_factor=0.2,
            raise_on_status=False,
            retry_after_max=PATIENCE,
        )
        adapter = HTTPAdapter(pool_maxsize=32, max_retries=retry)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Return the decoded answer; None if empty, text if it is not JSON (`ok` of `/readyz`).

        `body` is sent as JSON; a text is sent as it is.
        Raises RefusedError for a status of 300 and above, UnreachableError if there is no answer.
        """
        response = self._send(method, path, headers, body, query, content_type)
        try:
            return response.json() if response.content else None
        except ValueError:
            return response.text

    def text(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> str:
        """Return the answer as text, JSON or not. Raises what `call` raises."""
        response = self._send(method, path, headers, None, query)
        return response.content.decode("utf-8", "replace")

    def lines(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str], seconds: float
    ) -> Generator[str]:
        """Yield the lines of an answer to a GET as they arrive; silence may last so many seconds.

        Raises what `call` raises. An answer that breaks off ends as if it were complete.
        """
        timeout = (TIMEOUT[0], seconds)
        response = self._send("GET", path, headers, None, query, timeout=timeout, stream=True)
        with response, suppress(requests.exceptions.RequestException):
            for line in response.iter_lines():
                yield line.decode("utf-8", "replace")

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: object,
        query: Mapping[str, str] | None,
        content_type: str = "application/json",
        timeout: tuple[float, float] = TIMEOUT,
        stream: bool = False,
    ) -> requests.Response:
        """The answer with a status below 300."""
        try:
            response = self._session.request(
                method,
                f"{self.address}/{path.lstrip('/')}",
                json=None if isinstance(body, str) else body,
                data=body if isinstance(body, str) else None,
                params=query,
                headers={**headers, **({"Content-Type": content_type} if body is not None else {})},
                timeout=timeout,
                stream=stream,
                allow_redirects=False,
                # Not the session's `verify`: REQUESTS_CA_BUNDLE would override it.
                verify=self._verify,
            )
        except (requests.exceptions.InvalidHeader, UnicodeError):
            why = "cannot be asked: the credential holds characters that no header may"
            raise CredentialError(self.address, why) from None
        except requests.exceptions.SSLError as error:
            self._check_client_cert()
            why = "shows a certificate that cannot be verified" + _detail(error)
            raise UnreachableError(self.address, why, untrusted=True) from None
        except requests.exceptions.RequestException as error:
            raise UnreachableError(self.address, "does not answer" + _detail(error)) from None
        except OSError as error:  # about a file that `verify` or `client_cert` names
            self._check_client_cert()
            why = f"cannot be verified: {error}"
            raise UnreachableError(self.address, why, untrusted=True) from None
        if response.status_code >= 300:
            raise RefusedError(self.address, response.status_code, _reason(response))
        return response

    def _check_client_cert(self) -> None:
        """Raise CredentialError if TLS cannot use it; TLS's errors do not say whose file it is."""
        if self._client_cert:
            try:
                # A password, because otherwise OpenSSL prompts on the terminal for that of an
                # encrypted key.
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
                    *self._client_cert, password=""
                )
            except OSError as error:
                why = f"cannot be asked: the client certificate or its key{_detail(error)}"
                raise CredentialError(self.address, why) from None


def _machine_cas() -> str | bool:
    """The CAs that this machine trusts, or those in Python's packages if it has none."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _detail(error: Exception) -> str:
    """The innermost cause, such as "Connection refused"; the layers above repeat addresses."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or next(
            (arg for arg in cause.args if isinstance(arg, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    return f" ({text})" if text else ""


# Kubernetes', and those of Keycloak's two APIs.
_MESSAGES = ("message", "errorMessage", "error_description")


def _reason(response: requests.Response) -> str:
    """The message of Kubernetes, OpenBao, Harbor or Keycloak, in one line."""
    try:
        document = response.json()
    except ValueError:
        return response.reason or "no reason given"
    if not isinstance(document, dict):
        return response.reason
    errors = document.get("errors") or []  # OpenBao's and Harbor's
    said = [document.get(key) for key in _MESSAGES] + [
        error.get("message") if isinstance(error, dict) else error for error in errors
    ]
    return "; ".join(" ".join(str(text).split()) for text in said if text) or response.reason
