"""A team's access in OpenBao: who may read its secrets, and the registry credentials stored there.

NIST 800-53 AC-6, IA-5; guide: Secrets Management.
"""

import json
from collections.abc import Mapping

import pulumi
import pulumi_vault as vault
import pulumiverse_harbor as harbor

from components.shared import LOGIN_TOKEN_TTL, Shared
from specs.env_vars import PULL_SECRET, PUSH_SECRET
from specs.settings import Settings
from specs.team import Team


def team_access(
    team: Team, settings: Settings, shared: Shared, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Policy `<team>`, and who gets it; the name of the role.

    That is the role `<team>`, for the namespace's ServiceAccounts, and, if the stack names an OIDC
    accessor, an identity group for each Keycloak group of developers. In a stack where developers
    write secrets, these groups get the policy `<team>.developers` instead.
    """
    opts = pulumi.ResourceOptions(parent=parent)
    policy = vault.Policy(
        team.name,
        name=team.name,
        policy=pulumi.Output.from_input(shared.kv_mount).apply(
            lambda mount: read_policy(mount, team.name)
        ),
        opts=opts,
    )
    role = vault.kubernetes.AuthBackendRole(
        team.name,
        backend=shared.auth_mount,
        role_name=team.name,
        bound_service_account_names=["*"],
        bound_service_account_namespaces=[team.name],
        token_policies=[policy.name],
        token_ttl=LOGIN_TOKEN_TTL,
        opts=opts,
    )
    developers = policy
    if settings.openbao.developer_access == "write":
        developers = vault.Policy(
            f"{team.name}/developers",
            # No team has a name with a dot, so no team's own policy has this name.
            name=f"{team.name}.developers",
            policy=pulumi.Output.from_input(shared.kv_mount).apply(
                lambda mount: write_policy(mount, team.name)
            ),
            opts=opts,
        )
    for name in team.developers if settings.openbao.oidc_accessor else ():
        group = vault.identity.Group(
            f"{team.name}/{name}",
            # The name marks it as this program's: OpenBao would take over an existing group of the
            # same name.
            name=f"{team.name}.{name}",
            type="external",
            policies=[developers.name],
            opts=opts,
        )
        vault.identity.GroupAlias(
            f"{team.name}/{name}",
            name=f"{settings.openbao.group_prefix}{name}",
            mount_accessor=settings.openbao.oidc_accessor,
            canonical_id=group.id,
            opts=opts,
        )
    return role.role_name


def read_policy(mount: str, team: str) -> str:
    """OpenBao policy (HCL): read the team's secrets and list their names, nothing else.

    The slash before `*` matters: without it, `team-a` could read `team-ab`.
    """
    return (
        f'path "{mount}/data/{team}/*" {{\n  capabilities = ["read"]\n}}\n'
        f'path "{mount}/metadata/{team}/*" {{\n  capabilities = ["read", "list"]\n}}\n'
    )


def write_policy(mount: str, team: str) -> str:
    """OpenBao policy (HCL): store the team's secrets without reading or deleting them.

    What it shows of them are names, versions and keys. The robots' credentials are the program's:
    at their paths, the longer match, nothing is allowed.
    """
    denied = "".join(
        f'path "{mount}/data/{team}/{secret}" {{\n  capabilities = ["deny"]\n}}\n'
        for secret in (PULL_SECRET, PUSH_SECRET)
    )
    return (
        f'path "{mount}/data/{team}/*" {{\n  capabilities = ["create", "update", "patch"]\n}}\n'
        f"{denied}"
        f'path "{mount}/metadata/{team}/*" {{\n  capabilities = ["read", "list"]\n}}\n'
        f'path "{mount}/subkeys/{team}/*" {{\n  capabilities = ["read"]\n}}\n'
    )


def store_credentials(
    team: Team,
    robots: Mapping[str, harbor.RobotAccount],
    settings: Settings,
    shared: Shared,
    parent: pulumi.Resource,
) -> list[vault.kv.SecretV2]:
    """The robots' credentials at `sre/<team>/harbor-push` and `sre/<team>/harbor-pull`.

    Keys: `registry`, `username`, `password`. The values are secret in Pulumi's state and displays.
    """
    stored = []
    for secret, robot in robots.items():
        document = pulumi.Output.all(robot.full_name, robot.secret).apply(
            lambda login: _credential(settings.harbor.host, *login)
        )
        stored.append(
            vault.kv.SecretV2(
                f"{team.name}/{secret}",
                mount=shared.kv_mount,
                name=f"{team.name}/{secret}",
                data_json=pulumi.Output.secret(document),
                # A refresh would find the password of `./sre secret rotate`, and the next update
                # would replace it with the robot's first one, which the state has.
                disable_read=True,
                opts=pulumi.ResourceOptions(parent=parent, protect=not team.offboarding),
            )
        )
    return stored


def _credential(host: str, username: str, password: str | None) -> str:
    if not password:
        # An imported robot has no secret in the state: writing that would break every pull.
        raise pulumi.RunError(
            f"the state has no secret for {username}; delete the robot in Harbor and in the state, "
            "and run this again (docs/operations.md)"
        )
    return json.dumps({"registry": host, "username": username, "password": password})
