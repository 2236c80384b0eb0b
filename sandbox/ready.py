"""When a Kubernetes object counts as ready, by the official provider's rules."""

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.simulated_kubernetes import SERVICE_ACCOUNT_TOKEN

SKIP = "pulumi.com/skipAwait"


def missing(live: dict[str, Any]) -> str:
    """What the live object still waits for; empty if nothing. Most kinds wait for nothing."""
    metadata = live["metadata"]
    if (metadata.get("annotations") or {}).get(SKIP) == "true":
        return ""
    if live["kind"] == "Deployment":
        return _pods(live)
    if live["kind"] == "ResourceQuota":
        applied = (live.get("status") or {}).get("hard") == live["spec"].get("hard")
        return "" if applied else "the quota is not yet in force"
    if live["kind"] == "Secret" and live.get("type") == SERVICE_ACCOUNT_TOKEN:
        return "" if (live.get("data") or {}).get("token") else "there is no token in it yet"
    return ""


def _pods(deployment: dict[str, Any]) -> str:
    wanted = deployment["spec"]["replicas"]
    status = deployment.get("status") or {}
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    if observed and updated == status.get("replicas", 0) == wanted and available >= wanted:
        return ""
    reasons = [
        condition["message"]
        for condition in status.get("conditions") or ()
        if (condition["status"] == "True") == (condition["type"] == "ReplicaFailure")
        and condition.get("message")
    ]
    pods = f"{updated} of {wanted} pods are up to date, {available} available"
    return "; ".join([pods, *reasons])


def held_up(pods: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What keeps these pods from being ready, each reason once, as `kubectl describe` has it."""
    return iter(dict.fromkeys(reason for pod in pods for reason in _reasons(pod)))


def _reasons(pod: dict[str, Any]) -> Iterator[str]:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield condition.get("message") or condition["reason"]
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            waiting = container["state"].get("waiting") or {}
            if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
                words = (container["name"], waiting["reason"], waiting.get("message"))
                yield ": ".join(word for word in words if word)
