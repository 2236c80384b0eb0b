"""Stack `dev` from its first `pulumi up` to `pulumi destroy`, with the official plugins.

Harbor's part is provisioned where the environment names a Harbor (HARBOR_URL, HARBOR_USERNAME,
HARBOR_PASSWORD); without one the environment file of `make servers` leaves it out.
"""

import pytest

from clients.kubernetes import Object
from tests.e2e.conftest import WITHIN, Official
from tests.inventory import cluster_objects, openbao_objects
from tests.servers.conftest import settle, until
from tests.servers.inherited import TEAM, deploy, edit, fill, is_scaled, live, wanted, writers

pytestmark = pytest.mark.e2e

ALPHA, BETA = "tenants/team-alpha.yaml", "tenants/team-beta.yaml"
ROLES = "rbac.authorization.k8s.io/v1 RoleBinding team-beta/"


def test_the_life_of_a_stack(official: Official) -> None:
    empty = cluster_objects(official.cluster), openbao_objects(official.openbao)
    official.pulumi("stack", "select", "--create")

    official.pulumi("up", "--yes")
    made = cluster_objects(official.cluster)
    assert made >= {
        "v1 Namespace /team-alpha",
        "apps/v1 Deployment team-alpha/my-api",
        "batch/v1 CronJob team-beta/nightly-report",
        "networking.istio.io/v1 VirtualService team-alpha/frontend",
        "external-secrets.io/v1 ExternalSecret team-beta/order-queue-credentials",
    }
    assert openbao_objects(official.openbao) >= {
        "mount sre/",
        "policy team-alpha",
        "role team-beta",
    }

    official.nothing_differs()

    _scaled_by_an_autoscaler(official)
    _changed_by_others(official)

    official.checkout.edit(BETA, "pods: 30", "pods: 31")
    edited = official.pulumi("up", "--yes")
    assert "1 updated" in edited, edited
    quota = official.cluster.get("v1", "ResourceQuota", "team-beta", "team-beta-quota")
    assert quota
    assert quota["spec"]["hard"]["pods"] == "31"

    _suspended_and_offboarded(official)

    official.pulumi("state", "unprotect", "--all", "--yes")
    official.pulumi("destroy", "--yes")
    assert (cluster_objects(official.cluster), openbao_objects(official.openbao)) == empty


def _scaled_by_an_autoscaler(official: Official) -> None:
    """It then owns the number of pods; the team's file takes it back by setting one."""
    until(lambda: is_scaled(official.cluster, "my-api"))
    official.checkout.edit(ALPHA, "\napps:", "\nlifecycle: suspended\napps:")
    assert "+ replicas: 0" in official.pulumi("preview", "--diff")
    official.pulumi("up", "--yes")
    assert live(official.cluster, "Deployment", "my-api")["spec"]["replicas"] == 0
    until(lambda: official.cluster.list("v1", "Pod", TEAM) == [])
    official.nothing_differs()
    official.checkout.restore(ALPHA)
    official.pulumi("up", "--yes")

    official.checkout.edit(ALPHA, "enabled: true\n      minReplicas: 2", "enabled: false")
    official.checkout.edit(ALPHA, "replicas: 2\n", "replicas: 3\n")
    official.pulumi("up", "--yes")
    assert live(official.cluster, "Deployment", "my-api")["spec"]["replicas"] == 3
    found = official.cluster.get("autoscaling/v2", "HorizontalPodAutoscaler", TEAM, "my-api")
    assert found is None
    official.checkout.restore(ALPHA)
    official.pulumi("up", "--yes")


def _changed_by_others(official: Official) -> None:
    quota, viewers = f"{TEAM}-quota", f"{TEAM}-viewers"
    before = live(official.cluster, "ResourceQuota", quota)["spec"]
    pods: Object = {"spec": {"hard": {"pods": "99"}}}
    edit(official.cluster, "ResourceQuota", quota, "kubectl-patch", pods)
    label: Object = {"metadata": {"labels": {"sre.io/team": "team-beta"}}}
    edit(official.cluster, "RoleBinding", viewers, "terraform", label)
    seen = official.pulumi("preview", "--refresh", "--diff", "--suppress-outputs")
    assert '~ pods: "99" => "20"' in seen
    assert '~ sre.io/team: "team-beta" => "team-alpha"' in seen
    assert "managedFields" not in seen
    official.pulumi("up", "--yes", "--refresh", "--run-program")
    assert live(official.cluster, "ResourceQuota", quota)["spec"] == before
    labels = live(official.cluster, "RoleBinding", viewers)["metadata"]["labels"]
    assert labels["sre.io/team"] == TEAM
    official.nothing_differs()


def _suspended_and_offboarded(official: Official) -> None:
    official.checkout.edit(BETA, "lifecycle: active", "lifecycle: suspended")
    official.pulumi("up", "--yes")
    worker = official.cluster.get("apps/v1", "Deployment", "team-beta", "order-processor")
    assert worker
    assert worker["spec"]["replicas"] == 0
    official.nothing_differs()

    official.checkout.edit(BETA, "lifecycle: suspended", "lifecycle: offboarding")
    official.pulumi("up", "--yes")
    left = cluster_objects(official.cluster)
    assert "v1 Namespace /team-beta" in left
    assert not [one for one in left if one.startswith(("apps/v1 Deployment team-beta/", ROLES))]
    assert "role team-beta" not in openbao_objects(official.openbao)
    official.nothing_differs()

    (official.checkout.folder / BETA).unlink()
    official.pulumi("up", "--yes")
    assert "v1 Namespace /team-beta" not in cluster_objects(official.cluster)
    official.checkout.restore(BETA)


def test_make_up_runs_the_plugins_too(official: Official) -> None:
    """Not the language host; Harbor is simulated."""
    own = {"SANDBOX_PROVIDERS": ""}
    up = official.checkout.run("up", within=WITHIN, **own)
    assert up.code == 0, up.output
    assert "Providers: pulumi-resource-kubernetes v" in up.output
    assert "; pulumi-resource-vault v" in up.output
    settle(official.cluster)
    again = official.checkout.run("preview --refresh", within=WITHIN, **own)
    assert again.count("unchanged") == up.count("created"), again.output
    down = official.checkout.run("down", within=WITHIN, **own)
    assert down.code == 0, down.output


def test_what_ran_before_is_taken_over(official: Official) -> None:
    cluster = official.cluster
    empty = cluster_objects(cluster), openbao_objects(official.openbao)
    official.pulumi("stack", "select", "--create")
    for each in wanted(official.checkout):
        deploy(cluster, each)
    by_hand = {"containers": [{"name": "my-api", "env": [{"name": "LEFT_OVER", "value": "1"}]}]}
    change = {"spec": {"template": {"spec": by_hand}}}
    edit(cluster, "Deployment", "my-api", "kubectl-edit", change)
    fill(official.openbao)
    uid = live(cluster, "Deployment", "my-api")["metadata"]["uid"]

    adopt = "  sre-platform:adopt: true\n"
    official.checkout.edit("Pulumi.dev.yaml", "config:\n", f"config:\n{adopt}")
    preview = official.pulumi("preview")
    assert "env[LEFT_OVER]: removed" in preview, preview
    official.pulumi("up", "--yes")
    taken = live(cluster, "Deployment", "my-api")
    assert taken["metadata"]["uid"] == uid
    assert "LEFT_OVER" not in str(taken["spec"])
    assert "helm-controller" not in writers(taken)
    official.nothing_differs()
    official.checkout.edit("Pulumi.dev.yaml", adopt, "")
    official.pulumi("up", "--yes")
    official.nothing_differs()

    official.pulumi("state", "unprotect", "--all", "--yes")
    official.pulumi("destroy", "--yes")
    assert (cluster_objects(cluster), openbao_objects(official.openbao)) == empty
