"""Fields that others have changed: an autoscaler, kubectl, another manager."""

from typing import Any

import pytest

from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, nothing_differs, until
from tests.servers.inherited import AUTOSCALER, PROVIDER, TEAM, edit, is_scaled, live, writers

pytestmark = pytest.mark.servers

FILE = f"tenants/{TEAM}.yaml"
PROVIDERS = "components/providers.py"
FORCE = "enable_patch_force=True"
LABEL = {"sre.io/team": "team-beta"}
QUOTA = {"pods": "99"}


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    """With an autoscaler that has scaled `my-api`, as it does where there are too few pods."""
    servers.up()
    until(lambda: is_scaled(cluster_of(servers), "my-api"))
    return servers


@pytest.fixture(scope="module")
def first(provisioned: Checkout) -> dict[str, Any]:
    """The cluster that the tests that edit begin with."""
    return provisioned.cluster()


@pytest.fixture
def checkout(provisioned: Checkout, first: dict[str, Any]) -> Checkout:
    """What the test before has edited, and so changed, is put back."""
    provisioned.put_back(first, "tenants", "components")
    return provisioned


def replicas(cluster: Cluster) -> int:
    return int(live(cluster, "Deployment", "my-api")["spec"]["replicas"])


def by_apply(cluster: Cluster, manager: str, kind: str, name: str, fields: Object) -> None:
    """As a GitOps controller does that forces conflicts."""
    found = live(cluster, kind, name)
    metadata = {"name": name, "namespace": TEAM}
    wanted = {"apiVersion": found["apiVersion"], "kind": kind, "metadata": metadata, **fields}
    cluster.apply(wanted, manager)


def test_each_object_has_a_field_manager_of_its_own(
    provisioned: Checkout, cluster: Cluster
) -> None:
    names = ["default-deny-all", "allow-dns"]
    managers = [writers(live(cluster, "NetworkPolicy", name)) for name in names]
    assert all(PROVIDER.fullmatch(manager) for [manager] in managers)
    assert managers[0] != managers[1]
    for policy, [manager] in zip(names, managers, strict=True):
        [kept] = [
            r["outputs"]["__fieldManager"]
            for r in provisioned.resources()
            if r["urn"].endswith(f"NetworkPolicy::{TEAM}/{policy}")
        ]
        assert kept == manager


def test_without_force_a_conflict_is_an_error_that_names_field_and_manager(
    checkout: Checkout, cluster: Cluster
) -> None:
    checkout.edit(PROVIDERS, FORCE, "enable_patch_force=False")
    checkout.edit(FILE, "\napps:", "\nlifecycle: suspended\napps:")
    run = checkout.run("up")
    assert run.code == 1
    assert (
        'conflict with "kube-controller-manager" with subresource "scale" using apps/v1: '
        ".spec.replicas"
    ) in run.output
    checkout.restore(FILE)
    edit(cluster, "ResourceQuota", f"{TEAM}-quota", "kubectl-patch", {"spec": {"hard": QUOTA}})
    run = checkout.run("up --refresh")
    assert run.code == 1
    assert 'conflict with "kubectl-patch" using v1: .spec.hard.pods' in run.output


def test_a_team_whose_app_was_scaled_can_be_suspended(checkout: Checkout, cluster: Cluster) -> None:
    checkout.edit(FILE, "\napps:", "\nlifecycle: suspended\napps:")
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert "+ replicas: 0" in preview.output
    checkout.up()
    assert replicas(cluster) == 0
    until(lambda: cluster.list("v1", "Pod", TEAM) == [])
    nothing_differs(checkout)


def test_an_autoscaler_that_has_scaled_can_be_switched_off(
    checkout: Checkout, cluster: Cluster
) -> None:
    checkout.edit(FILE, "enabled: true\n      minReplicas: 2", "enabled: false")
    checkout.edit(FILE, "replicas: 2\n", "replicas: 3\n")
    checkout.up()
    assert replicas(cluster) == 3
    assert cluster.get("autoscaling/v2", "HorizontalPodAutoscaler", TEAM, "my-api") is None


def test_what_others_have_changed_is_seen_all_at_a_time_and_taken_back(
    checkout: Checkout, cluster: Cluster
) -> None:
    quota = f"{TEAM}-quota"
    edit(cluster, "ResourceQuota", quota, "kubectl-patch", {"spec": {"hard": {"pods": "99"}}})
    by_apply(cluster, "argocd", "ResourceQuota", quota, {"spec": {"hard": {"services": "98"}}})
    edit(cluster, "RoleBinding", f"{TEAM}-viewers", "terraform", {"metadata": {"labels": LABEL}})
    image = {"containers": [{"name": "my-api", "image": "elsewhere.example.com/my-api:v1"}]}
    edit(cluster, "Deployment", "my-api", "kubectl-set", {"spec": {"template": {"spec": image}}})

    preview = checkout.run("preview --refresh")
    assert preview.code == 0, preview.output
    assert '~ pods    : "99" => "20"' in preview.output
    assert '~ services: "98" =>' in preview.output
    assert '"elsewhere.example.com/my-api:v1" =>' in preview.output
    assert preview.count("to update") == 3

    again = checkout.run("up --refresh")
    assert again.code == 0, again.output
    assert again.steps("updated") == {
        f"ResourceQuota {TEAM}/{quota}",
        f"RoleBinding {TEAM}/{TEAM}-viewers",
        f"Deployment {TEAM}/my-api",
    }
    hard = live(cluster, "ResourceQuota", quota)["spec"]["hard"]
    assert (hard["pods"], hard["services"]) != ("99", "98")
    nothing_differs(checkout)


def test_what_is_not_the_files_is_left_to_whoever_has_set_it(
    checkout: Checkout, cluster: Cluster
) -> None:
    edit(cluster, "Deployment", "my-api", AUTOSCALER, {"spec": {"replicas": 4}})
    other: Object = {"metadata": {"annotations": {"example.com/owner": "somebody"}}}
    edit(cluster, "ResourceQuota", f"{TEAM}-quota", "controller", other)
    checkout.edit(FILE, "\napps:", "\nquota: {pods: 21}\napps:")
    checkout.up()
    assert replicas(cluster) == 4
    annotations = live(cluster, "ResourceQuota", f"{TEAM}-quota")["metadata"]["annotations"]
    assert annotations["example.com/owner"] == "somebody"
