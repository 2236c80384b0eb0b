"""Pods that no node runs yet."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from clients.kubernetes import Object
from specs.problem import Loc
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import moment
from tools.status.words import RESTORE, short

_PATIENCE = timedelta(seconds=30)

_SHORT_OF = re.compile(r"Insufficient (cpu|memory)")
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)"', re.I)
_VOLUMES = re.compile(
    r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim|didn't find available "
    r"persistent volumes|volume node affinity|exceed max volume count|volume limits",
    re.I,
)
_NODES = re.compile(r"untolerated taint|node affinity|node selector|unschedulable|topology spread")


def causes(app: AppState) -> Iterator[Cause]:
    """Why the scheduler finds no node."""
    for pod in app.pods:
        for each in pod.get("status", {}).get("conditions") or ():
            if each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable":
                message = str(each.get("message") or "").partition(" preemption:")[0]
                since = moment(each.get("lastTransitionTime"))
                # A volume is being made, or a node added.
                young = since and app.state.now - since < _PATIENCE
                weight = Weight.WARNING if young else Weight.BROKEN
                yield replace(_cause(app, pod, message), weight=weight)


def _cause(app: AppState, pod: Object, message: str) -> Cause:
    if _VOLUMES.search(message):
        return _volumes(app, message)
    if short_of := sorted(set(_SHORT_OF.findall(message))):
        asked = " and ".join(f"{_request(pod, each)} {each}" for each in short_of)
        return Cause(
            "no-room",
            f"no node has room for a pod that requests {asked} ({short(message)})",
            "request less, or ask the platform team for nodes",
            ("app", "resources", "requests", short_of[0]),
        )
    if "Too many pods" in message and not _NODES.search(message):
        return Cause(
            "no-room",
            f"no node takes another pod ({short(message)})",
            "ask the platform team for nodes",
        )
    return Cause(
        "no-node", f"no node may run the pod ({short(message)})", "ask the platform team for nodes"
    )


def _volumes(app: AppState, message: str) -> Cause:
    """A pod waits for its volumes; the claims' own events say why."""
    for index, volume in enumerate(app.app.app.volumes):
        claim, loc = app.app.claim(volume), ("app", "volumes", index)
        named = _CLAIM.search(message)
        if named and named[1] != claim:
            continue
        said = next(app.state.about("PersistentVolumeClaim", claim, "ProvisioningFailed"), None)
        if said:
            missing = "storageclass" in said.message.lower() and "not found" in said.message
            where: Loc = (*loc, "storageClass") if missing else loc
            return Cause(
                "volume",
                f"the volume {claim} cannot be made ({short(said.message)})",
                "name one of the cluster's StorageClasses" if missing else "ask the platform team",
                where,
            )
        if named and "not found" in message:
            return Cause(
                "volume",
                f"the cluster has no PersistentVolumeClaim {claim}",
                RESTORE,
                loc,
            )
    loc = ("app", "volumes")
    return Cause("volume", f"the pod waits for a volume ({short(message)})", "see its claim with "
                 f"`kubectl describe pvc -n {app.team.name}`", loc)  # fmt: skip


def _request(pod: Object, resource: str) -> str:
    """What the pod's containers request, each amount by itself."""
    asked = [
        (container.get("resources") or {}).get("requests", {}).get(resource)
        for container in pod["spec"]["containers"]
    ]
    return " + ".join(each for each in asked if each) or "no"
