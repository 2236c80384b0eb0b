"""A team as it was before this program: deployed by Flux and Helm, or by hand."""

import copy
from collections.abc import Iterator

from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from sandbox.recording import record_stack
from tests.checkouts import Checkout

TEAM = "team-alpha"
HELM, FLUX = "helm-controller", "kustomize-controller"
HELM_LABELS = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-app-1.4.0"}


def objects(checkout: Checkout) -> list[Object]:
    """The team's Kubernetes objects as the program wants them, the Namespace first."""
    made = record_stack(checkout.folder, "dev", checkout.folder / "tenants").registrations
    return [
        registration.inputs
        for registration in made
        if registration.package == "kubernetes"
        and TEAM in (registration.inputs["metadata"].get("namespace"), registration.name)
    ]


def deploy(cluster: Cluster, wanted: Object) -> None:
    """As Helm creates an object, under its labels; a Deployment that differs in these alone."""
    object = copy.deepcopy(wanted)
    object["metadata"]["labels"] = {**object["metadata"]["labels"], **HELM_LABELS}
    object["metadata"]["annotations"] = {"meta.helm.sh/release-name": "web-app"}
    cluster.call("POST", _parent(cluster, object), object, {"fieldManager": HELM})


def edit(cluster: Cluster, kind: str, name: str, manager: str, **changes: object) -> None:
    """As `kubectl patch --type=strategic` does; `changes` are of the whole object."""
    group = {"Deployment": "apps/v1", "ResourceQuota": "v1", "Service": "v1"}.get(kind)
    path = cluster.path(group or _group(kind), kind, TEAM, name)
    query = {"fieldManager": manager}
    cluster.call("PATCH", path, changes, query, "application/strategic-merge-patch+json")


def _group(kind: str) -> str:
    return {
        "RoleBinding": "rbac.authorization.k8s.io/v1",
        "NetworkPolicy": "networking.k8s.io/v1",
    }[kind]


def _parent(cluster: Cluster, object: Object) -> str:
    namespace = object["metadata"].get("namespace")
    return cluster.path(object["apiVersion"], object["kind"], namespace)


def fill(openbao: OpenBao) -> None:
    """The mount with a secret in it, the login, its configuration, a role and a wide policy."""
    openbao.call("PUT", "sys/mounts/sre", {"type": "kv-v2", "description": "by hand"})
    openbao.call("PUT", "sre/data/team-alpha/db", {"data": {"value": "s3cret"}})
    openbao.call("PUT", "sys/auth/kubernetes", {"type": "kubernetes"})
    policy = 'path "sre/*" {\n  capabilities = ["read", "list"]\n}\n'
    openbao.call("PUT", f"sys/policies/acl/{TEAM}", {"policy": policy})
    role = {
        "bound_service_account_names": "*",
        "bound_service_account_namespaces": f"{TEAM},default",
        "token_policies": TEAM,
    }
    openbao.call("PUT", f"auth/kubernetes/role/{TEAM}", role)


def managers(object: Object) -> Iterator[str]:
    """Who has written the object itself, but for the control plane."""
    for entry in object["metadata"]["managedFields"]:
        if not entry.get("subresource") and not entry["manager"].startswith("kube-"):
            yield entry["manager"]
