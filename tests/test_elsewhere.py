"""Keys that other systems have: reported as not supported, and never taken for typos of our own."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel

from specs.elsewhere import _KEYS
from specs.names import meant_key
from specs.team import Team
from tests.written import ROOT, app, place, reported, rows

KUBERNETES = "v1.36.0-local"


def published(*kinds: str) -> set[str]:
    """Keys of Kubernetes' own types, by the names of their published schemas."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / KUBERNETES
    return {
        key
        for kind in kinds
        for key in json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))["properties"]
    }


@cache
def crd(kind: str) -> Any:
    text = (ROOT / "sandbox" / "crds" / f"{kind}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def of_crd(kind: str, *inside: str) -> set[str]:
    """Keys of a custom resource's `spec`, or of what is inside of it."""
    schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for key in inside:
        inner = schema["properties"][key]
        schema = inner.get("items", inner)
    return set(schema["properties"])


WORKLOAD = published("deploymentspec-apps-v1", "podspec-v1", "container-v1")
PROBE = published("probe-v1")
ENDPOINT = of_crd("ServiceMonitor", "endpoints")
MONITOR = of_crd("ServiceMonitor") | ENDPOINT
SCHEDULE = published("cronjobspec-batch-v1", "jobspec-batch-v1")
PLACES: dict[str, tuple[str, str, set[str]]] = {
    "an entry": ("web-app", "{0}: 1", WORKLOAD),
    "an entry of a cronjob": ("cronjob", "{0}: 1", WORKLOAD),
    "an app": ("web-app", "app: {{{0}: 1}}", WORKLOAD),
    "an app of a worker": ("worker", "app: {{{0}: 1}}", WORKLOAD),
    "a probe": ("web-app", "app: {{probes: {{liveness: {{{0}: 1}}}}}}", PROBE),
    "a probe of a worker": ("worker", "app: {{probes: {{readiness: {{{0}: 1}}}}}}", PROBE),
    "a variable": (
        "web-app",
        "app: {{env: [{{{0}: 1}}]}}",
        published("envvar-v1", "envvarsource-v1"),
    ),
    "resources": (
        "web-app",
        "app: {{resources: {{{0}: 1}}}}",
        published("resourcerequirements-v1"),
    ),
    "a writable path": (
        "web-app",
        "app: {{writablePaths: [{{{0}: 1}}]}}",
        published("emptydirvolumesource-v1", "volumemount-v1"),
    ),
    "a whole secret": ("web-app", "app: {{envFrom: [{{{0}: 1}}]}}", published("envfromsource-v1")),
    "secret files": (
        "web-app",
        "app: {{secretFiles: [{{{0}: 1}}]}}",
        published("secretvolumesource-v1", "volumemount-v1"),
    ),
    "a file": (
        "web-app",
        "app: {{files: [{{{0}: 1}}]}}",
        published("configmapvolumesource-v1", "volumemount-v1"),
    ),
    "an autoscaler": (
        "web-app",
        "autoscaling: {{{0}: 1}}",
        published("horizontalpodautoscalerspec-autoscaling-v2"),
    ),
    "an autoscaler's behavior": (
        "web-app",
        "autoscaling: {{behavior: {{{0}: 1}}}}",
        published("horizontalpodautoscalerbehavior-autoscaling-v2"),
    ),
    "an autoscaler's rules": (
        "worker",
        "autoscaling: {{behavior: {{scaleDown: {{{0}: 1}}}}}}",
        published("hpascalingrules-autoscaling-v2"),
    ),
    "a rollout": (
        "web-app",
        "strategy: {{{0}: 1}}",
        published("deploymentstrategy-apps-v1", "rollingupdatedeployment-apps-v1"),
    ),
    "a disruption budget": (
        "worker",
        "podDisruptionBudget: {{{0}: 1}}",
        published("poddisruptionbudgetspec-policy-v1"),
    ),
    "a schedule": ("cronjob", "schedule: {{{0}: 1}}", SCHEDULE),
    "an ingress": (
        "web-app",
        "ingress: {{{0}: 1}}",
        published("ingressspec-networking-v1")
        | of_crd("VirtualService")
        | of_crd("VirtualService", "http"),
    ),
    "a path of an ingress": (
        "web-app",
        "ingress: {{paths: [{{{0}: 1}}]}}",
        published("httpingresspath-networking-v1")
        | of_crd("VirtualService", "http")
        | of_crd("VirtualService", "http", "match"),
    ),
    "a rewrite": (
        "web-app",
        "ingress: {{paths: [{{rewrite: {{{0}: 1}}}}]}}",
        of_crd("VirtualService", "http", "rewrite"),
    ),
    "a redirect": (
        "web-app",
        "ingress: {{paths: [{{redirect: {{{0}: 1}}}}]}}",
        of_crd("VirtualService", "http", "redirect"),
    ),
    "retries": (
        "web-app",
        "ingress: {{retries: {{{0}: 1}}}}",
        of_crd("VirtualService", "http", "retries"),
    ),
    "cors": (
        "web-app",
        "ingress: {{cors: {{{0}: 1}}}}",
        of_crd("VirtualService", "http", "corsPolicy"),
    ),
    "an origin": (
        "web-app",
        "ingress: {{cors: {{allowOrigins: [{{{0}: 1}}]}}}}",
        of_crd("VirtualService", "http", "corsPolicy", "allowOrigins"),
    ),
    "a service monitor": ("web-app", "serviceMonitor: {{{0}: 1}}", MONITOR),
    "a service monitor of a worker": ("worker", "serviceMonitor: {{{0}: 1}}", MONITOR),
    "a network policy": (
        "web-app",
        "networkPolicy: {{{0}: 1}}",
        published("networkpolicyspec-networking-v1"),
    ),
    "a service account": (
        "web-app",
        "serviceAccount: {{{0}: 1}}",
        {"automountServiceAccountToken", "imagePullSecrets", "secrets", "name", "annotations"},
    ),
    "an alert": ("web-app", "alerts: [{{{0}: 1}}]", of_crd("PrometheusRule", "groups", "rules")),
}


@pytest.mark.parametrize(("archetype", "where", "keys"), PLACES.values(), ids=PLACES)
def test_no_key_of_kubernetes_istio_or_prometheus_counts_as_a_typo(
    tmp_path: Path, archetype: str, where: str, keys: set[str]
) -> None:
    assert keys
    for key in keys:
        text = f"team: team-alpha\napps:\n  - archetype: {archetype}\n    {where.format(key)}\n"
        assert [line for line in reported(tmp_path, text) if "unknown key" in line] == [], key


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("quota", published("resourcequotaspec-v1")),
        ("limitRange", published("limitrangeitem-v1")),
    ],
)
def test_no_key_of_a_quota_or_limit_range_counts_as_a_typo(
    tmp_path: Path, key: str, keys: set[str]
) -> None:
    for inner in keys:
        lines = reported(tmp_path, f"team: team-alpha\n{key}: {{{inner}: 1}}\n")
        assert [line for line in lines if "unknown key" in line] == [], inner


IN = "apps[0].app"


@rows(
    {
        "a budget of a chart": (
            app(beside="«pdb: {minAvailable: 1}"),
            "apps[0].pdb: is not supported here; use `podDisruptionBudget`",
        ),
        "a strategy of a Deployment": (
            app(beside="strategy: {«rollingUpdate: {maxSurge: 1}}"),
            "apps[0].strategy.rollingUpdate: is not supported here; write its keys here",
        ),
        "a probe of a container": (
            app("«livenessProbe: {httpGet: {path: /}}"),
            f"{IN}.livenessProbe: is not supported here; use `app.probes.liveness`",
        ),
        "a setting of the HPA": (
            app(beside="autoscaling: {«metrics: []}"),
            "apps[0].autoscaling.metrics: is not supported here; it scales by CPU and memory; use "
            "`targetCPUUtilization` and `targetMemoryUtilization`",
        ),
        "a setting of a recent HPA": (
            app(beside="autoscaling: {behavior: {scaleUp: {«tolerance: 0.05}}}"),
            "apps[0].autoscaling.behavior.scaleUp.tolerance: is not supported here; Kubernetes "
            "ignores it before 1.35; remove it",
        ),
        "memory as Helm names it": (
            app(beside="autoscaling: {«targetMemoryUtilizationPercentage: 80}"),
            "apps[0].autoscaling.targetMemoryUtilizationPercentage: is not supported here; "
            "use `targetMemoryUtilization`",
        ),
        "a cronjob's key beside it": (
            app(beside="«ttlSecondsAfterFinished: 60", archetype="cronjob"),
            "apps[0].ttlSecondsAfterFinished: is not supported here; it applies to cronjobs; "
            "write it under `schedule`",
        ),
        "Helm's usual name": (
            app(beside="autoscaling: {«targetCPUUtilizationPercentage: 80}"),
            "apps[0].autoscaling.targetCPUUtilizationPercentage: is not supported here; "
            "use `targetCPUUtilization`",
        ),
        "Kubernetes' spelling": (
            app(beside="schedule: {cron: '@daily', «timeZone: Europe/Berlin}", archetype="cronjob"),
            "apps[0].schedule.timeZone: is not supported here; use `timezone`",
        ),
        "a route of Istio": (
            app(beside="ingress: {«corsPolicy: {}}"),
            "apps[0].ingress.corsPolicy: is not supported here; use `cors`",
        ),
        "an access policy": (
            app(beside="«accessPolicy: {outbound: {rules: [{application: ledger}]}}"),
            "apps[0].accessPolicy: is not supported here; use `calls` for what the app connects "
            "to, `callers` for who calls it",
        ),
        "what a package allows": (
            app(beside="«network: {allow: [{direction: Egress, remoteNamespace: team-beta}]}"),
            "apps[0].network: is not supported here; use `calls` for what the app connects to, "
            "`callers` for who calls it",
        ),
        "a rule of an access policy": (
            app(beside="calls: [{«application: ledger, team: team-beta}]"),
            "apps[0].calls[0].application: is not supported here; use `app`, or `platform` for a "
            "service of the platform",
        ),
        "paths at the caller": (
            app(beside="calls: [{team: team-beta, app: ledger, «paths: [/v1]}]"),
            "apps[0].calls[0].paths: is not supported here; the called app's team restricts them, "
            "in its `callers`; remove it",
        ),
        "a caller by its namespace": (
            app(beside="callers: [{«namespace: team-beta, app: front, team: team-beta}]"),
            "apps[0].callers[0].namespace: is not supported here; use `team`",
        ),
        "a key of another archetype's app": (
            app(beside="«port: 80", archetype="worker"),
            "apps[0].port: does not fit a worker, only a web-app; remove it or change `archetype`",
        ),
        "a key of the app beside it": (
            app(beside="«args: [x]"),
            "apps[0].args: does not belong here; move it into `app`",
        ),
        "a whole object": (
            "«apiVersion: v1\nteam: team-alpha\n",
            "apiVersion: is not supported here; write the keys of the reference without this "
            "envelope",
        ),
    }
)
def test_the_message_says_what_to_do_instead(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


MODELS = list(_KEYS)


@pytest.mark.parametrize("model", MODELS)
def test_no_key_of_the_file_is_in_the_tables(model: type[BaseModel]) -> None:
    assert not _aliases(model) & _KEYS[model].keys()


@pytest.mark.parametrize("model", MODELS)
def test_what_is_suggested_instead_is_a_key_of_the_file(model: type[BaseModel]) -> None:
    known = _keys_of_the_file()
    for do in _KEYS[model].values():
        for path in re.findall(r"`([A-Za-z.\[\]]+)`", do):
            assert set(path.replace("[]", "").split(".")) <= known, do


@cache
def _keys_of_the_file() -> set[str]:
    schema = Team.model_json_schema()
    return {key for part in (schema, *schema["$defs"].values()) for key in part["properties"]}


def _aliases(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prot", "port"), ("Port", "port"), ("replica", "replicas"), ("minreplicas", "minReplicas"),
        ("minReplica", "minReplicas"), ("periodSecond", "periodSeconds"),
        ("failedJobsLimit", "failedJobsHistoryLimit"), ("secret", "secretRef"),
        ("maxUnavailable", None), ("startingDeadlineSecond", None), ("maxSurge", None),
        ("readTimeoutSeconds", None), ("color", None), ("", None),
    ],
)  # fmt: skip
def test_only_what_misspells_a_key_word_by_word_counts_as_it(typed: str, meant: str | None) -> None:
    keys = [
        "port", "replicas", "minReplicas", "maxReplicas", "minAvailable", "activeDeadlineSeconds",
        "periodSeconds", "failedJobsHistoryLimit", "secretRef",
    ]  # fmt: skip
    assert meant_key(typed, keys) == meant
