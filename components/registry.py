"""A team's Harbor project: private, scanned and signed, with robots, retention and members.

NIST 800-53 SI-7, RA-5; guide: Harbor project.
"""

import pulumi
import pulumiverse_harbor as harbor

from specs.env_vars import PULL_SECRET, PUSH_SECRET
from specs.settings import Settings
from specs.team import Team

# Harbor's role for each kind of Keycloak group.
_ROLES = {"developers": "developer", "viewers": "guest"}

# What CI may do: push, pull, start scans and read their reports.
_CI_ACCESS = (
    ("repository", "push"),
    ("repository", "pull"),
    ("artifact", "read"),
    ("artifact-addition", "read"),
    ("scan", "create"),
    ("scan", "read"),
)
_CLUSTER_ACCESS = (("repository", "pull"),)


def harbor_project(
    team: Team, settings: Settings, parent: pulumi.Resource
) -> tuple[harbor.Project, dict[str, harbor.RobotAccount]]:
    """Project `<team>` with robots `push` (CI) and `pull` (the cluster).

    The robots are keyed by the name under which their credentials are stored.

    Until a team is offboarded, nothing here can be deleted: Harbor refuses to delete a project that
    holds images, but only after its robots, members and retention are gone.
    """
    protected = pulumi.ResourceOptions(parent=parent, protect=not team.offboarding)
    registry = team.registry
    project = harbor.Project(
        team.name,
        name=team.name,
        public=False,
        vulnerability_scanning=True,
        enable_content_trust_cosign=registry.signatures.enforce,
        storage_quota=registry.storage_quota,
        force_destroy=False,
        opts=protected,
    )
    harbor.RetentionPolicy(
        team.name,
        # `/projects/N`: a bare number would read back differently and replace the policy on every
        # update, and Harbor leaves a replaced policy empty.
        scope=project.id,
        schedule=registry.retention.schedule,
        rules=[
            harbor.RetentionPolicyRuleArgs(
                most_recently_pushed=registry.retention.most_recently_pushed,
                repo_matching="**",
                tag_matching="**",
                untagged_artifacts=False,
            )
        ],
        opts=pulumi.ResourceOptions.merge(
            protected, pulumi.ResourceOptions(depends_on=_members(team, project, settings, parent))
        ),
    )
    robots = {
        PUSH_SECRET: _robot(team, "push", "CI of", _CI_ACCESS, project, protected),
        PULL_SECRET: _robot(team, "pull", "the cluster, for", _CLUSTER_ACCESS, project, protected),
    }
    return project, robots


def _members(
    team: Team, project: harbor.Project, settings: Settings, parent: pulumi.Resource
) -> list[harbor.ProjectMemberGroup]:
    """The team's groups, while it has access.

    Not protected, so that a group can be revoked. If the whole team would be deleted, the retention
    policy keeps them: it depends on them, is protected and would be deleted first.
    """
    if team.offboarding or not settings.harbor.map_groups:
        return []
    return [
        harbor.ProjectMemberGroup(
            f"{team.name}/{group}",
            project_id=project.id,
            group_name=f"{settings.harbor.group_prefix}{group}",
            role=_ROLES[who],
            type="oidc",
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for who, groups in (("developers", team.developers), ("viewers", team.viewers))
        for group in groups
    ]


def _robot(
    team: Team,
    name: str,
    user: str,
    access: tuple[tuple[str, str], ...],
    project: harbor.Project,
    opts: pulumi.ResourceOptions,
) -> harbor.RobotAccount:
    """A robot of the project; Harbor chooses its secret, which is an output of this resource."""
    return harbor.RobotAccount(
        f"{team.name}/{name}",
        name=name,
        level="project",
        description=f"For {user} {team.name}; made by Pulumi.",
        duration=team.registry.robots.duration,
        # Not deleted: its credential is stored, and stays so until the team's file is deleted.
        disable=team.offboarding,
        permissions=[
            harbor.RobotAccountPermissionArgs(
                kind="project",
                namespace=project.name,
                accesses=[
                    harbor.RobotAccountPermissionAccessArgs(resource=resource, action=action)
                    for resource, action in access
                ],
            )
        ],
        opts=opts,
    )
