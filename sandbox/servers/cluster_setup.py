"""Prepares the cluster as a platform team would: definitions, roles, namespaces, a node."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.servers.keys import REAL_NODE, SIMULATED_NODE
from sandbox.servers.mesh import STAYS
from sandbox.servers.parts import UnsettledError
from sandbox.servers.platform_parts import PlatformPart

DEFINITIONS = Path(__file__).parents[1] / "crds"
OBJECTS = Path(__file__).with_name("platform.yaml")
POLICY_ENFORCER = "kube-system", "kube-network-policies"  # a ServiceAccount
MANAGER = "sre-sandbox"
NOT_READY = "node.kubernetes.io/not-ready"


def furnish(cluster: Cluster, installed: Sequence[PlatformPart]) -> None:
    """Create what is missing, and the objects of the parts of the platform that run.

    Existing objects stay unchanged, but a part brings its own version of what it defines.
    Raises RefusedError while the API server does not serve a new definition yet.
    """
    brought = {
        definition["metadata"]["name"]: definition
        for part in installed
        for definition in part.definitions
    }
    own, objects = _documents()
    definitions = [*brought.values(), *(one for one in own if _name(one) not in brought)]
    make(cluster, definitions)
    for definition in definitions:
        spec = definition["spec"]
        for version in (each for each in spec["versions"] if each["served"]):
            cluster.path(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
    make(cluster, [*objects, *(object for part in installed for object in part.objects())])


def remove_webhooks(cluster: Cluster, names: Mapping[str, Sequence[str]]) -> None:
    """Remove these webhooks of a part that does not run; `names` are by kind."""
    for kind, each in names.items():
        for name in each:
            path = cluster.path("admissionregistration.k8s.io/v1", kind, None, name)
            _delete_now(cluster, path, {"propagationPolicy": "Background"})


def check(cluster: Cluster) -> None:
    """Raise UnsettledError until the controllers have done their work.

    Pods can then be created and run, and teams have their rights.
    """
    node = cluster.get("v1", "Node", None, SIMULATED_NODE) or {}
    conditions = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", [])}
    taints = {taint["key"] for taint in node.get("spec", {}).get("taints", [])}
    if conditions.get("Ready") != "True" or NOT_READY in taints:
        raise UnsettledError("no node takes pods")
    namespaces = {
        each["metadata"]["name"]
        for each in cluster.list("v1", "Namespace")
        if each["status"]["phase"] == "Active"
    }
    accounts = [each["metadata"] for each in cluster.list("v1", "ServiceAccount")]
    if without := namespaces - {a["namespace"] for a in accounts if a["name"] == "default"}:
        raise UnsettledError(f"no default ServiceAccount in {', '.join(sorted(without))}")
    edit = cluster.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, "edit") or {}
    granted = {group for rule in edit.get("rules") or [] for group in rule.get("apiGroups", [])}
    if not {each["spec"]["group"] for each in _documents()[0]} <= granted:
        raise UnsettledError("the ClusterRole edit lacks the custom resources")


def check_real_node(cluster: Cluster) -> None:
    """Raise UnsettledError until the node that runs containers takes pods."""
    node = cluster.get("v1", "Node", None, REAL_NODE) or {}
    conditions = {c["type"]: c for c in node.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {"status": "False", "message": "it has not registered"})
    if ready["status"] != "True":
        raise UnsettledError(f"the node takes no pods: {ready['message']}")


def use_real_node(cluster: Cluster) -> None:
    """Have pods run on the real node; those on the simulated one are replaced."""
    _close_simulated_node(cluster, True)
    _evict(cluster, SIMULATED_NODE)


def use_simulated_node(cluster: Cluster) -> None:
    """Have pods run on the simulated node; those on the real one are replaced."""
    _close_simulated_node(cluster, False)
    forget_real_node(cluster)
    replace_pods(cluster)


def replace_pods(cluster: Cluster) -> None:
    """Replace those of the real node, which does not run."""
    _evict(cluster, REAL_NODE)


def forget_real_node(cluster: Cluster) -> None:
    """Delete its Node, so that a later status is new. Its pods stay, and start with it again."""
    path = cluster.path("v1", "Node", None, REAL_NODE)
    _delete_now(cluster, path, {"propagationPolicy": "Background"})


def _close_simulated_node(cluster: Cluster, closed: bool) -> None:
    path = cluster.path("v1", "Node", None, SIMULATED_NODE)
    patch = {"spec": {"unschedulable": closed}}
    cluster.call("PATCH", path, patch, None, "application/merge-patch+json")


def _evict(cluster: Cluster, node: str) -> None:
    for pod in cluster.list("v1", "Pod"):
        metadata = pod["metadata"]
        if pod["spec"].get("nodeName") == node and STAYS not in metadata.get("labels", {}):
            path = cluster.path("v1", "Pod", metadata["namespace"], metadata["name"])
            # A node that does not run never confirms that a pod has ended.
            _delete_now(cluster, path, {"gracePeriodSeconds": 0})


def _delete_now(cluster: Cluster, path: str, options: Object) -> None:
    try:
        cluster.call("DELETE", path, options)
    except RefusedError as refusal:
        if refusal.status != 404:
            raise


def make(cluster: Cluster, objects: Sequence[Object]) -> None:
    """Create what is missing; a new version of a definition replaces the older one."""
    for object in objects:
        metadata = object["metadata"]
        kind = object["apiVersion"], object["kind"]
        live = cluster.get(*kind, metadata.get("namespace"), metadata["name"])
        # The generator of definitions notes its version there; the sandbox's own have none.
        wanted = (metadata.get("annotations") or {}).items()
        if live is None:  # for a large definition, less work for the server than to apply it
            cluster.create(object, manager=MANAGER)
        elif not wanted <= (live["metadata"].get("annotations") or {}).items():
            cluster.apply(object, MANAGER)


def _name(object: Object) -> str:
    name: str = object["metadata"]["name"]
    return name


@cache
def _documents() -> tuple[list[Object], list[Object]]:
    """The definitions, and the other objects."""
    files = DEFINITIONS.glob("*.yaml")
    definitions = [yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader) for file in files]
    return definitions, list(yaml.safe_load_all(OBJECTS.read_text("utf-8")))
