"""A developer in the team's own namespace.

The first block is what the role `edit` is for. Everything else must be refused: by RBAC, by quota,
by Pod Security, or, where `edit` would allow it, by the platform's policies.
"""

from collections.abc import Mapping

from tools.isolation.requests import (
    Attempt,
    all_of,
    asks_who_it_is,
    changes,
    creates,
    deletes,
    gets_token,
    lists,
    reads,
)
from tools.isolation.samples import (
    NAME,
    OTHERS_SECRET,
    Object,
    binding,
    containers,
    cron_job,
    deployment,
    endpoint_slice,
    external_secret,
    gateway,
    ingress,
    network_policy,
    pod,
    push_secret,
    role,
    secret_store,
    service,
    service_monitor,
    thing,
    virtual_service,
)
from tools.isolation.target_kinds import (
    ALL,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    LIMIT_RANGE,
    NETWORK_POLICY,
    OWN,
    OWN_NAMESPACE,
    POD,
    QUOTA,
    ROLE_BINDING,
    SECRET,
    SERVICE_MONITOR,
)
from tools.isolation.verdict import (
    ALLOWED,
    BY_LIMIT_RANGE,
    BY_POD_SECURITY,
    BY_QUOTA,
    BY_RBAC,
    by,
)


def _creations(before: str, expected: str, objects: Mapping[str, Object]) -> list[Attempt]:
    """A check that creates each; its description starts with `before`."""
    return all_of({how: creates(made) for how, made in objects.items()}, expected, before)


_ALLOWED = [
    Attempt("authenticate to the API server", ALLOWED, asks_who_it_is()),
    Attempt("create a hardened pod", ALLOWED, creates(pod())),
    Attempt("create a Deployment of such a pod", ALLOWED, creates(deployment())),
    Attempt("change a Deployment", ALLOWED, changes(DEPLOYMENT, OWN, {"spec": {"replicas": 1}})),
    Attempt("delete a pod", ALLOWED, deletes(POD, OWN)),
    Attempt("create a Service", ALLOWED, creates(service())),
    Attempt("list secrets", ALLOWED, lists(SECRET, OWN)),
    Attempt("read the quota", ALLOWED, reads(QUOTA, OWN)),
    Attempt("get a token for a ServiceAccount", ALLOWED, gets_token(OWN)),
    Attempt("create an ExternalSecret for the team's path", ALLOWED, creates(external_secret())),
    Attempt("delete an ExternalSecret", ALLOWED, deletes(EXTERNAL_SECRET, OWN)),
    Attempt("create a VirtualService for a Service", ALLOWED, creates(virtual_service())),
    Attempt(
        "create a VirtualService for the team's host", ALLOWED, creates(virtual_service("{host}"))
    ),
]

_BEYOND = pod(containers(400), labels={"sre.io/team": "{summed}"})
_MORE = {"hard": {"pods": "999"}}
_WIDER = {"limits": [{"type": "Container", "max": {"cpu": "1000"}}]}
_HUGE = {"resources": {"limits": {"cpu": "1000", "memory": "1Ti"}}}
_LAX = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}

_BOUNDS = [
    Attempt("create a pod that exceeds the quota", BY_QUOTA, creates(_BEYOND)),
    Attempt("create a pod that exceeds the limits", BY_LIMIT_RANGE, creates(pod(container=_HUGE))),
    Attempt("change the quota", BY_RBAC, changes(QUOTA, OWN, {"spec": _MORE})),
    Attempt("delete the quota", BY_RBAC, deletes(QUOTA, OWN)),
    Attempt("create a quota", BY_RBAC, creates(thing("v1", "ResourceQuota", spec=_MORE))),
    Attempt("change the limits", BY_RBAC, changes(LIMIT_RANGE, OWN, {"spec": _WIDER})),
    Attempt("delete the limits", BY_RBAC, deletes(LIMIT_RANGE, OWN)),
    Attempt("create limits", BY_RBAC, creates(thing("v1", "LimitRange", spec=_WIDER))),
    Attempt("label the namespace", BY_RBAC, changes(OWN_NAMESPACE, ALL, _LAX)),
    Attempt("delete the namespace", BY_RBAC, deletes(OWN_NAMESPACE)),
    Attempt("create a Role with all rights (escalate)", BY_RBAC, creates(role())),
    Attempt("bind the role cluster-admin (bind)", BY_RBAC, creates(binding())),
    Attempt("change a RoleBinding", BY_RBAC, changes(ROLE_BINDING, OWN, {"subjects": []})),
    Attempt("delete a RoleBinding", BY_RBAC, deletes(ROLE_BINDING, OWN)),
    Attempt("create an EndpointSlice", BY_RBAC, creates(endpoint_slice())),
]

_CAPABILITY = {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}
_PRIVILEGED = {"privileged": True, "allowPrivilegeEscalation": True}
_HOST_PATH = {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}
_HOST_PORT = {"ports": [{"containerPort": 8080, "hostPort": 8080}]}

_POD_SECURITY = _creations(
    "create a pod ",
    BY_POD_SECURITY,
    {
        "that is privileged": pod(security=_PRIVILEGED),
        "that runs as root": pod(security={"runAsUser": 0}),
        "that may run as root": pod(security={"runAsNonRoot": False}),
        "with an added capability": pod(security=_CAPABILITY),
        "that keeps its capabilities": pod(security={"capabilities": {}}),
        "that may escalate its privileges": pod(security={"allowPrivilegeEscalation": True}),
        "without seccomp": pod(security={"seccompProfile": {"type": "Unconfined"}}),
        "with a hostPath": pod(_HOST_PATH),
        "with a hostPort": pod(container=_HOST_PORT),
        "with hostNetwork": pod({"hostNetwork": True}),
        "with hostPID": pod({"hostPID": True}),
        "with hostIPC": pod({"hostIPC": True}),
    },
)

_FOREIGN = {"image": "docker.io/library/busybox:1.37.0"}
_OTHERS = {"image": "{harbor}/{other}/{app}:v1.0.0"}
_DETOUR = {"image": "{harbor}/{own}/../{other}/{app}:v1.0.0"}
_LATEST = {"image": "{harbor}/{own}/{app}:latest"}
_INIT = {"initContainers": [{**containers(1)["containers"][0], "name": "init", **_OTHERS}]}
_VOLUME = {"volumes": [{"name": "files", "image": {"reference": _OTHERS["image"]}}]}

_IMAGES = _creations(
    "create ",
    by("sre-images"),
    {
        "a pod with an image from another registry": pod(container=_FOREIGN),
        "a pod with another team's image": pod(container=_OTHERS),
        "a pod with another team's image through `..`": pod(container=_DETOUR),
        "a Deployment with an image from another registry": deployment(_FOREIGN),
        "a Deployment with another team's image": deployment(_OTHERS),
        "a CronJob with another team's image": cron_job(_OTHERS),
        "an init container with another team's image": pod(_INIT),
        "a volume with another team's image": pod(_VOLUME),
        "a pod with the tag `latest`": pod(container=_LATEST),
    },
)

_SCHEDULING = _creations(
    "create a pod ",
    by("sre-scheduling"),
    {
        "with a system priority class": pod({"priorityClassName": "system-node-critical"}),
        "on a node of its choice": pod({"nodeName": "sandbox"}),
        "that tolerates every taint": pod({"tolerations": [{"operator": "Exists"}]}),
    },
)

_LABEL = {"sre.io/team": "{other}"}

_LABELS = [
    Attempt(f"{what} with another team's label", by("sre-labels"), request)
    for what, request in {
        "create a pod": creates(pod(labels=_LABEL)),
        "create a Deployment": creates(deployment(labels=_LABEL)),
        "mark a pod": changes(POD, OWN, {"metadata": {"labels": _LABEL}}),
        "mark a secret": changes(SECRET, OWN, {"metadata": {"labels": _LABEL}}),
    }.items()
]

_SERVICES = _creations(
    "create a Service ",
    by("sre-services"),
    {
        "of type NodePort": service(type="NodePort"),
        "of type LoadBalancer": service(type="LoadBalancer"),
        "of type ExternalName": service(type="ExternalName", externalName="{app}.{other}.svc"),
        "with externalIPs": service(externalIPs=["192.0.2.1"]),
    },
)

_FIND = {"dataFrom": [{"find": {"path": "sre/{own}", "name": {"regexp": ".*"}}}]}
_EXTRACT = {"dataFrom": [{"extract": {"key": OTHERS_SECRET}}]}
_GENERATOR = {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret"}
_DRAW = {"dataFrom": [{"sourceRef": {"generatorRef": {**_GENERATOR, "name": NAME}}}]}
_MANIFEST = {"target": {"name": NAME, "manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}
_OTHER_STORE = {"secretStoreRef": {"name": "another", "kind": "ClusterSecretStore"}}
_TURNED = {"spec": {"data": [{"secretKey": "value", "remoteRef": {"key": OTHERS_SECRET}}]}}
_DOTS = "sre/{own}/../{other}/harbor-pull"
_CODED_DOTS = "sre/{own}/%2e%2e/{other}/harbor-pull"

_SECRETS = all_of(
    {
        "create an ExternalSecret for another team's path": creates(external_secret(OTHERS_SECRET)),
        "create an ExternalSecret for a path with `..`": creates(external_secret(_DOTS)),
        "create an ExternalSecret for a path with `%2e`": creates(external_secret(_CODED_DOTS)),
        "extract another team's path with an ExternalSecret": creates(external_secret(**_EXTRACT)),
        "change an ExternalSecret to another team's path": changes(EXTERNAL_SECRET, OWN, _TURNED),
        "find secrets with an ExternalSecret": creates(external_secret(**_FIND)),
        "use a generator in an ExternalSecret": creates(external_secret(**_DRAW)),
        "create another kind with an ExternalSecret": creates(external_secret(**_MANIFEST)),
        "create an ExternalSecret with another store": creates(external_secret(**_OTHER_STORE)),
    },
    by("sre-secrets"),
)

_PLATFORM_ONLY = all_of(
    {
        "create a NetworkPolicy": creates(network_policy()),
        "change a NetworkPolicy": changes(NETWORK_POLICY, OWN, {"spec": {"egress": [{}]}}),
        "delete a NetworkPolicy": deletes(NETWORK_POLICY, OWN),
        "create an Ingress": creates(ingress()),
        "create a SecretStore with the operator's login": creates(secret_store()),
        "create a PushSecret to another team's path": creates(push_secret()),
        "create a Gateway": creates(gateway()),
        "create a ServiceMonitor": creates(service_monitor()),
        "delete a ServiceMonitor": deletes(SERVICE_MONITOR, OWN),
    },
    by("sre-platform-only"),
)

_OUT = [{"route": [{"destination": {"host": "example.com"}}]}]
_DELEGATE = [{"delegate": {"name": NAME, "namespace": "{other}"}}]
_TO_OTHERS = [{"route": [{"destination": {"host": "{app}.{other}.svc.cluster.local"}}]}]

_HOSTS = _creations(
    "create a VirtualService ",
    by("sre-hosts"),
    {
        "for another team's host": virtual_service("{other_host}"),
        "for an unclaimed host": virtual_service("nobody.apps.sre.example.com"),
        "for all hosts": virtual_service("*"),
        "for another team's Service": virtual_service("{app}.{other}.svc.cluster.local"),
        "that routes to another team's Service": virtual_service(http=_TO_OTHERS),
        "that delegates to another team's": virtual_service(http=_DELEGATE),
        "that routes out of the cluster": virtual_service(http=_OUT),
        "at the team's own gateway": virtual_service(gateways=["{own}/own"]),
    },
)

OWN_CHECKS = (
    *_ALLOWED,
    *_BOUNDS,
    *_POD_SECURITY,
    *_PLATFORM_ONLY,
    *_SECRETS,
    *_IMAGES,
    *_SCHEDULING,
    *_LABELS,
    *_SERVICES,
    *_HOSTS,
)
