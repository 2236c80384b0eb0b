"""What a team and a stack may put on a Namespace, and what neither may."""

from pathlib import Path
from typing import Any

import pytest

from specs import fleet
from specs.fleet import TeamsFolder, load_stack, validate_folder
from specs.stack_file import read_stack
from tests.conftest import Program
from tests.program import NAMESPACE, team_file
from tests.written import accepted, app, place, reported, rows, settings, team

CATEGORY = "sre.io/security-categorization"
STACK = {
    "labels": {CATEGORY: "moderate"},
    "annotations": {"example.com/contact": "platform"},
    "allowedLabels": (
        {"key": CATEGORY, "values": ("low", "moderate")},
        {"key": "cost.example.com/*"},
        {"key": "sre.io/*"},
    ),
    "allowedAnnotations": ({"key": "example.com/on-*"},),
}
ALLOWED = f"{CATEGORY}, cost.example.com/*, sre.io/*"

# Keys that control something: neither a team nor a stack may set them, whatever the stack allows.
STEERING = {
    "pod-security.kubernetes.io/enforce": "Kubernetes itself",
    "pod-security.kubernetes.io/audit-version": "Kubernetes itself",
    "kubernetes.io/metadata.name": "Kubernetes itself",
    "app.kubernetes.io/managed-by": "Kubernetes itself",
    "scheduler.alpha.kubernetes.io/node-selector": "Kubernetes itself",
    "scheduler.alpha.kubernetes.io/defaultTolerations": "Kubernetes itself",
    "external-dns.alpha.kubernetes.io/hostname": "Kubernetes itself",
    "api.tree.hnc.x-k8s.io/depth": "Kubernetes itself",
    "istio-injection": "the mesh",
    "istio.io/rev": "the mesh",
    "istio.io/dataplane-mode": "the mesh",
    "sidecar.istio.io/inject": "the mesh",
    "topology.istio.io/network": "the mesh",
    "linkerd.io/inject": "the mesh",
    "config.linkerd.io/proxy-log-level": "the mesh",
    "policy.sigstore.dev/include": "admission policies",
    "admission.gatekeeper.sh/ignore": "admission policies",
    "control-plane": "admission policies",
    "openshift.io/node-selector": "the cluster's distribution",
    "security.openshift.io/scc.podSecurityLabelSync": "the cluster's distribution",
    "field.cattle.io/projectId": "the cluster's distribution",
    "iam.amazonaws.com/permitted": "a cloud's identities",
    "cnrm.cloud.google.com/project-id": "a cloud's identities",
    "cni.projectcalico.org/ipv4pools": "the network",
    "velero.io/exclude-from-backup": "backups",
    "pulumi.com/skipAwait": "who deploys",
    "kustomize.toolkit.fluxcd.io/prune": "who deploys",
    "sre.io/team": "the platform's policies",
    "sre.io/hosts": "the platform's policies",
    "name": "network policies",
}


@pytest.mark.parametrize("what", ["labels", "annotations"])
@pytest.mark.parametrize("key", STEERING)
def test_a_key_that_controls_something_is_refused_for_a_team(
    tmp_path: Path, key: str, what: str
) -> None:
    text, where = place(team(f"namespace: {{{what}: {{{key}: «x}}}}\n"))
    allowed = {f"allowed{what.capitalize()}": ({"key": "sre.io/*"},)}
    assert reported(tmp_path, text, namespace=allowed) == [
        f"tenants/team-alpha.yaml:{where}: namespace.{what}.{key}: '{key}' controls "
        f"{STEERING[key]} and cannot be set here; remove it"
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "{labels: {istio-injection: «disabled}}",
        "{labels: {pod-security.kubernetes.io/enforce: «privileged}}",
        "{annotations: {openshift.io/node-selector: «gpu=true}}",
        "{allowedLabels: [{key: «sre.io/team}]}",
        "{allowedLabels: [{key: «istio.io/*}]}",
        "{allowedLabels: [{key: «pod-security.kubernetes.io/*}]}",
        "{allowedAnnotations: [{key: «scheduler.alpha.kubernetes.io/node-*}]}",
    ],
)
def test_a_key_that_controls_something_is_refused_for_a_stack(tmp_path: Path, setting: str) -> None:
    text, where = place(stack_file(setting))
    (problem,) = problems_of_stack(tmp_path, text)
    assert problem.startswith(f"Pulumi.test.yaml:{where}: config.sre-platform:namespace.")
    assert " controls " in problem


@pytest.mark.parametrize("key", ["'*'", "'i*'", "'*.example.com/x'", "example.com/a*b", "a b"])
def test_a_star_matches_only_the_rest_of_a_key_in_a_domain(tmp_path: Path, key: str) -> None:
    text, where = place(stack_file(f"{{allowedLabels: [{{key: «{key}}}]}}"))
    (problem,) = problems_of_stack(tmp_path, text)
    assert problem.startswith(f"Pulumi.test.yaml:{where}:")
    assert problem.endswith(
        "is not a key; write one such as example.com/cost-center, or example.com/* for all of a "
        "domain"
    )


@rows(
    {
        "a label that is not allowed": (
            team("namespace: {labels: {color: «red}}"),
            f"namespace.labels.color: is not one of the labels that this stack allows ({ALLOWED}); "
            "remove it, or ask the platform team",
        ),
        "a label like a pattern of the stack's": (
            team("namespace: {labels: {costs.example.com/x: «a}}"),
            "namespace.labels.costs.example.com/x: is not one of the labels that this stack allows "
            f"({ALLOWED}); remove it, or ask the platform team",
        ),
        "a slip of the hand": (
            team("namespace: {labels: {sr.io/security-categorization: «low}}"),
            "namespace.labels.sr.io/security-categorization: is not one of the labels that this "
            f"stack allows ({ALLOWED}); did you mean {CATEGORY}?",
        ),
        "an annotation that is not allowed": (
            team("namespace: {annotations: {other.com/x: «y}}"),
            "namespace.annotations.other.com/x: is not one of the annotations that this stack "
            "allows (example.com/on-*); remove it, or ask the platform team",
        ),
        "an annotation of the stack's": (
            team("namespace: {annotations: {example.com/contact: «me}}"),
            "namespace.annotations.example.com/contact: the stack sets it to 'platform' on every "
            "namespace; remove it",
        ),
        "a truth for a text": (
            team("namespace: {labels: {cost.example.com/shared: «true}}"),
            "namespace.labels.cost.example.com/shared: YAML reads this as true or false; put it "
            'in quotes: "true"',
        ),
        "a label's value that Kubernetes refuses": (
            team('namespace: {labels: {cost.example.com/owner: «"me@example.com"}}'),
            "namespace.labels.cost.example.com/owner: 'me@example.com' is not a label value; use "
            "up to 63 letters, digits, '-', '_' and '.'",
        ),
        "a label's value that is too long": (
            team(f"namespace: {{labels: {{cost.example.com/owner: «{'a' * 64}}}}}"),
            f"namespace.labels.cost.example.com/owner: '{'a' * 64}' is not a label value; use up "
            "to 63 letters, digits, '-', '_' and '.'",
        ),
        "a key that Kubernetes refuses": (
            team("namespace: {labels: {cost..example.com/owner: «x}}"),
            "namespace.labels.cost..example.com/owner: 'cost..example.com/owner' is not a label "
            "key; write one such as kubernetes.io/metadata.name",
        ),
        "an annotation's key that Kubernetes refuses": (
            team("namespace: {annotations: {cost..example.com/owner: «x}}"),
            "namespace.annotations.cost..example.com/owner: 'cost..example.com/owner' is not the "
            "key of an annotation; write one such as example.com/on-call",
        ),
        "a key whose name is too long": (
            team(f"namespace: {{labels: {{cost.example.com/{'a' * 64}: «x}}}}"),
            f"namespace.labels.cost.example.com/{'a' * 64}: 'cost.example.com/{'a' * 64}' is not a "
            "label key; write one such as kubernetes.io/metadata.name",
        ),
        "an unknown key": (
            team("namespace: {«label: {}}"),
            "namespace.label: is an unknown key; did you mean 'labels'?",
        ),
        "a credential": (
            team(
                "namespace: {annotations: {example.com/on-call: "
                "«ghp_16C7e42F292c6912E7710c838347Ae178B4a}}"
            ),
            "namespace.annotations.example.com/on-call: looks like a credential, and viewers can "
            "read it; store it in OpenBao",
        ),
        "a credential as a label": (
            team(
                "namespace: {labels: {cost.example.com/owner: "
                "«ghp_16C7e42F292c6912E7710c838347Ae178B4a}}"
            ),
            "namespace.labels.cost.example.com/owner: looks like a credential, and viewers can "
            "read it; store it in OpenBao",
        ),
    }
)
def test_what_a_namespace_may_not_have_is_reported_at_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(text)
    assert reported(tmp_path, text, namespace=STACK) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_a_value_that_the_stack_does_not_list_is_refused(tmp_path: Path) -> None:
    text, where = place(team(f"namespace: {{labels: {{{CATEGORY}: «High}}}}"))
    stack = {"allowedLabels": ({"key": CATEGORY, "values": ("low", "moderate")},)}
    assert reported(tmp_path, text, namespace=stack) == [
        f"tenants/team-alpha.yaml:{where}: namespace.labels.{CATEGORY}: 'High' is not one of low, "
        "moderate; use one of them"
    ]


EXACT = {"key": "example.com/tier", "values": ("a", "b")}
NARROW = {"key": "example.com/tier*", "values": ("c",)}
WIDE = {"key": "example.com/*"}


@pytest.mark.parametrize("what", ["Labels", "Annotations"])
@pytest.mark.parametrize(
    ("listed", "key", "values"),
    [
        ((WIDE, EXACT), "tier", "a, b"),
        ((EXACT, WIDE), "tier", "a, b"),
        ((EXACT, NARROW), "tier", "a, b"),
        ((NARROW, WIDE), "tiers", "c"),
        ((WIDE, NARROW, EXACT), "tier2", "c"),
        (({**EXACT, "values": ("a",)}, WIDE, {**EXACT, "values": ("b",)}), "tier", "a, b"),
    ],
)
def test_of_several_entries_that_cover_a_key_the_closest_counts(
    tmp_path: Path, listed: tuple[Any, ...], key: str, values: str, what: str
) -> None:
    text = team(f"namespace: {{{what.lower()}: {{example.com/{key}: %s}}}}")
    stack = {f"allowed{what}": listed}
    (line,) = reported(tmp_path, text % "z", namespace=stack)
    assert line.endswith(f": 'z' is not one of {values}; use one of them")
    for value in values.split(", "):
        accepted(tmp_path, text % value, namespace=stack)


def test_a_closer_entry_without_values_takes_any(tmp_path: Path) -> None:
    stack = {"allowedLabels": ({**WIDE, "values": ("a",)}, {"key": "example.com/tier"})}
    accepted(tmp_path, team("namespace: {labels: {example.com/tier: z}}"), namespace=stack)


@pytest.mark.parametrize("what", ["labels", "annotations"])
def test_a_credential_that_a_stack_gives_every_namespace_is_reported(
    tmp_path: Path, what: str
) -> None:
    value = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    text, where = place(stack_file(f"{{{what}: {{example.com/a: b, example.com/x: «{value}}}}}"))
    assert problems_of_stack(tmp_path, text) == [
        f"Pulumi.test.yaml:{where}: config.sre-platform:namespace.{what}.example.com/x: looks "
        "like a credential, and viewers can read it; store it in OpenBao"
    ]


def test_annotations_may_be_as_large_as_in_kubernetes_and_no_larger(tmp_path: Path) -> None:
    # Those of the stack and the hosts that the program lists count along.
    stack = {"annotations": {"example.com/a": "é"}, "allowedAnnotations": ({"key": "b.com/x"},)}
    taken = len("example.com/a") + 2 + len("b.com/x") + len("sre.io/hosts")
    room = 256 * 1024 - taken
    text = "namespace:\n  annotations: {b.com/x: '%s'}\n"
    accepted(tmp_path, team(text % ("y" * room)), namespace=stack)
    assert reported(tmp_path, team(text % ("y" * (room + 1))), namespace=stack) == [
        "tenants/team-alpha.yaml:3:16: namespace.annotations: the namespace's annotations take "
        "262145 bytes, but Kubernetes allows 262144; shorten them"
    ]


def test_the_namespace_has_the_stack_s_labels_and_the_team_s_over_them(program: Program) -> None:
    keys = """
    namespace:
      labels: {sre.io/security-categorization: low, cost.example.com/center: "42"}
      annotations: {example.com/on-call: "shop@example.com"}
    """
    files = (team_file(keys=keys), team_file(team="team-beta"))
    made = program(*files, namespace=STACK)
    own = {"app.kubernetes.io/name", "app.kubernetes.io/managed-by", "app.kubernetes.io/part-of"}
    own |= {"sre.io/team", "istio-injection"}

    def others(name: str) -> dict[str, str]:
        labels = made.one(NAMESPACE, name).labels
        return {key: value for key, value in labels.items() if key not in own}

    configured = {"sre.io/network-policy-configured": "true"}
    assert others("team-alpha") == {**configured, CATEGORY: "low", "cost.example.com/center": "42"}
    assert others("team-beta") == {**configured, CATEGORY: "moderate"}
    alpha, beta = (made.one(NAMESPACE, name).metadata for name in ("team-alpha", "team-beta"))
    contact = {"example.com/contact": "platform"}
    assert alpha["annotations"] == {**contact, "example.com/on-call": "shop@example.com"}
    assert beta["annotations"] == contact


SELECTING = """\
networkPolicy:
  additionalIngress:
    - from: [{namespaceSelector: {%s}}]
"""
EXPRESSION = "matchExpressions: [{key: «cost.example.com/center, operator: Exists}]"


@pytest.mark.parametrize(
    ("selector", "key", "whose"),
    [
        (
            "matchLabels: {cost.example.com/center: «a}",
            "cost.example.com/center",
            "a team may set it on its namespace",
        ),
        (EXPRESSION, "cost.example.com/center", "a team may set it on its namespace"),
        (
            "matchLabels: {tier: «trusted}",
            "tier",
            "every team's namespace has it",
        ),
    ],
)
def test_a_selector_by_a_label_of_any_team_is_refused(
    tmp_path: Path, selector: str, key: str, whose: str
) -> None:
    text, where = place(app(beside=SELECTING % selector))
    stack = {**STACK, "labels": {"tier": "trusted"}}
    (problem,) = reported(tmp_path, text, namespace=stack)
    assert problem.startswith(f"tenants/team-alpha.yaml:{where}: apps[0].networkPolicy.")
    assert problem.endswith(
        f"the label '{key}' does not identify a team: {whose}; select by "
        "kubernetes.io/metadata.name"
    )
    plain = text.replace("«", "")
    accepted(tmp_path, plain)  # where no team has such a label, it is for the platform's namespaces


def test_a_star_does_not_allow_the_label_that_marks_a_namespaces_team(tmp_path: Path) -> None:
    text = app(beside=SELECTING % "matchLabels: {sre.io/team: team-beta}")
    assert reported(tmp_path, text, namespace={"allowedLabels": ({"key": "sre.io/*"},)}) == []


def test_a_label_by_which_another_team_lets_namespaces_in_is_refused(tmp_path: Path) -> None:
    text, where = place(team("namespace: {labels: {cost.example.com/center: «x}}\n"))
    (tmp_path / "team-alpha.yaml").write_text(text)
    other = app(beside=SELECTING % EXPRESSION.replace("«", "")).replace("team-alpha", "team-beta")
    (tmp_path / "team-beta.yaml").write_text(other)
    folder = TeamsFolder(tmp_path, "tenants")
    line = other[: other.index("key: cost")].count("\n") + 1
    said = (
        f"tenants/team-alpha.yaml:{where}: namespace.labels.cost.example.com/center: "
        f"tenants/team-beta.yaml:{line} selects namespaces by this label; remove it here, or "
        "select by kubernetes.io/metadata.name there"
    )
    own = settings(namespace=STACK, teams=("team-alpha",))
    assert [str(each) for each in load_stack(folder, own).problems] == [said]
    both = [str(each) for each in validate_folder(folder, settings(namespace=STACK)).problems]
    assert both[0] == said
    assert len(both) == 2


def test_a_label_that_other_teams_set_too_does_not_have_their_files_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("team-alpha", "team-beta"):
        text = team("namespace: {labels: {cost.example.com/center: x}}\n")
        (tmp_path / f"{name}.yaml").write_text(text.replace("team-alpha", name))
    read: list[str] = []
    loaded = fleet.load_team

    def load(file: Path, *given: Any) -> Any:
        read.append(file.stem)
        return loaded(file, *given)

    monkeypatch.setattr(fleet, "load_team", load)
    own = settings(namespace=STACK, teams=("team-alpha",))
    assert load_stack(TeamsFolder(tmp_path, "tenants"), own).problems == ()
    assert read == ["team-alpha"]


def stack_file(setting: str) -> str:
    return (
        'config:\n  sre-platform:teams: "*"\n'
        "  sre-platform:kubernetes: {clusterIdentifier: test}\n"
        f"  sre-platform:namespace: {setting}\n"
    )


def problems_of_stack(root: Path, text: str) -> list[str]:
    (root / "Pulumi.test.yaml").write_text(text)
    (root / "tenants").mkdir()
    (root / "tenants" / "team-alpha.yaml").write_text("team: team-alpha\n")
    return [str(problem) for problem in read_stack(root, "test")[1]]
