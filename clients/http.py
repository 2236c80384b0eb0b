"""JSON over HTTP, TLS verified unless told otherwise, with errors that fit in a line."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# Answers after which the same question may be asked again: too many requests, or a passing fault.
PASSING = (429, 500, 502, 503, 504)
REPEATABLE = frozenset({"GET", "LIST", "PUT", "PATCH", "DELETE"})
TIMEOUT = (5, 30)  # seconds to connect, and to wait for an answer
PATIENCE = 10  # seconds to wait at most where an answer says when to ask again


class RefusedError(Exception):
    """The server answered, and said no. `status` is HTTP's, `reason` the server's own words."""

    def __init__(self, server: str, status: int, reason: str) -> None:
        super().__init__(f"{server} answered {status}: {reason}")
        self.status = status
        self.reason = reason


class UnreachableError(Exception):
    """No answer at all: nobody there, or a broken connection.

    `untrusted`: somebody is there, with a certificate that cannot be verified, or the file with the
    CA to verify it with cannot be read.
    """

    def __init__(self, server: str, why: str, untrusted: bool = False) -> None:
        super().__init__(f"{server} {why}")
        self.untrusted = untrusted


class CredentialError(UnreachableError):
    """The server cannot be asked: our own credential is not one that can be sent."""


class Http:
    """One server; safe to use from several threads.

    `verify`: a file with the CA's certificates, True for the machine's own (or `SSL_CERT_FILE`, as
    the providers have it), False for no check.
    """

    def __init__(
        self,
        address: str,
        verify: bool | Path = True,
        client_cert: tuple[str, str] | None = None,
        retries: int = 4,
    ) -> None:
        self.address = address.rstrip("/")
        if verify is False:  # the caller's choice, and to be told in the caller's words
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session = requests.Session()
        self._verify = str(verify) if isinstance(verify, Path) else verify and _machine_cas()
        self._session.cert = self._client_cert = client_cert
        # Without it a machine's .netrc would replace our Authorization header.
        self._session.auth = lambda request: request
        # No proxy reaches this machine's own servers; the Go clients leave it out by themselves.
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
        """The decoded answer; None for an empty one, text where it is no JSON (`ok` of `/readyz`).

        Raises RefusedError for a status of 300 and above, UnreachableError where there is none.
        """
        try:
            response = self._session.request(
                method,
                f"{self.address}/{path.lstrip('/')}",
                json=body,
                params=query,
                headers={**headers, **({"Content-Type": content_type} if body is not None else {})},
                timeout=TIMEOUT,
                allow_redirects=False,
                # Not the session's: that one gives way to REQUESTS_CA_BUNDLE.
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
        except OSError as error:  # of a file that `verify` or `client_cert` names
            self._check_client_cert()
            why = f"cannot be verified: {error}"
            raise UnreachableError(self.address, why, untrusted=True) from None
        if response.status_code >= 300:
            raise RefusedError(self.address, response.status_code, _reason(response))
        try:
            return response.json() if response.content else None
        except ValueError:
            return response.text

    def _check_client_cert(self) -> None:
        """Raises CredentialError if TLS cannot use it; its errors do not say whose file it is."""
        if self._client_cert:
            try:
                # A password, for else OpenSSL asks the terminal for that of an encrypted key.
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
                    *self._client_cert, password=""
                )
            except OSError as error:
                why = f"cannot be asked: the client certificate or its key{_detail(error)}"
                raise CredentialError(self.address, why) from None


def _machine_cas() -> str | bool:
    """The CAs that this machine trusts; those that Python's packages bring, where it has none."""
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


def _reason(response: requests.Response) -> str:
    """What Kubernetes (`message`), OpenBao or Harbor (`errors`) say, in a line."""
    try:
        document = response.json()
    except ValueError:
        return response.reason or "no reason given"
    if not isinstance(document, dict):
        return response.reason
    errors = document.get("errors") or []
    said = [document.get("message")] + [
        error.get("message") if isinstance(error, dict) else error for error in errors
    ]
    return "; ".join(" ".join(str(text).split()) for text in said if text) or response.reason
