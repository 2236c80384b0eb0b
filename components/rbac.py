"""RoleBindings of Keycloak groups to Kubernetes' own roles (NIST 800-53 AC-3, AC-6)."""

from pulumi_kubernetes.rbac.v1 import RoleBinding, RoleRefArgs, SubjectArgs

from components.metadata import Place, object_meta, team_labels
from specs.team import Team

_GROUP = "rbac.authorization.k8s.io"


def role_bindings(team: Team, place: Place) -> list[RoleBinding]:
    """`<team>-developers` (edit) and `<team>-viewers` (view) (guide: Tenant namespace)."""
    grants = {"developers": ("edit", team.developers), "viewers": ("view", team.viewers)}
    return [
        RoleBinding(
            place.name(f"{team.name}-{who}"),
            metadata=object_meta(place, f"{team.name}-{who}", team_labels(team)),
            role_ref=RoleRefArgs(api_group=_GROUP, kind="ClusterRole", name=role),
            subjects=[SubjectArgs(api_group=_GROUP, kind="Group", name=name) for name in groups],
            opts=place.options,
        )
        for who, (role, groups) in grants.items()
    ]
