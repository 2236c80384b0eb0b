"""Stack `dev` from its first `pulumi up` to `pulumi destroy`, with the official plugins.

Harbor's part is provisioned where the environment names a Harbor (HARBOR_URL, HARBOR_USERNAME,
HARBOR_PASSWORD); without one the environment file of `make servers` leaves it out.
"""

import pytest

from tests.e2e.conftest import Official
from tests.inventory import cluster_objects, openbao_objects

pytestmark = pytest.mark.e2e


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

    official.pulumi("preview", "--refresh", "--expect-no-changes")

    official.checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    edited = official.pulumi("up", "--yes")
    assert "1 updated" in edited, edited
    quota = official.cluster.get("v1", "ResourceQuota", "team-beta", "team-beta-quota")
    assert quota
    assert quota["spec"]["hard"]["pods"] == "31"

    official.pulumi("state", "unprotect", "--all", "--yes")
    official.pulumi("destroy", "--yes")
    assert (cluster_objects(official.cluster), openbao_objects(official.openbao)) == empty
