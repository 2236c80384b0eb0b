"""The kinds of objects that checks target, and the namespaces in which they look for them."""

from dataclasses import dataclass

from specs.settings import SECRET_STORE

# Namespaces: the caller's own, another team's, and all.
OWN, OTHERS, ALL = "{own}", "{other}", ""


@dataclass(frozen=True)
class TargetKind:
    """A kind of object; `name` narrows it to one object."""

    api_version: str
    kind: str
    name: str = ""


_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
ESO = "external-secrets.io/{eso}"

CONFIG_MAP = TargetKind("v1", "ConfigMap")
LIMIT_RANGE = TargetKind("v1", "LimitRange")
NAMESPACE = TargetKind("v1", "Namespace")
OWN_NAMESPACE = TargetKind("v1", "Namespace", OWN)
NODE = TargetKind("v1", "Node")
POD = TargetKind("v1", "Pod")
QUOTA = TargetKind("v1", "ResourceQuota")
SECRET = TargetKind("v1", "Secret")
SERVICE = TargetKind("v1", "Service")
SERVICE_ACCOUNT = TargetKind("v1", "ServiceAccount")
DEPLOYMENT = TargetKind("apps/v1", "Deployment")
NETWORK_POLICY = TargetKind("networking.k8s.io/v1", "NetworkPolicy")
ROLE_BINDING = TargetKind(_RBAC, "RoleBinding")
CLUSTER_ROLE = TargetKind(_RBAC, "ClusterRole")
CLUSTER_ROLE_BINDING = TargetKind(_RBAC, "ClusterRoleBinding")
CRD = TargetKind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
POLICY = TargetKind(_ADMISSION, "ValidatingAdmissionPolicy", "sre-images")
POLICY_BINDING = TargetKind(_ADMISSION, "ValidatingAdmissionPolicyBinding", "sre-images")
EXTERNAL_SECRET = TargetKind(ESO, "ExternalSecret")
STORE = TargetKind(ESO, "{store}", SECRET_STORE)
SERVICE_MONITOR = TargetKind("monitoring.coreos.com/v1", "ServiceMonitor")
