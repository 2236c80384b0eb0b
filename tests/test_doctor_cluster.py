"""`./sre doctor` on a cluster: each check against a server that fails it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sandbox.servers.keys import ADMIN, Keys
from specs.settings import PREFIX, Settings
from tests.conftest import Program
from tests.doctored import DoctorReport, ask
from tests.fake_server import FakeServer, listed, serving
from tests.program import DEPLOYMENT, Made, as_yaml, read_yaml, web_app
from tools.doctor.cluster_checks import ClusterChecks

pytestmark = pytest.mark.commands

VERSION = "GET /version"
WHOAMI = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ESO, ISTIO = "/apis/external-secrets.io", "/apis/networking.istio.io"
GATEWAY = f"GET {ISTIO}/v1/namespaces/istio-system/gateways/sre-gateway"
STORE = f"GET {ESO}/v1/clustersecretstores/openbao-backend"
PULL = f"GET {ESO}/v1/namespaces/team-alpha/externalsecrets/harbor-pull"
OPERATOR = "GET /api/v1/namespaces/external-secrets/serviceaccounts/external-secrets"
SELECTED = "ServiceMonitor: 1 selected; PrometheusRule: 2 selected"
PROMETHEUSES = "GET /apis/monitoring.coreos.com/v1/prometheuses"
NAMESPACES = "GET /api/v1/namespaces"
POLICIES = "GET /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
POLICY_BINDINGS = "GET /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
BINDINGS = "POST /apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"
ROLES = "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/{}"
HOOKS = "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
ENDPOINTS = "GET /apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices"
VALIDATING = "GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
ISTIODS = "GET /api/v1/namespaces/istio-system/pods"
ESOS = "GET /api/v1/namespaces/external-secrets/pods"
MONITORS = "GET /api/v1/namespaces/monitoring/pods"
METRICS = "GET /apis/metrics.k8s.io/v1beta1"
MESHES = "GET /api/v1/namespaces/istio-system/configmaps"
NODES = "GET /api/v1/nodes"
DAEMON_SETS = "GET /apis/apps/v1/daemonsets"
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
ALPHA = "GET /api/v1/namespaces/team-alpha"
DRY_RUN = "POST /api/v1/namespaces/team-alpha/pods"
CLUSTER_WIDE = (  # kinds start so
    "Namespace",
    "Node",
    "Cluster",
    "ValidatingAdmissionPolicy",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
CONDITION = {"type": "Ready", "status": "False", "reason": "InvalidProviderConfig"}


def bound(action: str) -> Any:
    return {"spec": {"policyName": "sre-images", "validationActions": [action]}}


def prometheus(selector: Any, namespaces: Any) -> dict[str, Any]:
    """One that selects such monitors, and every rule; None leaves a selector out."""
    selectors = {
        "serviceMonitorSelector": selector,
        "serviceMonitorNamespaceSelector": namespaces,
        "ruleSelector": {},
        "ruleNamespaceSelector": {},
    }
    spec = {key: value for key, value in selectors.items() if value is not None}
    return {
        "metadata": {"namespace": "monitoring", "name": "k8s", "generation": 2},
        "spec": spec,
        "status": {"conditions": [condition("Available"), condition("Reconciled")]},
    }


def noted(*conditions: Any) -> tuple[int, Any]:
    """A Prometheus with these of its operator's."""
    return listed(prometheus({}, {}) | {"status": {"conditions": conditions}})


def condition(type: str, status: str = "True", generation: int = 2) -> dict[str, Any]:
    return {"type": type, "status": status, "observedGeneration": generation}


def webhook(name: str, service: str, *resources: str, **more: Any) -> dict[str, Any]:
    """One that must answer about these, at `namespace/name`."""
    namespace, _, short = service.partition("/")
    rule = {"apiGroups": ["*"], "operations": ["CREATE"], "resources": resources, "scope": "*"}
    client = {"service": {"namespace": namespace, "name": short}}
    return {"name": name, "clientConfig": client, "rules": [rule], "failurePolicy": "Fail", **more}


def injector(selected: str = "enabled", **client: Any) -> tuple[int, Any]:
    """Istio's webhook, for namespaces with that label."""
    selectors = {
        "namespaceSelector": {
            "matchLabels": {"istio-injection": selected},
            "matchExpressions": [
                {"key": "istio.io/rev", "operator": "DoesNotExist"},
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["x"]},
            ],
        },
        "objectSelector": {
            "matchExpressions": [
                {"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}
            ]
        },
    }
    name = "namespace.sidecar-injector.istio.io"
    hook = webhook(name, "istio-system/istiod", "pods", **selectors)
    hook["clientConfig"] = client or hook["clientConfig"]
    others = {"name": "mutate.kyverno.svc-fail", "clientConfig": {}}
    return 200, {"items": [{"webhooks": [hook]}, {"webhooks": [others]}, {}]}


def behind_istiod(**conditions: bool) -> tuple[int, Any]:
    labels = {"kubernetes.io/service-name": "istiod"}
    endpoint = {"addresses": ["10.0.0.1"], "conditions": conditions}
    other = {"metadata": {"labels": {}}, "endpoints": [{"conditions": {"ready": True}}]}
    return 200, {"items": [{"metadata": {"labels": labels}, "endpoints": [endpoint]}, other]}


def daemon_set(
    label: str = "cilium", ready: int = 3, wanted: int = 3, namespace: str = "kube-system"
) -> Any:
    """One as its controller leaves it."""
    return {
        "metadata": {"namespace": namespace, "name": label},
        "spec": {"template": {"metadata": {"labels": {"k8s-app": label}}}},
        "status": {"desiredNumberScheduled": wanted, "numberReady": ready},
    }


def node(*labels: str) -> Any:
    return {"metadata": {"labels": dict.fromkeys(labels, "a")}}


def pod(ready: str = "True", account: str = "default", **labels: str) -> Any:
    return {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": account},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


INGRESS = pod(istio="ingressgateway")


def istiod(ready: str = "True", app: str = "istiod") -> tuple[int, Any]:
    return listed(pod(ready, app=app), INGRESS)


def mesh(text: str = "accessLogFile: /dev/stdout\n", name: str = "istio") -> tuple[int, Any]:
    """Istio's ConfigMaps."""
    others = {"metadata": {"name": "istio-ca-root-cert"}, "data": {"root-cert.pem": "x"}}
    return 200, {"items": [{"metadata": {"name": name}, "data": {"mesh": text}}, others]}


def with_sidecar(
    place: str = "initContainers",
    requests: Any = None,
    limits: Any = None,
    image: str = "registry.istio.io/release/proxyv2:1.31.0",
) -> Callable[[Any], tuple[int, Any]]:
    """The pod as the API server would create it."""

    def answer(pod: Any) -> tuple[int, Any]:
        resources = {
            "requests": {"cpu": "100m", "memory": "128Mi"} if requests is None else requests,
            "limits": {"cpu": "2", "memory": "1024Mi"} if limits is None else limits,
        }
        spec = {"initContainers": [], **pod["spec"]}
        proxy = {"name": "istio-proxy", "image": image, "resources": resources}
        spec[place] = [*spec[place], proxy]
        return 201, pod | {"spec": spec}

    return answer


def user(name: str) -> tuple[int, Any]:
    return 201, {"status": {"userInfo": {"username": name}}}


OTHERS = (201, {"status": {"allowed": True}})


def refusing(
    verb: str = "", resource: str = "", namespace: str | None = None, name: str = ""
) -> Any:
    """Allows all but this, cluster-wide too; with a `namespace` in that one only."""

    def answer(document: Any) -> tuple[int, Any]:
        asked = document["spec"]["resourceAttributes"]
        wanted = {"verb": verb, "resource": resource, "name": name}
        this = all(asked[key] == value for key, value in wanted.items() if value)
        here = namespace is None or asked["namespace"] in ("", namespace)
        return 201, {"status": {"allowed": not (this and here)}}

    return answer


@pytest.fixture
def made(program: Program) -> Made:
    return program(web_app("ingress: {enabled: true, host: a.example.com}"), platform=True)


@pytest.fixture
def team(program: Program) -> Made:
    """A stack of one team, which another stack's platform carries."""
    return program(web_app("ingress: {enabled: true, host: a.example.com}"))


@pytest.fixture
def encrypted() -> bool:
    return True


@pytest.fixture
def cluster(
    keys: Keys, encrypted: bool, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeServer]:
    """A cluster that has all that a stack needs."""
    with serving(keys if encrypted else None) as fake:
        fake.answers |= _discovery(made)
        fake.answers |= {
            VERSION: (200, {"gitVersion": "v1.36.1"}),
            WHOAMI: user("ci"),
            REVIEW: refusing("nothing"),
            GATEWAY: (200, {"spec": {"selector": {"istio": "ingressgateway"}}}),
            STORE: (200, {"status": {"conditions": [{**CONDITION, "status": "True"}]}}),
            OPERATOR: (200, {}),
            PROMETHEUSES: listed(prometheus({}, {})),
            MONITORS: listed(pod(**{"app.kubernetes.io/component": "prometheus-operator"})),
            ESOS: listed(pod(account="external-secrets")),
            METRICS: (200, {"resources": []}),
            HOOKS: injector(),
            VALIDATING: listed(),
            ENDPOINTS: behind_istiod(ready=True),
            ISTIODS: istiod(),
            MESHES: mesh(),
            DRY_RUN: with_sidecar(),
            NODES: listed(node(HOSTNAME, ZONE), node(HOSTNAME, ZONE)),
            DAEMON_SETS: listed(daemon_set("kube-proxy"), daemon_set()),
            POLICIES: (200, {"items": [{"metadata": {"name": "sre-images"}}]}),
            POLICY_BINDINGS: (200, {"items": [bound("Deny")]}),
            **{ROLES.format(name): (200, {}) for name in ("edit", "view", "system:auth-delegator")},
        }
        keys.write_kubeconfig(tmp_path / "kubeconfig", ADMIN, fake.address)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield fake


@pytest.fixture
def every_right() -> None:
    """For tests of what the doctor asks about rights."""


@pytest.fixture(autouse=True)
def _one_right(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests ask for one of the sixty, as these questions take most of an examination."""
    question = getattr(request.node, "callspec", None) and request.node.callspec.params.get(
        "question"
    )
    if "every_right" not in request.fixturenames and question != REVIEW:
        every = ClusterChecks._rights
        monkeypatch.setattr(ClusterChecks, "_rights", lambda checks: islice(every(checks), 1))


def _discovery(made: Made) -> dict[str, Any]:
    """What a server that serves all these kinds says of itself."""
    kinds: dict[str, set[str]] = {}
    for one in made.of_package("kubernetes"):
        kinds.setdefault(one.inputs["apiVersion"], set()).add(one.inputs["kind"])
    kinds["networking.istio.io/v1"].add("Gateway")
    kinds["monitoring.coreos.com/v1"].add("Prometheus")
    kinds["rbac.authorization.k8s.io/v1"].add("ClusterRole")
    kinds.setdefault("admissionregistration.k8s.io/v1", set()).update(
        (
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        )
    )
    kinds.setdefault("v1", set()).update(("Pod", "Node", "ConfigMap"))
    kinds["discovery.k8s.io/v1"] = {"EndpointSlice"}
    kinds["apps/v1"].add("DaemonSet")
    answers: dict[str, Any] = {}
    for version, names in kinds.items():
        group, _, number = version.rpartition("/")
        resources = [
            {"name": _plural(name), "kind": name, "namespaced": not name.startswith(CLUSTER_WIDE)}
            for name in names
        ]
        prefix = "apis" if group else "api"
        answers[f"GET /{prefix}/{version}"] = (200, {"resources": resources})
        answers[f"GET /apis/{group}"] = (200, {"versions": [{"version": number}]})
    return answers


def _plural(kind: str) -> str:
    return f"{kind.lower()}s".replace("policys", "policies").replace("uss", "uses")


def examined(made: Made, kinds: Sequence[str] = (), **config: Any) -> DoctorReport:
    """With a stack that makes these kinds of objects; without any, all that `made` has."""
    cluster = {"clusterIdentifier": "test", "podSecurity": "restricted"}
    config = {"teams": "*", "kubernetes": cluster, **config}
    settings = Settings.model_validate({PREFIX + key: value for key, value in config.items()})
    objects = [
        one.inputs
        for one in made.of_package("kubernetes")
        if not kinds or one.inputs["kind"] in kinds
    ]
    return ask("Kubernetes", ClusterChecks(settings, objects))


@pytest.mark.usefixtures("every_right")
def test_a_cluster_that_has_all_passes_every_check(cluster: FakeServer, team: Made) -> None:
    told = examined(team)
    assert told.statuses == {"ok"}, told.text
    assert list(dict.fromkeys(line.what for line in told.lines)) == [
        "Kubernetes: kubeconfig", "Kubernetes: version", "Kubernetes: TLS", "Kubernetes: identity",
        "Kubernetes: served kinds", "Kubernetes: permissions", "Kubernetes: granting roles",
        "Kubernetes: gateways", "Kubernetes: sidecars", "Kubernetes: istiod",
        "Kubernetes: outbound", "Kubernetes: network policies", "Kubernetes: nodes",
        "Kubernetes: secret store", "Kubernetes: External Secrets", "Kubernetes: secrets",
        "Kubernetes: Prometheus", "Kubernetes: Prometheus Operator", "Kubernetes: metrics API",
        "Kubernetes: webhooks", "Kubernetes: guardrails", "Kubernetes: Pod Security",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (VERSION, (200, {"gitVersion": "v1.29.9"}), "version", "v1.29.9"),
        (VERSION, (401, {}), "version", "the API server does not know this user"),
        (VERSION, (500, {}), "version", "answered 500"),
        (VERSION, (200, "welcome"), "version", "unexpected answer (TypeError)"),
        (WHOAMI, (401, {}), "identity", "the API server does not know this user"),
        (WHOAMI, user("system:anonymous"), "identity", "the API server does not know this user"),
        (
            "GET /apis/networking.istio.io/v1",
            (404, {}),
            "served kinds",
            "networking.istio.io/v1 without VirtualService; networking.istio.io is served as v1",
        ),
        (
            "GET /apis/monitoring.coreos.com/v1",
            (200, {"resources": []}),
            "served kinds",
            "monitoring.coreos.com/v1 without PrometheusRule, ServiceMonitor",
        ),
        (REVIEW, refusing("patch", "deployments"), "permissions", "ci may not patch deployments"),
        (REVIEW, refusing("create", "namespaces"), "permissions", "ci may not create namespaces"),
        (
            REVIEW,
            refusing(resource="deployments", namespace="team-alpha"),
            "permissions",
            "ci may not create, get, patch, delete, list, watch deployments.apps in team-alpha",
        ),
        (REVIEW, refusing("watch", "pods"), "permissions", "ci may not watch pods in team-alpha"),
        (ROLES.format("edit"), (404, {}), "granting roles", "no ClusterRole edit"),
        (GATEWAY, (404, {}), "gateways", "no Gateway istio-system/sre-gateway"),
        (STORE, (404, {}), "secret store", "no ClusterSecretStore openbao-backend"),
        (
            STORE,
            (200, {"status": {"conditions": [CONDITION]}}),
            "secret store",
            "openbao-backend is not ready",
        ),
        (
            POLICY_BINDINGS,
            (200, {"items": []}),
            "guardrails",
            "sre-images without a binding, so not enforced",
        ),
        (
            OPERATOR,
            (404, {}),
            "External Secrets",
            "no ServiceAccount external-secrets/external-secrets",
        ),
        (
            ENDPOINTS,
            (200, {"items": []}),
            "webhooks",
            "nothing is ready behind Service istio-system/istiod, so the API server refuses every "
            "Pod",
        ),
        (ENDPOINTS, behind_istiod(ready=False), "webhooks", "nothing is ready behind Service"),
        (ISTIODS, istiod(app="istiod-1-31"), "istiod", "no pod with app=istiod in istio-system: "),
        (ISTIODS, istiod("False"), "istiod", "no pod with app=istiod in istio-system is ready"),
    ],
)
def test_what_is_wrong_fails_its_own_check(
    cluster: FakeServer, team: Made, question: str, answer: Any, what: str, found: str
) -> None:
    cluster.answers[question] = answer
    told = examined(team)
    assert f"Kubernetes: {what}" in told.failed(), told.text
    finding = told.failed()[f"Kubernetes: {what}"]
    assert finding.found.startswith(found)
    assert finding.do


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (
            POLICIES,
            (200, {"items": []}),
            "guardrails",
            "no ValidatingAdmissionPolicy sre-",
        ),
        (POLICIES, (403, {}), "guardrails", "cannot be read (403)"),
        (
            POLICY_BINDINGS,
            (200, {"items": [bound("Audit")]}),
            "guardrails",
            "sre-images only audited",
        ),
        (GATEWAY, (403, {}), "gateways", "cannot be read (403)"),
        (OPERATOR, (403, {}), "External Secrets", "cannot be read (403)"),
        (STORE, (200, {}), "secret store", "openbao-backend was never looked at by the External"),
        (HOOKS, (200, {"items": []}), "sidecars", "no Istio webhook for pods, so apps start"),
        (HOOKS, injector("1-31"), "sidecars", "no Istio webhook selects team-alpha, so apps"),
        (ENDPOINTS, (403, {}), "webhooks", "cannot be read (403)"),
        (ISTIODS, listed(pod(app="istiod")), "gateways", "no pod in istio-system has istio=ingre"),
        (
            ISTIODS,
            listed(pod(app="istiod"), pod("False", istio="ingressgateway")),
            "gateways",
            "Gateway istio-system/sre-gateway: 0 of 1 pods in istio-system ready",
        ),
        (ESOS, listed(pod()), "External Secrets", "no pod in external-secrets runs as external-s"),
        (
            ESOS,
            listed(pod("False", "external-secrets"), pod()),
            "External Secrets",
            "External Secrets Operator: 0 of 1 pods in external-secrets ready",
        ),
        (
            ESOS,
            (403, {}),
            "External Secrets",
            "External Secrets Operator: pods in external-secrets cannot be read (403)",
        ),
        (
            MONITORS,
            listed(pod(**{"app.kubernetes.io/name": "prometheus"})),
            "Prometheus Operator",
            "no pod of the Prometheus Operator in monitoring",
        ),
        (
            MONITORS,
            listed(pod("False", **{"app.kubernetes.io/name": "prometheus-operator"})),
            "Prometheus Operator",
            "Prometheus Operator: 0 of 1 pods in monitoring ready",
        ),
        (
            MONITORS,
            (403, {}),
            "Prometheus Operator",
            "Prometheus Operator: pods in monitoring cannot be read (403)",
        ),
        (
            PROMETHEUSES,
            listed(prometheus({}, {}) | {"status": {}}),
            "Prometheus Operator",
            "monitoring/k8s was never looked at by the Prometheus Operator",
        ),
        (
            PROMETHEUSES,
            noted(condition("Available"), condition("Reconciled", generation=1)),
            "Prometheus Operator",
            "the Prometheus Operator has not seen the last change of monitoring/k8s",
        ),
        (
            PROMETHEUSES,
            noted(condition("Available"), condition("Reconciled", "False")),
            "Prometheus Operator",
            "the Prometheus Operator cannot configure monitoring/k8s",
        ),
        (
            PROMETHEUSES,
            noted(condition("Available", "False"), condition("Reconciled")),
            "Prometheus Operator",
            "monitoring/k8s has no pod that is ready",
        ),
        (METRICS, (404, {}), "metrics API", "metrics.k8s.io/v1beta1 is not served, so autoscal"),
        (METRICS, (503, {}), "metrics API", "metrics.k8s.io/v1beta1 does not answer, so autosc"),
        (MESHES, (403, {}), "outbound", "cannot be read (403)"),
        (
            DAEMON_SETS,
            listed(daemon_set("kube-proxy"), daemon_set("kindnet")),
            "network policies",
            "not known whether anything enforces them: no DaemonSet is one of Calico, Cilium, "
            "kube-network-policies",
        ),
        (
            DAEMON_SETS,
            listed(daemon_set("calico-node", ready=2, namespace="calico-system")),
            "network policies",
            "DaemonSet calico-system/calico-node: 2 of 3 pods ready: a node without one may let",
        ),
        (
            DAEMON_SETS,
            listed(daemon_set("kube-network-policies", ready=0, wanted=0)),
            "network policies",
            "DaemonSet kube-system/kube-network-policies: 0 of 0 pods ready: a node without one",
        ),
        (DAEMON_SETS, (403, {}), "network policies", "cannot be read (403)"),
    ],
)
def test_what_is_to_be_known_warns(
    cluster: FakeServer, team: Made, question: str, answer: Any, what: str, found: str
) -> None:
    cluster.answers[question] = answer
    told = examined(team)
    assert told.failed() == {}
    (warned,) = told.warned
    assert warned.what == f"Kubernetes: {what}"
    assert warned.finding.found.startswith(found)
    assert warned.finding.do


@pytest.mark.usefixtures("every_right")
def test_a_permission_that_holds_in_the_team_s_namespace_is_enough(
    cluster: FakeServer, team: Made
) -> None:
    cluster.answers[REVIEW] = refusing("create", "deployments", namespace="")
    assert examined(team).statuses == {"ok"}
    namespaced = refusing("create", "deployments", namespace="team-beta")
    cluster.answers[REVIEW] = namespaced
    assert examined(team).statuses == {"ok"}


@pytest.mark.usefixtures("every_right")
@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("update", "update deployments.apps in team-alpha"),
        ("list", "list services in team-alpha"),
        ("patch", "patch deployments.apps/scale in team-alpha"),
    ],
)
def test_to_adopt_takes_more_rights(verb: str, what: str, cluster: FakeServer, team: Made) -> None:
    resource = what.split()[1].partition(".")[0]
    refused = refusing(verb, resource)

    def answer(document: Any) -> tuple[int, Any]:
        asked = document["spec"]["resourceAttributes"]
        of_scale = asked["subresource"] == "scale"
        return refused(document) if of_scale == what.endswith("/scale in team-alpha") else OTHERS

    cluster.answers[REVIEW] = answer
    assert examined(team).statuses == {"ok"}
    failed = examined(team, adopt=True).failed()["Kubernetes: permissions"]
    assert failed.found == f"ci may not {what}"


def test_an_operator_of_another_version_is_reported_with_the_setting_that_suits_it(
    cluster: FakeServer, team: Made
) -> None:
    cluster.answers[f"GET {ESO}/v1"] = (404, {})
    cluster.answers[f"GET {ESO}"] = (200, {"versions": [{"version": "v1beta1"}]})
    failed = examined(team).failed()["Kubernetes: served kinds"]
    assert "external-secrets.io is served as v1beta1" in failed.found
    assert failed.do == "set sre-platform:externalSecrets.apiVersion to v1beta1"


def test_an_operator_that_is_not_there_is_to_be_installed(cluster: FakeServer, team: Made) -> None:
    for path in (f"GET {ISTIO}", f"GET {ISTIO}/v1"):
        cluster.answers[path] = (404, {})
    failed = examined(team).failed()
    assert failed["Kubernetes: served kinds"].do == "install Istio"
    assert "Kubernetes: gateways" in failed


class TestGrantingRoles:
    """Kubernetes lets nobody grant what he lacks."""

    @pytest.fixture(autouse=True)
    def _may_not_bind(self, cluster: FakeServer) -> None:
        cluster.answers[REVIEW] = refusing("bind", "clusterroles", name="edit")

    def test_to_have_the_role_s_rights_is_enough(self, cluster: FakeServer, team: Made) -> None:
        cluster.answers[BINDINGS.format("default")] = (201, {})
        assert examined(team).statuses == {"ok"}

    def test_neither_to_bind_nor_to_have_them_fails(self, cluster: FakeServer, team: Made) -> None:
        cluster.answers[BINDINGS.format("default")] = (403, {})
        failed = examined(team).failed()
        assert list(failed) == ["Kubernetes: granting roles"]
        assert failed["Kubernetes: granting roles"].found == "ci may not bind the ClusterRole edit"

    def test_the_team_s_own_namespace_is_asked_where_it_is_there(
        self, cluster: FakeServer, team: Made
    ) -> None:
        cluster.answers["GET /api/v1/namespaces/team-alpha"] = (200, {})
        cluster.answers[BINDINGS.format("team-alpha")] = (201, {})
        assert examined(team).statuses == {"ok"}


@pytest.mark.parametrize(
    ("resources", "verbs", "warned"),
    [
        (["pods"], ["*"], False),
        (["namespaces"], ["get", "list"], False),
        (["namespaces"], ["patch"], True),
        (["*"], ["*"], True),
    ],
)
def test_a_role_of_groups_that_would_pass_all_guardrails_is_warned_of(
    cluster: FakeServer, program: Program, resources: list[str], verbs: list[str], warned: bool
) -> None:
    config: Any = {"clusterIdentifier": "test", "podSecurity": "restricted"}
    config["groupRoles"] = ("view-logs",)
    text = "ingress: {enabled: true, host: a.example.com}"
    file = web_app(text) + "\naccess: {roles: {ops: view-logs}}\n"
    rule = {"apiGroups": [""], "resources": resources, "verbs": verbs}
    cluster.answers[ROLES.format("view-logs")] = (200, {"rules": [rule]})
    told = examined(program(file, kubernetes=config), kubernetes=config)
    assert told.failed() == {}
    found = [line.finding.found for line in told.warned]
    expected = "the ClusterRole view-logs can change namespaces, which bypasses all guardrails"
    assert found == ([expected] if warned else [])


@pytest.mark.usefixtures("every_right")
def test_nothing_but_reviews_and_dry_runs_is_sent(cluster: FakeServer, team: Made) -> None:
    examined(team)
    written = {question for question in cluster.asked if not question.startswith("GET ")}
    assert written == {WHOAMI, REVIEW}


def test_the_platform_s_stack_makes_the_secret_store_itself(
    cluster: FakeServer, made: Made
) -> None:
    cluster.answers |= {STORE: (404, {}), POLICIES: (200, {"items": []})}
    told = examined(made, platform=True)
    assert told.statuses == {"ok"}
    assert told.found("Kubernetes: secret store") == (
        "openbao-backend will be created by this stack"
    )


def test_gateways_that_no_app_uses_warn_only(cluster: FakeServer, program: Program) -> None:
    cluster.answers[GATEWAY] = (404, {})
    told = examined(program(web_app(), platform=True), platform=True)
    assert told.failed() == {}
    assert [line.what for line in told.warned] == ["Kubernetes: gateways"]


def external_secret(**noted: Any) -> tuple[int, Any]:
    """The pull Secret's, with what the operator has noted on it."""
    metadata = {"namespace": "team-alpha", "name": "harbor-pull"}
    spec = {"refreshInterval": "1h0m0s"}
    return 200, {"metadata": metadata, "spec": spec, "status": noted}


def fetched(ago: timedelta) -> tuple[int, Any]:
    time = datetime.now(UTC) - ago
    ready = {"type": "Ready", "status": "True"}
    return external_secret(conditions=[ready], refreshTime=time.strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize("minutes", [0, 62])
def test_secrets_that_arrive_are_counted(cluster: FakeServer, team: Made, minutes: int) -> None:
    told = examined(team)
    assert told.found("Kubernetes: secrets") == "no ExternalSecret yet"
    cluster.answers[PULL] = fetched(timedelta(minutes=minutes))
    told = examined(team)
    assert told.statuses == {"ok"}, told.text
    assert told.found("Kubernetes: secrets") == "1 fetched"


@pytest.mark.parametrize(
    ("answer", "found", "do"),
    [
        (external_secret(), "harbor-pull never looked at by the External Secrets Operator", "log"),
        (
            external_secret(conditions=[{"type": "Ready", "status": "False", "reason": "Error"}]),
            "team-alpha/harbor-pull not fetched",
            "kubectl describe externalsecret harbor-pull -n team-alpha",
        ),
        (fetched(timedelta(minutes=70)), "harbor-pull not refreshed since 20", "log"),
    ],
)
def test_secrets_that_do_not_arrive_warn_as_up_does_without_them(
    cluster: FakeServer, team: Made, answer: Any, found: str, do: str
) -> None:
    cluster.answers[PULL] = answer
    told = examined(team)
    assert told.failed() == {}
    (warned,) = told.warned
    assert warned.what == "Kubernetes: secrets"
    assert found in warned.finding.found
    assert do in warned.finding.do


def test_stores_of_the_teams_own_need_no_shared_one_but_the_operator(
    cluster: FakeServer, program: Program
) -> None:
    own = {"secretStore": "tenant"}
    cluster.answers |= _discovery_with(cluster, f"GET {ESO}/v1", "SecretStore")
    del cluster.answers[STORE]
    made = program(web_app(), externalSecrets=own)
    told = examined(made, externalSecrets=own)
    assert told.statuses == {"ok"}, told.text
    del cluster.answers[OPERATOR]
    failed = examined(made, externalSecrets=own).failed()
    assert list(failed) == ["Kubernetes: External Secrets"]


def test_a_stack_without_external_secrets_needs_no_operator(
    cluster: FakeServer, program: Program
) -> None:
    del cluster.answers[OPERATOR]
    config = {"harbor": {"imagePullSecret": False}}
    assert examined(program(web_app(), **config), **config).statuses == {"ok"}


def _discovery_with(cluster: FakeServer, question: str, kind: str) -> dict[str, Any]:
    answer = cluster.answers[question]
    assert isinstance(answer, tuple)
    more = {"name": _plural(kind), "kind": kind, "namespaced": True}
    return {question: (200, {"resources": [*answer[1]["resources"], more]})}


def test_the_api_server_s_ca_is_needed_for_an_openbao_outside_the_cluster(
    cluster: FakeServer, made: Made, tmp_path: Path
) -> None:
    outside = {"inCluster": False, "address": "https://openbao.invalid"}
    told = examined(made, platform=True, openbao=outside)
    assert cluster.address in told.found("Kubernetes: CA for OpenBao")
    _rewrite(tmp_path / "kubeconfig", "cluster", {"insecure-skip-tls-verify": True})
    failed = examined(made, platform=True, openbao=outside).failed()
    assert list(failed) == ["Kubernetes: CA for OpenBao"]


def _rewrite(kubeconfig: Path, kind: str, entry: dict[str, Any]) -> None:
    """Replaces all but the address in the kubeconfig's only cluster or user."""
    document = read_yaml(kubeconfig.read_text())
    old = document[f"{kind}s"][0][kind]
    kept = {key: value for key, value in old.items() if key == "server"}
    document[f"{kind}s"][0][kind] = {**kept, **entry}
    kubeconfig.write_text(as_yaml(document))


def test_verification_turned_off_is_reported(
    cluster: FakeServer, team: Made, tmp_path: Path
) -> None:
    _rewrite(tmp_path / "kubeconfig", "cluster", {"insecure-skip-tls-verify": True})
    (warned,) = examined(team).warned
    assert warned.finding.found == "not verified: the kubeconfig has insecure-skip-tls-verify"


@pytest.mark.parametrize("encrypted", [False])
def test_credentials_in_the_clear_are_reported(cluster: FakeServer, team: Made) -> None:
    (warned,) = examined(team).warned
    assert (warned.what, warned.finding.found) == (
        "Kubernetes: TLS", "none: credentials travel in plain text"
    )  # fmt: skip


def test_a_client_certificate_that_cannot_be_used_is_no_fault_of_the_server_s(
    cluster: FakeServer, team: Made, keys: Keys, tmp_path: Path
) -> None:
    no_certificate = {
        "client-certificate": str(tmp_path / "none.crt"), "client-key": str(keys.server_key)
    }  # fmt: skip
    (tmp_path / "none.crt").write_text("no certificate")
    _rewrite(tmp_path / "kubeconfig", "user", no_certificate)
    (failed,) = examined(team).failed().values()
    assert "the client certificate or its key" in failed.found
    assert failed.do == "fix the credential"


def test_a_certificate_of_another_ca_is_distinguished_from_no_answer(
    cluster: FakeServer, team: Made, keys: Keys, other_keys: Keys, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    other_keys.write_kubeconfig(kubeconfig, ADMIN, cluster.address)
    (failed,) = examined(team).failed().values()
    assert "shows a certificate that cannot be verified" in failed.found
    assert failed.do == "name the CA that signed it in the kubeconfig's certificate-authority"
    with serving(keys) as gone:
        address = gone.address
    keys.write_kubeconfig(kubeconfig, ADMIN, address)
    told = examined(team)
    assert [line.finding.status for line in told.lines[:2]] == ["ok", "FAIL"]
    assert {line.finding.status for line in told.lines[2:]} == {"skipped"}
    assert told.lines[1].finding.found.startswith(f"{address} does not answer")


def test_an_invalid_ca_is_reported(cluster: FakeServer, team: Made, tmp_path: Path) -> None:
    no_certificate = {"certificate-authority-data": "bm8gY2VydGlmaWNhdGU="}
    _rewrite(tmp_path / "kubeconfig", "cluster", no_certificate)
    (failed,) = examined(team).failed().values()
    assert failed.do == "name the CA that signed it in the kubeconfig's certificate-authority"
    _rewrite(tmp_path / "kubeconfig", "cluster", {"certificate-authority": "nowhere.crt"})
    failed = examined(team).failed()["Kubernetes: kubeconfig"]
    assert "nowhere.crt" in failed.found


SECRET = "hunter2-kubernetes"


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        f"- [{SECRET}",
        f"token: {SECRET}: {SECRET}",
        f"[{SECRET}]",
        SECRET,
        f"{{current-context: {SECRET}, contexts: []}}",
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}]}",
        "\x00",
    ],
)
def test_an_invalid_kubeconfig_is_reported_in_one_line(
    team: Made,
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))
    told = examined(team)
    assert list(told.failed()) == ["Kubernetes: kubeconfig"]
    assert told.statuses == {"FAIL", "skipped"}
    if "current-context" not in (content or ""):
        assert SECRET not in told.text
    assert capfd.readouterr() == ("", "")


def test_an_unknown_context_is_reported(cluster: FakeServer, team: Made) -> None:
    context = {"clusterIdentifier": "test", "context": "production"}
    failed = examined(team, kubernetes=context).failed()["Kubernetes: kubeconfig"]
    assert "production" in failed.found
    assert "kubectl --context production version" in failed.do


@pytest.mark.parametrize("command", ["/nowhere/plugin", "false", "echo"])
def test_a_failing_credential_plugin_is_reported(
    cluster: FakeServer,
    team: Made,
    command: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": [SECRET]}
    _rewrite(tmp_path / "kubeconfig", "user", {"exec": plugin})
    told = examined(team)
    failed = told.failed()["Kubernetes: kubeconfig"]
    assert failed.found == "the kubeconfig's credential plugin fails"
    assert SECRET not in told.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("encrypted", [pytest.param(False, id=pytest.HIDDEN_PARAM)])
@pytest.mark.parametrize("status", [401, 403, 422])
def test_no_word_of_the_server_s_is_printed_as_it_may_repeat_the_token(
    cluster: FakeServer, team: Made, status: int
) -> None:
    # All that is asked of any cluster, and the rights to a few kinds.
    kinds = ("ExternalSecret", "Namespace", "RoleBinding", "VirtualService")
    examined(team, kinds)
    (token,) = cluster.secrets
    for question in set(cluster.asked):
        refusal = {question: (status, {"message": f"bad token {token}"})}
        with mock.patch.dict(cluster.answers, refusal):
            assert token not in examined(team, kinds).text, question


APP = {"matchLabels": {"app.kubernetes.io/name": "my-api"}}
RELEASE = {"matchLabels": {"release": "monitoring"}}
TEAM = {"matchLabels": {"sre.io/team": "team-alpha"}}


@pytest.mark.parametrize(
    "readers",
    [
        [prometheus(APP, {})],
        [prometheus({}, TEAM)],
        [prometheus({}, {"matchLabels": {"kubernetes.io/metadata.name": "team-alpha"}})],
        [prometheus({}, {"matchLabels": {"by": "others"}})],
        [prometheus(RELEASE, {}), prometheus({}, {})],
        [
            prometheus(
                {
                    "matchExpressions": [
                        {"key": "release", "operator": "DoesNotExist"},
                        {"key": "sre.io/team", "operator": "Exists"},
                        {"key": "sre.io/team", "operator": "In", "values": ["team-alpha"]},
                        {"key": "sre.io/team", "operator": "NotIn", "values": ["team-beta"]},
                    ]
                },
                {},
            )
        ],
    ],
)
def test_monitors_that_a_prometheus_selects_are_well(
    cluster: FakeServer, team: Made, readers: Sequence[Any]
) -> None:
    cluster.answers[PROMETHEUSES] = listed(*readers)
    others = {"name": "team-alpha", "labels": {"by": "others"}}
    cluster.answers[NAMESPACES] = listed({"metadata": others}, {"metadata": {"name": "default"}})
    told = examined(team)
    assert told.warned == []
    assert told.found("Kubernetes: Prometheus") == SELECTED


@pytest.mark.parametrize(
    ("readers", "found"),
    [
        ([], ""),
        (
            [prometheus(RELEASE, {})],
            " (monitoring/k8s selects release=monitoring in all namespaces)",
        ),
        ([prometheus({}, RELEASE)], " (monitoring/k8s selects all in release=monitoring)"),
        ([prometheus({}, None)], " (monitoring/k8s selects all in its own namespace)"),
        ([prometheus(None, {})], " (monitoring/k8s selects none)"),
        (
            [prometheus(None, {}), prometheus(RELEASE, TEAM)],
            " (monitoring/k8s selects none; monitoring/k8s selects release=monitoring in "
            "sre.io/team=team-alpha)",
        ),
    ],
)
def test_monitors_that_no_prometheus_selects_warn(
    cluster: FakeServer, team: Made, readers: Sequence[Any], found: str
) -> None:
    cluster.answers[PROMETHEUSES] = listed(*readers)
    cluster.answers[NAMESPACES] = listed()
    warned, *others = examined(team).warned
    assert len(others) == (not readers)  # without a Prometheus, no rules are read either
    assert warned.what == "Kubernetes: Prometheus"
    what = "no Prometheus selects the ServiceMonitor team-alpha/my-api"
    assert warned.finding.found == what + found
    assert ("metrics.labels" in warned.finding.do) == bool(readers)


@pytest.mark.parametrize(("scrape", "warns"), [("mesh", True), ("merged", False)])
def test_a_prometheus_that_forbids_files_warns_with_the_scrape_that_needs_them(
    cluster: FakeServer, team: Made, scrape: str, warns: bool
) -> None:
    reader = prometheus({}, {})
    reader["spec"]["arbitraryFSAccessThroughSMs"] = {"deny": True}
    cluster.answers[PROMETHEUSES] = listed(reader, prometheus({}, {}))
    found = [line.finding.found for line in examined(team, metrics={"scrape": scrape}).warned]
    said = "monitoring/k8s rejects ServiceMonitors that read files, as metrics.scrape mesh needs"
    assert found == ([said] if warns else [])


def test_the_stack_s_labels_are_what_prometheus_selects(
    cluster: FakeServer, program: Program
) -> None:
    team = web_app(
        "{ingress: {enabled: true, host: a.example.com}, alerts: [{name: Down, expr: up == 0}]}"
    )
    rules = {"ruleSelector": RELEASE, "ruleNamespaceSelector": {}}
    reader = prometheus(RELEASE, {})
    cluster.answers[PROMETHEUSES] = listed({**reader, "spec": {**reader["spec"], **rules}})
    kinds = ("ServiceMonitor", "PrometheusRule", "Namespace")
    made = program(team, metrics={"labels": {"release": "monitoring"}})
    cluster.answers |= _discovery(made)
    assert examined(made, kinds).warned == []
    unlabelled = [line.finding.found for line in examined(program(team), kinds).warned]
    assert [found.partition(" (")[0] for found in unlabelled] == [
        "no Prometheus selects the ServiceMonitor team-alpha/my-api",
        "no Prometheus selects the PrometheusRules team-alpha/my-api, team-alpha/team-alpha-quota",
    ]


def test_a_cluster_without_the_kind_prometheus_is_not_asked(
    cluster: FakeServer, team: Made
) -> None:
    monitor = {"name": "servicemonitors", "kind": "ServiceMonitor", "namespaced": True}
    cluster.answers["GET /apis/monitoring.coreos.com/v1"] = (200, {"resources": [monitor]})
    told = examined(team)
    assert told.found("Kubernetes: Prometheus") == "its operator does not serve the kind Prometheus"
    assert told.warned == []


@pytest.mark.parametrize("level", [None, "privileged"])
def test_namespaces_without_pod_security_warn(
    cluster: FakeServer, team: Made, level: str | None
) -> None:
    told = examined(team, kubernetes={"clusterIdentifier": "test", "podSecurity": level})
    (warned,) = told.warned
    assert warned.what == "Kubernetes: Pod Security"


def test_guardrails_that_are_to_be_audited_may_be(cluster: FakeServer, team: Made) -> None:
    cluster.answers[POLICY_BINDINGS] = (200, {"items": [bound("Audit")]})
    assert examined(team, guardrails="audit").statuses == {"ok"}


def test_a_cluster_without_a_mesh_is_warned_of_once(cluster: FakeServer, team: Made) -> None:
    cluster.answers |= {
        HOOKS: (200, {"items": []}),
        ISTIODS: listed(INGRESS),
        ALPHA: (200, {}),
        DRY_RUN: lambda pod: (201, pod),
    }
    told = examined(team)
    assert told.failed() == {}
    assert [line.what for line in told.warned] == ["Kubernetes: sidecars"]
    assert told.found("Kubernetes: pods") == "team-alpha/my-api without a sidecar"


def test_an_istiod_outside_the_cluster_warns_only(cluster: FakeServer, team: Made) -> None:
    cluster.answers |= {HOOKS: injector(url="https://mesh.example.com"), ISTIODS: istiod(app="x")}
    told = examined(team)
    assert told.failed() == {}
    assert [line.what for line in told.warned] == ["Kubernetes: istiod"]
    assert "or to null" in told.warned[0].finding.do


ONLY = "outboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n"
ANY = "outboundTrafficPolicy: {mode: ALLOW_ANY}\n"


@pytest.mark.parametrize(
    ("egress", "text", "said"),
    [
        ("open", "", "ALLOW_ANY, which goes with network.httpsEgress"),
        ("open", ANY, "ALLOW_ANY, which goes with network.httpsEgress"),
        ("open", "outboundTrafficPolicy:\n", "ALLOW_ANY, which goes with network.httpsEgress"),
        ("declared", ONLY, "REGISTRY_ONLY, which goes with network.httpsEgress"),
        ("open", ONLY, "ConfigMap istio-system/istio-1-31 has outboundTrafficPolicy REGISTRY_ONLY"),
        ("declared", "", "ConfigMap istio-system/istio-1-31 has outboundTrafficPolicy ALLOW_ANY"),
        ("declared", ANY, "ConfigMap istio-system/istio-1-31 has outboundTrafficPolicy ALLOW_ANY"),
    ],
)
def test_what_the_mesh_lets_out_is_held_against_what_the_stack_leaves_open(
    cluster: FakeServer, team: Made, egress: str, text: str, said: str
) -> None:
    cluster.answers[MESHES] = mesh(text, "istio-1-31")
    told = examined(team, network={"httpsEgress": egress})
    assert told.failed() == {}
    assert told.found("Kubernetes: outbound").startswith(said)
    assert bool(told.warned) is said.startswith("ConfigMap")
    assert all(line.finding.do for line in told.warned)


def test_hosts_that_apps_call_need_a_mesh_that_knows_them(
    cluster: FakeServer, program: Program
) -> None:
    called = program(web_app("calls: [{host: api.example.com}]"))
    (failed,) = examined(called).failed().values()
    assert failed.found.startswith("networking.istio.io/v1 without ServiceEntry")


SERVICES = "GET /api/v1/services"


def service(address: str = "10.96.0.7", port: int = 8080, **keys: Any) -> Any:
    ports = [{"port": port, "name": "http", **keys}]
    metadata = {"namespace": "team-beta", "name": "ledger"}
    return {"metadata": metadata, "spec": {"clusterIPs": [address], "ports": ports}}


@pytest.mark.parametrize(
    ("there", "warned"),
    [
        (service(), True),
        (service(name="admin", appProtocol="grpc"), True),
        (service(name="http-admin"), True),
        (service(port=9000), False),
        (service("10.200.0.7"), False),
        (service("fd00::7"), False),
        (service("None"), False),
        (service(name="tcp"), False),
        (service(appProtocol="tls"), False),
    ],
)
def test_a_range_that_contains_a_service_of_the_mesh_is_warned_of(
    cluster: FakeServer, program: Program, there: Any, warned: bool
) -> None:
    cluster.answers["GET /apis/networking.istio.io/v1"] = (
        200,
        {"resources": [{"name": "serviceentries", "kind": "ServiceEntry", "namespaced": True}]},
    )
    cluster.answers[SERVICES] = listed(there)
    made = program(web_app("calls: [{cidr: 10.96.0.0/16, port: 8080}]"))
    told = examined(made, ["ServiceEntry"])
    assert told.failed() == {}
    assert [line.what for line in told.warned] == ["Kubernetes: called ranges"] * warned
    if warned:
        assert told.found("Kubernetes: called ranges") == (
            "team-alpha/my-api-10-96-0-0-16: 10.96.0.0/16 contains Service team-beta/ledger, to "
            "which HTTP on port 8080 then fails for all apps of team-alpha"
        )
    cluster.answers[SERVICES] = (403, {})
    assert "skipped" in examined(made, ["ServiceEntry"]).statuses


def test_a_stack_without_a_control_plane_is_asked_for_none(cluster: FakeServer, team: Made) -> None:
    cluster.answers[HOOKS] = (200, {"items": []})
    told = examined(team, istio={"controlPlane": None})
    assert told.statuses == {"ok"}, told.text
    assert "istiod" not in told.text


class TestWebhooks:
    """What must answer before the API server takes what the stack makes."""

    REFUSED = "nothing is ready behind Service external-secrets/webhook, so the API server "

    @pytest.fixture(autouse=True)
    def _nothing_behind(self, cluster: FakeServer) -> None:
        slices = "GET /apis/discovery.k8s.io/v1/namespaces/external-secrets/endpointslices"
        cluster.answers[slices] = listed()

    @pytest.mark.parametrize(
        ("resources", "more", "refused"),
        [
            (["externalsecrets"], {}, "refuses every ExternalSecret"),
            (["namespaces"], {}, "refuses every Namespace"),
            (["pods", "services"], {}, "refuses every Pod, Service"),
            (["*"], {"objectSelector": {"matchLabels": {"a": "b"}}}, ""),
            (["*"], {"namespaceSelector": {"matchLabels": {"sre.io/team": "team-beta"}}}, ""),
            (
                ["externalsecrets"],
                {"namespaceSelector": {"matchLabels": {"sre.io/team": "team-alpha"}}},
                "refuses every ExternalSecret",
            ),
            (["externalsecrets"], {"matchConditions": [{"name": "a"}]}, "may refuse every Externa"),
            (["externalsecrets"], {"failurePolicy": "Ignore"}, ""),
            (["externalsecrets"], {"clientConfig": {"url": "https://webhook.invalid"}}, ""),
            (["pushsecrets", "externalsecrets/status"], {}, ""),
        ],
    )
    def test_one_without_pods_refuses_what_it_is_asked_about(
        self,
        cluster: FakeServer,
        team: Made,
        resources: list[str],
        more: dict[str, Any],
        refused: str,
    ) -> None:
        hook = webhook("validate.externalsecrets", "external-secrets/webhook", *resources, **more)
        cluster.answers[VALIDATING] = listed({"webhooks": [hook]})
        told = examined(team)
        found = told.found("Kubernetes: webhooks")
        if not refused:
            assert told.statuses == {"ok"}, told.text
        elif "matchConditions" in more:
            assert [line.what for line in told.warned] == ["Kubernetes: webhooks"]
            assert found.startswith(self.REFUSED + refused)
        else:
            assert list(told.failed()) == ["Kubernetes: webhooks"]
            assert found == self.REFUSED + refused

    def test_a_service_that_several_ask_is_named_once(
        self, cluster: FakeServer, team: Made
    ) -> None:
        hooks = [
            webhook(f"validate.{name}", "external-secrets/webhook", name)
            for name in ("externalsecrets", "services", "deployments", "roles", "rolebindings")
        ]
        cluster.answers[VALIDATING] = listed({"webhooks": hooks})
        found = examined(team).found("Kubernetes: webhooks")
        more = "refuses every Deployment, ExternalSecret, RoleBinding and 1 more"
        assert found == self.REFUSED + more

    def test_only_rules_of_the_object_s_scope_count(self, cluster: FakeServer, team: Made) -> None:
        for scope, refused in (("Cluster", True), ("Namespaced", False)):
            hook = webhook("validate.namespaces", "external-secrets/webhook", "namespaces")
            hook["rules"][0]["scope"] = scope
            cluster.answers[VALIDATING] = listed({"webhooks": [hook]})
            assert bool(examined(team).failed()) == refused

    def test_what_is_only_asked_about_deletions_refuses_nothing(
        self, cluster: FakeServer, team: Made
    ) -> None:
        hook = webhook("validate.namespaces", "external-secrets/webhook", "namespaces")
        hook["rules"][0]["operations"] = ["DELETE"]
        cluster.answers[VALIDATING] = listed({"webhooks": [hook]})
        assert examined(team).statuses == {"ok"}

    @pytest.mark.parametrize(
        ("status", "said", "silent"),
        [
            (500, 'failed calling webhook "vpol.validate.kyverno.svc-fail": timeout', True),
            (400, 'admission webhook "vpol.validate.kyverno.svc-fail" denied the request', False),
            (409, "already exists", False),
            (500, 'failed calling webhook "another"', False),
        ],
    )
    def test_one_outside_the_cluster_is_tried_by_the_api_server(
        self, cluster: FakeServer, team: Made, status: int, said: str, silent: bool
    ) -> None:
        client = {"url": "https://policies.example.com:9443/vpol"}
        hook = webhook("vpol.validate.kyverno.svc-fail", "", "deployments", clientConfig=client)
        posted = "POST /apis/apps/v1/namespaces/team-alpha/deployments"
        cluster.answers |= {
            VALIDATING: listed({"webhooks": [hook]}),
            ALPHA: (200, {}),
            posted: (status, {"message": said}),
        }
        told = examined(team)
        if silent:
            assert told.found("Kubernetes: webhooks") == (
                "vpol.validate.kyverno.svc-fail at policies.example.com:9443 does not answer, so "
                "the API server refuses every Deployment"
            )
        else:
            assert told.statuses == {"ok"}, told.text

    def test_where_a_team_is_not_there_yet_its_objects_are_not_tried(
        self, cluster: FakeServer, team: Made
    ) -> None:
        client = {"url": "https://policies.example.com/vpol"}
        hook = webhook("vpol.validate.kyverno.svc-fail", "", "deployments", clientConfig=client)
        cluster.answers[VALIDATING] = listed({"webhooks": [hook]})
        assert examined(team).statuses == {"ok"}
        assert not [each for each in cluster.asked if each.endswith("/deployments")]


def test_labels_that_network_policies_ask_of_the_gateway_must_be_its_pods(
    cluster: FakeServer, team: Made
) -> None:
    right = {"gatewayPodLabels": {"istio": "ingressgateway"}}
    assert examined(team, istio=right).statuses == {"ok"}
    wrong = {"gatewayPodLabels": {"app": "gateway"}}
    (warned,) = examined(team, istio=wrong).warned
    assert warned.finding.found.startswith(
        "no pod in istio-system has istio=ingressgateway, app=gateway, so nothing serves"
    )
    assert "sre-platform:istio.gatewayPodLabels" in warned.finding.do


def test_that_an_engine_for_network_policies_runs_is_all_that_is_said_of_it(
    cluster: FakeServer, team: Made
) -> None:
    assert examined(team).found("Kubernetes: network policies") == (
        "DaemonSet kube-system/cilium: 3 of 3 pods ready; no connection is tried"
    )


def test_the_operator_is_looked_for_where_prometheus_is(cluster: FakeServer, team: Made) -> None:
    reader = prometheus({}, {})
    reader["metadata"]["namespace"] = "observability"
    cluster.answers |= {PROMETHEUSES: listed(reader), MONITORS: listed()}
    place = "GET /api/v1/namespaces/observability/pods"
    cluster.answers[place] = listed(pod(**{"app.kubernetes.io/component": "prometheus-operator"}))
    told = examined(team)
    assert told.found("Kubernetes: Prometheus Operator") == "Prometheus Operator: 1 of 1 pods ready"


def test_a_stack_without_autoscalers_needs_no_metrics(
    cluster: FakeServer, program: Program
) -> None:
    cluster.answers[METRICS] = (404, {})
    fixed = program(web_app("autoscaling: {enabled: false}"))
    assert examined(fixed).statuses == {"ok"}


class TestPodsOfApps:
    """Where the team is already there, a pod of its first app is tried, without creating it."""

    @pytest.fixture(autouse=True)
    def _there(self, cluster: FakeServer) -> None:
        cluster.answers[ALPHA] = (200, {})

    def test_one_that_gets_the_sidecar_that_the_stack_counts_is_right(
        self, cluster: FakeServer, team: Made
    ) -> None:
        told = examined(team)
        assert told.statuses == {"ok"}, told.text
        assert told.found("Kubernetes: pods") == "team-alpha/my-api with a sidecar"

    def test_it_is_the_app_s_own(self, cluster: FakeServer, team: Made) -> None:
        sent: list[Any] = []
        cluster.answers[DRY_RUN] = lambda pod: (sent.append(pod), with_sidecar()(pod))[1]
        examined(team)
        (pod,) = sent
        (deployment,) = team.all(DEPLOYMENT)
        assert pod["spec"] == deployment.pod
        assert pod["metadata"]["annotations"] == deployment.pod_template["metadata"]["annotations"]

    @pytest.mark.parametrize(
        ("reason", "found"),
        [
            (
                'Internal error occurred: failed calling webhook "x": failed to call webhook',
                "a webhook that the API server asks about pods does not answer",
            ),
            (
                'pods "a" is forbidden: violates PodSecurity "restricted:latest": unrestricted '
                'capabilities (container "istio-init" must not include "NET_ADMIN")',
                "Pod Security refuses its pod",
            ),
            ("maximum cpu usage per Container is 1, but limit is 2", "the LimitRange refuses"),
            ("secret-words", "the API server refuses its pod (403)"),
        ],
    )
    def test_one_that_is_refused_fails_in_words_of_the_doctor_s(
        self, cluster: FakeServer, team: Made, reason: str, found: str
    ) -> None:
        cluster.answers[DRY_RUN] = (403, {"message": reason})
        told = examined(team)
        (failed,) = told.failed().values()
        assert failed.found.startswith(f"team-alpha/my-api: {found}")
        assert failed.do
        assert reason not in told.text

    def test_a_sidecar_that_the_guardrail_would_refuse_fails(
        self, cluster: FakeServer, team: Made
    ) -> None:
        mirror = "harbor.example.com/istio/proxyv2"
        cluster.answers[DRY_RUN] = with_sidecar(image=f"{mirror}@sha256:abc")
        (failed,) = examined(team).failed().values()
        assert f"its sidecar comes from {mirror}@sha256:abc" in failed.found
        assert examined(team, istio={"proxyImage": mirror}).statuses == {"ok"}

    def test_a_quota_that_is_used_up_hides_nothing(self, cluster: FakeServer, team: Made) -> None:
        cluster.answers[DRY_RUN] = (403, {"message": "exceeded quota: team-alpha-quota"})
        assert examined(team).statuses == {"ok"}

    @pytest.mark.parametrize(
        ("answer", "found"),
        [
            (
                (403, {"message": 'User "ci" cannot create resource "pods" in API group ""'}),
                "not tried",
            ),
            (lambda pod: (201, pod), "no sidecar is injected"),
            (with_sidecar("containers"), "its sidecar is not native"),
            (
                with_sidecar(limits={"cpu": "2"}, requests={"cpu": "10m", "memory": "128Mi"}),
                "its sidecar has requests.cpu 10m, limits.memory unset",
            ),
        ],
    )
    def test_another_than_expected_warns(
        self, cluster: FakeServer, team: Made, answer: Any, found: str
    ) -> None:
        cluster.answers[DRY_RUN] = answer
        told = examined(team)
        assert told.failed() == {}
        (warned,) = told.warned
        assert warned.what == "Kubernetes: pods"
        assert warned.finding.found.startswith(f"team-alpha/my-api: {found}")


def test_nodes_over_which_nothing_is_spread_are_counted(cluster: FakeServer, team: Made) -> None:
    cluster.answers[NODES] = listed(node(HOSTNAME), node(HOSTNAME, ZONE), {"metadata": {}})
    warned = [line.finding.found for line in examined(team).warned]
    assert [found.partition(":")[0] for found in warned] == [
        f"1 of 3 without the label {HOSTNAME}",
        f"2 of 3 without the label {ZONE}",
    ]


def test_nodes_need_no_label_by_which_nothing_is_spread(cluster: FakeServer, team: Made) -> None:
    cluster.answers[NODES] = listed(node(HOSTNAME))
    kubernetes = {"clusterIdentifier": "test", "podSecurity": "restricted"}
    told = examined(team, kubernetes=kubernetes | {"spreadOver": (HOSTNAME,)})
    assert told.found("Kubernetes: nodes") == f"1 with {HOSTNAME}"
    told = examined(team, kubernetes=kubernetes | {"spreadOver": ()})
    assert told.found("Kubernetes: nodes") == ""


def test_nodes_that_may_not_be_listed_are_not_judged(cluster: FakeServer, team: Made) -> None:
    cluster.answers[NODES] = (403, {})
    told = examined(team)
    assert told.warned == []
    assert told.found("Kubernetes: nodes") == "this identity may not list them"
