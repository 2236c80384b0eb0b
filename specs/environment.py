"""What the program requires in the environment, and what must not be there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from specs.settings import Settings, check_url

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class Complaint(NamedTuple):
    """The target of `manage` that it concerns, and "what is wrong; what to do"."""

    target: str
    message: str


def complaints(settings: Settings) -> Iterator[Complaint]:
    """Missing addresses and credentials, and TLS verification that is turned off."""
    for target, variable, key, given in _needed(settings):
        value = given or os.environ.get(variable)
        if not value:
            instead = f", or {key} in the stack config" if key else ""
            yield Complaint(target, f"{variable} is not set; set it{instead}")
        elif key and not given:
            try:
                check_url(value)
            except ValueError as error:
                yield Complaint(target, f"{variable}: {error}")
    unverified = os.environ.get("VAULT_SKIP_VERIFY", "").lower() not in ("", "0", "f", "false")
    if settings.manage.openbao and unverified and not settings.openbao.skip_tls_verify:
        # The provider obeys it, whatever its arguments say.
        yield Complaint("openbao", "VAULT_SKIP_VERIFY turns off TLS verification; unset it")

    if _store_needs_address(settings):
        try:
            store_ca_cert(settings)
        except ValueError as error:
            yield Complaint("openbao", f"VAULT_CACERT: {error}")


def store_ca_cert(settings: Settings) -> str | None:
    """The PEM with which a secret store verifies OpenBao, if it uses the program's address.

    That is the CA of `VAULT_CACERT`, with which the program verifies it. None without that, or if
    the store reaches OpenBao at another address, which may have another certificate. Raises
    ValueError, "what is wrong; what to do".
    """
    file = os.environ.get("VAULT_CACERT")
    openbao = settings.openbao
    if not file or openbao.cluster_ca_cert or openbao.in_cluster or openbao.cluster_address:
        return None
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{file} cannot be read; name a file with the CA's certificate") from None
    certificates = _CERTIFICATE.findall(text)
    if not certificates:
        raise ValueError(
            f"{file} contains no PEM certificate; name a file with the CA's certificate"
        )
    # Nothing else in the file goes into the cluster.
    return "".join(f"{certificate}\n" for certificate in certificates)


def _needed(settings: Settings) -> Iterator[tuple[str, str, str, str | None]]:
    """What must be set: target, variable, the config key of an alternative address, its value."""
    if settings.manage.harbor:
        yield "harbor", "HARBOR_URL", "sre-platform:harbor.url", settings.harbor.url
        yield "harbor", "HARBOR_USERNAME", "", None
        yield "harbor", "HARBOR_PASSWORD", "", None
    if settings.manage.openbao or _store_needs_address(settings):
        yield "openbao", "VAULT_ADDR", "sre-platform:openbao.address", settings.openbao.address


def _store_needs_address(settings: Settings) -> bool:
    """Whether this stack creates a secret store that reaches OpenBao at the program's address."""
    makes_one = settings.platform or settings.external_secrets.secret_store == "tenant"
    openbao = settings.openbao
    elsewhere = openbao.in_cluster or openbao.cluster_address
    return settings.manage.kubernetes and makes_one and not elsewhere
