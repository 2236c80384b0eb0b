"""Whether the cluster has the StorageClasses of the apps' volumes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients.http import RefusedError
from clients.kubernetes import Cluster
from tools.doctor.examination import Outcome, ok, skipped, warn

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def storage_classes(cluster: Cluster, claims: Sequence[Mapping[str, Any]]) -> Iterator[Outcome]:
    """A claim of a class that does not exist waits for it, and its pods with it."""
    try:
        found = [one["metadata"] for one in cluster.list("storage.k8s.io/v1", "StorageClass")]
    except RefusedError as refusal:
        if refusal.status != 403:
            raise
        yield skipped("this identity may not list them")
        return
    known = {one["name"] for one in found}
    there = ", ".join(sorted(known)) or "none"
    is_default = any((one.get("annotations") or {}).get(_DEFAULT) == "true" for one in found)
    missing = False
    for name in sorted({claim["spec"].get("storageClassName") or "" for claim in claims}):
        if name in known or (not name and is_default):
            continue
        missing = True
        waiting = ", ".join(
            f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"
            for claim in claims
            if (claim["spec"].get("storageClassName") or "") == name
        )
        yield warn(
            f"no StorageClass {name}, for {waiting}" if name else f"no default, for {waiting}",
            f"create it, or write another `storageClass` (there: {there})",
        )
    if not missing:
        yield ok(f"{len(known)} there, with those of {len(claims)} volumes")
