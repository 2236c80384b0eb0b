"""What OpenBao or Harbor refuses, as one line for the caller: what is wrong; what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from clients.http import CredentialError, RefusedError, UnreachableError
from clients.openbao import OpenBao, callers_openbao
from specs.settings import Settings, check_url
from tools.secrets.error import SecretError

_LOG_IN = "log in (`bao login -method=oidc`), or set BAO_TOKEN"

_CHECK = "check the address and the network"

# Whatever its state, OpenBao answers 200 to this, also without a token.
_HEALTH = "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200"


def callers_login(settings: Settings, retries: int = 0) -> OpenBao:
    """The stack's OpenBao with the caller's own login.

    Raises SecretError if it cannot be reached, is not ready, or the caller has no token.
    """
    with explained():
        openbao = callers_openbao(settings.openbao, retries)
        if openbao is None:
            raise SecretError(
                "no address of OpenBao; set BAO_ADDR, or sre-platform:openbao.address in the "
                "stack's file"
            )
        try:
            check_url(openbao.address)
        except ValueError as error:
            raise SecretError(f"BAO_ADDR: {error}") from None
        _check_ready(openbao)
        if not openbao.has_token:
            raise SecretError(f"not logged in to {openbao.address}; {_LOG_IN}")
        return openbao


def _check_ready(openbao: OpenBao) -> None:
    try:
        # Without the token: whoever answers there may not be an OpenBao.
        health = openbao.in_root().with_token(None).call("GET", _HEALTH)
    except RefusedError as refusal:
        if refusal.status >= 500:
            raise
        health = None
    if not isinstance(health, dict) or "sealed" not in health:
        raise SecretError(f"{openbao.address} is not an OpenBao; check the address")
    if not health["initialized"]:
        raise SecretError(f"{openbao.address} is not initialised; ask the platform team")
    if health["sealed"]:
        raise SecretError(f"{openbao.address} is sealed; ask the platform team to unseal it")


def policies(openbao: OpenBao) -> list[str]:
    """The policies of the caller's login. Raises SecretError if it is not valid any more."""
    try:
        login = openbao.call("GET", "auth/token/lookup-self")["data"]
    except RefusedError as refusal:
        if refusal.status != 403:
            raise
        raise SecretError(
            f"the login at {openbao.address} is not valid, or not any more; {_LOG_IN}"
        ) from None
    return sorted({*login["policies"], *(login.get("identity_policies") or ())})


def forbidden(openbao: OpenBao, capability: str, path: str) -> SecretError:
    """The caller's login lacks the capability. Raises SecretError if it is not valid any more."""
    return SecretError(
        f"your login may not {capability} {path} (its policies: {', '.join(policies(openbao))}); "
        f"ask the platform team for one with `{capability}` there"
    )


@contextmanager
def explained(ca_variable: str = "BAO_CACERT") -> Iterator[None]:
    """Turn what a server answers into SecretError; the variable is where its CA is named."""
    try:
        yield
    except CredentialError as error:
        raise SecretError(f"{error}; {_LOG_IN}") from None
    except UnreachableError as error:
        do = f"name its CA in {ca_variable}" if error.untrusted else _CHECK
        raise SecretError(f"{error}; {do}") from None
    except RefusedError as refusal:
        if "no handler for route" in refusal.reason:
            do = "the platform's stack makes the mount sre: run its `pulumi up` first"
            raise SecretError(f"{refusal}; {do}") from None
        if refusal.status >= 500:
            raise SecretError(f"{refusal}; try again later") from None
        # Not in the server's own words, which may repeat what it was sent.
        raise SecretError(
            f"{refusal.server} answered {refusal.status}; ask the platform team"
        ) from None
