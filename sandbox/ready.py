"""When a Kubernetes object counts as ready, by the official provider's rules."""

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
