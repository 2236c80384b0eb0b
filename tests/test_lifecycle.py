"""What a team has while it is active, suspended and offboarding, and how it may go."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from tests.conftest import Program
from tests.program import (
    APP,
    AUTH_ROLE,
    CREDENTIAL,
    CRON_JOB,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    GROUP,
    MEMBER,
    NAMESPACE,
    NETWORK_POLICY,
    POLICY,
    PROJECT,
    QUOTA,
    RETENTION,
    ROBOT,
    ROLE_BINDING,
    TENANT_STORE,
    Made,
    merged,
    one_of_each,
    team_file,
    web_app,
    worker,
)

HOLDS_DATA = {NAMESPACE, PROJECT, RETENTION, ROBOT, CREDENTIAL}
ACCESSOR = {"oidcAccessor": "auth_oidc_1a2b3c4d"}


def lived(program: Program, lifecycle: str, **settings: Any) -> Made:
    """A team with an app of each archetype, each of which reads a secret."""
    secret = "app: {env: [{name: DATABASE_URL, secretRef: shop-db}]}"
    file = merged(one_of_each(secret), web_app("ingress: {enabled: true, host: a.example.com}"))
    return program(file + f"lifecycle: {lifecycle}\n", openbao=ACCESSOR, **settings)


def states(made: Made) -> set[str]:
    return {str(one) for one in made.resources}


def differing(one: Made, other: Made) -> dict[str, Mapping[str, Any]]:
    """Inputs in `other` of the resources that are in both and differ."""
    before = {str(resource): resource.inputs for resource in one.resources}
    return {
        str(resource): resource.inputs
        for resource in other.resources
        if before.get(str(resource), resource.inputs) != resource.inputs
    }


def test_a_team_is_active_unless_its_file_says_otherwise(program: Program) -> None:
    assert program(team_file()).outputs["teams"]["team-alpha"]["lifecycle"] == "active"
    assert differing(program(team_file()), program(team_file(keys="lifecycle: active"))) == {}


def test_suspended_nothing_runs_and_all_else_stays_as_it_is(program: Program) -> None:
    active, suspended = lived(program, "active"), lived(program, "suspended")
    assert states(active) == states(suspended)
    changed = differing(active, suspended)
    assert changed.keys() == {
        f"{QUOTA} team-alpha/team-alpha-quota",
        f"{DEPLOYMENT} team-alpha/web-app",
        f"{DEPLOYMENT} team-alpha/my-api",
        f"{DEPLOYMENT} team-alpha/worker",
        f"{CRON_JOB} team-alpha/cronjob",
    }
    for deployment in suspended.all(DEPLOYMENT):
        assert deployment.spec["replicas"] == 0
    assert suspended.one(CRON_JOB, "team-alpha/cronjob").spec["suspend"] is True
    assert {one.type for one in suspended.resources if one.protect} == HOLDS_DATA


def test_suspended_nobody_can_start_a_pod_by_hand(program: Program) -> None:
    quota = lived(program, "suspended").one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.spec["hard"]["pods"] == "0"


def test_the_pods_that_come_back_wait_for_the_quota_to_let_them(program: Program) -> None:
    made = lived(program, "active")
    for one in made.with_pods():
        assert f"{QUOTA} team-alpha/team-alpha-quota" in one.depends_on


def test_offboarding_no_app_is_left_and_nobody_has_access(program: Program) -> None:
    made = lived(program, "offboarding", externalSecrets={"secretStore": "tenant"})
    gone = [APP, DEPLOYMENT, CRON_JOB, EXTERNAL_SECRET, ROLE_BINDING, MEMBER]
    gone += [AUTH_ROLE, POLICY, GROUP, TENANT_STORE]
    assert {kind: made.names(kind) for kind in gone if made.names(kind)} == {}
    assert {robot.name: robot.inputs["disable"] for robot in made.all(ROBOT)} == {
        "team-alpha/pull": True,
        "team-alpha/push": True,
    }


def test_offboarding_the_data_is_still_there_and_no_longer_protected(program: Program) -> None:
    made = lived(program, "offboarding")
    assert {one.type for one in made.resources} >= HOLDS_DATA
    assert [str(one) for one in made.resources if one.protect] == []


def test_offboarding_changes_nothing_of_the_data(program: Program) -> None:
    changed = differing(lived(program, "active"), lived(program, "offboarding"))
    namespace = changed.pop(f"{NAMESPACE} team-alpha")
    assert "annotations" not in namespace["metadata"]  # its hosts
    assert changed.pop(f"{QUOTA} team-alpha/team-alpha-quota")["spec"]["hard"]["pods"] == "0"
    assert {name.partition(" ")[0] for name in changed} == {ROBOT}


def test_offboarding_the_namespace_stays_closed(program: Program) -> None:
    policies = lived(program, "offboarding").names(NETWORK_POLICY)
    assert "team-alpha/default-deny-all" in policies
    assert len(policies) == 6


def test_an_active_teams_robots_are_enabled(program: Program) -> None:
    assert [one.inputs["disable"] for one in lived(program, "active").all(ROBOT)] == [False, False]


def outputs(*teams: str, lifecycle: str = "active", **apps: str) -> Mapping[str, Any]:
    """What a stack's last `up` has left behind, with apps as `name=archetype`."""
    about = {name.replace("_", "-"): {"archetype": kind} for name, kind in apps.items()}
    return {"teams": {team: {"lifecycle": lifecycle, "apps": about} for team in teams}}


@pytest.mark.parametrize("lifecycle", ["active", "suspended"])
def test_a_team_whose_file_is_gone_is_refused_with_the_missing_step(
    program: Program, lifecycle: str
) -> None:
    with pytest.raises(pulumi.RunError) as error:
        program(team_file(), before=outputs("team-alpha", "team-beta", lifecycle=lifecycle))
    (line,) = str(error.value).splitlines()
    assert "/team-beta.yaml:1:1: (file): team-beta has no file any more, but it is still " in line
    assert f"still {lifecycle}; put it back, set `lifecycle: offboarding` in its file" in line


def test_a_team_that_its_stack_no_longer_names_is_refused_too(program: Program) -> None:
    files = team_file(), team_file(team="team-beta")
    with pytest.raises(pulumi.RunError, match=r"^Pulumi\.test\.yaml:1:1: .*team-beta is no longer"):
        program(*files, teams=["team-alpha"], before=outputs("team-alpha", "team-beta"))


def test_a_team_of_before_there_were_lifecycles_counts_as_active(program: Program) -> None:
    before = {"teams": {"team-beta": {"namespace": "team-beta", "apps": {}}}}
    with pytest.raises(pulumi.RunError, match="team-beta has no file any more"):
        program(team_file(), before=before)


def test_every_team_that_is_gone_is_told(program: Program) -> None:
    with pytest.raises(pulumi.RunError) as error:
        program(team_file(), before=outputs("team-beta", "team-gamma"))
    assert len(str(error.value).splitlines()) == 2


def test_an_offboarded_team_may_go(program: Program) -> None:
    made = program(team_file(), before=outputs("team-beta", lifecycle="offboarding"))
    assert list(made.outputs["teams"]) == ["team-alpha"]


def test_a_team_that_another_stack_has_now_may_go(program: Program) -> None:
    before = outputs("team-alpha", "team-beta")
    made = program(team_file(), before=before, moved=["team-beta"])
    assert list(made.outputs["teams"]) == ["team-alpha"]


def test_the_file_alone_does_not_offboard_a_team(program: Program) -> None:
    # It says so, but no `up` has done it yet: the file may not go, and still it may stay.
    made = program(team_file(keys="lifecycle: offboarding"), before=outputs("team-alpha"))
    assert made.outputs["teams"]["team-alpha"]["lifecycle"] == "offboarding"


def test_a_renamed_team_is_told_that_nothing_is_moved(program: Program) -> None:
    with pytest.raises(pulumi.RunError, match="team-alpha would get nothing of team-old, as a"):
        program(team_file(), before=outputs("team-old"))


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lines.append)
    return lines


def test_what_renaming_an_app_does_is_said_before_it_happens(
    program: Program, warned: list[str]
) -> None:
    program(web_app(name="new"), before=outputs("team-alpha", old="web-app"))
    (line,) = warned
    assert line.startswith("team-alpha: the app old goes and new comes. If that is a new name")
    assert "all objects of old are deleted" in line


def test_of_several_new_apps_each_may_be_the_new_name(program: Program, warned: list[str]) -> None:
    file = merged(*(web_app("autoscaling: {maxReplicas: 2}", name) for name in ("new", "other")))
    program(file, before=outputs("team-alpha", old="web-app"))
    (line,) = warned
    assert line.startswith("team-alpha: the app old goes and new or other comes. ")


def test_an_app_that_comes_or_goes_alone_is_no_rename(program: Program, warned: list[str]) -> None:
    program(web_app(name="come"), before=outputs("team-alpha"))
    program(team_file(), before=outputs("team-alpha", gone="web-app"))
    program(worker(name="comes"), before=outputs("team-alpha", goes="web-app"))
    program(web_app(name="here"), before=outputs("team-alpha", here="web-app"))
    assert warned == []
