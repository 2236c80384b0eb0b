"""Volumes on the engine: what removing, taking back and deleting one shows and does."""

import pytest

from tests.checkouts import Checkout

pytestmark = pytest.mark.engine

FILE = "tenants/team-disk.yaml"
HEAD = "team: team-disk\napps:\n"
APP = """\
  - archetype: cronjob
    app:
      name: mirror
      image: {repository: harbor.sre.internal/team-disk/mirror, tag: v1.0.0}
      volumes: [{name: state, path: /state, size: 1Gi, storageClass: fast}]
    schedule: {cron: "0 2 * * *"}
"""
NONE = "  []\n"
CLAIM = "PersistentVolumeClaim team-disk/mirror-state"

OF_APP = {
    "ConfigMap team-disk/mirror-dashboard",
    "CronJob team-disk/mirror",
    "NetworkPolicy team-disk/mirror",
    "PrometheusRule team-disk/mirror",
    "ServiceAccount team-disk/mirror",
}


def write(checkout: Checkout, apps: str) -> None:
    (checkout.folder / FILE).write_text(HEAD + apps, encoding="utf-8")


def spec(checkout: Checkout) -> object:
    (found,) = [
        one["inputs"]["spec"]
        for one in checkout.resources()
        if one["type"].endswith(":PersistentVolumeClaim")
    ]
    return found


def test_a_volume_outlives_its_app_until_the_file_says_that_it_may_go(checkout: Checkout) -> None:
    write(checkout, APP)
    assert CLAIM in checkout.up().steps("created")
    as_made = spec(checkout)

    write(checkout, NONE)
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert "volumes that no app uses stay with their data: mirror-state (1Gi)" in preview.output
    assert preview.count("to delete") == len(OF_APP) + 1  # and the component
    assert checkout.up().steps("deleted") == OF_APP
    assert spec(checkout) == as_made
    assert checkout.up().steps("updated") == set()

    write(checkout, APP.replace("1Gi", "512Mi"))
    refused = checkout.run("up")
    assert refused.code != 0
    assert "512Mi is below 1Gi, the size of mirror-state, and a volume cannot shrink" in (
        refused.output
    )
    write(checkout, APP.replace("1Gi, storageClass: fast", "2Gi, onRemoval: delete"))
    back = checkout.up()
    assert CLAIM in back.steps("updated")
    assert spec(checkout) == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "2Gi"}},
    }

    write(checkout, NONE)
    assert CLAIM in checkout.up().steps("deleted")
