"""`./sre fleet` from the first update of three stacks to their end, with the official plugins."""

from pathlib import Path

import pytest

from cli.fleet import DRIFT
from clients.kubernetes import Object
from tests.e2e.conftest import WITHIN, Official
from tests.engine.fleets import UNCHANGED, FleetCheckout, outcomes
from tests.inventory import cluster_objects, openbao_objects
from tests.servers.conftest import settle
from tests.servers.inherited import TEAM, edit, live

pytestmark = pytest.mark.e2e


def test_the_life_of_a_fleet(official: Official, tmp_path: Path) -> None:
    cluster, openbao = official.cluster, official.openbao
    empty = cluster_objects(cluster), openbao_objects(openbao)
    fleet = FleetCheckout(tmp_path / "fleet")

    def results(command: str, code: int = 0) -> dict[str, str]:
        run = fleet.run(f"fleet {command} --format json", WITHIN, **official.environment)
        assert run.code == code, run.output
        return outcomes(run)

    assert set(results("up").values()) == {"changed"}
    assert {"v1 Namespace /team-alpha", "v1 Namespace /team-beta"} <= cluster_objects(cluster)
    assert {"policy team-alpha", "role team-beta"} <= openbao_objects(openbao)

    settle(cluster)
    assert results("drift") == UNCHANGED
    before = live(cluster, "ResourceQuota", f"{TEAM}-quota")["spec"]
    pods: Object = {"spec": {"hard": {"pods": "99"}}}
    edit(cluster, "ResourceQuota", f"{TEAM}-quota", "kubectl-patch", pods)
    assert results("drift", DRIFT) == UNCHANGED | {TEAM: "changed"}
    assert results("up --refresh") == UNCHANGED | {TEAM: "changed"}
    assert live(cluster, "ResourceQuota", f"{TEAM}-quota")["spec"] == before

    fleet.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    assert results("preview") == UNCHANGED | {"team-beta": "changed"}
    assert results("up") == UNCHANGED | {"team-beta": "changed"}
    assert results("drift") == UNCHANGED
    quota = cluster.get("v1", "ResourceQuota", "team-beta", "team-beta-quota")
    assert quota
    assert quota["spec"]["hard"]["pods"] == "31"

    for stack in sorted(UNCHANGED, reverse=True):  # what the platform's makes, teams need
        for command in (["state", "unprotect", "--all"], ["destroy"]):
            official.pulumi(*command, "--yes", stack=stack, of=fleet)
    assert (cluster_objects(cluster), openbao_objects(openbao)) == empty
