"""Kyverno as `make servers PARTS=kyverno` runs it: a process that the API server asks by URL."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.servers.parts import KYVERNO, KYVERNO_METRICS, Command, Parts, UnsettledError

POLICIES = Path(__file__).with_name("kyverno-policies.yaml")
NAMESPACE = "kyverno"
ACCOUNT = "kyverno-admission-controller"
ROLE = "kyverno:admission-controller"
SERVICE = "kyverno-svc"
ADMISSION = "admissionregistration.k8s.io/v1"
_POLICY = "policies.kyverno.io/v1", "ValidatingPolicy"
RESOURCES = "kyverno-resource-validating-webhook-cfg"
WEBHOOKS = {
    "ValidatingWebhookConfiguration": (
        RESOURCES,
        "kyverno-policy-validating-webhook-cfg",
        "kyverno-exception-validating-webhook-cfg",
        "kyverno-cel-exception-validating-webhook-cfg",
        "kyverno-global-context-validating-webhook-cfg",
    ),
    "MutatingWebhookConfiguration": (
        "kyverno-resource-mutating-webhook-cfg",
        "kyverno-policy-mutating-webhook-cfg",
        "kyverno-verify-mutating-webhook-cfg",
    ),
}

# What its Deployment sets. A constant pod's name lets a restarted process lead at once.
ENVIRONMENT: Mapping[str, str] = {
    "KYVERNO_NAMESPACE": NAMESPACE,
    "KYVERNO_SERVICEACCOUNT_NAME": ACCOUNT,
    "KYVERNO_ROLE_NAME": ROLE,
    "KYVERNO_DEPLOYMENT": ACCOUNT,
    "KYVERNO_POD_NAME": ACCOUNT,
    "KYVERNO_SVC": SERVICE,
    "INIT_CONFIG": "kyverno",
    "METRICS_CONFIG": "kyverno-metrics",
}

# All but the platform's own namespaces, which its policies for teams do not concern.
_CHECKED: Object = {
    "matchExpressions": [
        {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": [
                "default",
                "external-secrets",
                "istio-system",
                "kube-node-lease",
                "kube-public",
                "kube-system",
                NAMESPACE,
                "monitoring",
            ],
        }
    ]
}
_COMPONENTS = ("admission-controller", "config")  # labels of what this controller needs
_NOT_HERE = ("Deployment", "Service")  # it is a process, and no pod


def objects(installation: Path) -> Iterator[Object]:
    """What its chart installs for this controller, and the policies."""
    for each in yaml.load_all(installation.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
        if not each or each["kind"] in _NOT_HERE:
            continue
        component = each["metadata"]["labels"].get("app.kubernetes.io/component")
        if each["kind"] != "Namespace" and component not in _COMPONENTS:
            continue
        if "webhooks" in each.get("data", {}):
            each["data"]["webhooks"] = json.dumps({"namespaceSelector": _CHECKED})
        yield each
    yield from yaml.safe_load_all(POLICIES.read_text(encoding="utf-8"))


def command(program: Path, kubeconfig: Path, parts: Parts) -> Command:
    """Its command line; it listens on this machine only."""
    secrets = f"{SERVICE}.{NAMESPACE}.svc.kyverno-tls"
    return [
        program,
        f"--kubeconfig={kubeconfig}",
        f"--serverIP=127.0.0.1:{parts.ports[KYVERNO]}",  # for the API server
        "--webhookServerHost=127.0.0.1",
        f"--webhookServerPort={parts.ports[KYVERNO]}",
        "--metricsHost=127.0.0.1",
        f"--metricsPort={parts.ports[KYVERNO_METRICS]}",
        "--controllerRuntimeMetricsAddress=0",
        f"--caSecretName={secrets}-ca",
        f"--tlsSecretName={secrets}-pair",
        "--enablePolicyException=true",
        f"--exceptionNamespace={NAMESPACE}",
        "--admissionReports=false",  # another controller would sum them up
        "--omitEvents=PolicyApplied,PolicySkipped",
        "--disableLogColor",
    ]


def check_rights(cluster: Cluster) -> None:
    """Raise UnsettledError until a controller has given its role the rights of others."""
    role = cluster.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, ROLE)
    if not (role and role.get("rules")):
        raise UnsettledError(f"the ClusterRole {ROLE} grants nothing")


def check(cluster: Cluster) -> None:
    """Raise UnsettledError or RefusedError until it enforces every policy."""
    live = cluster.get(ADMISSION, "ValidatingWebhookConfiguration", None, RESOURCES)
    hooks = live.get("webhooks") or () if live else ()
    asked = {name for hook in hooks for name in hook["clientConfig"]["url"].split("/")}
    there = {each["metadata"]["name"] for each in cluster.list(*_POLICY) if _decides(each)}
    if lacking := sorted(there - asked):
        raise UnsettledError(f"the API server does not ask about the policy {lacking[0]}")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tried"}}
    try:
        cluster.create(namespace, dry_run=True)
    except RefusedError as refusal:
        if refusal.status >= 500:  # and not by a policy
            raise


def _decides(policy: Object) -> bool:
    evaluation: Object = policy["spec"].get("evaluation") or {}
    return bool((evaluation.get("admission") or {}).get("enabled", True))
