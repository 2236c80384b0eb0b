"""`sre-platform:adopt`: what ran before this program comes under its care, on real servers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from sandbox.ready import missing
from tests.checkouts import Checkout, Run
from tests.inventory import cluster_uids
from tests.servers.conftest import cluster_of, openbao_of, settle, started, until
from tests.servers.inherited import PROVIDER, TEAM, deploy, edit, fill, live, wanted, writers

pytestmark = pytest.mark.servers

SETTING = "  sre-platform:adopt: true\n"
LEFT_OVER = {"name": "LEFT_OVER", "value": "hunter2"}
SIDECAR = {"name": "debug", "image": f"harbor.sre.internal/{TEAM}/debug:v1"}
INTRUDER = {"kind": "Group", "name": "intruders", "apiGroup": "rbac.authorization.k8s.io"}

Asked = tuple[str, str, Object, Object, set[str]]


@dataclass
class Story:
    """One adoption, and what there was before and after each of its steps."""

    checkout: Checkout
    cluster: Cluster
    openbao: OpenBao
    uids: dict[str, str] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)
    runs: dict[str, Run] = field(default_factory=dict)
    by_preview: list[Asked] = field(default_factory=list)

    def pods_of(self, app: str) -> set[str]:
        """The ReplicaSets that the app's pods are of."""
        found = self.cluster.list("apps/v1", "ReplicaSet", TEAM)
        return {s["metadata"]["name"] for s in found if s["metadata"]["name"].startswith(f"{app}-")}

    def asked(self) -> list[Asked]:
        """What people have asked for in each object, and who; controllers write the rest."""
        found = []
        for each in self.inherited():
            metadata, spec = each["metadata"], dict(each.get("spec") or {})
            spec.pop("replicas", None)
            found.append((each["kind"], metadata["name"], metadata["labels"], spec, writers(each)))
        return found

    def inherited(self) -> list[Object]:
        """The live objects that the program wants."""
        found = []
        for each in wanted(self.checkout):
            metadata = each["metadata"]
            namespace = metadata.get("namespace")
            now = self.cluster.get(each["apiVersion"], each["kind"], namespace, metadata["name"])
            assert now, f"there is no {each['kind']} {metadata['name']}"
            found.append(now)
        return found

    def said_of(self, run: str, object: str) -> str:
        """The paragraph of the run's diagnostics on an object, such as `Deployment (a/b)`."""
        text = self.runs[run].output
        found = re.search(rf"^  \S+:{re.escape(object)}:\n((?:    .*\n)+)", text, re.MULTILINE)
        return found[1] if found else ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with started(Checkout(tmp_path_factory.mktemp("adopt") / "checkout")) as checkout:
        (checkout.folder / "tenants/team-beta.yaml").unlink()
        story = Story(checkout, cluster_of(checkout), openbao_of(checkout))
        _inherit(story)
        settings = checkout.folder / "Pulumi.dev.yaml"
        without = settings.read_text()
        story.runs["refused"] = checkout.run("up")
        settings.write_text(without + SETTING)
        story.uids, story.sets = cluster_uids(story.cluster), story.pods_of("frontend")
        before = story.asked()
        story.runs["preview"] = checkout.run("preview")
        story.by_preview = [each for each in story.asked() if each not in before]
        story.runs["up"] = checkout.run("up")
        story.runs["again"] = checkout.run("preview")
        settings.write_text(without)
        settle(story.cluster)
        story.runs["without"] = checkout.run("preview --refresh")
        yield story


def _inherit(story: Story) -> None:
    cluster = story.cluster
    for each in wanted(story.checkout):
        deploy(cluster, each)
    until(lambda: live(cluster, "Deployment", "frontend")["status"].get("availableReplicas"))
    pod = {"containers": [{"name": "my-api", "env": [LEFT_OVER]}, SIDECAR]}
    by_hand: Object = {"spec": {"replicas": 4, "template": {"spec": pod}}}
    edit(cluster, "Deployment", "my-api", "kubectl-edit", by_hand)
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    pods: Object = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
    edit(cluster, "Deployment", "frontend", "kubectl-rollout", pods)
    viewers = live(cluster, "RoleBinding", f"{TEAM}-viewers")["subjects"]
    let_in: Object = {"subjects": [*viewers, INTRUDER]}
    edit(cluster, "RoleBinding", f"{TEAM}-viewers", "kubectl-edit", let_in)
    opened: Object = {"spec": {"ingress": [{}]}}
    edit(cluster, "NetworkPolicy", "default-deny-all", "kubectl-patch", opened)
    more: Object = {"spec": {"hard": {"pods": "100", "configmaps": "5"}}}
    edit(cluster, "ResourceQuota", f"{TEAM}-quota", "kustomize-controller", more)
    until(lambda: not missing(live(cluster, "Deployment", "frontend")))  # its ReplicaSet is there
    fill(story.openbao)


def test_without_the_setting_what_exists_is_refused_by_a_line_that_names_it(story: Story) -> None:
    run = story.runs["refused"]
    assert run.code == 1
    assert "already exists" in run.output
    assert "sre-platform:adopt" in run.output


def test_the_preview_says_what_is_taken_over_and_what_really_differs(story: Story) -> None:
    assert story.runs["preview"].code == 0, story.runs["preview"].output
    api = story.said_of("preview", f"Deployment ({TEAM}/my-api)")
    assert "spec.template.spec.containers[debug]: removed" in api
    assert "spec.template.spec.containers[my-api].env[LEFT_OVER]: removed (not shown)" in api
    assert "spec.replicas" not in api
    quota = story.said_of("preview", f"ResourceQuota ({TEAM}/{TEAM}-quota)")
    assert 'spec.hard.pods: "100" -> "20"' in quota
    assert 'spec.hard.configmaps: removed "5"' in quota
    viewers = story.said_of("preview", f"RoleBinding ({TEAM}/{TEAM}-viewers)")
    assert "subjects[intruders]: removed" in viewers
    closed = story.said_of("preview", f"NetworkPolicy ({TEAM}/default-deny-all)")
    assert "spec.ingress" in closed


@pytest.mark.parametrize("run", ["preview", "up"])
def test_objects_in_which_nothing_changes_are_one_line(story: Story, run: str) -> None:
    output = story.runs[run].output
    noted = re.findall(r"^  \S+:(.*):\n +taken over from ", output, re.MULTILINE)
    assert sorted(noted) == [
        "ClusterSecretStore (openbao-backend)",
        f"ConfigMap ({TEAM}/frontend-dashboard)",  # Helm's annotations replaced that of the folder
        f"ConfigMap ({TEAM}/my-api-dashboard)",
        f"ConfigMap ({TEAM}/{TEAM}-dashboards)",
        f"Deployment ({TEAM}/my-api)",
        f"Namespace ({TEAM})",
        f"NetworkPolicy ({TEAM}/default-deny-all)",
        f"ResourceQuota ({TEAM}/{TEAM}-quota)",
        f"RoleBinding ({TEAM}/{TEAM}-viewers)",
    ]
    summed = re.search(
        r"^ +(\d+) objects are taken over unchanged, from (.*)\.$", output, re.MULTILINE
    )
    assert summed, output
    assert int(summed[1]) == len(story.inherited()) - len(noted)
    assert summed[2] == "helm-controller, kubectl-rollout"
    assert "last-applied" not in output


def test_the_preview_changes_nothing(story: Story) -> None:
    assert story.by_preview == []


def test_nothing_secret_is_shown(story: Story) -> None:
    for run in story.runs.values():
        assert "hunter2" not in run.output
        assert "s3cret" not in run.output


def test_up_replaces_and_deletes_nothing(story: Story) -> None:
    run = story.runs["up"]
    assert run.code == 0, run.output
    assert run.count("replaced") == run.count("deleted") == 0
    now = cluster_uids(story.cluster)
    lost = [
        name
        for name, uid in story.uids.items()
        if now.get(name) != uid and " Pod " not in name and " ReplicaSet " not in name
    ]
    assert lost == []
    assert story.openbao.read(f"sre/data/{TEAM}/db")


def test_pods_whose_template_is_as_it_was_are_not_restarted(story: Story) -> None:
    assert story.pods_of("frontend") == story.sets
    template = live(story.cluster, "Deployment", "frontend")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_what_only_the_former_managers_had_set_is_gone(story: Story) -> None:
    cluster = story.cluster
    pod = live(cluster, "Deployment", "my-api")["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["my-api"]
    assert "LEFT_OVER" not in [each["name"] for each in pod["containers"][0]["env"]]
    subjects = live(cluster, "RoleBinding", f"{TEAM}-viewers")["subjects"]
    assert [subject["name"] for subject in subjects] == [f"{TEAM}-viewers"]
    assert "ingress" not in live(cluster, "NetworkPolicy", "default-deny-all")["spec"]
    hard = live(cluster, "ResourceQuota", f"{TEAM}-quota")["spec"]["hard"]
    assert hard["pods"] == "20"
    assert "configmaps" not in hard


def test_an_autoscaler_keeps_its_number_of_pods(story: Story) -> None:
    assert live(story.cluster, "Deployment", "my-api")["spec"]["replicas"] == 4


def test_only_the_provider_still_owns_fields_of_an_object(story: Story) -> None:
    for each in story.inherited():
        [manager] = writers(each)
        assert PROVIDER.fullmatch(manager), f"{each['kind']} {each['metadata']['name']}"


def test_openbao_keeps_its_mount_and_loses_what_allowed_too_much(story: Story) -> None:
    preview = story.runs["preview"]
    assert preview.count("to import") == 4
    assert "AuthBackendRole team-alpha update" in preview.output
    policy = story.openbao.read(f"sys/policies/acl/{TEAM}")
    assert policy
    assert 'path "sre/*"' not in policy["policy"]
    role = story.openbao.read(f"auth/kubernetes/role/{TEAM}")
    assert role
    assert role["bound_service_account_namespaces"] == [TEAM]


def test_the_setting_left_on_does_nothing_more_but_ask_to_be_taken_out(story: Story) -> None:
    run = story.runs["again"]
    assert run.code == 0, run.output
    assert re.search(r"Resources:\n +\d+ unchanged\n", run.output), run.output
    assert "Remove the setting" in run.output


def test_without_the_setting_every_object_is_unchanged(story: Story) -> None:
    run = story.runs["without"]
    assert run.code == 0, run.output
    assert re.search(r"Resources:\n +~ 1 to update\n +\d+ unchanged\n", run.output), run.output
    assert "pulumi:providers:kubernetes: (update)" in run.output


def test_what_cannot_be_changed_is_said_before_anything_happens(
    story: Story, tmp_path: Path
) -> None:
    """Another selector, under a name that the program comes to want."""
    cluster, checkout = story.cluster, story.checkout
    other = next(
        each
        for each in wanted(checkout)
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "frontend")
    )
    labels = {"app": "extra"}
    other["metadata"] |= {"name": "extra"}
    other["spec"] |= {"selector": {"matchLabels": labels}}
    other["spec"]["template"]["metadata"]["labels"] = labels
    cluster.call(
        "POST", cluster.path("apps/v1", "Deployment", TEAM), other, {"fieldManager": "helm"}
    )
    team = checkout.folder / f"tenants/{TEAM}.yaml"
    settings = checkout.folder / "Pulumi.dev.yaml"
    before = team.read_text(), settings.read_text(), cluster_uids(cluster).keys()
    team.write_text(
        before[0]
        + "  - archetype: worker\n    app:\n      name: extra\n"
        + f"      image: {{repository: harbor.sre.internal/{TEAM}/extra, tag: v1.0.0}}\n"
    )
    settings.write_text(before[1] + SETTING)
    try:
        run = checkout.run("up")
        assert run.code == 1
        assert (
            f"Deployment {TEAM}/extra exists and cannot be changed to what this stack" in run.output
        )
        assert "field is immutable" in run.output
        assert f"kubectl delete deployment extra -n {TEAM} --cascade=orphan" in run.output
        made = {name for name in cluster_uids(cluster).keys() - before[2] if " Pod " not in name}
        assert not [name for name in made if "/extra" in name and "ServiceAccount" in name]
    finally:
        team.write_text(before[0])
        settings.write_text(before[1])
        cluster.delete("apps/v1", "Deployment", TEAM, "extra")
