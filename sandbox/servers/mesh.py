"""Istio as `make servers PARTS=istio` runs it: the objects of its installer, and command lines."""

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path

import yaml

from clients.kubernetes import Cluster, Object
from sandbox.ready import missing
from sandbox.servers.keys import SIMULATED_NODE, self_signed
from sandbox.servers.parts import (
    GATEWAY,
    GATEWAY_ADMIN,
    GATEWAY_STATUS,
    ISTIOD,
    ISTIOD_CONFIGURATION,
    ISTIOD_METRICS,
    ISTIOD_PLAIN,
    ISTIOD_WEBHOOKS,
    Command,
    Parts,
    UnsettledError,
)
from sandbox.servers.record import write_private

NAMESPACE = "istio-system"
GATEWAY_NAME = "istio-ingressgateway"
GATEWAY_LABELS = {"app": GATEWAY_NAME, "istio": "ingressgateway"}
GATEWAY_ACCOUNT = f"{GATEWAY_NAME}-service-account"
CERTIFICATE = "sre-gateway"  # named by the Gateway in platform.yaml
HOSTS = ("*.apps.sre.example.com",)
MANAGER = "sre-sandbox"
GATEWAY_FOLDER = "gateway"  # the files that the gateway's agent reads
STAYS = "sre-sandbox-stays"  # a label of pods that no node but the simulated one can run
_ADDRESS = "sandbox.sre.io/address"  # an annotation of such pods, for kwok
_VALIDATOR, _DEFAULT_VALIDATOR = "istio-validator-istio-system", "istiod-default-validator"
INJECTOR = {"MutatingWebhookConfiguration": ("istio-sidecar-injector",)}
WEBHOOKS = {
    **INJECTOR,
    "ValidatingWebhookConfiguration": (_VALIDATOR, _DEFAULT_VALIDATOR),
}
ADMISSION = "admissionregistration.k8s.io/v1"

# Where the pods of the real node reach istiod: it has no DNS, and no addresses of Services.
ISTIODS_PLACE = "10.244.0.15", 15012
_ISTIODS_ADDRESS, _ = ISTIODS_PLACE
_HUB, _TAG = "registry.istio.io/release", "1.31.0"  # a release, not the daily version
PROXY_IMAGE = f"{_HUB}/proxyv2:{_TAG}"
CNI_ACCOUNT = NAMESPACE, "istio-cni"
_HTTPS = 8443  # the port of the gateway's pod

# As a platform team installs it for this program's stacks.
_CHOSEN = (
    "profile=default",
    f"hub={_HUB}",
    f"tag={_TAG}",
    "components.cni.enabled=true",  # without it, Pod Security `restricted` admits no sidecar
    # The Envoy project's Envoy has no filter for Istio's metrics.
    "values.telemetry.enabled=false",
    "meshConfig.defaultConfig.discoveryAddress={}:{}".format(*ISTIODS_PLACE),
    "values.global.caAddress={}:{}".format(*ISTIODS_PLACE),
)
# No node of the sandbox can run them, and there is nothing to scale.
_LEFT_OUT = frozenset({"DaemonSet", "HorizontalPodAutoscaler", "PodDisruptionBudget"})

# Guide: mutual TLS is STRICT in the whole mesh.
_STRICT: Object = {
    "apiVersion": "security.istio.io/v1",
    "kind": "PeerAuthentication",
    "metadata": {"name": "default", "namespace": NAMESPACE},
    "spec": {"mtls": {"mode": "STRICT"}},
}

# What its Deployment sets, as far as the sandbox needs it.
ISTIODS_ENVIRONMENT: Mapping[str, str] = {
    "POD_NAME": "istiod",
    "POD_NAMESPACE": NAMESPACE,
    "SERVICE_ACCOUNT": "istiod",
    "REVISION": "default",
    "CLUSTER_ID": "Kubernetes",
    "PILOT_CERT_PROVIDER": "istiod",
    # For the API server, and for pods of the real node.
    "ISTIOD_CUSTOM_HOST": f"127.0.0.1,{_ISTIODS_ADDRESS}",
    "VALIDATION_WEBHOOK_CONFIG_NAME": _VALIDATOR,
    # Only Istio's own Envoy has filters for these.
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_DISABLE_MX_ALPN": "true",
}


@cache
def installed(istioctl: Path) -> list[Object]:
    """Every object that `istioctl install` would create, including definitions."""
    options = [word for setting in _CHOSEN for word in ("--set", setting)]
    command = [str(istioctl), "manifest", "generate", *options]
    text = subprocess.check_output(command, text=True)
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def objects(made: list[Object]) -> Iterator[Object]:
    """Those that depend neither on the servers' ports nor on the node."""
    for each in made:
        if each["kind"] in _LEFT_OUT or each["kind"] in WEBHOOKS or _is_definition(each):
            continue
        if each["kind"] in ("Service", "Deployment") and each["metadata"]["name"] == GATEWAY_NAME:
            continue
        yield _simulated(each, {_ADDRESS: _ISTIODS_ADDRESS}) if _is_deployment(each) else each
    yield _STRICT


def _simulated(deployment: Object, annotations: Mapping[str, str]) -> Object:
    """The same with pods in whose place a process runs."""
    copy = deepcopy(deployment)
    template = copy["spec"]["template"]
    template["spec"]["nodeName"] = SIMULATED_NODE
    template["metadata"]["labels"][STAYS] = "true"
    template["metadata"]["annotations"] |= annotations
    return copy


def definitions(made: list[Object]) -> list[Object]:
    """The CustomResourceDefinitions, whole."""
    return [each for each in made if _is_definition(each)]


def webhooks(made: list[Object], parts: Parts) -> Iterator[Object]:
    """Those that have the API server ask istiod."""
    address = parts.address(ISTIOD_WEBHOOKS)

    def at_address(webhook: Object) -> Object:
        path = webhook["clientConfig"]["service"]["path"]
        return webhook | {"clientConfig": {"url": f"{address}{path}"}}

    for each in made:
        if each["kind"] in WEBHOOKS:
            asking = each | {"webhooks": [at_address(webhook) for webhook in each["webhooks"]]}
            yield asking
            if each["metadata"]["name"] == _VALIDATOR:
                yield _of_default_tag(asking)


def gateway(made: list[Object], parts: Parts, on_node: bool) -> Iterator[Object]:
    """The Deployment and the Service of the gateway.

    Its pod runs on the node, or is simulated and Envoy runs on this machine.
    """
    here = parts.ports[GATEWAY]
    for each in made:
        if each["metadata"]["name"] != GATEWAY_NAME:
            continue
        if each["kind"] == "Deployment":
            yield _published(each, here) if on_node else _simulated(each, {})
        elif each["kind"] == "Service":
            port = {"name": "https", "port": 443, "targetPort": _HTTPS if on_node else here}
            yield each | {"spec": {"selector": GATEWAY_LABELS, "ports": [port]}}


def _published(deployment: Object, port: int) -> Object:
    """The same with HTTPS at that port of its node, which one pod at a time can have."""
    copy = deepcopy(deployment)
    copy["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    (proxy,) = copy["spec"]["template"]["spec"]["containers"]
    (https,) = (each for each in proxy["ports"] if each["containerPort"] == _HTTPS)
    https["hostPort"] = port
    return copy


def check_gateway(cluster: Cluster) -> None:
    """Raise UnsettledError until the gateway's pod on the node is ready."""
    live = cluster.get("apps/v1", "Deployment", NAMESPACE, GATEWAY_NAME)
    if why := missing(live) if live else "it has no Deployment":
        raise UnsettledError(f"the gateway does not run: {why}")


def _of_default_tag(validator: Object) -> Object:
    """The copy that `istioctl install` creates, for objects that name no revision."""
    named = {"key": "istio.io/rev", "operator": "DoesNotExist"}
    metadata = validator["metadata"]
    return {
        **validator,
        "metadata": {
            "name": _DEFAULT_VALIDATOR,
            "labels": metadata["labels"] | {"istio.io/tag": "default"},
        },
        "webhooks": [
            webhook
            | {"name": "validation.istio.io", "objectSelector": {"matchExpressions": [named]}}
            for webhook in validator["webhooks"]
        ],
    }


def istiod_command(program: Path, parts: Parts) -> Command:
    """Its command line; it listens on this machine only."""

    def at(listener: str) -> str:
        return f"127.0.0.1:{parts.ports[listener]}"

    return [
        program,
        "discovery",
        f"--kubeconfig={parts.kubeconfig_of(ISTIOD)}",
        f"--httpAddr={at(ISTIOD)}",
        f"--httpsAddr={at(ISTIOD_WEBHOOKS)}",
        f"--secureGRPCAddr={at(ISTIOD_CONFIGURATION)}",
        f"--grpcAddr={at(ISTIOD_PLAIN)}",
        f"--monitoringAddr={at(ISTIOD_METRICS)}",
        "--ctrlz_port=0",
        "--log_as_json=false",
    ]


def check_trust(cluster: Cluster) -> None:
    """Raise UnsettledError until the API server knows istiod's CA, for every webhook."""
    for kind, names in WEBHOOKS.items():
        for name in names:
            live = cluster.get(ADMISSION, kind, None, name)
            hooks = live["webhooks"] if live else ()
            if not all(hook["clientConfig"].get("caBundle") for hook in hooks):
                raise UnsettledError(f"the API server does not know the CA of {kind} {name}")


def _gateways_pod(cluster: Cluster) -> Object:
    """The pod whose place Envoy takes: istiod identifies the gateway by its address."""
    for pod in cluster.list("v1", "Pod", NAMESPACE):
        labels = pod["metadata"].get("labels") or {}
        if (
            labels.items() >= GATEWAY_LABELS.items()
            and pod["spec"].get("nodeName") == SIMULATED_NODE
            and pod["status"].get("podIP")
        ):
            return pod
    raise UnsettledError("the gateway has no pod")


def write_gateway(parts: Parts, cluster: Cluster, token: str) -> None:
    """Write the files of the gateway's pod that Istio's agent reads, and Envoy's bootstrap."""
    pod = _gateways_pod(cluster)
    root = cluster.get("v1", "ConfigMap", NAMESPACE, "istio-ca-root-cert")
    if root is None:
        raise UnsettledError("istiod has published no CA")
    labels = pod["metadata"]["labels"]
    for file, content in (
        ("var/run/secrets/istio/root-cert.pem", root["data"]["root-cert.pem"]),
        ("var/run/secrets/tokens/istio-token", token),
        ("etc/istio/pod/labels", "".join(f"{k}={json.dumps(labels[k])}\n" for k in labels)),
        ("bootstrap.json", json.dumps(_bootstrap(parts, pod), indent=2)),
    ):
        path = _gateways_folder(parts) / file
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, content)


def gateway_command(agent: Path, envoy: Path, parts: Parts) -> Command:
    """Istio's agent as in the gateway's pod, except that Envoy listens on this machine only."""
    folder = _gateways_folder(parts)
    istiod = f"127.0.0.1:{parts.ports[ISTIOD_CONFIGURATION]}"
    proxy = {
        "discoveryAddress": istiod,
        "binaryPath": str(envoy),
        "configPath": "./etc/istio/proxy",
        "proxyBootstrapTemplatePath": "./bootstrap.json",
        "proxyAdminPort": parts.ports[GATEWAY_ADMIN],
        "statusPort": parts.ports[GATEWAY_STATUS],
        "terminationDrainDuration": "1s",
    }
    node = json.loads((folder / "bootstrap.json").read_text(encoding="utf-8"))["node"]
    settings = {
        "CA_ADDR": istiod,
        "PROXY_CONFIG": json.dumps(proxy),
        "POD_NAME": node["metadata"]["NAME"],
        "POD_NAMESPACE": NAMESPACE,
        "INSTANCE_IP": node["metadata"]["INSTANCE_IPS"],
        "SERVICE_ACCOUNT": GATEWAY_ACCOUNT,
        "PILOT_CERT_PROVIDER": "istiod",
        "TRUST_DOMAIN": "cluster.local",
        "ISTIO_META_CLUSTER_ID": "Kubernetes",
    }
    # Its other paths are relative, too.
    into = ("/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder)
    words = [f"{name}={value}" for name, value in settings.items()]
    return [*into, "/usr/bin/env", *words, agent, "proxy", "router"]


def _bootstrap(parts: Parts, pod: Object) -> Object:
    """Envoy's bootstrap: the agent passes on the rest of its configuration."""
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    ads: Object = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    source = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
    }
    return {
        "node": {
            "id": f"router~{address}~{name}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": f"{GATEWAY_NAME}.{NAMESPACE}",
            "metadata": {
                "NAMESPACE": NAMESPACE,
                "NAME": name,
                "LABELS": pod["metadata"]["labels"],
                "CLUSTER_ID": "Kubernetes",
                "SERVICE_ACCOUNT": GATEWAY_ACCOUNT,
                "INSTANCE_IPS": address,
                "MESH_ID": "cluster.local",
            },
        },
        "admin": {"address": _socket_address(parts.ports[GATEWAY_ADMIN])},
        "dynamic_resources": {"lds_config": ads, "cds_config": ads, "ads_config": source},
        "static_resources": {
            "clusters": [
                _agents("xds-grpc", "./etc/istio/proxy/XDS"),
                _agents("sds-grpc", "./var/run/secrets/workload-spiffe-uds/socket"),
            ]
        },
    }


def _agents(name: str, path: str) -> Object:
    """A cluster for a socket of the agent."""
    protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options: Object = {
        "@type": f"type.googleapis.com/{protocol}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"address": {"pipe": {"path": path}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {protocol: options},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _gateways_folder(parts: Parts) -> Path:
    return parts.folder / GATEWAY_FOLDER


def give_certificate(parts: Parts, cluster: Cluster) -> None:
    """Create the Secret that the Gateway names, unless it exists; `gateway.crt` is a copy."""
    file = parts.folder / "gateway.crt"
    if file.exists() and cluster.get("v1", "Secret", NAMESPACE, CERTIFICATE):
        return
    certificate, key = self_signed(*HOSTS)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CERTIFICATE, "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": {
            name: base64.b64encode(content).decode()
            for name, content in (("tls.crt", certificate), ("tls.key", key))
        },
    }
    cluster.apply(secret, MANAGER)
    file.write_bytes(certificate)


def listen(cluster: Cluster, here_only: bool) -> None:
    """Have the gateway listen on all of its addresses, or on this machine only."""
    gateway = cluster.get("networking.istio.io/v1", "Gateway", NAMESPACE, CERTIFICATE)
    if gateway is None:
        raise UnsettledError(f"there is no Gateway {CERTIFICATE}")
    servers = [
        server | {"bind": "127.0.0.1" if here_only else ""} for server in gateway["spec"]["servers"]
    ]
    metadata = {"name": CERTIFICATE, "namespace": NAMESPACE}
    spec = {**gateway["spec"], "servers": servers}
    kind = {"apiVersion": gateway["apiVersion"], "kind": "Gateway"}
    cluster.apply({**kind, "metadata": metadata, "spec": spec}, MANAGER)


def _socket_address(port: int) -> Object:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _is_definition(object: Object) -> bool:
    return object["kind"] == "CustomResourceDefinition"


def _is_deployment(object: Object) -> bool:
    return object["kind"] == "Deployment"
