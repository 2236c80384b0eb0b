"""A team's Harbor project: what it enforces, keeps and lets in."""

from tests.conftest import Program
from tests.program import MEMBER, PROJECT, RETENTION, ROBOT, team_file

REGISTRY = """
registry:
  storageQuota: 7
  retention: {schedule: Hourly, mostRecentlyPushed: 3}
  signatures: {enforce: false, reason: images are being signed}
  robots: {duration: 30}
"""


def test_the_project_is_private_scans_and_serves_signed_images_only(program: Program) -> None:
    assert program(team_file()).one(PROJECT, "team-alpha").inputs == {
        "name": "team-alpha",
        "public": False,
        "vulnerabilityScanning": True,
        "enableContentTrustCosign": True,
        "storageQuota": 50,
        "forceDestroy": False,
    }


def test_the_team_can_set_its_storage_and_turn_signatures_off(program: Program) -> None:
    inputs = program(team_file(keys=REGISTRY)).one(PROJECT, "team-alpha").inputs
    assert (inputs["storageQuota"], inputs["enableContentTrustCosign"]) == (7, False)
    assert not inputs["public"]


def test_retention_keeps_the_last_images_of_each_repository(program: Program) -> None:
    retention = program(team_file()).one(RETENTION, "team-alpha").inputs
    assert retention["schedule"] == "Daily"
    assert retention["rules"] == [
        {
            "mostRecentlyPushed": 20,
            "repoMatching": "**",
            "tagMatching": "**",
            "untaggedArtifacts": False,
        }
    ]


def test_the_team_can_set_its_retention(program: Program) -> None:
    retention = program(team_file(keys=REGISTRY)).one(RETENTION, "team-alpha").inputs
    assert retention["schedule"] == "Hourly"
    assert [rule["mostRecentlyPushed"] for rule in retention["rules"]] == [3]


def test_retention_and_members_refer_to_the_project_by_its_id(program: Program) -> None:
    made = program(team_file())
    project = "[id of Project team-alpha]"
    assert made.one(RETENTION, "team-alpha").inputs["scope"] == project
    assert {member.inputs["projectId"] for member in made.all(MEMBER)} == {project}


def test_two_robots_one_that_pushes_and_one_that_pulls(program: Program) -> None:
    made = program(team_file())
    assert made.names(ROBOT) == ["team-alpha/pull", "team-alpha/push"]
    for name in ("push", "pull"):
        inputs = made.one(ROBOT, f"team-alpha/{name}").inputs
        assert (inputs["name"], inputs["level"]) == (name, "project")
        assert inputs["duration"] == -1
        assert "secret" not in inputs  # Harbor makes it


def test_ci_s_robot_may_push_pull_and_start_and_read_scans_in_its_project_only(
    program: Program,
) -> None:
    robot = program(team_file()).one(ROBOT, "team-alpha/push")
    (permission,) = robot.inputs["permissions"]
    assert (permission["kind"], permission["namespace"]) == ("project", "team-alpha")
    assert {(access["resource"], access["action"]) for access in permission["accesses"]} == {
        ("repository", "push"),
        ("repository", "pull"),
        ("artifact", "read"),
        ("artifact-addition", "read"),
        ("scan", "create"),
        ("scan", "read"),
    }


def test_the_cluster_s_robot_may_pull_from_its_project_and_nothing_else(program: Program) -> None:
    robot = program(team_file()).one(ROBOT, "team-alpha/pull")
    assert robot.inputs["permissions"] == [
        {
            "kind": "project",
            "namespace": "team-alpha",
            "accesses": [{"resource": "repository", "action": "pull"}],
        }
    ]


def test_the_robots_credentials_can_expire(program: Program) -> None:
    robots = program(team_file(keys=REGISTRY)).all(ROBOT)
    assert [robot.inputs["duration"] for robot in robots] == [30, 30]


def test_the_team_s_keycloak_groups_are_members(program: Program) -> None:
    made = program(team_file(keys="access: {developers: [builders, ops]}"))
    members = {
        (member.inputs["groupName"], member.inputs["role"], member.inputs["type"])
        for member in made.all(MEMBER)
    }
    assert members == {
        ("builders", "developer", "oidc"),
        ("ops", "developer", "oidc"),
        ("team-alpha-viewers", "guest", "oidc"),
    }


def test_no_group_is_a_member_where_harbor_has_no_groups(program: Program) -> None:
    made = program(team_file(), harbor={"mapGroups": False})
    assert made.names(MEMBER) == []
    assert made.names(PROJECT) == ["team-alpha"]


def test_a_group_can_be_revoked_but_is_deleted_after_what_is_protected(program: Program) -> None:
    # Of all that Harbor would delete before a project, deleting this is refused first.
    made = program(team_file())
    retention = made.one(RETENTION, "team-alpha")
    assert retention.protect
    assert made.all(MEMBER)
    for member in made.all(MEMBER):
        assert not member.protect
        assert str(member) in retention.depends_on


def test_everything_in_the_project_waits_for_it(program: Program) -> None:
    made = program(team_file())
    project = str(made.one(PROJECT, "team-alpha"))
    for inner in [*made.all(ROBOT), *made.all(MEMBER), *made.all(RETENTION)]:
        assert project in inner.depends_on, inner
