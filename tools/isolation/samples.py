"""Objects that checks ask the servers to create: valid ones, each open to one bad change.

Texts contain the names of a Scene in braces, such as `{own}` and `{other}`.
"""

from collections.abc import Mapping
from typing import Any

from specs.env_vars import PULL_SECRET
from specs.secret_paths import MOUNT, secret_path
from specs.settings import SECRET_STORE, STORE_ROLE
from tools.isolation.target_kinds import ESO, OWN

Object = dict[str, Any]
Changes = Mapping[str, Any]
NONE: Changes = {}
ALL: Changes = {}  # as a selector

# Nobody has an object with this name: an admitted dry run answers 201, never 409.
NAME = "isolation-check"
IMAGE = "{harbor}/{own}/{app}:v1.0.0"
OWN_SECRET = secret_path("{own}", PULL_SECRET)
OTHERS_SECRET = secret_path("{other}", PULL_SECRET)
_STORE = {"name": SECRET_STORE, "kind": "{store}"}


def thing(api_version: str, kind: str, namespace: str | None = OWN, **fields: Any) -> Object:
    """An object of any kind; with `namespace` None, it is cluster-scoped."""
    metadata = {"name": NAME, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def pod(
    spec: Changes = NONE,
    container: Changes = NONE,
    security: Changes = NONE,
    labels: Changes = NONE,
    namespace: str = OWN,
) -> Object:
    """A pod as the program creates it; the LimitRange gives it its resources.

    `security` changes the container's security context.
    """
    made = thing("v1", "Pod", namespace, spec=_pod_spec(spec, container, security))
    made["metadata"]["labels"] = {"app.kubernetes.io/name": NAME, **labels}
    return made


def deployment(container: Changes = NONE, labels: Changes = NONE) -> Object:
    """A Deployment of that pod; `labels` are the pod's."""
    selector = {"app.kubernetes.io/name": NAME}
    template = {"metadata": {"labels": {**selector, **labels}}, "spec": _pod_spec(NONE, container)}
    spec = {"selector": {"matchLabels": selector}, "template": template}
    return thing("apps/v1", "Deployment", spec=spec)


def cron_job(container: Changes) -> Object:
    """A CronJob that runs that pod."""
    template = {"spec": {"restartPolicy": "Never", **_pod_spec(NONE, container)}}
    spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
    return thing("batch/v1", "CronJob", spec=spec)


def containers(number: int) -> Changes:
    """A pod's spec with this many copies of the container."""
    return {"containers": [{**_container(), "name": f"app-{i}"} for i in range(number)]}


def service(namespace: str = OWN, **spec: Any) -> Object:
    """A Service with an address in the cluster only."""
    return thing("v1", "Service", namespace, spec={"ports": [{"port": 80}], **spec})


def external_secret(key: str = OWN_SECRET, namespace: str = OWN, **spec: Any) -> Object:
    """An ExternalSecret that reads `key` through the stack's store."""
    data = [{"secretKey": "value", "remoteRef": {"key": key, "property": "password"}}]
    whole = {"secretStoreRef": _STORE, "target": {"name": NAME}, "data": data, **spec}
    return thing(ESO, "ExternalSecret", namespace, spec=whole)


def secret_store(kind: str = "SecretStore", namespace: str | None = OWN) -> Object:
    """A SecretStore that logs in to OpenBao as External Secrets itself."""
    login = {"mountPath": "kubernetes", "role": STORE_ROLE}
    vault = {"server": "{openbao}", "path": MOUNT, "version": "v2", "auth": {"kubernetes": login}}
    return thing(ESO, kind, namespace, spec={"provider": {"vault": vault}})


def push_secret() -> Object:
    """A PushSecret that would write to another team's path."""
    data = [{"match": {"secretKey": "value", "remoteRef": {"remoteKey": OTHERS_SECRET}}}]
    selector = {"secret": {"name": NAME}}
    spec = {"secretStoreRefs": [_STORE], "selector": selector, "data": data}
    return thing("external-secrets.io/v1alpha1", "PushSecret", spec=spec)


def endpoint_slice() -> Object:
    """An EndpointSlice that sends the team's own Service's traffic to an address of its choice."""
    fields = {"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}]}
    return thing("discovery.k8s.io/v1", "EndpointSlice", **fields)


def network_policy(namespace: str = OWN) -> Object:
    """A NetworkPolicy that allows everything in and out."""
    both = {"policyTypes": ["Ingress", "Egress"], "ingress": [ALL], "egress": [ALL]}
    spec = {"podSelector": ALL, **both}
    return thing("networking.k8s.io/v1", "NetworkPolicy", namespace, spec=spec)


def ingress() -> Object:
    """An Ingress for all hosts."""
    backend = {"service": {"name": NAME, "port": {"number": 80}}}
    return thing("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": backend})


def gateway() -> Object:
    """A Gateway that takes all hosts at the platform's gateway."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [{"port": port, "hosts": ["*"]}]}
    return thing("networking.istio.io/v1", "Gateway", spec=spec)


def virtual_service(host: str = "{app}.{own}.svc.cluster.local", **spec: Any) -> Object:
    """A VirtualService that routes requests for `host` to an app of the team."""
    route = [{"destination": {"host": "{app}.{own}.svc.cluster.local"}}]
    whole = {"hosts": [host], "gateways": ["{gateway}"], "http": [{"route": route}], **spec}
    return thing("networking.istio.io/v1", "VirtualService", spec=whole)


def service_monitor() -> Object:
    """A ServiceMonitor that makes Prometheus send its own token."""
    endpoint = {"port": "metrics", "bearerTokenFile": "/var/run/secrets/token"}
    spec = {"selector": ALL, "endpoints": [endpoint]}
    return thing("monitoring.coreos.com/v1", "ServiceMonitor", spec=spec)


def role(kind: str = "Role", namespace: str | None = OWN) -> Object:
    """A Role with every right."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    return thing("rbac.authorization.k8s.io/v1", kind, namespace, rules=[everything])


def binding(kind: str = "RoleBinding", namespace: str | None = OWN) -> Object:
    """`cluster-admin` for everyone who has logged in."""
    group = "rbac.authorization.k8s.io"
    return thing(
        f"{group}/v1",
        kind,
        namespace,
        roleRef={"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        subjects=[{"apiGroup": group, "kind": "Group", "name": "system:authenticated"}],
    )


def persistent_volume() -> Object:
    """A PersistentVolume with the root of a node's disk."""
    size = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    spec = {**size, "hostPath": {"path": "/"}}
    return thing("v1", "PersistentVolume", None, spec=spec)


def webhook() -> Object:
    """A webhook that would see every request for a secret."""
    secrets = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}
    hook = {
        "name": "isolation.example.com",
        "clientConfig": {"url": "https://isolation.example.com"},
        "rules": [{**secrets, "operations": ["*"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = "MutatingWebhookConfiguration"
    return thing("admissionregistration.k8s.io/v1", kind, None, webhooks=[hook])


def _pod_spec(spec: Changes, container: Changes, security: Changes = NONE) -> Object:
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(container, security)],
        **spec,
    }


def _container(container: Changes = NONE, security: Changes = NONE) -> Object:
    hardened = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    return {"name": "app", "image": IMAGE, "securityContext": {**hardened, **security}, **container}
