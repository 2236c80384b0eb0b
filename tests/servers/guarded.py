"""What the platform's policies let developers of `TEAM` create (GOOD) and what not (BAD)."""

from collections.abc import Callable, Mapping
from typing import Any

from clients.kubernetes import Object

TEAM, OTHER = "team-guarded", "team-other"
HARBOR, SHARED = "harbor.sre.internal", "base-images"
HOST, OTHER_HOST = "shop.apps.example.com", "api.example.com"
# The namespace says that the team has them, as the stack of a team may not know that it has not.
PLATFORM_HOSTS = ("harbor.sre.internal", "grafana.ops.example.com")
IMAGE = f"{HARBOR}/{TEAM}/shop:v1.0.0"
OTHERS_IMAGE = f"{HARBOR}/{OTHER}/shop:v1.0.0"


def thing(kind: str, spec: Mapping[str, Any] | None = None, **metadata: Any) -> Object:
    """`kind` as in `apps/v1 Deployment`."""
    api_version, _, word = kind.rpartition(" ")
    metadata = {"name": "thing", "namespace": TEAM, **metadata}
    made = {"apiVersion": api_version, "kind": word, "metadata": metadata}
    return made if spec is None else {**made, "spec": spec}


def pod_spec(image: str = IMAGE, **spec: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": image}], **spec}


def pod(image: str = IMAGE, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    return thing("v1 Pod", pod_spec(image, **spec), labels=labels)


def workload(
    kind: str, image: str = IMAGE, labels: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    selector = {"app": "thing"}
    template = {"metadata": {"labels": {**selector, **(labels or {})}}, "spec": pod_spec(image)}
    return thing(kind, {"selector": {"matchLabels": selector}, "template": template, **spec})


def deployment(**pod: Any) -> Object:
    """One whose pods' spec has these fields, too."""
    made = workload("apps/v1 Deployment")
    made["spec"]["template"]["spec"].update(pod)
    return made


def replication_controller(image: str) -> Object:
    made = workload("v1 ReplicationController", image)
    return thing("v1 ReplicationController", {**made["spec"], "selector": {"app": "thing"}})


def job(image: str = IMAGE, labels: Mapping[str, str] | None = None) -> Object:
    return thing("batch/v1 Job", _job_spec(image, labels))


def cron_job(image: str = IMAGE, labels: Mapping[str, str] | None = None) -> Object:
    template = {"spec": _job_spec(image, labels)}
    return thing("batch/v1 CronJob", {"schedule": "0 0 * * *", "jobTemplate": template})


def _job_spec(image: str, labels: Mapping[str, str] | None) -> dict[str, Any]:
    spec = pod_spec(image, restartPolicy="Never")
    return {"template": {"metadata": {"labels": labels}, "spec": spec}}


def service(**spec: Any) -> Object:
    return thing("v1 Service", {"ports": [{"port": 80}], **spec})


def external_secret(key: str = f"sre/{TEAM}/database", **spec: Any) -> Object:
    data = [{"secretKey": "value", "remoteRef": {"key": key, "property": "value"}}]
    store = {"name": "openbao-backend", "kind": "ClusterSecretStore"}
    return thing(
        "external-secrets.io/v1 ExternalSecret",
        {
            "secretStoreRef": store,
            "target": {"name": "thing"},
            "data": data,
            **spec,
        },
    )


def all_of(key: str) -> Object:
    return external_secret(data=[], dataFrom=[{"extract": {"key": key}}])


def virtual_service(host: str = HOST, to: str = "shop", **spec: Any) -> Object:
    http = [{"route": [{"destination": {"host": to}}]}]
    gateways = ["istio-system/sre-gateway"]
    return thing(
        "networking.istio.io/v1 VirtualService",
        {
            "hosts": [host],
            "gateways": gateways,
            "http": http,
            **spec,
        },
    )


def ingress() -> Object:
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    return thing("networking.k8s.io/v1 Ingress", {"defaultBackend": backend})


NETWORK_POLICY = thing("networking.k8s.io/v1 NetworkPolicy", {"podSelector": {}, "ingress": [{}]})
SECRET_STORE = thing(
    "external-secrets.io/v1 SecretStore",
    {
        "provider": {
            "vault": {
                "server": "https://bao",
                "auth": {
                    "kubernetes": {
                        "mountPath": "kubernetes",
                        "role": "external-secrets",
                    }
                },
            }
        }
    },
)
PUSH_SECRET = thing(
    "external-secrets.io/v1alpha1 PushSecret",
    {
        "secretStoreRefs": [{"name": "openbao-backend", "kind": "ClusterSecretStore"}],
        "selector": {"secret": {"name": "thing"}},
    },
)
SERVICE_MONITOR = thing(
    "monitoring.coreos.com/v1 ServiceMonitor",
    {"selector": {}, "endpoints": [{"port": "http"}], "namespaceSelector": {"any": True}},
)
GATEWAY = thing(
    "networking.istio.io/v1 Gateway",
    {
        "selector": {"istio": "ingressgateway"},
        "servers": [{"hosts": ["*"], "port": {"name": "http", "number": 80, "protocol": "HTTP"}}],
    },
)
# A team's own would make its sidecars know a host that no app calls, or admit callers that no app
# names.
SERVICE_ENTRY = thing(
    "networking.istio.io/v1 ServiceEntry",
    {
        "hosts": ["api.example.com"],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
        "resolution": "DNS",
    },
)
AUTHORIZATION_POLICY = thing(
    "security.istio.io/v1 AuthorizationPolicy", {"action": "ALLOW", "rules": [{}]}
)

DIGEST = "sha256:" + "0123456789abcdef" * 4
PROXY = "docker.io/istio/proxyv2:1.31.0"
MAKERS: list[Callable[[str], Object]] = [
    pod,
    job,
    cron_job,
    replication_controller,
    *(
        lambda image, kind=kind: workload(f"apps/v1 {kind}", image)
        for kind in ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")
    ),
]
OWN_LABEL, OTHERS_LABEL = {"sre.io/team": TEAM}, {"sre.io/team": OTHER}


def to(host: str) -> dict[str, Any]:
    return {"destination": {"host": host}}


GOOD = {
    "images of the team's project": [make(IMAGE) for make in MAKERS],
    "an image of a shared project": [pod(f"{HARBOR}/{SHARED}/a/b:1")],
    "an image by its digest": [
        pod(f"{IMAGE.rpartition(':')[0]}@{DIGEST}"),
        pod(f"{IMAGE}@{DIGEST}"),
    ],
    "a sidecar": [
        pod(initContainers=[{"name": "istio-proxy", "image": image}])
        for image in (PROXY, "registry.istio.io/release/proxyv2@sha256:" + "0" * 64)
    ],
    "what the cluster itself lets a pod tolerate": [
        pod(tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}])
    ],
    "the team's label": [
        pod(labels=OWN_LABEL),
        workload("apps/v1 Deployment", labels=OWN_LABEL),
        thing("v1 ConfigMap", labels=OWN_LABEL),
    ],
    "Services within the cluster": [service(), service(clusterIP="None")],
    "secrets of the team's path": [
        external_secret(),
        external_secret(f"sre/{TEAM}/shop/database_2.password"),
        external_secret(secretStoreRef={"name": "openbao-backend"}),
        all_of(f"sre/{TEAM}/database"),
    ],
    "a great many secrets": [
        external_secret(
            data=[
                {"secretKey": f"k{n}", "remoteRef": {"key": f"sre/{TEAM}/database-{n}"}}
                for n in range(1000)
            ]
        )
    ],
    "hosts of the team's file": [virtual_service(), virtual_service(OTHER_HOST)],
    "names of the team's Services": [
        virtual_service("shop", gateways=["mesh"]),
        virtual_service(f"shop.{TEAM}.svc.cluster.local", f"shop.{TEAM}.svc.cluster.local"),
    ],
    "routes of the team's own hosts": [
        virtual_service(
            http=[], tls=[{"match": [{"port": 443, "sniHosts": [HOST]}], "route": [to("shop")]}]
        ),
        virtual_service(http=[], tcp=[{"match": [{"port": 5432}], "route": [to("shop")]}]),
    ],
    "a redirect": [virtual_service(http=[{"redirect": {"uri": "/"}}])],
    "a part of a VirtualService of the team": [
        virtual_service(http=[{"delegate": {"name": "shop"}}]),
        virtual_service(http=[{"delegate": {"name": "shop", "namespace": TEAM}}]),
    ],
}


OTHERS_SERVICE = f"orders.{OTHER}.svc.cluster.local"

# By policy and a word of its message.
BAD = {
    ("sre-images", "images must come from"): [
        *(make(OTHERS_IMAGE) for make in MAKERS),
        pod("busybox"),
        pod("docker.io/library/busybox:1.37.0"),
        pod(f"{HARBOR}.evil.example/{TEAM}/shop:v1.0.0"),
        pod(f"harborXsre.internal/{TEAM}/shop:v1.0.0"),
        pod(f"{HARBOR}/{TEAM}-2/shop:v1.0.0"),
        pod(f"{HARBOR}/{TEAM}/../{OTHER}/shop:v1.0.0"),
        pod(f"{HARBOR}/{TEAM}"),
        pod("docker.io/istio/proxyv2-of-mine:1"),
        pod("registry.istio.io/release/proxyv2/of-mine:1"),
        workload("apps/v1 Deployment", PROXY),
        pod(initContainers=[{"name": "first", "image": OTHERS_IMAGE}]),
        pod(volumes=[{"name": "files", "image": {"reference": OTHERS_IMAGE}}]),
    ],
    ("sre-images", "pinned to a version"): [
        pod(IMAGE.rpartition(":")[0]),
        pod(IMAGE.replace("v1.0.0", "latest")),
        pod(IMAGE.replace("v1.0.0", "LATEST")),
        cron_job(IMAGE.replace("v1.0.0", "latest")),
    ],
    ("sre-scheduling", "priorityClassName"): [
        pod(priorityClassName="system-node-critical"),
        deployment(priorityClassName="system-cluster-critical"),
    ],
    ("sre-scheduling", "nodeName"): [
        pod(nodeName="sandbox"),
        deployment(nodeName="sandbox"),
    ],
    ("sre-scheduling", "tolerations"): [
        pod(tolerations=[{"operator": "Exists"}]),
        deployment(tolerations=[{"key": "node-role.kubernetes.io/control-plane"}]),
    ],
    ("sre-labels", "sre.io/team"): [
        pod(labels=OTHERS_LABEL),
        workload("apps/v1 Deployment", labels=OTHERS_LABEL),
        cron_job(labels=OTHERS_LABEL),
        thing("v1 ConfigMap", labels=OTHERS_LABEL),
        thing(
            "external-secrets.io/v1 ExternalSecret", external_secret()["spec"], labels=OTHERS_LABEL
        ),
    ],
    ("sre-services", "type ClusterIP"): [
        service(type="NodePort"),
        service(type="LoadBalancer"),
        service(type="ExternalName", externalName=OTHERS_SERVICE),
    ],
    ("sre-services", "externalIPs"): [service(externalIPs=["192.0.2.1"])],
    ("sre-secrets", "sre/<team>/<name>"): [
        *(
            make(key)
            for make in (external_secret, all_of)
            for key in (
                f"sre/{OTHER}/database",
                f"sre/{TEAM}",
                f"sre/{TEAM}/",
                f"sre/{TEAM}-2/database",
                f"sre/{TEAM}/../{OTHER}/database",
                f"sre/{TEAM}/%2e%2e/{OTHER}/database",
                f"sre/{TEAM}/./database",
                f"sre/{TEAM}//database",
                f"sre/data/{OTHER}/database",
                f"sre/{TEAM}/database\nsre/{OTHER}/database",
                f"{TEAM}/database",
                f" sre/{TEAM}/database",
            )
        ),
    ],
    ("sre-secrets", "find and sourceRef"): [
        external_secret(data=[], dataFrom=[{"find": {"name": {"regexp": ".*"}}}]),
        external_secret(
            data=[],
            dataFrom=[
                {
                    "extract": {"key": f"sre/{TEAM}/database"},
                    "find": {"name": {"regexp": ".*"}},
                }
            ],
        ),
        external_secret(
            data=[
                {
                    "secretKey": "value",
                    "remoteRef": {"key": f"sre/{TEAM}/database"},
                    "sourceRef": {"storeRef": {"name": "another"}},
                }
            ]
        ),
        external_secret(
            data=[],
            dataFrom=[
                {
                    "sourceRef": {
                        "generatorRef": {
                            "apiVersion": "generators.external-secrets.io/v1alpha1",
                            "kind": "Password",
                            "name": "own",
                        }
                    }
                }
            ],
        ),
    ],
    ("sre-secrets", "secretStoreRef"): [
        external_secret(secretStoreRef={"name": "own", "kind": "SecretStore"}),
        external_secret(secretStoreRef=None),
    ],
    ("sre-secrets", "target.manifest"): [
        external_secret(
            target={
                "manifest": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"},
                "name": "opened",
            }
        ),
    ],
    ("sre-hosts", "hosts must be in"): [
        virtual_service(host)
        for host in (
            "orders.example.com",
            f"x.{HOST}",
            HOST.upper(),
            "*",
            "*.example.com",
            "",
            "10.0.0.1",
            OTHERS_SERVICE,
            f"orders.{OTHER}",
            f"shop.{TEAM}.svc.cluster.local.example.com",
            *PLATFORM_HOSTS,
        )
    ],
    ("sre-hosts", "gateways must be the platform's"): [virtual_service(gateways=[f"{TEAM}/own"])],
    ("sre-hosts", "routes must match"): [
        virtual_service(
            http=[],
            tcp=[{"match": [{"destinationSubnets": ["0.0.0.0/0"]}], "route": [to("shop")]}],
        ),
        virtual_service(
            http=[],
            tls=[
                {
                    "match": [{"port": 443, "sniHosts": ["orders.example.com"]}],
                    "route": [to("shop")],
                }
            ],
        ),
    ],
    ("sre-hosts", "team's own namespace"): [
        virtual_service(to=OTHERS_SERVICE),
        virtual_service(to=f"orders.{OTHER}"),
        virtual_service(
            http=[{"route": [to("shop")], "mirror": to(OTHERS_SERVICE)["destination"]}]
        ),
        virtual_service(http=[{"route": [to("shop")], "mirrors": [to(OTHERS_SERVICE)]}]),
        virtual_service(http=[{"delegate": {"name": "orders", "namespace": OTHER}}]),
        virtual_service(http=[], tcp=[{"route": [to(OTHERS_SERVICE)]}]),
        virtual_service(
            http=[], tls=[{"match": [{"sniHosts": [HOST]}], "route": [to(OTHERS_SERVICE)]}]
        ),
    ],
    ("sre-platform-only", "apps[].networkPolicy"): [NETWORK_POLICY, ingress()],
    ("sre-platform-only", "apps[].app.env[].secretRef"): [
        SECRET_STORE,
        PUSH_SECRET,
        thing("generators.external-secrets.io/v1 Password", {}),
    ],
    ("sre-platform-only", "the platform manages the mesh"): [
        GATEWAY,
        SERVICE_ENTRY,
        thing("extensions.istio.io/v1 TrafficExtension", {}),
    ],
    ("sre-platform-only", "deploy apps with apps[]"): [
        thing("helm.toolkit.fluxcd.io/v1 HelmRelease", {}),
        thing("kustomize.toolkit.fluxcd.io/v1 Kustomization", {}),
    ],
    ("sre-platform-only", "mutual TLS"): [thing("security.istio.io/v1 PeerAuthentication", {})],
    ("sre-platform-only", "apps[].callers"): [AUTHORIZATION_POLICY],
    ("sre-platform-only", "apps[].ingress"): [thing("gateway.networking.k8s.io/v1 HTTPRoute", {})],
    ("sre-platform-only", "apps[].serviceMonitor"): [SERVICE_MONITOR],
}
