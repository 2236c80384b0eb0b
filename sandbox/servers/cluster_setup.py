"""Prepares the cluster as a platform team would: definitions, roles, namespaces, a node."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml

from clients.kubernetes import Cluster, Object
from sandbox.servers.platform_parts import PlatformPart

DEFINITIONS = Path(__file__).parents[1] / "crds"
OBJECTS = Path(__file__).with_name("platform.yaml")
MANAGER = "sre-sandbox"
NOT_READY = "node.kubernetes.io/not-ready"


class UnsettledError(Exception):
    """The cluster's controllers have not finished their work yet; the message names them."""


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
    _make(cluster, definitions)
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            cluster.path(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
    _make(cluster, [*objects, *(object for part in installed for object in part.objects())])


def check(cluster: Cluster) -> None:
    """Raise UnsettledError until the controllers have done their work.

    Pods can then be created and run, and teams have their rights.
    """
    node = cluster.get("v1", "Node", None, "sandbox") or {}
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


def _make(cluster: Cluster, objects: Sequence[Object]) -> None:
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
    definitions = [yaml.safe_load(file.read_text("utf-8")) for file in DEFINITIONS.glob("*.yaml")]
    return definitions, list(yaml.safe_load_all(OBJECTS.read_text("utf-8")))
