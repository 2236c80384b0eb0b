"""Whether what acts on a stack's objects runs: without it, `up` succeeds, and nothing happens."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from specs.settings import (
    MONITORING,
    ExternalSecretsSettings,
    IstioSettings,
    namespace_of_gateway,
)
from tools.doctor import pods, selection
from tools.doctor.examination import Outcome, ok, warn

_START_IT = "start it, or see its log"
_METRICS = "metrics.k8s.io/v1beta1"
_NO_METRICS = "so autoscalers add and remove no pods"
# By one of these, its own manifests and the chart kube-prometheus-stack label its pods.
_KEYS = ("app.kubernetes.io/name", "app.kubernetes.io/component")


def external_secrets(cluster: Cluster, operator: ExternalSecretsSettings) -> Outcome:
    """The pods that log in to OpenBao."""
    namespace, account = operator.namespace, operator.service_account
    return pods.ready(
        cluster,
        "External Secrets Operator",
        [namespace],
        lambda pod: pod["spec"].get("serviceAccountName") == account,
        warn(
            f"no pod in {namespace} runs as {account}, so secrets neither arrive nor change",
            "start the External Secrets Operator",
        ),
    )


def prometheus_operator(cluster: Cluster, readers: Sequence[Object]) -> Iterator[Outcome]:
    """Its pods where Prometheus is, and what it notes on the objects that select."""
    namespaces = sorted({MONITORING, *(one["metadata"]["namespace"] for one in readers)})
    yield pods.ready(
        cluster,
        "Prometheus Operator",
        namespaces,
        _is_prometheus_operator,
        warn(
            f"no pod of the Prometheus Operator in {', '.join(namespaces)}: without it, Prometheus "
            "keeps its old targets and alerts",
            "start it; if it runs in another namespace, check it there yourself",
        ),
    )
    for reader in readers:
        yield from _noted(reader)


def _is_prometheus_operator(pod: Mapping[str, Any]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return "prometheus-operator" in (labels.get(key) for key in _KEYS)


def _noted(reader: Object) -> Iterator[Outcome]:
    name, metadata = selection.name_of(reader), reader["metadata"]
    conditions = {one["type"]: one for one in reader.get("status", {}).get("conditions") or ()}
    look = f"see `kubectl describe {reader['kind'].lower()} {metadata['name']} -n "
    look += f"{metadata['namespace']}` for the reason"
    available, reconciled = conditions.get("Available"), conditions.get("Reconciled")
    if not conditions:
        yield warn(f"{name} was never looked at by the Prometheus Operator", _START_IT)
    elif reconciled and reconciled["status"] == "False":
        yield warn(f"the Prometheus Operator cannot configure {name}", look)
    elif reconciled and reconciled.get("observedGeneration") != metadata["generation"]:
        yield warn(f"the Prometheus Operator has not seen the last change of {name}", _START_IT)
    if available and available["status"] == "False":
        yield warn(f"{name} has no pod that is ready", look)


def gateway(
    cluster: Cluster, name: str, selector: Mapping[str, str], settings: IstioSettings
) -> Outcome:
    """The pods that a Gateway selects, as far as network policies let them reach apps."""
    namespace, required = namespace_of_gateway(name), settings.gateway_pod_labels or {}
    shown = ", ".join(f"{key}={value}" for key, value in {**selector, **required}.items())
    if required:
        do = "start the gateway there, or set sre-platform:istio.gatewayPodLabels to its labels"
    else:
        do = "start the gateway there"
    return pods.ready(
        cluster,
        f"Gateway {name}",
        [namespace],
        lambda pod: pods.labelled(pod, selector) and pods.labelled(pod, required),
        warn(
            f"no pod in {namespace} has {shown}, so nothing serves the hosts of Gateway {name}", do
        ),
    )


def metrics_api(cluster: Cluster) -> Outcome:
    """Where autoscalers read what pods use; an API server that does not reach it says 503."""
    try:
        cluster.call("GET", f"apis/{_METRICS}")
    except RefusedError as refusal:
        if refusal.status == 404:
            return warn(f"{_METRICS} is not served, {_NO_METRICS}", "install metrics-server")
        if refusal.status == 503:
            return warn(
                f"{_METRICS} does not answer, {_NO_METRICS}",
                "start metrics-server; see `kubectl describe apiservice v1beta1.metrics.k8s.io`",
            )
        raise
    return ok(f"{_METRICS} answers")
