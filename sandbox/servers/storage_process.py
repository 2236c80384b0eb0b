"""The process that provides volumes, in place of a storage driver.

`python -m sandbox.servers.storage_process KUBECONFIG FOLDER` gives each claim of the cluster's
StorageClasses a PersistentVolume once a pod that needs it has a node, makes it as large as the
claim becomes, and deletes it after the claim. Each is a folder in FOLDER, which only a node that
runs containers uses.
"""

import shutil
import sys
import time
from pathlib import Path

from clients.http import RefusedError, UnreachableError
from clients.kubernetes import Cluster, Object

PROVISIONER = "sandbox.sre.io/storage"  # of the StorageClasses in platform.yaml
LOOKS_EVERY = 0.5  # seconds
_NODE = "volume.kubernetes.io/selected-node"  # by the scheduler
_MERGE = "application/merge-patch+json"
# All nodes have the folders, because all are on this machine.
_ANY_NODE = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}


def provide(cluster: Cluster, folder: Path) -> None:
    """Do what is to be done now. Raises RefusedError and UnreachableError."""
    claims = cluster.list("v1", "PersistentVolumeClaim")
    classes = {
        each["metadata"]["name"]
        for each in cluster.list("storage.k8s.io/v1", "StorageClass")
        if each["provisioner"] == PROVISIONER
    }
    for claim in claims:
        waits = claim["status"]["phase"] == "Pending" and "volumeName" not in claim["spec"]
        has_node = _NODE in claim["metadata"].get("annotations", {})
        if waits and has_node and claim["spec"].get("storageClassName") in classes:
            _make(cluster, _volume(claim, folder))
    for volume in cluster.list("v1", "PersistentVolume"):
        if volume["spec"].get("storageClassName") not in classes:
            continue
        if volume["status"].get("phase") == "Released":
            name = volume["metadata"]["name"]
            cluster.delete("v1", "PersistentVolume", None, name)
            shutil.rmtree(folder / name, ignore_errors=True)
    for claim in claims:
        if claim["status"]["phase"] == "Bound" and claim["spec"]["storageClassName"] in classes:
            _resize(cluster, claim)


def _volume(claim: Object, folder: Path) -> Object:
    """`local` rather than `hostPath`, which a kubelet does not give to the pod's `fsGroup`."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": _asked(claim)},
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "local": {"path": str(folder / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [_ANY_NODE]}},
        },
    }


def _make(cluster: Cluster, volume: Object) -> None:
    Path(volume["spec"]["local"]["path"]).mkdir(exist_ok=True)
    try:
        cluster.create(volume)
    except RefusedError as refusal:
        if refusal.status != 409:  # it is there, and about to be bound
            raise


def _resize(cluster: Cluster, claim: Object) -> None:
    size = {"storage": _asked(claim)}
    if claim["status"].get("capacity") == size:
        return
    metadata = claim["metadata"]
    volume = cluster.path("v1", "PersistentVolume", None, claim["spec"]["volumeName"])
    own = cluster.path("v1", "PersistentVolumeClaim", metadata["namespace"], metadata["name"])
    cluster.call("PATCH", volume, {"spec": {"capacity": size}}, None, _MERGE)
    cluster.call("PATCH", f"{own}/status", {"status": {"capacity": size}}, None, _MERGE)


def _asked(claim: Object) -> str:
    size: str = claim["spec"]["resources"]["requests"]["storage"]
    return size


def run(kubeconfig: Path, folder: Path) -> None:
    """Provide volumes until the process is told to end."""
    folder.mkdir(exist_ok=True)
    cluster = Cluster(kubeconfig=kubeconfig)
    while True:
        try:
            provide(cluster, folder)
        except (RefusedError, UnreachableError) as error:
            print(error, flush=True)  # it may have changed in between, or the server restarts
        time.sleep(LOOKS_EVERY)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
