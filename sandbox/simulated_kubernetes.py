"""The stand-in for a cluster."""

import base64
import re
import secrets
import uuid
from datetime import UTC, datetime

from dryrun.placeholder_kubeconfig import CA
from sandbox.package import (
    InputProblem,
    Properties,
    known,
    registered_types,
)
from sandbox.world import World, WorldKey

# The custom resources "installed" in the sandbox's cluster: those the platform guide relies on.
CUSTOM_RESOURCES = frozenset(
    f"{api}:{kind}"
    for api, kinds in {
        "monitoring.coreos.com/v1": ("ServiceMonitor", "PrometheusRule"),
        "networking.istio.io/v1": ("VirtualService", "ServiceEntry"),
        "security.istio.io/v1": ("AuthorizationPolicy",),
        "networking.istio.io/v1beta1": ("VirtualService",),
        "external-secrets.io/v1": ("ExternalSecret", "SecretStore", "ClusterSecretStore"),
        "external-secrets.io/v1beta1": ("ExternalSecret", "SecretStore", "ClusterSecretStore"),
    }.items()
    for kind in kinds
)
BUILT_IN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: RBAC accepts other
# names.
dns_1123 = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
IMMUTABLE = {
    "Deployment": ("spec.selector",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
}


class SimulatedKubernetes:
    """A cluster with some custom resources installed, and no controllers."""

    def __init__(self) -> None:
        self._types = registered_types("pulumi_kubernetes", "kubernetes") | CUSTOM_RESOURCES

    def knows(self, kind: str) -> bool:
        return kind in self._types

    def problems(self, kind: str, inputs: Properties) -> list[InputProblem]:
        name = _metadata(inputs).get("name")
        if not name:
            return [InputProblem("metadata.name", "missing; every object has an explicit name")]
        text = known(name)
        if text and not kind.startswith("rbac") and not dns_1123.fullmatch(text):
            return [InputProblem("metadata.name", f"{text!r} is not a valid name (DNS-1123)")]
        return []

    def key(self, kind: str, inputs: Properties) -> WorldKey | None:
        metadata = _metadata(inputs)
        name = known(metadata.get("name"))
        if not name or ("namespace" in metadata and not known(metadata["namespace"])):
            return None
        api, _, word = kind.partition(":")
        group = api.partition("/")[0] if "/" in api else "core"
        return WorldKey(word if group == "core" else f"{word}.{group}", _id(inputs))

    def container(self, kind: str, inputs: Properties, world: World) -> WorldKey | None:
        namespace = known(_metadata(inputs).get("namespace"))
        if namespace is None or namespace in BUILT_IN_NAMESPACES:
            return None
        return WorldKey("Namespace", namespace)

    def replaced_by(self, kind: str) -> tuple[str, ...]:
        return ("metadata.name", "metadata.namespace", *IMMUTABLE.get(kind.partition(":")[2], ()))

    def create(self, kind: str, inputs: Properties, world: World) -> tuple[str, Properties]:
        server_set = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceVersion": "1",
            "generation": 1,
        }
        outputs = {**inputs, "metadata": {**_metadata(inputs), **server_set}}
        if inputs.get("type") == SERVICE_ACCOUNT_TOKEN:
            outputs["data"] = _token()
        return _id(inputs), outputs

    def update(self, kind: str, old: Properties, inputs: Properties) -> Properties:
        before = _metadata(old)
        server_set = {
            "uid": before["uid"],
            "creationTimestamp": before["creationTimestamp"],
            "resourceVersion": str(int(before["resourceVersion"]) + 1),
            "generation": before["generation"] + 1,
        }
        outputs = {**inputs, "metadata": {**_metadata(inputs), **server_set}}
        if inputs.get("type") == SERVICE_ACCOUNT_TOKEN:
            outputs["data"] = old["data"]
        return outputs


def _token() -> Properties:
    """What the token controller adds to such a Secret, in base64 like all of a Secret's data."""
    token = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    return {"token": token, "ca.crt": CA}


def _metadata(properties: Properties) -> Properties:
    metadata = properties.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _id(inputs: Properties) -> str:
    metadata = _metadata(inputs)
    namespace, name = metadata.get("namespace"), str(metadata["name"])
    return f"{namespace}/{name}" if namespace else name
