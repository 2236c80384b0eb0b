"""A team as it was before this program: deployed by Helm and Flux, and mended by hand."""

import copy
import re

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from dryrun.recording import record_stack
from tests.checkouts import Checkout
from tests.servers.conftest import until

TEAM = "team-alpha"
HELM = "helm-controller"
AUTOSCALER = "kube-controller-manager"
STORE = "ClusterSecretStore"
# The provider's field managers.
PROVIDER = re.compile(r"pulumi-kubernetes-[0-9a-f]{8}")

# The versions of the kinds that are edited here.
VERSIONS = {
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ResourceQuota": "v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
}


def wanted(checkout: Checkout) -> list[Object]:
    """What the program wants for the team in the cluster, in the order in which it can be made."""
    made = record_stack(checkout.folder, "dev", checkout.folder / "tenants").registrations
    return [
        object
        for object in (each.inputs for each in made if each.package == "kubernetes")
        if TEAM in (object["metadata"].get("namespace"), object["metadata"]["name"])
        or object["kind"] == STORE
    ]


def deploy(cluster: Cluster, wanted: Object) -> None:
    """As Helm does, with its labels and annotations; the rest is as the program wants it."""
    object = copy.deepcopy(wanted)
    labels = object["metadata"].setdefault("labels", {})
    labels |= {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-app-1.4.0"}
    object["metadata"]["annotations"] = {
        "meta.helm.sh/release-name": "web-app",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    post(cluster, object)


def post(cluster: Cluster, object: Object) -> None:
    """As Helm does."""
    path = cluster.path(object["apiVersion"], object["kind"], object["metadata"].get("namespace"))

    def posted() -> bool:
        try:
            cluster.call("POST", path, object, {"fieldManager": HELM})
        except RefusedError as refusal:
            if refusal.status < 429:
                raise
            return False  # addresses of Services, or a definition, are not ready yet
        return True

    until(posted)


def live(cluster: Cluster, kind: str, name: str) -> Object:
    found = cluster.get(VERSIONS[kind], kind, TEAM, name)
    assert found
    return found


def is_scaled(cluster: Cluster, deployment: str) -> bool:
    """Whether the API server has noted that an autoscaler owns its number of pods.

    It does so only where somebody owned the number before: whoever posted the Deployment, until it
    is updated.
    """
    entries = live(cluster, "Deployment", deployment)["metadata"]["managedFields"]
    return any((e["manager"], e.get("subresource")) == (AUTOSCALER, "scale") for e in entries)


def edit(cluster: Cluster, kind: str, name: str, manager: str, change: Object) -> None:
    """As `kubectl patch` does."""
    path = cluster.path(VERSIONS[kind], kind, TEAM, name)
    strategic = "application/strategic-merge-patch+json"
    cluster.call("PATCH", path, change, {"fieldManager": manager}, strategic)


def fill(openbao: OpenBao) -> None:
    """A mount with a secret, a login, a role that lets more in, and a policy that allows more."""
    openbao.call("PUT", "sys/mounts/sre", {"type": "kv-v2", "description": "by hand"})
    until(lambda: _is_ready(openbao, "sre"))
    openbao.call("PUT", f"sre/data/{TEAM}/db", {"data": {"value": "s3cret"}})
    openbao.call("PUT", "sys/auth/kubernetes", {"type": "kubernetes"})
    policy = 'path "sre/*" {\n  capabilities = ["read", "list"]\n}\n'
    openbao.call("PUT", f"sys/policies/acl/{TEAM}", {"policy": policy})
    role = {
        "bound_service_account_names": "*",
        "bound_service_account_namespaces": f"{TEAM},default",
        "token_policies": TEAM,
    }
    openbao.call("PUT", f"auth/kubernetes/role/{TEAM}", role)


def _is_ready(openbao: OpenBao, mount: str) -> bool:
    """A new kv-v2 mount refuses all for a moment."""
    try:
        openbao.call("GET", f"{mount}/config")
    except RefusedError:
        return False
    return True


def writers(object: Object) -> set[str]:
    """Who owns fields of the object, but for its status and what the control plane sets."""
    return {
        entry["manager"]
        for entry in object["metadata"]["managedFields"]
        if not entry.get("subresource") and not entry["manager"].startswith("kube-")
    }
