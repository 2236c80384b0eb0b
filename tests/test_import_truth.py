"""What `./sre import` says of what gets stricter or wider, of charts, and of names that run."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.flux_tree import VALUES, Trees, manifest, release

pytestmark = pytest.mark.commands

POLICY = "networking.k8s.io/v1"
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: team-alpha
  labels: {istio-injection: enabled, pod-security.kubernetes.io/enforce: restricted}
"""
DENY = manifest(
    "NetworkPolicy",
    "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n",
    name="default-deny-all",
    api=POLICY,
)

# Notes on what such a small tree does not say.
EXPECTED = ("metadata.name: has no", "no policy here allows everything")


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


def test_what_is_as_strict_today_is_not_noted(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/n.yaml": NAMESPACE, "apps/p.yaml": DENY})
    assert [note for note in run.notes if not any(each in note for each in EXPECTED)] == []


def test_a_closed_network_that_opens_is_noted(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/n.yaml": NAMESPACE, "apps/p.yaml": DENY})
    (note,) = [note for note in run.notes if "no policy here allows everything" in note]
    assert note.startswith("apps/n.yaml:4:9: metadata.name: ")
    assert "allow-https-egress" in note
    assert "my-api" not in note


STRICTER = {
    "a mesh that is joined": (
        NAMESPACE.replace("istio-injection: enabled, ", ""),
        "apps/n.yaml:4:9: metadata.name: is not in the mesh today (",
    ),
    "a Pod Security level that rises": (
        NAMESPACE.replace("restricted", "baseline"),
        "apps/n.yaml:5:74: metadata.labels.pod-security.kubernetes.io/enforce: Pod Security rises "
        "from baseline to restricted, ",
    ),
    "a Pod Security level where none was": (
        NAMESPACE.replace(", pod-security.kubernetes.io/enforce: restricted", ""),
        "apps/n.yaml:4:9: metadata.name: Pod Security rises from no level to restricted, ",
    ),
}


@pytest.mark.parametrize(("namespace", "said"), STRICTER.values(), ids=STRICTER)
def test_what_gets_stricter_for_a_namespace_is_noted(
    namespace: str, said: str, trees: Trees
) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/n.yaml": namespace, "apps/p.yaml": DENY})
    notes = [note for note in run.notes if not any(each in note for each in EXPECTED)]
    assert [note[: len(said)] for note in notes] == [said]


@pytest.mark.parametrize(
    ("types", "closing", "rules"),
    [
        ("Ingress, Egress", None, ""),
        ("Ingress", "egress", "additionalEgress"),
        ("Egress", "ingress", "additionalIngress"),
        ("", "egress and ingress", "additionalEgress"),
    ],
)
def test_a_network_that_closes_is_noted(
    types: str, closing: str | None, rules: str, trees: Trees
) -> None:
    policy = DENY.replace("Ingress, Egress", types) if types else "# none\n"
    values = VALUES + "networkPolicy: {enabled: false}\n"
    run = trees.run(
        {"apps/a.yaml": release(values), "apps/n.yaml": NAMESPACE, "apps/p.yaml": policy},
        "--partial",
    )
    notes = [note for note in run.notes if "no policy here restricts" in note]
    if closing is None:
        assert notes == []
        return
    of_app, of_all = notes
    assert of_app.startswith(
        f"apps/a.yaml:19:30: spec.values.networkPolicy.enabled: no policy here restricts "
        f"{closing} of the app today; "
    )
    assert of_all.startswith(
        f"apps/n.yaml:4:9: metadata.name: no policy here restricts {closing} of all pods today; "
    )
    assert all(rules in note for note in notes)


CONTEXTS = {
    "containerSecurityContext: {readOnlyRootFilesystem: false}": "the root file system becomes ",
    "podSecurityContext: {runAsUser: 0}": "containers must not run as root; ",
    "securityContext: {runAsNonRoot: false}": "containers must not run as root; ",
    "containerSecurityContext: {privileged: true}": "containers cannot be privileged; ",
    "containerSecurityContext: {capabilities: {add: [CHOWN]}}": (
        "all capabilities are dropped; the app must run without them, or have exceptions approved "
        "(CHOWN)"
    ),
    "containerSecurityContext: {capabilities: {add: [NET_ADMIN]}}": (
        "all capabilities are dropped; the app must run without them\n"
    ),
    "podSecurityContext: {sysctls: [{name: net.core.somaxconn, value: '9'}]}": (
        "the kernel's parameters stay as they are; "
    ),
}


@pytest.mark.parametrize(("values", "said"), CONTEXTS.items())
def test_a_container_that_is_hardened_is_noted(values: str, said: str, trees: Trees) -> None:
    run = trees.run(release(VALUES + values + "\n"), "--partial")
    assert [f": {said}" in f"{note}\n" for note in run.notes] == [True]


NAMES = {
    "the release's and the app's": ("", "my-api-my-api"),
    "of a given name": ("releaseName: other\n", "other-my-api"),
    "of a target namespace": ("targetNamespace: team-alpha\n", "team-alpha-my-api-my-api"),
    "of a long name": (
        f"releaseName: {'x' * 70}\n",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-c71bd109227e-my-api",
    ),
}


@pytest.mark.parametrize(("spec", "name"), NAMES.values(), ids=NAMES)
def test_the_running_names_are_reported_and_the_app_is_imported(
    spec: str, name: str, trees: Trees
) -> None:
    values = (
        VALUES
        + "autoscaling: {enabled: false}\ningress: {enabled: true, host: a.apps.sre.example.com}\n"
    )
    run = trees.run(release(values, spec))
    assert (run.code, run.lost) == (0, [])
    assert run.live == [
        f"apps/a.yaml:4:9: metadata.name: runs as '{name}' today (Deployment, Service, "
        "ServiceAccount, PodDisruptionBudget, NetworkPolicy, ServiceMonitor, VirtualService), and "
        f"will run as 'my-api' once the program creates it; callers then use my-api.team-alpha "
        f"instead of {name}.team-alpha; see docs/migration.md"
    ]
    assert [app.name for app in trees.team().apps] == ["my-api"]


def chart(text: str) -> str:
    """A release whose `spec.chart` is replaced."""
    before, _, after = release().partition("  chart:\n")
    values = after.partition("  values:\n")[2]
    return f"{before}  {text}\n  values:\n{values}"


SOURCE = (
    "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {}\n"
    "metadata: {{name: c, namespace: flux-system}}\n"
)
FROM_GIT = "chart: {{spec: {{chart: {}, sourceRef: {{kind: GitRepository, name: flux-system}}}}}}"
REFERENCE = "chartRef: {{kind: {}, name: c, namespace: flux-system}}"
CHARTS: dict[str, Mapping[str, str]] = {
    "a folder with another name": {
        "apps/a.yaml": chart(FROM_GIT.format("./charts/web-app")),
        "charts/web-app/Chart.yaml": "apiVersion: v2\nname: sre-web-app\n",
    },
    "a folder among what is imported": {
        "apps/a.yaml": chart(FROM_GIT.format("apps/charts/web-app/")),
        "apps/charts/web-app/Chart.yaml": "apiVersion: v2\nname: sre-web-app\n",
        "apps/charts/web-app/values.yaml": "app: {}\n",
        "apps/charts/web-app/templates/d.yaml": "metadata:\n  name: {{ .Values.app.name }}\n",
    },
    "a folder that is not at hand": {"apps/a.yaml": chart(FROM_GIT.format("./charts/sre-web-app"))},
    "an OCIRepository": {
        "apps/a.yaml": chart(REFERENCE.format("OCIRepository")),
        "apps/s.yaml": SOURCE.format("OCIRepository")
        + "spec: {url: oci://harbor.sre.internal/charts/sre-web-app, ref: {tag: 0.1.0}}\n",
    },
    "a HelmChart": {
        "apps/a.yaml": chart(REFERENCE.format("HelmChart")),
        "apps/s.yaml": SOURCE.format("HelmChart")
        + "spec: {chart: sre-web-app, sourceRef: {kind: HelmRepository, name: x}}\n",
    },
    "a HelmChart of a folder": {
        "apps/a.yaml": chart(REFERENCE.format("HelmChart")),
        "apps/s.yaml": SOURCE.format("HelmChart")
        + "spec: {chart: ./charts/w, sourceRef: {kind: GitRepository, name: x}}\n",
        "charts/w/Chart.yaml": "name: sre-web-app\n",
    },
}


@pytest.mark.parametrize("files", CHARTS.values(), ids=CHARTS)
def test_a_chart_is_found_however_it_is_named(files: Mapping[str, str], trees: Trees) -> None:
    run = trees.run(files)
    assert (run.code, run.lost) == (0, [])
    assert [app.archetype for app in trees.team().apps] == ["web-app"]


UNKNOWN = {
    "a folder that is not at hand, of any name": (
        {"apps/a.yaml": chart(FROM_GIT.format("./charts/web-app"))},
        "the chart's folder './charts/web-app' is not in the tree, so its name is not known; ",
    ),
    "a folder of another chart": (
        {
            "apps/a.yaml": chart(FROM_GIT.format("./charts/sre-web-app")),
            "charts/sre-web-app/Chart.yaml": "name: podinfo\n",
        },
        "is not one of the charts sre-web-app, ",
    ),
    "a source that is not here": (
        {"apps/a.yaml": chart(REFERENCE.format("OCIRepository"))},
        "OCIRepository 'c' is not in the imported files; import it with the release",
    ),
}


@pytest.mark.parametrize(("files", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_chart_is_reported_correctly(
    files: Mapping[str, str], said: str, trees: Trees
) -> None:
    run = trees.run(files, "--partial")
    assert [f": {said}" in line for line in run.lost] == [True]


def policy(spec: str, name: str = "allow-istio-gateway") -> str:
    return manifest("NetworkPolicy", f"spec: {spec}\n", name=name, api=POLICY)


GATEWAY = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}"
WIDER = {
    "pods of the gateway alone": policy(
        f"{{podSelector: {{}}, ingress: [{{from: [{{{GATEWAY}, podSelector: {{matchLabels: "
        "{istio: gateway}}}]}]}"
    ),
    "one port of the gateway": policy(
        f"{{podSelector: {{}}, ingress: [{{from: [{{{GATEWAY}}}], ports: [{{port: 8080}}]}}]}}"
    ),
    "one address": policy(
        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], "
        "ports: [{port: 443}]}]}",
        "allow-https-egress",
    ),
    "under another name": policy(
        "{podSelector: {matchLabels: {a: b}}, policyTypes: [Egress], egress: [{ports: "
        "[{port: 443}], to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}",
        "to-the-office",
    ),
}


@pytest.mark.parametrize("text", WIDER.values(), ids=WIDER)
def test_a_narrower_policy_is_lost_as_the_program_opens_wider(text: str, trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/p.yaml": text})
    assert run.code == 1
    (line,) = run.lost
    assert "which opens more; accept that (--partial)" in line
    assert "networkPolicy" not in line


@pytest.mark.parametrize(
    "text",
    [
        policy(
            f"{{podSelector: {{}}, ingress: [{{from: [{{{GATEWAY}}}, "
            "{ipBlock: {cidr: 0.0.0.0/0}}]}]}"
        ),
        policy("{podSelector: {}, ingress: [{}]}", "all"),
        policy(
            "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 587}]}]}", "smtp"
        ),
    ],
)
def test_a_wider_policy_needs_rules_of_apps(text: str, trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/p.yaml": text})
    (line,) = run.lost
    assert "write its rules under `networkPolicy` of the apps that need them" in line


@pytest.mark.parametrize(
    "peers", ["[x]", "[{ipBlock: x}]", "[{ipBlock: [x]}]", "[5]", "[{podSelector: x}]", "x"]
)
def test_a_policy_that_no_api_server_accepts_is_reported_in_one_line(
    peers: str, trees: Trees
) -> None:
    policies = "".join(
        f"---\n{manifest('NetworkPolicy', spec, name=name, api=POLICY)}"
        for name in ("own", "allow-monitoring")
        for spec in [f"spec: {{podSelector: {{}}, ingress: [{{from: {peers}}}]}}\n"]
    )
    run = trees.run(NAMESPACE + policies)
    assert len(run.lost) == 2
    assert all(line.startswith("apps/a.yaml:") for line in run.lost)


def test_a_policy_that_only_denies_is_not_a_loss(trees: Trees) -> None:
    text = policy("{podSelector: {}, policyTypes: [Egress]}", "no-egress")
    run = trees.run({"apps/a.yaml": release(), "apps/p.yaml": text})
    assert (run.code, run.lost) == (0, [])


def test_all_of_ipv4_is_all_but_ipv6(trees: Trees) -> None:
    text = policy(
        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], "
        "ports: [{port: 443}]}]}",
        "allow-https-egress",
    )
    run = trees.run({"apps/a.yaml": release(), "apps/p.yaml": text})
    assert (run.code, run.lost) == (0, [])
    assert any("allows IPv6 too" in note for note in run.notes)


def test_a_namespace_that_no_team_can_have_does_not_stop_the_others(trees: Trees) -> None:
    theirs = "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-public}\n"
    run = trees.run({"apps/a.yaml": release(), "apps/n.yaml": theirs}, "--partial")
    assert (run.code, list(run.files)) == (0, ["team-alpha.yaml"])
    assert ["'kube-public' is a namespace of the platform" in line for line in run.lost] == [True]


def test_fluxs_own_objects_are_not_a_team(trees: Trees) -> None:
    labels = "labels: {app.kubernetes.io/part-of: flux}"
    own = (
        f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: flux-system, {labels}}}\n---\n"
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: flux-system, {labels}}}\n"
    )
    run = trees.run({"apps/a.yaml": release(), "apps/flux.yaml": own})
    assert (run.code, run.lost, list(run.files)) == (0, [], ["team-alpha.yaml"])


def test_an_autoscaler_of_the_whole_pod_is_the_same(trees: Trees) -> None:
    text = manifest(
        "HorizontalPodAutoscaler",
        "spec:\n  minReplicas: 2\n  maxReplicas: 10\n"
        "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: my-api}\n"
        "  metrics:\n  - {type: Resource, resource: {name: cpu, target: {type: Utilization, "
        "averageUtilization: 80}}}\n",
        name="my-api",
        api="autoscaling/v2",
    )
    assert trees.run({"apps/a.yaml": release(), "apps/h.yaml": text}).lost == []


def test_no_message_suggests_removing_what_runs(trees: Trees) -> None:
    files = {
        "apps/a.yaml": release(spec="suspend: true\n"),
        "apps/n.yaml": NAMESPACE.replace("{istio", "{cost: '1', istio").replace(
            "-injection: enabled", "-injection: disabled"
        ),
        "apps/q.yaml": manifest("ResourceQuota", "spec: {hard: {count/jobs.batch: '5'}}\n"),
        "apps/v.yaml": "a: b\n",
    }
    run = trees.run(files, "--partial")
    assert len(run.lost) == 5
    assert not [line for line in run.lost if "remove" in line or "delete" in line]


def test_what_only_a_later_check_refuses_is_reported_too(trees: Trees) -> None:
    binding = manifest(
        "RoleBinding",
        "roleRef: {kind: ClusterRole, name: edit}\n"
        "subjects: [{kind: Group, name: 'system:authenticated'}, {kind: Group, name: devs}]\n",
        api="rbac.authorization.k8s.io/v1",
    )
    quota = manifest("ResourceQuota", "spec: {hard: {services: '0', limits.cpu: 100m}}\n")
    files = {"apps/a.yaml": release(), "apps/b.yaml": binding, "apps/q.yaml": quota}
    run = trees.run(files, "--partial")
    lost = " ".join(run.lost)
    assert "'system:authenticated' is Kubernetes' own group" in lost
    assert "over quota.services 0" in lost
    assert "over quota.limits.cpu 100m" in lost
    assert "apps:" not in run.files["team-alpha.yaml"]


def test_an_app_without_a_block_that_it_needs_does_not_stop_the_others(trees: Trees) -> None:
    values = VALUES.replace("my-api", "job") + 'schedule: "0 3 * * *"\n'
    job = release(values, chart="sre-cronjob")
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": job}, "--partial")
    assert run.code == 0
    assert [app.name for app in trees.team().apps] == ["my-api"]
    assert ["spec.values.schedule: must be a mapping" in line for line in run.lost] == [True]


SCOPES = {
    "scopes": "scopes: [BestEffort]",
    "scopeSelector": "scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: "
    "In, values: [high]}]}",
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_a_quota_of_some_pods_bounds_no_others(scope: str, trees: Trees) -> None:
    quota = manifest("ResourceQuota", f"spec: {{hard: {{pods: '2'}}, {scope}}}\n")
    run = trees.run({"apps/a.yaml": release(), "apps/q.yaml": quota}, "--partial")
    assert ["has no counterpart" in line for line in run.lost] == [True]
    assert "quota:" not in run.files["team-alpha.yaml"]


@pytest.mark.parametrize("amounts", [("30", "25"), ("25", "30")])
def test_the_lowest_of_several_quotas_holds(amounts: tuple[str, str], trees: Trees) -> None:
    quotas = [
        manifest("ResourceQuota", f"spec: {{hard: {{pods: '{amount}'}}}}\n", name=f"q{amount}")
        for amount in amounts
    ]
    run = trees.run({"apps/a.yaml": release(), "apps/q.yaml": "---\n".join(quotas)})
    assert run.lost == []
    assert trees.team().quota.pods == 25


LOSSY = {
    "a quota": manifest("ResourceQuota", "spec: {hard: {pods: '30', configmaps: '5'}}\n"),
    "bounds": manifest("LimitRange", "spec: {limits: [{type: Pod, max: {cpu: '4'}}]}\n"),
    "a binding": manifest(
        "RoleBinding",
        "roleRef: {kind: ClusterRole, name: edit}\n"
        "subjects: [{kind: User, name: alice}, {kind: Group, name: devs}]\n",
        api="rbac.authorization.k8s.io/v1",
    ),
}


@pytest.mark.parametrize("text", LOSSY.values(), ids=LOSSY)
def test_deleting_what_contains_something_lost_is_not_suggested(text: str, trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/x.yaml": text}, "--partial")
    assert not [note for note in run.notes if "this one can go" in note]
    assert [note for note in run.notes if "keep this one in the cluster" in note]


def test_adding_a_service_account_to_a_group_is_not_suggested(trees: Trees) -> None:
    binding = manifest(
        "RoleBinding",
        "roleRef: {kind: ClusterRole, name: edit}\nsubjects: [{kind: ServiceAccount, name: ci}]\n",
        api="rbac.authorization.k8s.io/v1",
    )
    other = binding.replace("name: edit", "name: admin").replace("name: x", "name: y")
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": binding, "apps/c.yaml": other})
    assert len(run.lost) == 2
    assert not any("into" in line for line in run.lost)


ELSEWHERE = {
    "another cluster": ("kubeConfig: {secretRef: {name: far}}\n", "targets another cluster; "),
    "another namespace": ("targetNamespace: far\n", "is not the team's namespace; "),
}


@pytest.mark.parametrize(("spec", "said"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_runs_elsewhere_does_not_become_an_app_here(
    spec: str, said: str, trees: Trees
) -> None:
    run = trees.run({"apps/a.yaml": release(spec=spec), "apps/n.yaml": NAMESPACE}, "--partial")
    assert [said in line for line in run.lost] == [True]
    assert "apps:" not in run.files["team-alpha.yaml"]


def test_nothing_of_a_team_that_is_left_out_is_reported_as_replaced(trees: Trees) -> None:
    theirs = manifest("Namespace", name="kube-system").replace("  namespace: team-alpha\n", "")
    quota = manifest("ResourceQuota", "spec: {hard: {pods: '4'}}\n")
    quota = quota.replace("namespace: team-alpha", "namespace: kube-system")
    run = trees.run({"apps/a.yaml": release(), "apps/k.yaml": f"{theirs}---\n{quota}"}, "--partial")
    assert list(run.files) == ["team-alpha.yaml"]
    assert not any("takes its place" in note or "is written" in note for note in run.notes)


def test_a_cluster_scoped_object_belongs_to_no_team(trees: Trees) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: logs}\n"
    other = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-beta}\n"
    run = trees.run(
        {"apps/a.yaml": release(), "apps/b.yaml": other, "apps/c.yaml": role}, "--partial"
    )
    assert run.lost == [
        "apps/c.yaml:2:7: kind: ClusterRole 'logs' has no namespace, so it belongs to no team; add "
        "one if its kind has namespaces, or accept that it is lost (--partial), or keep it by "
        "other means"
    ]
