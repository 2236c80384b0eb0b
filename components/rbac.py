"""RoleBindings of Keycloak groups to ClusterRoles (NIST 800-53 AC-3, AC-6)."""

from pulumi_kubernetes.rbac.v1 import RoleBinding, RoleRefArgs, SubjectArgs

from components.metadata import Place, object_meta, team_labels
from specs.settings import Settings
from specs.team import Team

_GROUP = "rbac.authorization.k8s.io"


def role_bindings(team: Team, place: Place, settings: Settings) -> list[RoleBinding]:
    """`<team>-developers` (edit), `<team>-viewers` (view), and `<team>-role-<role>` for others.

    Guide: Tenant namespace.
    """
    grants = {
        f"{team.name}-developers": ("edit", team.developers),
        f"{team.name}-viewers": ("view", team.viewers),
        # A ClusterRole may be called developers.
        **{f"{team.name}-role-{role}": (role, groups) for role, groups in team.roles.items()},
    }
    prefix = settings.kubernetes.group_prefix
    return [
        RoleBinding(
            place.name(name),
            metadata=object_meta(place, name, team_labels(team)),
            role_ref=RoleRefArgs(api_group=_GROUP, kind="ClusterRole", name=role),
            subjects=[
                SubjectArgs(api_group=_GROUP, kind="Group", name=f"{prefix}{group}")
                for group in groups
            ],
            opts=place.options,
        )
        for name, (role, groups) in grants.items()
    ]
