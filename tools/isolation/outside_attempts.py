"""What no member of a team may do: use another team's namespace, or cluster-wide objects."""

from tools.isolation.namespace_attempts import LABEL, everything
from tools.isolation.requests import (
    Attempt,
    Request,
    all_of,
    changes,
    creates,
    deletes,
    gets_token,
    lists,
    reads,
    reads_path,
)
from tools.isolation.samples import (
    binding,
    persistent_volume,
    pod,
    role,
    secret_store,
    thing,
    webhook,
)
from tools.isolation.target_kinds import (
    ALL,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CRD,
    NAMESPACE,
    NODE,
    OTHERS,
    POD,
    POLICY,
    POLICY_BINDING,
    SECRET,
)

_SYSTEM = "kube-system"

_CLUSTER: dict[str, Request] = {
    "list all pods": lists(POD),
    "list all secrets": lists(SECRET),
    "list namespaces": lists(NAMESPACE),
    "list nodes": lists(NODE),
    "list ClusterRoles": lists(CLUSTER_ROLE),
    "list ClusterRoleBindings": lists(CLUSTER_ROLE_BINDING),
    "list CustomResourceDefinitions": lists(CRD),
    "list ValidatingAdmissionPolicies": lists(POLICY),
    "list the secrets in kube-system": lists(SECRET, _SYSTEM),
    "call a node's kubelet": reads(NODE, below="/proxy/pods"),
    "read the API server's metrics": reads_path("metrics"),
    "get a token for External Secrets": gets_token("{operator}", "{operator_account}"),
    "create a pod in kube-system": creates(pod(namespace=_SYSTEM)),
    "create a namespace": creates(thing("v1", "Namespace", None)),
    "create a node": creates(thing("v1", "Node", None)),
    "create a PersistentVolume": creates(persistent_volume()),
    "create a ClusterRole (escalate)": creates(role("ClusterRole", None)),
    "create a ClusterRoleBinding (bind)": creates(binding("ClusterRoleBinding", None)),
    "create a ClusterSecretStore": creates(secret_store("ClusterSecretStore", None)),
    "create a webhook": creates(webhook()),
    "change a node": changes(NODE, ALL, LABEL),
    "change a ClusterRole": changes(CLUSTER_ROLE, ALL, LABEL),
    "change a CustomResourceDefinition": changes(CRD, ALL, LABEL),
    "change a ValidatingAdmissionPolicy": changes(POLICY, ALL, LABEL),
    "delete a node": deletes(NODE),
    "delete a CustomResourceDefinition": deletes(CRD),
    "delete a ClusterRoleBinding": deletes(CLUSTER_ROLE_BINDING),
    "delete a ValidatingAdmissionPolicy": deletes(POLICY),
    "delete a ValidatingAdmissionPolicyBinding": deletes(POLICY_BINDING),
}


def outside_checks(expected: str) -> tuple[Attempt, ...]:
    """`expected`: who refuses the caller, in all of them."""
    return (
        *all_of(everything(OTHERS), expected, "another team's: "),
        *all_of(_CLUSTER, expected, "the cluster's: "),
    )
