"""Which secrets are read (NIST 800-53 AC-6, IA-5)."""

from collections.abc import Iterator, Mapping
from typing import Any

from specs.env_vars import VALUE
from tools.review.pair import Hit, Pair, listed
from tools.review.review_findings import Rules

_TOKEN = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"

_ALL = "all keys"

# Keys that are read, by secret.
Reads = dict[str, set[str]]


def external_secret(pair: Pair) -> Iterator[Hit]:
    """What External Secrets brings into a namespace."""
    for what in new_reads(_stored(pair.was("spec")), _stored(pair.now("spec")), kind=""):
        yield Hit(Rules.SECRET_READ, f"{what}, as Secret {pair.object.name}")
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


def in_variables(container: Mapping[str, Any]) -> Reads:
    """What a container's variables read."""
    reads: Reads = {}
    for variable in container.get("env") or ():
        if source := (variable.get("valueFrom") or {}).get("secretKeyRef"):
            reads.setdefault(source.get("name"), set()).add(source.get("key"))
    for source in container.get("envFrom") or ():
        if "secretRef" in source:
            reads.setdefault(source["secretRef"].get("name"), set()).add(_ALL)
    return reads


def in_volumes(pod: Mapping[str, Any]) -> Reads:
    """What a pod's containers read as files."""
    reads: Reads = {}
    for volume in pod.get("volumes") or ():
        if source := volume.get("secret"):
            keys = {each.get("key") for each in source.get("items") or ()} or {_ALL}
            reads.setdefault(source.get("secretName"), set()).update(keys)
    return reads


def new_reads(before: Reads, after: Reads, kind: str = "Secret ") -> Iterator[str]:
    """What is read and was not, in words; a secret's only key is not named."""
    for secret, keys in sorted(after.items()):
        had = before.get(secret, set())
        new = sorted(keys - had)
        if new and _ALL not in had:
            of = "" if new == [VALUE] else f"{listed(new)} of "
            yield f"{of}{kind}{secret}"


def _stored(spec: Any) -> Reads:
    """What an ExternalSecret reads from OpenBao."""
    reads: Reads = {}
    for each in (spec or {}).get("data") or ():
        remote = each.get("remoteRef") or {}
        reads.setdefault(remote.get("key", "?"), set()).add(remote.get("property") or _ALL)
    for source in (spec or {}).get("dataFrom") or ():
        secret = (source.get("extract") or {}).get("key") or str(source)
        reads.setdefault(secret, set()).add(_ALL)
    return reads
