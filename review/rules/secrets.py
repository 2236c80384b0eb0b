"""Which secrets are read (NIST 800-53 AC-6, IA-5)."""

from collections.abc import Iterator
from typing import Any

from review.findings import Rules
from review.pair import Hit, Pair


def external_secret(pair: Pair) -> Iterator[Hit]:
    """What External Secrets brings to a namespace."""
    for key in sorted(_keys(pair.now("spec")) - _keys(pair.was("spec"))):
        yield Hit(Rules.SECRET_READ, f"{key}, as Secret {pair.object.name}")
    if pair.before and pair.now("spec.secretStoreRef") != pair.was("spec.secretStoreRef"):
        yield Hit(Rules.LOGIN, f"{pair.object.shown} is read through another store")


def _keys(spec: Any) -> set[str]:
    spec = spec or {}
    whole = {f"all of {source}" for source in spec.get("dataFrom") or ()}
    return whole | {
        (each.get("remoteRef") or {}).get("key", "?") for each in spec.get("data") or ()
    }
