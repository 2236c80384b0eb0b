"""Takes over one running Kubernetes object and makes it what this program wants.

Server-side apply alone would leave fields that another field manager has set: a sidecar, a
variable, an annotation. So fields that only the former managers own are removed, together with
these managers.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.http import RefusedError
from clients.kubernetes import Cluster, Entry, Object, past_conflicts
from components.differences import differences

# If a run is interrupted, the provider takes over fields with this name at its next update
# (pulumi-kubernetes, await.go: fixCSAFieldManagers).
MANAGER = "kubectl"
# For the number of pods. If the provider owned it at its next update, it would set it to one.
_SCALER = "sre-platform-adopt"
_MERGE = "application/merge-patch+json"
_LABEL = "app.kubernetes.io/part-of"
# Its writers continue: Deployments' revisions, Namespaces' labels, ...
_CONTROL_PLANE = "kube-"
# Not removed, whoever set them: an autoscaler's number of pods, and fields whose removal would
# restart pods or delete an object.
_KEPT = frozenset(
    {"replicas", "kubectl.kubernetes.io/restartedAt", "finalizers", "ownerReferences", "status"}
)
_CLAIM = "PersistentVolumeClaim"
# On a Service, by the API server.
_ASSIGNED = frozenset({"clusterIP", "clusterIPs"})

Fields = Mapping[str, Any]  # of an entry: a tree of what it owns
Keep = Callable[[Entry], bool]


class UnadoptableError(Exception):
    """A line for the user: what cannot be taken over, why, and what to do."""


@dataclass(frozen=True)
class Taken:
    """An object that was taken over: its former owners, and a line for each change."""

    managers: tuple[str, ...]
    changes: tuple[str, ...]


def take_over(cluster: Cluster, wanted: Object, dry_run: bool) -> Taken | None:
    """Make the live object what is wanted and nothing else; a dry run changes nothing.

    None if there is no such object. Raises UnadoptableError, RefusedError, UnreachableError.
    """
    live, settled = past_conflicts(lambda: _settled(cluster, wanted, dry_run))
    if live is None:
        return None
    if not dry_run:
        # Other owners of a field would conflict with the provider, which applies without force,
        # even with an equal value: a CRD's defaults within a list are not part of what is applied.
        marker = _nearly_nothing(wanted)
        past_conflicts(lambda: _keep(cluster, wanted, lambda e: not _is_former(e), [marker]))
    former = sorted({e["manager"] for e in _managed(live) if _is_former(e)})
    return Taken(tuple(former), tuple(differences(live, settled)))


def made_beside(cluster: Cluster, wanted: Object, former: Object) -> tuple[str, ...]:
    """How a new object differs from the former one that it replaces, in lines.

    None are known if admission would not accept it yet, for example because of a quota.
    """
    try:
        made = cluster.apply(wanted, MANAGER, dry_run=True)
    except RefusedError as refusal:
        if refusal.status == 403:
            return ()
        raise
    if wanted["kind"] == "Deployment" and "replicas" not in wanted["spec"]:
        made["spec"]["replicas"] = former["spec"]["replicas"]  # an autoscaler's
    for key in _ASSIGNED & made["spec"].keys() if wanted["kind"] == "Service" else ():
        made["spec"][key] = former["spec"].get(key)
    return tuple(differences(former, made, idle=True))


def scale(cluster: Cluster, wanted: Object, pods: int) -> None:
    """Scale a Deployment as an autoscaler does: the number is not an input of the program."""
    path = f"{cluster.path_of(wanted)}/scale"
    cluster.call("PATCH", path, {"spec": {"replicas": pods}}, {"fieldManager": _SCALER}, _MERGE)


def release(cluster: Cluster, wanted: Object) -> None:
    """Leaves the object to the provider's field manager, once that has applied it."""
    past_conflicts(lambda: _keep(cluster, wanted, lambda e: e["manager"] != MANAGER, []))


def _settled(cluster: Cluster, wanted: Object, dry_run: bool) -> tuple[Object | None, Object]:
    """The live object before and after; None if it does not exist."""
    live = _get(cluster, wanted)
    if live is None:
        return None, wanted
    metadata = live["metadata"]
    if "deletionTimestamp" in metadata:
        raise UnadoptableError(f"{_word(wanted)} is being deleted; wait until it is gone")
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    try:
        applied = cluster.apply(wanted, MANAGER, dry_run=True)
        ours = next(e["fieldsV1"] for e in _managed(applied) if _is_applied_by_us(e))
        for entry in _managed(applied):
            if _is_former(entry) and not _is_applied_by_us(entry):
                take_out(applied, _removable(wanted, entry.get("fieldsV1") or {}), ours)
        applied["metadata"]["managedFields"] = _managed(live)
        applied["metadata"]["resourceVersion"] = metadata["resourceVersion"]
        return live, cluster.call("PUT", cluster.path_of(live), applied, query)
    except RefusedError as refusal:
        if refusal.status == 422:
            raise UnadoptableError(_refused(wanted, refusal)) from None
        raise


def _removable(wanted: Object, theirs: Fields) -> Fields:
    """Former managers' fields that may go; a claim's volume, class and selector cannot change."""
    if wanted["kind"] != _CLAIM:
        return theirs
    return {step: below for step, below in theirs.items() if step != "f:spec"}


def _keep(cluster: Cluster, wanted: Object, kept: Keep, added: list[Entry]) -> None:
    """Change who owns the object's fields, and nothing else."""
    live = _get(cluster, wanted)
    if live is None:
        return
    entries = [*filter(kept, _managed(live)), *added]
    if entries == _managed(live):
        return
    cluster.set_managed_fields(live, entries)


def _nearly_nothing(wanted: Object) -> Entry:
    """An entry for a label that everything here has.

    Without any entry, the first to apply would find all fields owned by "before-first-apply".
    """
    return {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": wanted["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {f"f:{_LABEL}": {}}}},
    }


def _managed(object: Object) -> list[Entry]:
    return object["metadata"].get("managedFields") or []


def _is_former(entry: Entry) -> bool:
    """Whether it belongs to a writer of the object itself, such as a user or a deployer."""
    return not entry.get("subresource") and not entry["manager"].startswith(_CONTROL_PLANE)


def _is_applied_by_us(entry: Entry) -> bool:
    return entry["manager"] == MANAGER and entry["operation"] == "Apply"


def take_out(value: Any, theirs: Fields, ours: Fields) -> None:
    """Remove from `value` what `theirs` has and `ours` does not."""
    for step, below in theirs.items():
        how, _, what = step.partition(":")
        mine = ours.get(step)
        if how == "f" and isinstance(value, dict) and what in value and what not in _KEPT:
            take_out(value[what], below, mine or {})
            if mine is None and (not below or ("." in below and not value[what])):
                del value[what]
        elif how == "k" and isinstance(value, list):
            keys = json.loads(what).items()
            for item in [i for i in value if all(i.get(key) == is_ for key, is_ in keys)]:
                if mine is None and "." in below:
                    value.remove(item)
                else:
                    take_out(item, below, mine or {})
        elif how == "v" and isinstance(value, list) and mine is None:
            value[:] = [item for item in value if item != json.loads(what)]


def _refused(wanted: Object, refusal: RefusedError) -> str:
    name, kind = wanted["metadata"]["name"], wanted["kind"]
    if kind == _CLAIM:
        return (
            f"{_word(wanted)} exists and cannot be changed to what the team's file says: "
            f"{refusal.reason}; it was not changed; write the size, access mode and class that it "
            "has"
        )
    delete = f"kubectl delete {kind.lower()} {name}"
    if namespace := wanted["metadata"].get("namespace"):
        delete += f" -n {namespace}"
    afterwards = ""
    if kind == "Deployment":
        delete += " --cascade=orphan"
        afterwards = "; its pods keep running until you delete their ReplicaSet"
    return (
        f"{_word(wanted)} exists and cannot be changed to what this stack needs: {refusal.reason}; "
        f"it was not changed; remove it with `{delete}`{afterwards}"
    )


def _word(object: Object) -> str:
    metadata = object["metadata"]
    namespace = metadata.get("namespace")
    return f"{object['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def _get(cluster: Cluster, wanted: Object) -> Object | None:
    metadata = wanted["metadata"]
    return cluster.get(
        wanted["apiVersion"], wanted["kind"], metadata.get("namespace"), metadata["name"]
    )


def known(value: Any) -> Any:
    """Data as in JSON; None if anything in it is unknown yet or secret.

    The engine's numbers are all floats, and an API server does not accept 2.0 as an integer.
    """
    if isinstance(value, Mapping):
        plain = {key: known(item) for key, item in value.items()}
        return None if None in plain.values() else plain
    if isinstance(value, (list, tuple)):
        items = [known(item) for item in value]
        return None if None in items else items
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (str, bool, int, float)) else None
