"""Which secrets are read (NIST 800-53 AC-6, IA-5)."""

from collections.abc import Iterator
from typing import Any

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules

_TOKEN = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"


def external_secret(pair: Pair) -> Iterator[Hit]:
    """What External Secrets brings into a namespace."""
    for key in sorted(_keys(pair.now("spec")) - _keys(pair.was("spec"))):
        yield Hit(Rules.SECRET_READ, f"{key}, as Secret {pair.object.name}")
    if pair.before and pair.now("spec.secretStoreRef") != pair.was("spec.secretStoreRef"):
        yield Hit(Rules.LOGIN, f"{pair.object.shown} is read through another store")


def secret(pair: Pair) -> Iterator[Hit]:
    """A Secret that the program itself writes, instead of External Secrets."""
    if pair.before:
        return
    shown, annotations = pair.object.shown, pair.now("metadata.annotations") or {}
    if pair.now("type") == _TOKEN:
        yield Hit(
            Rules.CREDENTIAL, f"{shown}: a token of {annotations.get(_ACCOUNT)} without expiry"
        )
    else:
        yield Hit(Rules.UNKNOWN, f"{shown} is not read from OpenBao")


def _keys(spec: Any) -> set[str]:
    spec = spec or {}
    whole = {f"all of {source}" for source in spec.get("dataFrom") or ()}
    return whole | {
        (each.get("remoteRef") or {}).get("key", "?") for each in spec.get("data") or ()
    }
