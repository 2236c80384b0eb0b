"""Requests in a namespace, the caller's own or another team's."""

from tools.isolation.requests import (
    Request,
    changes,
    connects,
    creates,
    deletes,
    gets_token,
    lists,
    reads,
)
from tools.isolation.samples import (
    binding,
    external_secret,
    network_policy,
    pod,
    role,
    service,
)
from tools.isolation.target_kinds import (
    ALL,
    CONFIG_MAP,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    LIMIT_RANGE,
    NETWORK_POLICY,
    POD,
    QUOTA,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    TargetKind,
)

LABEL = {"metadata": {"labels": {"isolation": "check"}}}


def views(namespace: str) -> dict[str, Request]:
    """Requests that Kubernetes' role `view` allows."""
    return {
        "list pods": lists(POD, namespace),
        "list Deployments": lists(DEPLOYMENT, namespace),
        "list ConfigMaps": lists(CONFIG_MAP, namespace),
        "list Services": lists(SERVICE, namespace),
        "list ExternalSecrets": lists(EXTERNAL_SECRET, namespace),
        "read a pod": reads(POD, namespace),
        "read the quota": reads(QUOTA, namespace),
        "read the namespace": reads(_itself(namespace)),
    }


def more_than_views(namespace: str) -> dict[str, Request]:
    """Secrets, what runs in pods, and writes."""
    return {
        "list secrets": lists(SECRET, namespace),
        "read a secret": reads(SECRET, namespace),
        "get a token for a ServiceAccount": gets_token(namespace),
        "run a command in a pod": connects(POD, namespace, "/exec"),
        "attach to a pod": connects(POD, namespace, "/attach"),
        "forward a port of a pod": connects(POD, namespace, "/portforward"),
        "call a pod through the proxy": reads(POD, namespace, "/proxy/"),
        "call a Service through the proxy": reads(SERVICE, namespace, "/proxy/"),
        "create a pod": creates(pod(namespace=namespace)),
        "create a Service": creates(service(namespace)),
        "create an ExternalSecret": creates(external_secret(namespace=namespace)),
        "create a NetworkPolicy": creates(network_policy(namespace)),
        "create a Role": creates(role(namespace=namespace)),
        "create a RoleBinding": creates(binding(namespace=namespace)),
        "change a Deployment": changes(DEPLOYMENT, namespace, {"spec": {"replicas": 0}}),
        "change a RoleBinding": changes(ROLE_BINDING, namespace, {"subjects": []}),
        "change the quota": changes(QUOTA, namespace, {"spec": {"hard": {"pods": "999"}}}),
        "change the limits": changes(LIMIT_RANGE, namespace, {"spec": {"limits": []}}),
        "label the namespace": changes(_itself(namespace), ALL, LABEL),
        "delete a Deployment": deletes(DEPLOYMENT, namespace),
        "delete a pod": deletes(POD, namespace),
        "delete a secret": deletes(SECRET, namespace),
        "delete a NetworkPolicy": deletes(NETWORK_POLICY, namespace),
        "delete the namespace": deletes(_itself(namespace)),
    }


def everything(namespace: str) -> dict[str, Request]:
    """All of these, and requests that a node must answer, which on these servers has no answers."""
    log = {"read a pod's log": reads(POD, namespace, "/log")}
    return {**views(namespace), **log, **more_than_views(namespace)}


def _itself(namespace: str) -> TargetKind:
    return TargetKind("v1", "Namespace", namespace)
