"""Whether what the platform runs beside a stack has pods that are ready."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tools.doctor.examination import Outcome, ok, warn

_LIST = "let this identity list them, or check it yourself"


def ready(
    cluster: Cluster,
    whose: str,
    namespaces: Sequence[str],
    selects: Callable[[Object], bool],
    without: Outcome,
) -> Outcome:
    """Whether one of the pods that `selects` selects is ready; `without`: there are none."""
    where = ", ".join(namespaces)
    try:
        listed = [pod for each in namespaces for pod in cluster.list("v1", "Pod", each)]
    except RefusedError as refusal:
        if refusal.status not in (401, 403):
            raise
        return warn(f"{whose}: pods in {where} cannot be read ({refusal.status})", _LIST)
    its = [pod for pod in listed if selects(pod)]
    number = sum(map(is_ready, its))
    if number:
        return ok(f"{whose}: {number} of {len(its)} pods ready")
    if its:
        return warn(f"{whose}: 0 of {len(its)} pods in {where} ready", see(*namespaces))
    return without


def see(*namespaces: str) -> str:
    """How to look at their pods."""
    return "see " + " and ".join(f"`kubectl get pods -n {each}`" for each in namespaces)


def labelled(pod: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether it has all of these."""
    return (pod["metadata"].get("labels") or {}).items() >= labels.items()


def is_ready(pod: Mapping[str, Any]) -> bool:
    """As its kubelet says."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
