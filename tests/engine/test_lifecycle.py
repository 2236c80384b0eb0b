"""A team's way through its life, and back, on the engine."""

import re

import pytest

from tests.checkouts import Checkout, Run

pytestmark = pytest.mark.engine

BETA = "tenants/team-beta.yaml"

ACCESS = {
    "RoleBinding team-beta/team-beta-developers",
    "RoleBinding team-beta/team-beta-role-view",
    "RoleBinding team-beta/team-beta-viewers",
    "ProjectMemberGroup team-beta/team-beta-developers",
    "ProjectMemberGroup team-beta/team-beta-viewers",
    "ProjectMemberGroup team-beta/auditors",
    "AuthBackendRole team-beta",
    "Policy team-beta",
}
DATA = {
    "Namespace team-beta",
    "Project team-beta",
    "RetentionPolicy team-beta",
    "RobotAccount team-beta/push",
    "RobotAccount team-beta/pull",
    "SecretV2 team-beta/harbor-push",
    "SecretV2 team-beta/harbor-pull",
}
WORKLOADS = {"Deployment team-beta/order-processor", "CronJob team-beta/nightly-report"}


def lifecycle(checkout: Checkout, step: str) -> Run:
    """`make up` after the team's file says so."""
    checkout.restore(BETA)
    checkout.edit(BETA, "lifecycle: active", f"lifecycle: {step}")
    return checkout.up()


def of_beta(checkout: Checkout) -> set[str]:
    """Names of what the state has of the team, but for the namespace's base."""
    return {name for name in checkout.names() if "team-beta" in name.split(" ", 1)[1]}


def protected(checkout: Checkout) -> set[str]:
    return {
        f"{resource['type'].rpartition(':')[2]} {resource['urn'].rpartition('::')[2]}"
        for resource in checkout.resources()
        if resource.get("protect") and "::team-beta" in resource["urn"]
    }


def robot(checkout: Checkout) -> dict[str, object]:
    (found,) = [r for r in checkout.resources() if r["urn"].endswith("::team-beta/pull")]
    return found["inputs"]


def test_suspending_a_team_stops_what_runs_and_activating_it_brings_that_back(
    checkout: Checkout,
) -> None:
    before, active = checkout.names(), checkout.cluster()
    suspended = lifecycle(checkout, "suspended")
    assert suspended.steps("updated") == {
        "ResourceQuota team-beta/team-beta-quota",
        *WORKLOADS,
    }
    assert not suspended.steps("created") | suspended.steps("deleted")
    assert checkout.names() == before

    back = lifecycle(checkout, "active")
    assert back.steps("updated") == suspended.steps("updated")
    assert checkout.cluster() == active


def test_an_offboarded_team_keeps_its_data_and_nothing_else(checkout: Checkout) -> None:
    before = of_beta(checkout)
    assert protected(checkout) == DATA
    run = lifecycle(checkout, "offboarding")
    assert run.steps("deleted") >= ACCESS | WORKLOADS
    assert of_beta(checkout) >= DATA
    assert not of_beta(checkout) & (ACCESS | WORKLOADS)
    assert robot(checkout)["disable"] is True
    assert protected(checkout) == set()
    assert not [name for name in run.steps("deleted") if "team-alpha" in name]

    lifecycle(checkout, "active")
    assert of_beta(checkout) == before
    assert protected(checkout) == DATA
    assert robot(checkout)["disable"] is False


def test_only_an_offboarded_teams_file_can_go(checkout: Checkout) -> None:
    file = checkout.folder / BETA
    state = checkout.state()
    file.unlink()
    for command in ("preview", "up"):
        refused = checkout.run(command)
        assert refused.code == 1
        (line,) = re.findall(r"tenants/team-beta\.yaml:1:1: .*", refused.output)
        assert re.search(r"and \d+ more are still there; put it back, set `lifecycle: off", line)
    assert checkout.state() == state

    # That the file said so once is not enough: an `up` must have done it.
    checkout.restore(BETA)
    checkout.edit(BETA, "lifecycle: active", "lifecycle: offboarding")
    assert checkout.run("preview").code == 0
    file.unlink()
    assert checkout.run("preview").code == 1

    lifecycle(checkout, "suspended")
    file.unlink()
    assert "are still there; put it back" in checkout.run("preview").output

    lifecycle(checkout, "offboarding")
    file.unlink()
    gone = checkout.up()
    assert gone.steps("deleted") >= DATA
    assert of_beta(checkout) == set()


def test_a_group_that_is_taken_out_of_the_file_loses_its_access(checkout: Checkout) -> None:
    checkout.edit(BETA, "[team-beta-viewers, auditors]", "[team-beta-viewers]")
    run = checkout.up()
    assert run.steps("deleted") == {"ProjectMemberGroup team-beta/auditors"}
    assert run.steps("updated") == {"RoleBinding team-beta/team-beta-viewers"}


def test_what_renaming_an_app_does_is_said_before_it_happens(checkout: Checkout) -> None:
    checkout.edit(BETA, "name: order-processor", "name: orders")
    preview = checkout.run("preview")
    assert (
        "warning: team-beta: the app order-processor is removed and orders is added."
        in preview.output
    )
