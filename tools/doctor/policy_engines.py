"""Whether something that enforces NetworkPolicies runs: without it, every connection passes."""

from collections.abc import Iterator, Mapping
from typing import Any

from clients.kubernetes import Cluster
from tools.doctor import pods
from tools.doctor.examination import Outcome, ok, warn

_LABEL = "k8s-app"
# By that label of its pods, as its own manifests and charts set it.
_ENGINES = {
    "calico-node": "Calico",
    "canal": "Calico",
    "cilium": "Cilium",
    "kube-network-policies": "kube-network-policies",
}


def policy_engines(cluster: Cluster) -> Iterator[Outcome]:
    """The DaemonSets of engines that are known. Whether a packet is dropped is not tried."""
    known = False
    for each in cluster.list("apps/v1", "DaemonSet"):
        labels = each["spec"]["template"]["metadata"].get("labels") or {}
        if labels.get(_LABEL) in _ENGINES:
            known = True
            yield _ready(each["metadata"], each["status"])
    if not known:
        names = ", ".join(dict.fromkeys(_ENGINES.values()))
        yield warn(
            f"not known whether anything enforces them: no DaemonSet is one of {names}",
            "try a connection that they deny, as docs/operations.md describes",
        )


def _ready(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> Outcome:
    ready, wanted = status["numberReady"], status["desiredNumberScheduled"]
    found = f"DaemonSet {metadata['namespace']}/{metadata['name']}: {ready} of {wanted} pods ready"
    if 0 < wanted <= ready:
        return ok(f"{found}; no connection is tried")
    return warn(
        f"{found}: a node without one may let every connection pass",
        pods.see(metadata["namespace"]),
    )
