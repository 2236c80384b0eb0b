"""What a suspended and an offboarded team's people and apps can still do, asked of real servers."""

import copy

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, nothing_differs, openbao_of, until

pytestmark = pytest.mark.servers

BETA, FILE = "team-beta", "tenants/team-beta.yaml"
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "orders", "namespace": BETA},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    """With data that is the team's own: a claim in its namespace, a secret in OpenBao."""
    servers.up()
    cluster_of(servers).create(CLAIM)
    openbao_of(servers).call("POST", "sre/data/team-beta/orders", {"data": {"value": "x"}})
    return servers


def go_to(checkout: Checkout, lifecycle: str) -> None:
    checkout.restore(FILE)
    checkout.edit(FILE, "lifecycle: active", f"lifecycle: {lifecycle}")
    checkout.up()


def developer(checkout: Checkout) -> Cluster:
    return cluster_of(checkout).impersonating("somebody", "team-beta-developers")


def deployment(cluster: Cluster) -> Object | None:
    return cluster.get("apps/v1", "Deployment", BETA, "order-processor")


def pods(cluster: Cluster) -> list[str]:
    return [pod["metadata"]["name"] for pod in cluster.list("v1", "Pod", BETA)]


def assert_data_is_there(checkout: Checkout) -> None:
    assert cluster_of(checkout).get("v1", "PersistentVolumeClaim", BETA, "orders")
    assert openbao_of(checkout).read("sre/data/team-beta/orders")
    assert openbao_of(checkout).read("sre/data/team-beta/harbor-pull")


def test_suspended_nothing_runs_and_a_developer_cannot_start_anything(
    provisioned: Checkout,
) -> None:
    cluster, somebody = cluster_of(provisioned), developer(provisioned)
    assert len(pods(cluster)) == 3
    one = cluster.list("v1", "Pod", BETA)[0]
    go_to(provisioned, "suspended")
    until(lambda: pods(cluster) == [])
    job = cluster.get("batch/v1", "CronJob", BETA, "nightly-report")
    assert job
    assert job["spec"]["suspend"] is True
    assert_data_is_there(provisioned)

    found = deployment(somebody)
    assert found  # they still have access
    by_hand = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": BETA}}
    with pytest.raises(RefusedError, match="exceeded quota: team-beta-quota"):
        somebody.create({**by_hand, "spec": without_node(one)}, dry_run=True)


def without_node(pod: Object) -> Object:
    """Its spec, as somebody would ask for another such pod."""
    spec = copy.deepcopy(pod["spec"])
    for set_by_the_server in ("nodeName", "tolerations", "priority", "preemptionPolicy"):
        spec.pop(set_by_the_server, None)
    return spec


def test_offboarding_access_is_gone_and_the_data_is_not(provisioned: Checkout) -> None:
    cluster, somebody = cluster_of(provisioned), developer(provisioned)
    go_to(provisioned, "active")
    token = cluster.token(BETA, "order-processor")
    assert openbao_of(provisioned).with_token(None).login(BETA, token)

    go_to(provisioned, "offboarding")
    until(lambda: not somebody.may("get", "apps", "deployments", BETA))
    with pytest.raises(RefusedError, match="is forbidden"):
        deployment(somebody)
    with pytest.raises(RefusedError):
        openbao_of(provisioned).with_token(None).login(BETA, token)
    assert deployment(cluster) is None
    until(lambda: pods(cluster) == [])
    assert_data_is_there(provisioned)
    nothing_differs(provisioned)


def test_a_team_that_comes_back_has_all_it_had(provisioned: Checkout) -> None:
    go_to(provisioned, "active")
    found = deployment(developer(provisioned))
    assert found
    assert found["status"]["availableReplicas"] == 3
    assert_data_is_there(provisioned)


def test_an_app_with_an_autoscaler_comes_back_too(provisioned: Checkout) -> None:
    # Nobody says how many pods it has: the API server's default until the autoscaler acts.
    cluster, alpha = cluster_of(provisioned), "tenants/team-alpha.yaml"
    provisioned.edit(alpha, "\napps:", "\nlifecycle: suspended\napps:")
    provisioned.up()
    found = cluster.get("apps/v1", "Deployment", "team-alpha", "my-api")
    assert found
    assert found["spec"]["replicas"] == 0
    provisioned.restore(alpha)
    provisioned.up()
    found = cluster.get("apps/v1", "Deployment", "team-alpha", "my-api")
    assert found
    assert found["spec"]["replicas"] >= 1


def test_an_offboarded_team_goes_with_its_file(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)
    go_to(provisioned, "offboarding")
    (provisioned.folder / FILE).unlink()
    provisioned.up()
    assert cluster.get("v1", "Namespace", None, BETA) is None
    # The team's own secrets never passed through Pulumi.
    assert openbao_of(provisioned).read("sre/data/team-beta/orders")
