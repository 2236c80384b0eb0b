"""What `./sre diff` finds: each weakening change of the shipped teams' objects, and no other."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cli.__main__ import main
from components.openbao_access import write_policy
from specs.labels import probe_off
from tools.review.comparison import Comparison, compare
from tools.review.rendered_objects import (
    OPTIONS,
    RenderedObject,
    Side,
    read_side,
)
from tools.review.review_findings import Rules

pytestmark = pytest.mark.commands

Edit = Callable[[dict[str, Any]], object]

API = "kubernetes/team-alpha/Deployment-my-api"
API_POLICY = "kubernetes/team-alpha/NetworkPolicy-my-api"
DENY_ALL = "kubernetes/team-alpha/NetworkPolicy-default-deny-all"
CONTROL_PLANE = "kubernetes/team-alpha/NetworkPolicy-allow-istio-control-plane"
BETA_POLICY = "kubernetes/team-beta/NetworkPolicy-order-processor"
REPORT = "kubernetes/team-beta/CronJob-nightly-report"
REPORT_POLICY = "kubernetes/team-beta/NetworkPolicy-nightly-report"
NAMESPACE = "kubernetes/_cluster/Namespace-team-alpha"
QUOTA = "kubernetes/team-alpha/ResourceQuota-team-alpha-quota"
LIMITS = "kubernetes/team-alpha/LimitRange-team-alpha-limits"
DEVELOPERS = "kubernetes/team-alpha/RoleBinding-team-alpha-developers"
FURTHER = "kubernetes/team-beta/RoleBinding-team-beta-role-view"
PROJECT = "harbor/team-alpha/Project-team-alpha"
RETENTION = "harbor/team-beta/RetentionPolicy-team-beta"
ROBOT = "harbor/team-beta/RobotAccount-push"
MEMBER = "harbor/team-alpha/ProjectMemberGroup-team-alpha-viewers"
POLICY = "openbao/team-alpha/Policy-team-alpha"
ROLE = "openbao/team-alpha/AuthBackendRole-team-alpha"
LOGIN = "openbao/_platform/AuthBackendConfig-kubernetes"
STORE = "kubernetes/_cluster/ClusterSecretStore-openbao-backend"
SECRET = "openbao/team-alpha/SecretV2-harbor-pull"
EXTERNAL = "kubernetes/team-alpha/ExternalSecret-my-api-db-credentials"
ROUTE = "kubernetes/team-alpha/VirtualService-my-api"
SERVICE = "kubernetes/team-alpha/Service-my-api"
ALERTS = "kubernetes/team-alpha/PrometheusRule-my-api"
BUDGET = "kubernetes/team-alpha/PodDisruptionBudget-my-api"
SCALER = "kubernetes/team-alpha/HorizontalPodAutoscaler-my-api"
ACCOUNT = "kubernetes/team-alpha/ServiceAccount-my-api"
MONITOR = "kubernetes/team-alpha/ServiceMonitor-my-api"
BINDING = "kubernetes/_cluster/ValidatingAdmissionPolicyBinding-sre-images"
GUARDRAIL = "kubernetes/_cluster/ValidatingAdmissionPolicy-sre-images"
HARBOR = "providers/harbor"
OPENBAO = "providers/openbao"
KUBERNETES = "providers/kubernetes"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Side:
    out = tmp_path_factory.mktemp("rendered")
    assert main(["render", "--out", str(out)]) == 0
    return read_side(out)


def _with(side: Side, key: str, edit: Edit) -> Side:
    """The side with one object edited."""
    fields = copy.deepcopy(dict(side.objects[key].fields))
    edit(fields)
    return _and(side, replace(side.objects[key], fields=fields))


def _and(side: Side, *objects: RenderedObject) -> Side:
    return replace(side, objects={**side.objects, **{each.key: each for each in objects}})


def _without(side: Side, *keys: str) -> Side:
    kept = {key: each for key, each in side.objects.items() if key not in keys}
    return replace(side, objects=kept)


def _found(comparison: Comparison) -> set[Rules]:
    return {finding.rule for finding in comparison.findings}


def _details(comparison: Comparison) -> list[str]:
    return [finding.detail for finding in comparison.findings]


def _set(path: str, value: Any) -> Edit:
    """Sets the value at a path of keys and indices, such as `spec.ingress.0.ports`."""

    def edit(fields: dict[str, Any]) -> None:
        place: Any = fields
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
        place[int(last) if last.isdigit() else last] = value

    return edit


def _drop(path: str) -> Edit:
    def edit(fields: dict[str, Any]) -> None:
        place: Any = fields
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place[step]
        del place[int(last) if last.isdigit() else last]

    return edit


def _add(path: str, *items: Any) -> Edit:
    def edit(fields: dict[str, Any]) -> None:
        place: Any = fields
        for step in path.split("."):
            place = place[int(step)] if step.isdigit() else place[step]
        place.extend(items)

    return edit


def _label(path: str, key: str, value: str | None) -> Edit:
    def edit(fields: dict[str, Any]) -> None:
        place: Any = fields
        for step in path.split("."):
            place = place[step]
        if value is None:
            del place[key]
        else:
            place[key] = value

    return edit


CATEGORY = "sre.io/security-categorization"


def _further(role: str) -> Edit:
    """Another role than it gives, to another group."""

    def edit(fields: dict[str, Any]) -> None:
        fields["roleRef"]["name"] = role
        fields["subjects"].append(OTHERS)

    return edit


ANNOTATIONS = "spec.template.metadata.annotations"
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
REPORT_CONTAINER = "spec.jobTemplate.spec.template.spec.containers.0"
ANYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}
TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "other", "key": "value"}}}
PLAIN = {"name": "LOG_LEVEL", "value": "debug"}
ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
OTHERS = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "others"}
REACH_ALL = 'path "sre/data/*" {\n  capabilities = ["read"]\n}\n'
WITH_CREDENTIALS = {
    "allowOrigins": [{"exact": "https://www.example.com"}],
    "allowCredentials": True,
}
CLAIM = {"name": "data", "hostPath": {"path": "/"}}

WEAKENING: list[tuple[str, Edit, Rules]] = [
    # The network
    (API_POLICY, _add("spec.egress", {"to": [ANYWHERE]}), Rules.NETWORK),
    (API_POLICY, _add("spec.ingress", {}), Rules.NETWORK),
    (API_POLICY, _add("spec.egress.3.ports", {"port": 22, "protocol": "TCP"}), Rules.NETWORK),
    (API_POLICY, _set("spec.egress.3.ports.0.endPort", 5433), Rules.NETWORK),
    (API_POLICY, _set("spec.egress.3.ports.0.protocol", "UDP"), Rules.NETWORK),
    (API_POLICY, _drop("spec.egress.3.ports"), Rules.NETWORK),
    (API_POLICY, _drop("spec.egress.3.to"), Rules.NETWORK),
    (API_POLICY, _drop("spec.egress.3.to.0.podSelector"), Rules.NETWORK),
    (API_POLICY, _set("spec.egress.3.to.0.namespaceSelector", {}), Rules.NETWORK),
    (API_POLICY, _set("spec.podSelector", {}), Rules.NETWORK),
    (BETA_POLICY, _set("spec.egress.3.to.0.ipBlock.cidr", "10.0.0.0/8"), Rules.NETWORK),
    (REPORT_POLICY, _drop("spec.egress.3.to.0.ipBlock.except"), Rules.NETWORK),
    (CONTROL_PLANE, _drop("spec.egress.0.to.0.podSelector"), Rules.NETWORK),
    (CONTROL_PLANE, _set("spec.egress.0.ports.0.port", 15010), Rules.NETWORK),
    (DENY_ALL, _set("spec.policyTypes", ["Ingress"]), Rules.ISOLATION),
    (DENY_ALL, _set("spec.podSelector.matchLabels", {"app": "x"}), Rules.ISOLATION),
    (ROUTE, _add("spec.hosts", "new.example.com"), Rules.HOST),
    (ROUTE, _add("spec.gateways", "other/gateway"), Rules.HOST),
    (ROUTE, _set("spec.http.0.route.0.destination.host", "elsewhere"), Rules.HOST),
    (ROUTE, _set("spec.http.0.rewrite", {"uri": "/admin/"}), Rules.HOST),
    (ROUTE, _set("spec.http.0.redirect", {"authority": "other.example.com"}), Rules.HOST),
    (ROUTE, _set("spec.http.0.redirect", {"uri": "/b", "scheme": "http"}), Rules.REDIRECT),
    (ROUTE, _set("spec.http.0.corsPolicy", {"allowOrigins": [{"exact": "*"}]}), Rules.CORS),
    (ROUTE, _set("spec.http.0.corsPolicy", {"allowOrigins": [{"regex": "a"}]}), Rules.CORS),
    (ROUTE, _set("spec.http.0.corsPolicy", WITH_CREDENTIALS), Rules.CORS),
    (ROUTE, _set("spec.http.0.headers", {"request": {"set": {"a": "b"}}}), Rules.UNKNOWN),
    (NAMESPACE, _set("metadata.annotations", {"sre.io/hosts": "new.example.com"}), Rules.HOST),
    (SERVICE, _set("spec.type", "LoadBalancer"), Rules.SERVICE),
    (SERVICE, _set("spec.externalIPs", ["192.0.2.1"]), Rules.SERVICE),
    (NAMESPACE, _label("metadata.labels", "istio-injection", "disabled"), Rules.MESH),
    (
        API,
        _set("spec.template.metadata.annotations", {"sidecar.istio.io/inject": "false"}),
        Rules.MESH,
    ),
    # Who is let in
    (DEVELOPERS, _add("subjects", OTHERS), Rules.GROUP),
    (FURTHER, _add("subjects", OTHERS), Rules.GROUP),
    (FURTHER, _further("view-logs"), Rules.ROLE),
    (DEVELOPERS, _set("roleRef", ADMIN), Rules.RIGHTS),
    (DEVELOPERS, _set("roleRef.kind", "Role"), Rules.RIGHTS),
    (MEMBER, _set("role", "maintainer"), Rules.RIGHTS),
    (MEMBER, _set("groupName", "others"), Rules.GROUP),
    (
        ROBOT,
        _add("permissions.0.accesses", {"action": "delete", "resource": "repository"}),
        Rules.RIGHTS,
    ),
    (ROBOT, _set("duration", -1), Rules.CREDENTIAL),
    (ROBOT, _set("duration", 366), Rules.CREDENTIAL),
    (POLICY, _set("policy", REACH_ALL), Rules.RIGHTS),
    (POLICY, lambda fields: fields.update(policy=fields["policy"] + "# ?"), Rules.RIGHTS),
    (
        POLICY,
        lambda fields: fields.update(policy=fields["policy"].replace('"list"', '"delete"')),
        Rules.RIGHTS,
    ),
    (ROBOT, _set("permissions.0.kind", "system"), Rules.RIGHTS),
    (ROLE, _add("boundServiceAccountNamespaces", "team-beta"), Rules.GROUP),
    (ROLE, _add("tokenPolicies", "team-beta"), Rules.RIGHTS),
    (ROLE, _set("tokenTtl", 7200), Rules.CREDENTIAL),
    (ROLE, _drop("tokenTtl"), Rules.CREDENTIAL),
    (LOGIN, _set("disableLocalCaJwt", False), Rules.LOGIN),
    (STORE, _set("spec.provider.vault.path", "other"), Rules.LOGIN),
    (EXTERNAL, _set("spec.secretStoreRef.name", "other"), Rules.LOGIN),
    # Secrets
    (EXTERNAL, _set("spec.data.0.remoteRef.key", "sre/team-beta/x"), Rules.SECRET_READ),
    (EXTERNAL, _set("spec.dataFrom", [{"extract": {"key": "x"}}]), Rules.SECRET_READ),
    (API, _add(f"{CONTAINER}.env", TOKEN), Rules.SECRET_READ),
    (API, _set(f"{CONTAINER}.envFrom", [{"secretRef": {"name": "x"}}]), Rules.SECRET_READ),
    (SECRET, _set("dataJson", '{"password": "Hunter2"}'), Rules.SECRET_PLAIN),
    (SECRET, _set(f"{OPTIONS}.secretOutputs", []), Rules.SECRET_PLAIN),
    (API, _set(f"{CONTAINER}.env.3", {"name": "API_KEY", "value": "x"}), Rules.SECRET_PLAIN),
    # Pods
    (API, _set(f"{CONTAINER}.image", "harbor.sre.internal/other/x:v1"), Rules.IMAGE),
    (API, _set(f"{CONTAINER}.securityContext.privileged", True), Rules.POD),
    (API, _set(f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False), Rules.POD),
    (API, _drop(f"{CONTAINER}.securityContext.allowPrivilegeEscalation"), Rules.POD),
    (API, _drop(f"{CONTAINER}.securityContext"), Rules.POD),
    (API, _set(f"{CONTAINER}.securityContext.capabilities.drop", ["NET_RAW"]), Rules.POD),
    (API, _set(f"{CONTAINER}.securityContext.capabilities.add", ["NET_ADMIN"]), Rules.POD),
    (API, _set(f"{POD}.securityContext.seccompProfile.type", "Unconfined"), Rules.POD),
    (API, _set(f"{POD}.securityContext.runAsUser", 0), Rules.POD),
    (API, _set(f"{POD}.securityContext.runAsGroup", 0), Rules.POD),
    (API, _set(f"{POD}.securityContext.fsGroup", 0), Rules.POD),
    (API, _set(f"{POD}.hostNetwork", True), Rules.POD),
    (API, _add(f"{POD}.volumes", CLAIM), Rules.POD),
    (API, _set(f"{CONTAINER}.ports.0.hostPort", 80), Rules.POD),
    (API, _set(f"{POD}.automountServiceAccountToken", True), Rules.TOKEN),
    (API, _set(f"{POD}.serviceAccountName", "other"), Rules.TOKEN),
    (ACCOUNT, _set("automountServiceAccountToken", True), Rules.TOKEN),
    (
        NAMESPACE,
        _label("metadata.labels", "pod-security.kubernetes.io/enforce", "baseline"),
        Rules.POD_SECURITY,
    ),
    (
        NAMESPACE,
        _label("metadata.labels", "pod-security.kubernetes.io/enforce", None),
        Rules.POD_SECURITY,
    ),
    # The registry
    (PROJECT, _set("enableContentTrustCosign", False), Rules.SIGNATURES),
    (PROJECT, _set("vulnerabilityScanning", False), Rules.SCAN),
    (PROJECT, _set("public", True), Rules.PUBLIC),
    (PROJECT, _set("public", "true"), Rules.PUBLIC),
    (PROJECT, _set("forceDestroy", True), Rules.UNPROTECTED),
    (PROJECT, _set("storageQuota", 51), Rules.QUOTA),
    (PROJECT, _set("storageQuota", -1), Rules.QUOTA),
    (RETENTION, _set("rules.0.mostRecentlyPushed", 29), Rules.FEWER_KEPT),
    (RETENTION, _set("schedule", "Daily"), Rules.FEWER_KEPT),
    (RETENTION, _set("rules.0.tagMatching", "v*"), Rules.FEWER_KEPT),
    (RETENTION, _set("rules.0.disabled", True), Rules.UNKNOWN),
    # Amounts
    (QUOTA, lambda fields: fields["spec"]["hard"].update(pods="21"), Rules.QUOTA),
    (QUOTA, lambda fields: fields["spec"]["hard"].update({"limits.cpu": "8001m"}), Rules.QUOTA),
    (QUOTA, lambda fields: fields["spec"]["hard"].pop("requests.memory"), Rules.NO_LIMIT),
    (QUOTA, lambda fields: fields["spec"]["hard"].pop("pods"), Rules.NO_LIMIT),
    (LIMITS, _set("spec.limits.0.max.memory", "5Gi"), Rules.QUOTA),
    (LIMITS, _drop("spec.limits.0.max"), Rules.NO_LIMIT),
    (LIMITS, _drop("spec.limits.0.min.cpu"), Rules.NO_LIMIT),
    (LIMITS, _drop("spec.limits.0.min"), Rules.NO_LIMIT),
    # The platform
    (NAMESPACE, _label("metadata.labels", "sre.io/team", None), Rules.GUARDRAIL),
    (BINDING, _set("spec.validationActions", ["Audit", "Warn"]), Rules.GUARDRAIL),
    (BINDING, _set("spec.matchResources", {}), Rules.GUARDRAIL),
    (GUARDRAIL, _set("spec.failurePolicy", "Ignore"), Rules.GUARDRAIL),
    (HARBOR, _set("insecure", "true"), Rules.TLS),
    (OPENBAO, _set("skipTlsVerify", "true"), Rules.TLS),
    (KUBERNETES, _set("clusterIdentifier", "other"), Rules.REPLACED),
    (ALERTS, _set("spec.groups.0.rules", []), Rules.MONITORING),
    (NAMESPACE, _set(f"{OPTIONS}.protect", False), Rules.UNPROTECTED),
    (NAMESPACE, _label("metadata.labels", CATEGORY, "low"), Rules.NAMESPACE),
    (NAMESPACE, _label("metadata.labels", CATEGORY, None), Rules.NAMESPACE),
    (NAMESPACE, _label("metadata.labels", "example.com/new", "x"), Rules.NAMESPACE),
    (NAMESPACE, _label("metadata.annotations", "example.com/on-call", "x"), Rules.NAMESPACE),
    # What cannot change in place
    (API, _set("spec.selector.matchLabels", {"app": "x"}), Rules.REPLACED),
    (SERVICE, _set("spec.clusterIP", "None"), Rules.REPLACED),
    # What no rule knows
    (API, _set(f"{POD}.nodeSelector", {"pool": "gpu"}), Rules.UNKNOWN),
    (API, _set(f"{CONTAINER}.securityContext.seLinuxOptions", {"type": "x"}), Rules.UNKNOWN),
    (
        API,
        _add(f"{CONTAINER}.env", {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "x"}}}),
        Rules.UNKNOWN,
    ),
    (API, _label("spec.template.metadata.labels", "app", "x"), Rules.UNKNOWN),
    (PROJECT, _set("cveAllowlists", ["CVE-2026-1"]), Rules.UNKNOWN),
    (OPENBAO, _set("address", "https://elsewhere.invalid"), Rules.UNKNOWN),
    (NAMESPACE, _set(f"{OPTIONS}.ignoreChanges", ["metadata"]), Rules.UNKNOWN),
    (NAMESPACE, _set(f"{OPTIONS}.retainOnDelete", True), Rules.UNKNOWN),
]


@pytest.mark.parametrize(
    ("key", "edit", "rule"),
    WEAKENING,
    ids=range(len(WEAKENING)),
)
def test_a_weakening_change_needs_a_second_reviewer(
    shipped: Side, key: str, edit: Edit, rule: Rules
) -> None:
    comparison = compare(shipped, _with(shipped, key, edit))
    assert rule in _found(comparison)
    assert any(finding.needs_second for finding in comparison.findings)
    for finding in comparison.findings:
        assert (finding.team, finding.object) == (shipped.objects[key].team, key)


ORDINARY: list[tuple[str, Edit]] = [
    (API, _label(ANNOTATIONS, "prometheus.io/port", "9000")),
    (API, _label(ANNOTATIONS, "prometheus.io/path", "/m")),
    (API, _set(f"{CONTAINER}.image", "harbor.sre.internal/team-alpha/my-api:v9")),
    (API, _label("metadata.labels", "app.kubernetes.io/version", "v9")),
    (API, _label("spec.template.metadata.labels", "app.kubernetes.io/version", "v9")),
    (API, _set(f"{CONTAINER}.resources.limits.memory", "1Gi")),
    (API, _set("spec.replicas", 5)),
    (REPORT, _set("spec.schedule", "0 3 * * *")),
    (REPORT, _set("spec.jobTemplate.spec.parallelism", 3)),
    (REPORT, _set("spec.jobTemplate.spec.completions", 3)),
    (REPORT, _set("spec.jobTemplate.spec.ttlSecondsAfterFinished", 60)),
    (SCALER, _set("spec.maxReplicas", 20)),
    (SERVICE, _set("spec.ports.0.port", 9090)),
    (BUDGET, _set("spec.minAvailable", 2)),
    (ROUTE, _set("spec.http.0.timeout", "30s")),
    (ROUTE, _set("spec.http.0.retries", {"attempts": 3})),
    (ROUTE, _set("spec.http.0.match", [{"uri": {"prefix": "/api/"}}])),
    (ROUTE, _set("spec.http.0.corsPolicy", {"allowOrigins": [{"exact": "https://a.example.com"}]})),
    (QUOTA, lambda fields: fields["spec"]["hard"].update(pods="19")),
    (LIMITS, _set("spec.limits.0.max.memory", "4096Mi")),
    (EXTERNAL, _set("spec.refreshInterval", "2h")),
    # Stricter than before
    (API_POLICY, _drop("spec.egress.3")),
    (BETA_POLICY, _set("spec.egress.3.to.0.ipBlock.cidr", "10.200.9.0/24")),
    (REPORT_POLICY, _set("spec.egress.3.ports.0.endPort", 2049)),
    (API_POLICY, _set("spec.egress.3.ports.0.endPort", 5432)),
    (API_POLICY, _set("spec.egress.3.to.0.podSelector.matchLabels.tier", "gold")),
    # What all pods of the namespace may do already
    (API_POLICY, _add("spec.egress", {"ports": [{"port": 443, "protocol": "TCP"}]})),
    (MEMBER, _set("role", "limitedguest")),
    (ROBOT, _set("disable", True)),
    (ROBOT, _set("duration", 30)),
    (ROBOT, _drop("permissions.0.accesses.0")),
    (POLICY, lambda fields: fields.update(policy=fields["policy"].replace(', "list"', ""))),
    (ROLE, _set("tokenTtl", 1800)),
    (PROJECT, _set("storageQuota", 49)),
    (RETENTION, _set("rules.0.mostRecentlyPushed", 31)),
    (NAMESPACE, _set("metadata.annotations", {"sre.io/hosts": "frontend.apps.sre.example.com"})),
    (HARBOR, _set("maxRetries", "3")),
]


@pytest.mark.parametrize(("key", "edit"), ORDINARY, ids=range(len(ORDINARY)))
def test_an_ordinary_or_stricter_change_needs_none(shipped: Side, key: str, edit: Edit) -> None:
    comparison = compare(shipped, _with(shipped, key, edit))
    assert [entry.object.key for entry in comparison.entries] == [key]
    assert _found(comparison) == set()


WEAK_FROM_THE_START: list[tuple[str, Edit, Rules]] = [
    (QUOTA, lambda fields: fields["spec"]["hard"].pop("limits.cpu"), Rules.NO_LIMIT),
    (FURTHER, _set("roleRef.name", "view-logs"), Rules.ROLE),
    (PROJECT, _set("enableContentTrustCosign", False), Rules.SIGNATURES),
    (PROJECT, _drop("vulnerabilityScanning"), Rules.SCAN),
    (PROJECT, _set("public", True), Rules.PUBLIC),
    (ACCOUNT, _drop("automountServiceAccountToken"), Rules.TOKEN),
    (NAMESPACE, _label("metadata.labels", "istio-injection", None), Rules.MESH),
    (API, _drop(f"{POD}.securityContext"), Rules.POD),
    (API, _drop(f"{CONTAINER}.securityContext.runAsNonRoot"), Rules.POD),
    (API, _set(f"{CONTAINER}.securityContext.seccompProfile.type", "Unconfined"), Rules.POD),
    (API, _drop(f"{POD}.automountServiceAccountToken"), Rules.TOKEN),
    (SERVICE, _set("spec.type", "NodePort"), Rules.SERVICE),
    (BINDING, _set("spec.validationActions", ["Audit"]), Rules.GUARDRAIL),
    (HARBOR, _set("insecure", "true"), Rules.TLS),
]


@pytest.mark.parametrize(
    ("key", "edit", "rule"), WEAK_FROM_THE_START, ids=range(len(WEAK_FROM_THE_START))
)
def test_what_is_new_may_be_weak_from_the_start(
    shipped: Side, key: str, edit: Edit, rule: Rules
) -> None:
    base = _without(shipped, key)
    assert rule in _found(compare(base, _with(shipped, key, edit)))
    assert rule not in _found(compare(base, shipped))


def _routes(*routes: tuple[str, dict[str, Any]]) -> Edit:
    """Routes for prefixes, each with its further keys."""
    return _set(
        "spec.http",
        [
            {"match": [{"uri": {"exact": path}}, {"uri": {"prefix": f"{path}/"}}], **keys}
            if path != "/"
            else keys
            for path, keys in routes
        ],
    )


AWAY: dict[str, Any] = {"redirect": {"uri": "/"}}
SERVED: dict[str, Any] = {"route": [{"destination": {"host": "my-api"}}]}


def _to(path: str) -> dict[str, Any]:
    return {**SERVED, "rewrite": {"uri": path}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([("/admin", AWAY), ("/", SERVED)], [("/", SERVED)], "/admin"),
        ([("/admin", AWAY), ("/", SERVED)], [("/admin", SERVED), ("/", SERVED)], "/admin"),
        ([("/admin", AWAY), ("/", SERVED)], [("/admin/a", SERVED), ("/admin", AWAY)], "/admin/a"),
        ([("/admin", _to("/docs")), ("/", SERVED)], [("/", SERVED)], "/admin"),
        ([("/a", _to("/v1"))], [("/a/b", _to("/admin")), ("/a", _to("/v1"))], "/a/b"),
    ],
    ids=["redirect gone", "redirect served", "below a redirect", "rewrite gone", "rewritten more"],
)
def test_a_path_that_newly_reaches_the_app_needs_a_second_reviewer(
    shipped: Side, before: list[Any], after: list[Any], said: str
) -> None:
    one, other = (_with(shipped, ROUTE, _routes(*routes)) for routes in (before, after))
    found = [each for each in compare(one, other).findings if each.rule is Rules.HOST]
    assert [each.detail.partition(" of ")[0] for each in found] == [said]
    assert "leads to the app's /" in found[0].detail
    assert found[0].needs_second


def test_a_path_that_no_longer_reaches_the_app_is_no_new_one(shipped: Side) -> None:
    one, other = (
        _with(shipped, ROUTE, _routes(*routes))
        for routes in ([("/", SERVED)], [("/admin", AWAY), ("/", SERVED)])
    )
    assert Rules.HOST not in _found(compare(one, other))


@pytest.mark.parametrize("key", ["allowMethods", "allowHeaders", "exposeHeaders"])
@pytest.mark.parametrize(
    ("policy", "who"),
    [
        (WITH_CREDENTIALS, "https://www.example.com, with its visitors' credentials"),
        ({"allowOrigins": [{"exact": "*"}]}, "any site"),
    ],
)
def test_what_more_other_sites_may_do_needs_a_second_reviewer(
    shipped: Side, key: str, policy: dict[str, Any], who: str
) -> None:
    def allowing(*words: str) -> Side:
        return _with(shipped, ROUTE, _set("spec.http.0.corsPolicy", {**policy, key: [*words]}))

    wider = compare(allowing("GET"), allowing("GET", "PUT"))
    assert _found(wider) == {Rules.CORS}
    assert _details(wider) == [f"VirtualService my-api: {who}: {key} PUT"]
    assert _found(compare(allowing("GET", "PUT"), allowing("GET"))) == set()


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"uri": "/b"}, {"uri": "/b", "scheme": "http"}, ["/a"]),
        ({"uri": "/b", "scheme": "https"}, {"uri": "/b", "scheme": "http"}, ["/a"]),
        ({"uri": "/b", "scheme": "http"}, {"uri": "/c", "scheme": "http"}, []),
        ({"uri": "/b", "scheme": "http"}, {"uri": "/b", "scheme": "https"}, []),
    ],
    ids=["new", "instead of https", "as before", "no more"],
)
def test_a_redirect_to_plain_http_needs_a_second_reviewer(
    shipped: Side, before: Any, after: Any, paths: list[str]
) -> None:
    one, other = (
        _with(shipped, ROUTE, _routes(("/a", {"redirect": redirect}), ("/", SERVED)))
        for redirect in (before, after)
    )
    found = [each for each in compare(one, other).findings if each.rule is Rules.REDIRECT]
    assert [each.detail for each in found] == [
        f"{path} of VirtualService my-api leads to http://" for path in paths
    ]
    assert all(each.needs_second for each in found)


NOTED: list[tuple[str, Edit, Rules]] = [
    (API, _set(f"{CONTAINER}.env.0", PLAIN), Rules.BEHAVIOUR),
    (API, _set(f"{CONTAINER}.command", ["/bin/other"]), Rules.BEHAVIOUR),
    (API, _set(f"{POD}.securityContext.runAsUser", 10001), Rules.BEHAVIOUR),
    (API, _set(f"{POD}.securityContext.fsGroup", 10001), Rules.BEHAVIOUR),
    (
        API,
        _add(f"{CONTAINER}.volumeMounts", {"mountPath": "/cache", "name": "writable-0"}),
        Rules.WRITABLE,
    ),
    (
        API,
        _set(f"{CONTAINER}.image", "harbor.sre.internal/team-alpha/my-api:v0.9.0"),
        Rules.OLDER,
    ),
    (BUDGET, _set("spec.minAvailable", 0), Rules.LESS_SPARE),
    (BUDGET, _set("spec.maxUnavailable", 1), Rules.LESS_SPARE),
    (SCALER, _set("spec.minReplicas", 1), Rules.LESS_SPARE),
    (SCALER, _set("spec.behavior.scaleUp.selectPolicy", "Disabled"), Rules.LESS_SPARE),
    (REPORT, _set("spec.suspend", True), Rules.BEHAVIOUR),
    (API, _set("spec.strategy", {"type": "Recreate"}), Rules.LESS_SPARE),
    (
        API,
        _set("spec.strategy", {"rollingUpdate": {"maxUnavailable": "50%"}}),
        Rules.LESS_SPARE,
    ),
    (ALERTS, _set("spec.groups.0.rules.0.expr", "vector(0) > 1"), Rules.ALERT),
    (MONITOR, _set("spec.endpoints.0.interval", "5m"), Rules.ALERT),
    (API, _set(f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 10), Rules.BEHAVIOUR),
    (API, _set(f"{CONTAINER}.livenessProbe.timeoutSeconds", 5), Rules.BEHAVIOUR),
    (API, _set("metadata.annotations", {probe_off("liveness"): "why"}), Rules.PROBE_OFF),
]


@pytest.mark.parametrize(("key", "edit", "rule"), NOTED, ids=range(len(NOTED)))
def test_a_minor_change_is_a_note(shipped: Side, key: str, edit: Edit, rule: Rules) -> None:
    comparison = compare(shipped, _with(shipped, key, edit))
    assert _found(comparison) == {rule}
    assert not any(finding.needs_second for finding in comparison.findings)


def test_a_probe_that_is_off_is_named_with_its_reason(shipped: Side) -> None:
    def edit(fields: dict[str, Any]) -> None:
        _drop(f"{CONTAINER}.livenessProbe")(fields)
        fields["metadata"]["annotations"] = {probe_off("liveness"): "it ends by itself"}

    comparison = compare(shipped, _with(shipped, API, edit))
    assert _found(comparison) == {Rules.PROBE_OFF, Rules.BEHAVIOUR}
    assert "liveness of container my-api: it ends by itself" in _details(comparison)
    assert not any(finding.needs_second for finding in comparison.findings)


def test_a_probe_that_is_gone_is_named_even_without_a_reason(shipped: Side) -> None:
    comparison = compare(shipped, _with(shipped, API, _drop(f"{CONTAINER}.readinessProbe")))
    assert "readiness of container my-api" in _details(comparison)


@pytest.mark.parametrize(
    ("key", "field", "bounds"),
    [
        (BUDGET, "spec", ("maxUnavailable",)),
        (API, "spec.strategy", ("rollingUpdate", "maxUnavailable")),
    ],
)
def test_more_pods_may_be_missing(
    shipped: Side, key: str, field: str, bounds: tuple[str, ...]
) -> None:
    def allowing(pods: str | int) -> Side:
        value: Any = pods
        for step in reversed(bounds):
            value = {step: value}
        return _with(shipped, key, _set(field, value))

    assert _found(compare(allowing("10%"), allowing("30%"))) == {Rules.LESS_SPARE}
    assert _found(compare(allowing("30%"), allowing("10%"))) == set()
    assert _found(compare(allowing("30%"), allowing(5))) == {Rules.LESS_SPARE}
    assert _found(compare(allowing(1), allowing("50%"))) == {Rules.LESS_SPARE}
    assert _found(compare(allowing(2), allowing(1))) == set()


def test_fewer_pods_by_a_share_must_stay(shipped: Side) -> None:
    three = _with(shipped, BUDGET, _set("spec.minAvailable", 3))
    half = _with(shipped, BUDGET, _set("spec.minAvailable", "50%"))
    assert _found(compare(three, half)) == {Rules.LESS_SPARE}


def test_an_autoscaler_that_begins_with_fewer_pods_is_noted(shipped: Side) -> None:
    def without(replicas: int) -> Side:
        return _with(_without(shipped, SCALER), API, _set("spec.replicas", replicas))

    assert "my-api: minReplicas 5 -> 2" in _details(compare(without(5), shipped))
    assert Rules.LESS_SPARE not in _found(compare(without(2), shipped))


def test_metrics_that_are_no_longer_read_encrypted_need_a_second_reviewer(shipped: Side) -> None:
    encrypted = _with(shipped, MONITOR, _set("spec.endpoints.0.scheme", "https"))
    assert _found(compare(encrypted, shipped)) == {Rules.ALERT, Rules.MESH}
    assert _found(compare(shipped, encrypted)) == {Rules.ALERT}


def test_the_same_objects_differ_in_nothing(shipped: Side) -> None:
    comparison = compare(shipped, copy.deepcopy(shipped))
    assert comparison.entries == ()
    assert comparison.findings == ()


def test_every_kind_of_object_that_is_destroyed_is_reported(shipped: Side) -> None:
    for key, each in shipped.objects.items():
        comparison = compare(shipped, _without(shipped, key))
        assert {Rules.DESTROYED, Rules.DATA_DESTROYED} & _found(comparison), key
        assert comparison.entries[0].object == each


@pytest.mark.parametrize("key", [NAMESPACE, PROJECT, SECRET, RETENTION])
def test_what_holds_data_is_reported_separately(shipped: Side, key: str) -> None:
    comparison = compare(shipped, _without(shipped, key))
    assert Rules.DATA_DESTROYED in _found(comparison)


def test_removing_a_policy_that_closed_pods_is_reported(shipped: Side) -> None:
    closing = [key for key in shipped.objects if "team-alpha/NetworkPolicy-" in key]
    comparison = compare(shipped, _without(shipped, *closing))
    assert Rules.ISOLATION in _found(comparison)


def test_removing_a_policy_while_another_closes_the_same_pods_opens_nothing(shipped: Side) -> None:
    comparison = compare(shipped, _without(shipped, API_POLICY))
    assert _found(comparison) == {Rules.DESTROYED}


def test_an_object_of_a_kind_that_no_rule_knows_needs_a_second_reviewer(shipped: Side) -> None:
    stranger = RenderedObject(
        "kubernetes/team-alpha/Job-x", "Job", "x", {"kind": "Job"}, "team-alpha"
    )
    comparison = compare(shipped, _and(shipped, stranger))
    assert _found(comparison) == {Rules.UNKNOWN}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("kubernetes.io/service-account-token", Rules.CREDENTIAL), ("Opaque", Rules.UNKNOWN)],
)
def test_a_secret_that_the_program_newly_writes_itself_is_reported(
    shipped: Side, kind: str, rule: Rules
) -> None:
    written = RenderedObject(
        "kubernetes/team-alpha/Secret-x", "Secret", "x", {"type": kind}, "team-alpha"
    )
    assert _found(compare(shipped, _and(shipped, written))) == {rule}


def test_what_a_new_app_runs_is_reported_without_secrets(shipped: Side) -> None:
    edit = _set(f"{REPORT_CONTAINER}.args", ["-c", "--token", "Hunter2-Hunter2"])
    comparison = compare(_without(shipped, REPORT), _with(shipped, REPORT, edit))
    (told,) = (each.detail for each in comparison.findings if each.rule is Rules.BEHAVIOUR)
    assert told == (
        "container nightly-report is new and runs "
        "harbor.sre.internal/team-beta/report-generator:v1.0.5 /bin/generate-report "
        "-c --token [hidden]"
    )


def test_an_additional_provider_is_reported(shipped: Side) -> None:
    other = RenderedObject("providers/other", "Provider", "other", {"context": "elsewhere"})
    assert _found(compare(shipped, _and(shipped, other))) == {Rules.UNKNOWN}


def _admin_path(*capabilities: str) -> Edit:
    """Says of a narrower path than the team's others what one may do there."""
    listed = ", ".join(f'"{each}"' for each in capabilities)
    path = f'path "sre/data/team-alpha/admin/*" {{\n  capabilities = [{listed}]\n}}\n'
    return lambda fields: fields.update(policy=fields["policy"] + path)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (("list",), ("list", "read"), {Rules.RIGHTS}),
        (("deny",), ("read",), {Rules.RIGHTS}),
        (("deny",), (), {Rules.RIGHTS}),
        (("read",), ("read", "sudo"), {Rules.RIGHTS}),
        (("read",), ("deny",), set()),
        (("read", "list"), ("read",), set()),
    ],
    ids=range(6),
)
def test_of_openbaos_paths_the_longest_match_counts(
    shipped: Side, before: tuple[str, ...], after: tuple[str, ...], found: set[Rules]
) -> None:
    base, head = (_with(shipped, POLICY, _admin_path(*each)) for each in (before, after))
    assert _found(compare(base, head)) == found


@pytest.mark.parametrize("capability", ["list", "deny"])
def test_removing_a_narrow_path_of_openbao_leaves_the_wider_one(
    shipped: Side, capability: str
) -> None:
    base = _with(shipped, POLICY, _admin_path(capability))
    assert _found(compare(base, shipped)) == {Rules.RIGHTS}
    assert _found(compare(shipped, base)) == ({Rules.RIGHTS} if capability == "list" else set())


def test_a_new_path_on_a_host_is_reported_and_one_inside_another_is_not(shipped: Side) -> None:
    def matching(*prefixes: str) -> Edit:
        matches = [
            {"uri": uri} for each in prefixes for uri in ({"exact": each}, {"prefix": f"{each}/"})
        ]
        return _set("spec.http.0.match", matches)

    base = _with(shipped, ROUTE, matching("/api"))
    inside = compare(base, _with(base, ROUTE, matching("/api/v2")))
    assert _details(inside) == []
    wider = compare(base, _with(base, ROUTE, matching("/api", "/apix")))
    assert _details(wider) == ["my-api.apps.sre.example.com/apix through istio-system/sre-gateway"]


def test_a_namespaces_host_is_reported_unless_its_own_route_reports_it(shipped: Side) -> None:
    hosts = "frontend.apps.sre.example.com,my-api.apps.sre.example.com,new.example.com"
    head = _with(shipped, NAMESPACE, _set("metadata.annotations", {"sre.io/hosts": hosts}))
    mine = _with(head, ROUTE, _add("spec.hosts", "new.example.com"))
    assert _details(compare(shipped, mine)) == ["new.example.com through istio-system/sre-gateway"]
    fields = {"spec": {"hosts": ["new.example.com"]}}
    theirs = RenderedObject("kubernetes/team-beta/VirtualService-x", "VirtualService", "x", fields)
    assert "Namespace team-alpha may use new.example.com" in _details(
        compare(_and(shipped, theirs), _and(head, theirs))
    )


def test_a_group_of_openbao_is_let_in_and_gets_policies(shipped: Side) -> None:
    fields = {"name": "team-alpha.devs", "policies": ["team-alpha"]}
    group = RenderedObject("openbao/team-alpha/Group-devs", "Group", "devs", fields, "team-alpha")
    alias = RenderedObject(
        "openbao/team-alpha/GroupAlias-devs", "GroupAlias", "devs", {"name": "devs"}
    )
    assert _found(compare(shipped, _and(shipped, group))) == {Rules.GROUP}
    assert _found(compare(shipped, _and(shipped, alias))) == {Rules.GROUP}
    base = _and(shipped, group, alias)
    more = _with(base, group.key, _add("policies", "team-beta"))
    assert _found(compare(base, more)) == {Rules.RIGHTS}
    other = _with(base, alias.key, _set("name", "others"))
    assert _found(compare(base, other)) == {Rules.GROUP}
    assert _found(compare(more, base)) == set()


def test_developers_who_may_now_store_secrets_are_reported_with_what_they_may(
    shipped: Side,
) -> None:
    name = "team-alpha.developers"
    policy = {"name": name, "policy": write_policy("sre", "team-alpha")}
    made = RenderedObject(f"openbao/team-alpha/Policy-{name}", "Policy", name, policy, "team-alpha")
    fields = {"name": "team-alpha.devs", "policies": ["team-alpha"]}
    group = RenderedObject("openbao/team-alpha/Group-devs", "Group", "devs", fields, "team-alpha")
    base = _and(shipped, group)
    head = _and(_with(base, group.key, _set("policies", [name])), made)
    assert _found(compare(base, head)) == {Rules.RIGHTS}
    assert _details(compare(base, head)) == [
        "Group team-alpha.devs gets the policy team-alpha.developers",
        "policy team-alpha.developers: create, patch and update on sre/data/team-alpha/*",
        "policy team-alpha.developers: list and read on sre/metadata/team-alpha/*",
        "policy team-alpha.developers: read on sre/subkeys/team-alpha/*",
    ]
    robots = policy["policy"].replace('"deny"', '"update"', 1)
    assert _details(compare(head, _with(head, made.key, _set("policy", robots)))) == [
        "policy team-alpha.developers: update on sre/data/team-alpha/harbor-pull"
    ]


def test_a_robot_that_is_enabled_again_is_reported(shipped: Side) -> None:
    base = _with(shipped, ROBOT, _set("disable", True))
    assert _found(compare(base, shipped)) == {Rules.ACCOUNT}


def test_a_logical_name_that_changes_without_an_alias_recreates_the_object(shipped: Side) -> None:
    project = shipped.objects[PROJECT]
    renamed = replace(project, logical_name="other")
    comparison = compare(shipped, _and(shipped, renamed))
    assert _found(comparison) == {Rules.REPLACED}
    aliased = replace(renamed, aliases=(project.logical_name,))
    assert _found(compare(shipped, _and(shipped, aliased))) == set()


def test_a_new_team_is_reported_with_the_groups_that_get_access(shipped: Side) -> None:
    base = _without(
        shipped, *(key for key, each in shipped.objects.items() if each.team == "team-beta")
    )
    comparison = compare(base, shipped)
    assert {Rules.NEW_TEAM, Rules.GROUP, Rules.SECRET_READ, Rules.IMAGE} <= _found(comparison)
    assert "Group auditors becomes guest of the Harbor project" in _details(comparison)
    assert "robot pull, which may pull repository in project team-beta" in _details(comparison)
    opened = [each.detail for each in comparison.findings if each.rule is Rules.NETWORK]
    # The team's own rules, not those that every namespace begins with.
    assert sorted(opened) == [
        "egress to 10.200.0.0/16, 8443/TCP (order-processor)",
        "egress to 10.201.0.0/16 except 10.201.99.0/24, 2049-2050/TCP (nightly-report)",
        "egress to app.kubernetes.io/name=frontend of namespaces "
        "kubernetes.io/metadata.name=team-alpha, 3000/TCP (nightly-report)",
        "ingress from app.kubernetes.io/name=my-api of namespaces "
        "kubernetes.io/metadata.name=team-alpha, 9090/TCP (order-processor)",
    ]


def _renamed(each: RenderedObject, old: str, new: str) -> RenderedObject:
    def anew(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: anew(item) for key, item in value.items()}
        if isinstance(value, list):
            return [anew(item) for item in value]
        return value.replace(old, new) if isinstance(value, str) else value

    return RenderedObject(
        each.key.replace(old, new), each.kind, each.name.replace(old, new), anew(each.fields),
        each.team.replace(old, new), each.app.replace(old, new),
    )  # fmt: skip


def test_an_app_under_a_new_name_is_reported_as_destroyed_and_recreated(shipped: Side) -> None:
    of_app = {key: each for key, each in shipped.objects.items() if each.app == "my-api"}
    renamed = [_renamed(each, "my-api", "their-api") for each in of_app.values()]
    comparison = compare(shipped, _and(_without(shipped, *of_app), *renamed))
    (found,) = [each for each in comparison.findings if each.rule is Rules.RENAMED]
    assert (found.team, found.app) == ("team-alpha", "their-api")
    assert found.detail == (
        "their-api looks like my-api renamed: all objects of my-api are destroyed and recreated as "
        "their-api; callers no longer find it by its name"
    )


def test_a_team_under_a_new_name_is_reported_as_destroyed_and_recreated(shipped: Side) -> None:
    of_team = {key: each for key, each in shipped.objects.items() if each.team == "team-beta"}
    renamed = [_renamed(each, "team-beta", "team-delta") for each in of_team.values()]
    comparison = compare(shipped, _and(_without(shipped, *of_team), *renamed))
    (found,) = [each for each in comparison.findings if each.rule is Rules.RENAMED]
    assert found.detail.startswith("team-delta looks like team-beta renamed: all objects of")


def test_a_team_that_shares_only_its_quota_is_not_a_rename(shipped: Side) -> None:
    of_team = {key: each for key, each in shipped.objects.items() if each.team == "team-beta"}
    others = [
        _renamed(each, "team-beta", "team-delta") for each in of_team.values() if not each.app
    ]
    app = RenderedObject("kubernetes/team-delta/Service-x", "Service", "x", {}, "team-delta", "x")
    comparison = compare(shipped, _and(_without(shipped, *of_team), *others, app))
    assert Rules.RENAMED not in _found(comparison)


def test_another_app_of_another_archetype_is_not_a_rename(shipped: Side) -> None:
    of_app = [key for key, each in shipped.objects.items() if each.app == "my-api"]
    workers = [each for each in shipped.objects.values() if each.app == "nightly-report"]
    moved = [_renamed(each, "team-beta", "team-alpha") for each in workers]
    comparison = compare(shipped, _and(_without(shipped, *of_app), *moved))
    assert Rules.RENAMED not in _found(comparison)


def test_without_an_index_what_is_protected_is_not_compared(shipped: Side) -> None:
    old = {
        key: replace(
            each,
            fields={name: value for name, value in each.fields.items() if name != OPTIONS},
            type="",
            logical_name="",
        )
        for key, each in shipped.objects.items()
        if each.kind != "Provider"
    }
    head = _with(shipped, NAMESPACE, _set(f"{OPTIONS}.protect", False))
    assert compare(Side(old, indexed=False), head).findings == ()
    head = _with(shipped, PROJECT, _set("public", True))
    assert _found(compare(Side(old, indexed=False), head)) == {Rules.PUBLIC}


def test_every_rule_but_those_of_files_is_shown_to_find_something() -> None:
    shown = {rule for _, _, rule in [*WEAKENING, *NOTED]}
    others = {
        Rules.DESTROYED, Rules.DATA_DESTROYED, Rules.RENAMED, Rules.ACCOUNT, Rules.NEW_TEAM,
        # tests/test_diff_exceptions.py
        Rules.EXCEPTION, Rules.EXCEPTION_ENDED,
        # tests/test_diff_command.py
        Rules.LIFECYCLE, Rules.ADOPTED, Rules.OTHER_STACK, Rules.SETTING, Rules.SUPPLY, Rules.CODE,
        Rules.PLATFORM_HOST, Rules.OVERRIDE,
        # tests/test_diff_edges.py, tests/test_call_words.py
        Rules.NETWORK_OPENED, Rules.NETWORK_CLOSED, Rules.WORD,
        # tests/test_diff_volumes.py
        Rules.VOLUME, Rules.KEPT,
        # tests/test_diff_mesh.py
        Rules.MESH_WIDER, Rules.MESH_AUDIT, Rules.HOST_OUTSIDE, Rules.NARROWER,
    }  # fmt: skip
    assert shown | others == {*Rules}


def _step(side: Side, **fields: Any) -> dict[str, Any]:
    """A step before the app, with the app's image and surroundings."""
    app = side.objects[API].fields["spec"]["template"]["spec"]["containers"][0]
    shared = ("image", "env", "volumeMounts", "resources", "securityContext", "imagePullPolicy")
    return {
        **{key: copy.deepcopy(app[key]) for key in shared},
        "name": "migrate",
        "command": ["/bin/migrate"],
        **fields,
    }


def test_a_step_with_the_app_s_image_is_a_note_that_says_what_it_runs(shipped: Side) -> None:
    with_step = _with(shipped, API, _set(f"{POD}.initContainers", [_step(shipped)]))
    comparison = compare(shipped, with_step)
    assert _found(comparison) == {Rules.BEHAVIOUR}
    (detail,) = _details(comparison)
    assert detail.startswith("container migrate is new and runs harbor.sre.internal/team-alpha/")
    assert detail.endswith("/bin/migrate")
    comparison = compare(with_step, shipped)
    assert _details(comparison) == ["container migrate of my-api is removed"]
    assert not any(finding.needs_second for finding in comparison.findings)


def test_a_step_under_another_name_does_not_lose_its_digest_unseen(shipped: Side) -> None:
    pinned = _step(shipped)
    pinned["image"] += f"@sha256:{'0' * 64}"
    loose = _step(shipped, name="prepare")
    was, now = (
        _with(shipped, API, _set(f"{POD}.initContainers", [step])) for step in (pinned, loose)
    )
    assert _found(compare(was, now)) == {Rules.IMAGE, Rules.BEHAVIOUR}


def test_what_a_container_has_no_longer_is_a_note(shipped: Side) -> None:
    without = _with(
        shipped, API, lambda fields: [
            fields["spec"]["template"]["spec"]["containers"][0][key].pop(0)
            for key in ("env", "volumeMounts")
        ],
    )  # fmt: skip
    comparison = compare(shipped, without)
    assert _found(comparison) == {Rules.BEHAVIOUR}
    assert _details(comparison) == [
        "mount /tmp of container my-api is removed",
        "variable LOG_LEVEL of container my-api is removed",
    ]


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        (
            {"image": "harbor.sre.internal/team-alpha/other:v1"},
            {Rules.IMAGE, Rules.SECRET_READ, Rules.WRITABLE, Rules.BEHAVIOUR},
        ),
        (
            {"securityContext": {"privileged": True}},
            {Rules.POD, Rules.BEHAVIOUR},
        ),
        ({"restartPolicy": "Always"}, {Rules.UNKNOWN, Rules.BEHAVIOUR}),
    ],
)
def test_a_step_that_sees_or_may_do_more_needs_a_second_reviewer(
    shipped: Side, fields: dict[str, Any], rules: set[Rules]
) -> None:
    steps = [_step(shipped, **fields)]
    comparison = compare(shipped, _with(shipped, API, _set(f"{POD}.initContainers", steps)))
    assert _found(comparison) == rules
