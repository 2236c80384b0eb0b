"""The ways of a real Harbor and its provider, and what each means for a stack."""

import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sandbox.servers.keys import Keys
from tests.checkouts import ROOT, Checkout
from tests.engine.harbor_ways import FILE, Contents
from tests.engine.shared import once
from tests.fake_server import serving

pytestmark = pytest.mark.engine

ROBOTS = {
    "RobotAccount team-alpha/pull",
    "RobotAccount team-alpha/push",
    "RobotAccount team-beta/pull",
    "RobotAccount team-beta/push",
}
BETA = "tenants/team-beta.yaml"
# Deleted at the same time as the project, whose refusal may stop that.
LAST = {"Namespace team-beta"}


class HarborCheckout(Checkout):
    """A checkout whose commands meet the Harbor of `harbor_ways`."""

    module = "tests.engine.harbor_ways"

    # A copy has no tests: they come from here, and everything else from the copy.
    environment = MappingProxyType({"PYTHONPATH": str(ROOT)})

    @contextmanager
    def harbor(self) -> Generator[dict[str, Any]]:
        """What Harbor holds, to look at or to change by hand."""
        with Contents(self.folder / FILE).opened() as contents:
            yield contents

    def in_harbor(self) -> dict[str, Any]:
        with self.harbor() as contents:
            return contents

    def ids(self) -> dict[str, str]:
        return {name: found["id"] for name, found in self.in_harbor()["objects"].items()}

    def retention(self, team: str) -> dict[str, Any]:
        """The policy of a team's project."""
        objects = self.in_harbor()["objects"]
        project = objects[f"Harbor project '{team}'"]["id"]
        policy: dict[str, Any] = objects[f"Harbor retention policy of '{project}'"]["inputs"]
        return policy

    def passwords(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of each robot, by its full name: as Harbor knows it, and as OpenBao does."""
        contents = self.in_harbor()
        made = {
            name.split("'")[1]: robot["secret"]
            for name, robot in contents["objects"].items()
            if name.startswith("Harbor robot")
        }
        stored = {one["username"]: one["password"] for one in contents["stored"].values()}
        return made, stored

    def robots(self) -> set[str]:
        return {name for name in self.names() if name.startswith("RobotAccount")}

    def protected(self) -> set[str]:
        return {resource["urn"] for resource in self.resources() if resource.get("protect")}


@pytest.fixture(scope="module")
def provisioned_once(tmp_path_factory: pytest.TempPathFactory) -> HarborCheckout:
    def make(folder: Path) -> HarborCheckout:
        checkout = HarborCheckout(folder)
        checkout.up()
        return checkout

    return once(tmp_path_factory, "harbor", make)


@pytest.fixture
def checkout(provisioned_once: HarborCheckout, tmp_path: Path) -> HarborCheckout:
    """A provisioned checkout of the test's own."""
    return HarborCheckout.twin(provisioned_once, tmp_path / "checkout")


def test_a_preview_with_refresh_loses_nothing_while_harbor_is_down(
    checkout: HarborCheckout,
) -> None:
    with checkout.harbor() as contents:
        contents["down"] = True
    before = checkout.state()
    assert "resource not found /projects/" in checkout.run("preview --refresh").output
    assert checkout.state() == before


def test_robots_that_a_refresh_has_lost_are_recreated_and_their_credentials_stored(
    checkout: HarborCheckout,
) -> None:
    before = checkout.names()
    assert before >= ROBOTS
    with checkout.harbor() as contents:
        contents["down"] = True
    # All of Harbor's part is protected, which does not help the robots.
    assert checkout.run("refresh").code == 1
    assert checkout.names() == before - ROBOTS

    with checkout.harbor() as contents:
        contents["down"] = False
    refused = checkout.run("up")
    assert refused.code == 1
    assert re.search(r"got: 409 .*robot\$team-", refused.output)
    assert not checkout.robots()
    with checkout.harbor() as contents:
        for name in [name for name in contents["objects"] if name.startswith("Harbor robot")]:
            del contents["objects"][name]
    assert checkout.up().steps("created") == ROBOTS
    assert checkout.names() == before
    made, stored = checkout.passwords()
    assert len(made) == 4
    assert stored == made


@pytest.mark.parametrize(("status", "passes"), [(200, True), (401, False), (502, False)])
def test_the_page_s_question_tells_whether_a_refresh_is_safe(
    keys: Keys, status: int, passes: bool
) -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (question,) = re.findall(r"^curl .*/users/current\"$", page, re.MULTILINE)
    with serving(keys) as fake:
        fake.answers["GET /api/v2.0/users/current"] = (status, {})
        asked = subprocess.run(
            ["bash", "-c", question],
            env={
                "PATH": os.environ["PATH"],
                "HARBOR_URL": fake.address,
                "HARBOR_USERNAME": "admin",
                "HARBOR_PASSWORD": "Harbor12345",
                "SSL_CERT_FILE": str(keys.ca_cert),
            },
            check=False,
        )
        assert fake.asked
    assert (asked.returncode == 0) is passes


def test_a_storage_quota_changed_by_hand_is_not_seen_as_anything_else_is(
    checkout: HarborCheckout,
) -> None:
    with checkout.harbor() as contents:
        objects = contents["objects"]
        objects["Harbor project 'team-alpha'"]["inputs"]["storageQuota"] = 1
        objects["Harbor project 'team-beta'"]["inputs"]["public"] = True
    preview = checkout.run("preview --refresh")
    assert preview.count("to update") == 1
    assert preview.count("unchanged") == len(checkout.resources()) - 1
    assert "~ public: true => false" in preview.output
    assert "storageQuota" not in preview.output


def test_every_key_of_a_registry_is_changed_in_place_and_its_retention_stays(
    checkout: HarborCheckout,
) -> None:
    for old, new in (
        ("storageQuota: 100", "storageQuota: 120"),
        ("schedule: Weekly", "schedule: Hourly"),
        ("mostRecentlyPushed: 30", "mostRecentlyPushed: 7"),
        ("enforce: false", "enforce: true"),
        ("    reason: images of the former registry are being signed until 2027-01-31\n", ""),
        ("duration: 365", "duration: 90"),
    ):
        checkout.edit(BETA, old, new)
    before = checkout.ids()
    run = checkout.up()
    assert run.steps("updated") == {
        "Project team-beta",
        "RetentionPolicy team-beta",
        "RobotAccount team-beta/pull",
        "RobotAccount team-beta/push",
    }
    assert not run.steps("created") | run.steps("replaced") | run.steps("deleted")
    assert checkout.ids() == before
    project = checkout.in_harbor()["objects"]["Harbor project 'team-beta'"]
    assert project["inputs"]["storageQuota"] == 120
    policy = checkout.retention("team-beta")
    assert policy["schedule"] == "Hourly"
    assert [rule["mostRecentlyPushed"] for rule in policy["rules"]] == [7]
    made, stored = checkout.passwords()
    assert stored == made


def test_a_policy_of_another_logical_name_is_refused_as_harbor_would_empty_the_one_it_has(
    checkout: HarborCheckout,
) -> None:
    checkout.edit(
        "components/registry.py",
        "harbor.RetentionPolicy(\n        team.name,",
        'harbor.RetentionPolicy(\n        f"{team.name}/images",',
    )
    before = checkout.state(), checkout.in_harbor()
    refused = checkout.run("up")
    assert refused.code == 1
    assert 'RetentionPolicy::team-beta" cannot be deleted' in refused.output
    assert (checkout.state(), checkout.in_harbor()) == before

    # Nothing else holds it up: here is what the protection is for.
    assert checkout.run("unprotect team-alpha team-beta").code == 0
    assert "RetentionPolicy team-beta/images" in checkout.up().steps("created")
    assert checkout.retention("team-beta")["rules"] == []


def test_even_without_a_preview_a_project_loses_nothing(checkout: HarborCheckout) -> None:
    # Members are not protected: what depends on them is, and is refused before their turn comes.
    checkout.edit(
        "Pulumi.dev.yaml", "config:\n", "config:\n  sre-platform:manage: {harbor: false}\n"
    )
    before = checkout.in_harbor()
    hasty = checkout.run("hasty")
    assert hasty.code == 1
    assert "cannot be deleted" in hasty.output
    assert checkout.in_harbor() == before


def test_an_offboarded_team_whose_project_holds_images_can_still_come_back(
    checkout: HarborCheckout,
) -> None:
    before, protected = checkout.names(), checkout.protected()
    old = checkout.in_harbor()["objects"]
    policy = checkout.retention("team-beta")
    checkout.edit(BETA, "lifecycle: active", "lifecycle: offboarding")
    checkout.up()
    made, stored = checkout.passwords()
    assert stored == made
    with checkout.harbor() as contents:
        contents["images"].append("team-beta")
    (checkout.folder / BETA).unlink()
    refused = checkout.run("up")
    assert refused.code == 1
    assert "Project (team-beta):\n    error: project team-beta is not empty" in refused.output
    # All else went first, and the state says so.
    left = {name for name in checkout.names() if "team-beta" in name}
    assert {"Project team-beta"} <= left <= {"Project team-beta", *LAST}
    assert checkout.retention("team-beta")["rules"] == []

    checkout.restore(BETA)
    checkout.up()
    assert (checkout.names(), checkout.protected()) == (before, protected)
    assert checkout.in_harbor()["objects"].keys() == old.keys()
    assert checkout.retention("team-beta") == policy
    made, stored = checkout.passwords()
    assert stored == made
    assert made["robot$team-beta+pull"] != old["Harbor robot 'robot$team-beta+pull'"]["secret"]


def test_an_empty_project_goes_with_its_offboarded_team(checkout: HarborCheckout) -> None:
    checkout.edit(BETA, "lifecycle: active", "lifecycle: offboarding")
    checkout.up()
    (checkout.folder / BETA).unlink()
    checkout.up()
    assert not [name for name in checkout.in_harbor()["objects"] if "team-beta" in name]
