"""The kinds of objects that checks are about, and where they look for them."""

from dataclasses import dataclass

from specs.settings import SECRET_STORE

# Namespaces: the caller's own, another team's, and all of them.
OWN, OTHERS, ALL = "{own}", "{other}", ""


@dataclass(frozen=True)
class Kind:
    """A kind of object; `name` narrows it to one of them."""

    api_version: str
    kind: str
    name: str = ""


_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
ESO = "external-secrets.io/{eso}"

CONFIG_MAP = Kind("v1", "ConfigMap")
LIMIT_RANGE = Kind("v1", "LimitRange")
NAMESPACE = Kind("v1", "Namespace")
OWN_NAMESPACE = Kind("v1", "Namespace", OWN)
NODE = Kind("v1", "Node")
POD = Kind("v1", "Pod")
QUOTA = Kind("v1", "ResourceQuota")
SECRET = Kind("v1", "Secret")
SERVICE = Kind("v1", "Service")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount")
DEPLOYMENT = Kind("apps/v1", "Deployment")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")
ROLE_BINDING = Kind(_RBAC, "RoleBinding")
CLUSTER_ROLE = Kind(_RBAC, "ClusterRole")
CLUSTER_ROLE_BINDING = Kind(_RBAC, "ClusterRoleBinding")
CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
POLICY = Kind(_ADMISSION, "ValidatingAdmissionPolicy", "sre-images")
POLICY_BINDING = Kind(_ADMISSION, "ValidatingAdmissionPolicyBinding", "sre-images")
EXTERNAL_SECRET = Kind(ESO, "ExternalSecret")
STORE = Kind(ESO, "{store}", SECRET_STORE)
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor")
