"""What a team has while it is active, suspended and offboarding, and how it may go."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.deployed import KEPT, teams_in
from tests.conftest import Program
from tests.program import (
    APP,
    AUTH_ROLE,
    CLAIM,
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
    SERVICE_ACCOUNT,
    TENANT,
    TENANT_STORE,
    Made,
    cronjob,
    merged,
    one_of_each,
    read_yaml,
    team_file,
    web_app,
    worker,
)

HOLDS_DATA = {NAMESPACE, CLAIM, PROJECT, RETENTION, ROBOT, CREDENTIAL}
ACCESSOR = {"oidcAccessor": "auth_oidc_1a2b3c4d"}


def lived(program: Program, lifecycle: str, **settings: Any) -> Made:
    """A team with an app of each archetype, each of which reads a secret and has a volume."""
    volume = "{name: data, path: /data, size: 1Gi, accessMode: ReadWriteMany}"
    keys = f"app: {{env: [{{name: DATABASE_URL, secretRef: shop-db}}], volumes: [{volume}]}}"
    file = merged(one_of_each(keys), web_app("ingress: {enabled: true, host: a.example.com}"))
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


def test_suspended_no_one_can_start_a_pod_by_hand(program: Program) -> None:
    quota = lived(program, "suspended").one(QUOTA, "team-alpha/team-alpha-quota")
    assert quota.spec["hard"]["pods"] == "0"


def test_the_pods_that_come_back_wait_for_the_quota_to_let_them(program: Program) -> None:
    made = lived(program, "active")
    for one in made.with_pods():
        assert f"{QUOTA} team-alpha/team-alpha-quota" in one.depends_on


def test_offboarding_no_app_is_left_and_no_one_has_access(program: Program) -> None:
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
    assert len(policies) == 7


def test_an_active_teams_robots_are_enabled(program: Program) -> None:
    assert [one.inputs["disable"] for one in lived(program, "active").all(ROBOT)] == [False, False]


def test_what_an_offboarded_team_keeps_is_known_to_the_check(program: Program) -> None:
    kept = {
        one.type.rpartition(":")[2]
        for one in lived(program, "offboarding").resources
        if one.parent == f"{TENANT} team-alpha"
    }
    assert kept == KEPT


def beta(program: Program, lifecycle: str = "active", app: str = "") -> dict[str, Any]:
    """The state of a stack that has the teams alpha and beta, beta so and with a worker."""
    apps = [] if not app else read_yaml(worker(name=app))["apps"]
    file = team_file(*apps, keys=f"{{lifecycle: {lifecycle}, {ACCESS}}}", team="team-beta")
    return program(team_file(), file.replace("/team-alpha/", "/team-beta/")).state()


ACCESS = "access: {developers: [team-beta-developers], viewers: [team-beta-viewers]}"


def refused(program: Program, *files: str, before: Mapping[str, Any], **settings: Any) -> str:
    """The one line that says why."""
    with pytest.raises(pulumi.RunError) as error:
        program(*files, before=before, **settings)
    (line,) = str(error.value).splitlines()
    return line


@pytest.mark.parametrize("lifecycle", ["active", "suspended"])
def test_a_team_whose_file_is_gone_is_refused_with_the_missing_step(
    program: Program, lifecycle: str
) -> None:
    line = refused(program, team_file(), before=beta(program, lifecycle))
    assert (
        "/team-beta.yaml:1:1: (file): team-beta no longer has a file, but AuthBackendRole " in line
    )
    assert (
        "are still there; put it back, set `lifecycle: offboarding` in its file, run `up`" in line
    )


def test_a_team_that_its_stack_no_longer_names_is_refused_too(program: Program) -> None:
    files = team_file(), team_file(team="team-beta")
    line = refused(program, *files, teams=["team-alpha"], before=beta(program))
    assert line.startswith("Pulumi.test.yaml:1:1: (file): team-beta is no longer among this stack")


def test_every_team_that_is_gone_is_reported(program: Program) -> None:
    before = program(*(team_file(team=f"team-{name}") for name in ("alpha", "beta", "gamma")))
    with pytest.raises(pulumi.RunError) as error:
        program(team_file(), before=before.state())
    assert len(str(error.value).splitlines()) == 2


def test_an_offboarded_team_may_be_removed(program: Program) -> None:
    made = program(team_file(), before=beta(program, "offboarding"))
    assert list(made.outputs["teams"]) == ["team-alpha"]


def test_the_removal_of_a_partly_removed_team_may_continue(program: Program) -> None:
    # Harbor keeps a project that holds images; what is deleted before it is gone.
    offboarded = beta(program, "offboarding")
    left = {urn: one for urn, one in offboarded.items() if one["type"] == PROJECT}
    assert len(left) == 2
    program(team_file(), before={**program(team_file()).state(), **left})


def test_the_file_alone_does_not_offboard_a_team(program: Program) -> None:
    # It says so, but no `up` has done it yet: the file may not go, and still it may stay.
    made = program(team_file(keys="lifecycle: offboarding"), before=program(team_file()).state())
    assert made.outputs["teams"]["team-alpha"]["lifecycle"] == "offboarding"


def of_beta(program: Program, kind: str, name: str) -> dict[str, Any]:
    """From the state of an active team, with a worker: one resource by its URN."""
    (found,) = [
        (urn, one)
        for urn, one in beta(program, app="consumer").items()
        if (one["type"], urn.rpartition("::")[2]) == (kind, name)
    ]
    return dict([found])


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (ROLE_BINDING, "team-beta/team-beta-developers", ""),
        (ROLE_BINDING, "team-beta/team-beta-viewers", ""),
        (MEMBER, "team-beta/team-beta-developers", ""),
        (AUTH_ROLE, "team-beta", ""),
        (POLICY, "team-beta", ""),
        (EXTERNAL_SECRET, "team-beta/harbor-pull", ""),
        (DEPLOYMENT, "team-beta/consumer", ""),
        (SERVICE_ACCOUNT, "team-beta/consumer", ""),
        (NETWORK_POLICY, "team-beta/consumer", ""),
        (ROBOT, "team-beta/pull", " (enabled)"),
        (ROBOT, "team-beta/push", " (enabled)"),
        (QUOTA, "team-beta/team-beta-quota", " (lets pods start)"),
    ],
)
def test_a_team_of_which_an_up_that_failed_has_left_something_is_refused(
    program: Program, kind: str, name: str, said: str
) -> None:
    left = of_beta(program, kind, name)
    line = refused(program, team_file(), before={**beta(program, "offboarding"), **left})
    what = f"{kind.rpartition(':')[2]} {name}{said}"
    assert f"team-beta no longer has a file, but {what} is still there; put it back" in line


def test_of_what_is_left_three_are_named_and_the_rest_is_counted(program: Program) -> None:
    offboarded = beta(program, "offboarding")
    names = ["AuthBackendRole team-beta", "Policy team-beta", "RobotAccount team-beta/pull"]
    left = of_beta(program, AUTH_ROLE, "team-beta") | of_beta(program, POLICY, "team-beta")
    line = refused(program, team_file(), before={**offboarded, **left})
    assert f"but {' and '.join(names[:2])} are still there; " in line
    left |= of_beta(program, ROBOT, "team-beta/pull")
    left |= of_beta(program, ROLE_BINDING, "team-beta/team-beta-viewers")
    line = refused(program, team_file(), before={**offboarded, **left})
    assert f"but {', '.join(names)} (enabled) and 1 more are still there; " in line


def test_a_secret_of_the_state_is_not_shown(program: Program) -> None:
    left = of_beta(program, ROBOT, "team-beta/pull")
    for one in left.values():
        one["outputs"] = {**one["outputs"], "secret": "hunter2"}
    line = refused(program, team_file(), before={**beta(program, "offboarding"), **left})
    assert "hunter2" not in line


def test_a_team_that_another_stack_has_now_may_be_removed(program: Program) -> None:
    # `pulumi state move` has taken all of it along.
    made = program(team_file(), before=program(team_file()).state())
    assert list(made.outputs["teams"]) == ["team-alpha"]


def test_the_setting_that_once_let_teams_go_no_longer_does(program: Program) -> None:
    line = refused(program, team_file(), before=beta(program), moved=["team-beta"])
    assert "team-beta no longer has a file" in line


def test_what_does_not_belong_to_a_team_is_not_one(program: Program) -> None:
    before = program(team_file(), platform=True).state()
    by_hand = "urn:pulumi:test::sre-platform::kubernetes:core/v1:Namespace::team-beta"
    program(team_file(), before={**before, by_hand: {"type": NAMESPACE, "outputs": {}}})


def test_a_renamed_team_gets_a_note_that_nothing_is_moved(program: Program) -> None:
    before = program(team_file(team="team-old")).state()
    line = refused(program, team_file(), before=before)
    assert "team-alpha would not take over team-old's objects, as a" in line


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lines.append)
    return lines


def test_the_effect_of_renaming_an_app_is_reported_before_it_happens(
    program: Program, warned: list[str]
) -> None:
    program(web_app(name="new"), before=program(web_app(name="old")).state())
    (line,) = warned
    assert line.startswith(
        "team-alpha: the app old is removed and new is added. If you are renaming it"
    )
    assert "all objects of old are deleted" in line


def test_of_several_new_apps_each_may_be_the_new_name(program: Program, warned: list[str]) -> None:
    file = merged(*(web_app("autoscaling: {maxReplicas: 2}", name) for name in ("new", "other")))
    program(file, before=program(web_app(name="old")).state())
    (line,) = warned
    assert line.startswith("team-alpha: the app old is removed and new or other is added. ")


def test_an_app_that_is_only_added_or_removed_is_not_a_rename(
    program: Program, warned: list[str]
) -> None:
    def having(file: str) -> Mapping[str, Any]:
        return program(file).state()

    program(web_app(name="come"), before=having(team_file()))
    program(team_file(), before=having(web_app(name="gone")))
    program(worker(name="comes"), before=having(web_app(name="goes")))
    program(cronjob(name="comes"), before=having(worker(name="goes")))
    program(web_app(name="here"), before=having(web_app(name="here")))
    assert warned == []


def test_an_app_s_archetype_is_read_from_its_objects(program: Program) -> None:
    metrics = "serviceMonitor: {enabled: true, port: 9090}"
    file = merged(web_app(), worker(metrics), cronjob(name="night"))
    teams = teams_in(program(file, team_file(team="team-beta")).state())
    assert teams["team-alpha"].apps == {
        "my-api": "web-app",
        "consumer": "worker",
        "night": "cronjob",
    }
    assert teams["team-beta"].apps == {}
