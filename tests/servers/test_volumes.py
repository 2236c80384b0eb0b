"""Volumes on a cluster that makes them: their pods run, they grow, and outlive their app."""

from pathlib import Path

import pytest

from clients.kubernetes import Cluster, Object
from sandbox.servers.parts import VOLUMES
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, nothing_differs, record_of, until

pytestmark = pytest.mark.servers

TEAM, FILE = "team-disk", "tenants/team-disk.yaml"
APP = """\
  - archetype: worker
    app:
      name: store
      image: {repository: harbor.sre.internal/team-disk/store, tag: v1.0.0}
      replicas: 1
      volumes:
        - {name: data, path: /data, size: 1Gi, storageClass: fast}
        - {name: scratch, path: /scratch, size: 1Gi, onRemoval: delete}
    podDisruptionBudget: {enabled: false}
"""
CRONJOB = """\
  - archetype: cronjob
    app:
      name: mirror
      image: {repository: harbor.sre.internal/team-disk/mirror, tag: v1.0.0}
      volumes: [{name: state, path: /state, size: 1Gi, accessMode: ReadWriteOncePod}]
    schedule: {cron: "0 0 1 1 *"}
"""


def file_of(*apps: str) -> str:
    return (
        f"team: {TEAM}\nquota: {{requests: {{storage: 10Gi}}}}\napps:\n{''.join(apps) or '  []'}\n"
    )


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    (servers.folder / FILE).write_text(file_of(APP, CRONJOB))
    servers.up()
    return servers


def claim(cluster: Cluster, name: str) -> Object | None:
    return cluster.get("v1", "PersistentVolumeClaim", TEAM, name)


def bound(cluster: Cluster, name: str) -> str:
    """The volume that a claim has."""
    found = claim(cluster, name)
    assert found
    assert found["status"]["phase"] == "Bound"
    return str(found["spec"]["volumeName"])


def folder_of(checkout: Checkout, volume: str) -> Path:
    return record_of(checkout).folder / VOLUMES / volume


def test_pods_run_with_their_volumes_and_no_run_waits_for_an_unused_one(
    provisioned: Checkout,
) -> None:
    cluster = cluster_of(provisioned)
    for name in ("store-data", "store-scratch"):
        assert folder_of(provisioned, bound(cluster, name)).is_dir()
    waiting = claim(cluster, "mirror-state")
    assert waiting
    assert waiting["status"]["phase"] == "Pending"
    nothing_differs(provisioned)


def test_a_volume_grows_and_what_it_cannot_become_is_refused_first(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)
    volume = bound(cluster, "store-data")
    file = provisioned.folder / FILE
    file.write_text(
        file_of(APP.replace("size: 1Gi, storageClass", "size: 2Gi, storageClass"), CRONJOB)
    )
    assert provisioned.up().count("updated") == 1
    until(lambda: (claim(cluster, "store-data") or {})["status"]["capacity"] == {"storage": "2Gi"})
    assert bound(cluster, "store-data") == volume

    file.write_text(file_of(APP, CRONJOB))
    refused = provisioned.run("up")
    assert refused.code != 0
    assert (
        f"{FILE}:10:43: apps[0].app.volumes[0].size: 1Gi is below 2Gi, the size of store-data"
        in refused.output
    )
    assert refused.count("updated") == 0


def test_what_stays_stays_and_is_taken_back_and_what_may_go_goes(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)
    volume = bound(cluster, "store-data")
    file = provisioned.folder / FILE
    file.write_text(file_of(CRONJOB))
    run = provisioned.up()
    assert "PersistentVolumeClaim team-disk/store-scratch" in run.steps("deleted")
    assert "PersistentVolumeClaim team-disk/store-data" not in run.steps("deleted")
    assert (
        "team-disk: volumes that no app uses stay with their data: store-data (2Gi)" in run.output
    )
    until(lambda: claim(cluster, "store-scratch") is None)
    assert bound(cluster, "store-data") == volume
    nothing_differs(provisioned)

    file.write_text(file_of(APP.replace("size: 1Gi, storageClass: fast", "size: 2Gi"), CRONJOB))
    provisioned.up()
    assert bound(cluster, "store-data") == volume
    nothing_differs(provisioned)


def test_a_team_leaves_with_its_volumes(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)
    file = provisioned.folder / FILE
    file.write_text(file.read_text() + "lifecycle: offboarding\n")
    provisioned.up()
    assert bound(cluster, "store-data")
    assert bound(cluster, "store-scratch")
    file.unlink()
    provisioned.up()
    until(lambda: claim(cluster, "store-data") is None)
    until(lambda: cluster.list("v1", "PersistentVolume") == [])
    until(lambda: [*folder_of(provisioned, "").iterdir()] == [])
