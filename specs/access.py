"""The groups of a team's file, checked against each other and against the stack."""

from collections.abc import Iterator

from specs.names import nearest
from specs.problem import Finding, Loc, listed_twice
from specs.settings import Settings
from specs.team import Team


def check_access(team: Team, settings: Settings) -> Iterator[Finding]:
    """Report groups listed twice or named in one server's form, and roles not allowed here."""
    for key, groups in (("developers", team.developers), ("viewers", team.viewers)):
        yield from listed_twice((("access", key, index), each) for index, each in enumerate(groups))
    for index, group in enumerate(team.viewers):
        if group in team.developers:
            # Harbor has one role per group.
            yield (
                ("access", "viewers", index),
                f"'{group}' is also listed in developers; remove it from one of the two",
            )
    for loc, group in _groups(team):
        yield from _check_prefix(group, loc, settings)
    for group, role in team.access.roles.items():
        yield from _check_role(team, group, role, settings.kubernetes.group_roles)


def _groups(team: Team) -> Iterator[tuple[Loc, str]]:
    for key, groups in (("developers", team.developers), ("viewers", team.viewers)):
        yield from ((("access", key, index), group) for index, group in enumerate(groups))
    yield from ((("access", "roles", group), group) for group in team.access.roles)


def _check_prefix(group: str, loc: Loc, settings: Settings) -> Iterator[Finding]:
    for prefix in settings.group_prefixes:
        if group.startswith(prefix):
            bare = group.removeprefix(prefix) or f"the group's own name after '{prefix}'"
            yield loc, f"'{group}' begins with the stack's prefix '{prefix}'; write {bare}"
            return
    if f"{settings.kubernetes.group_prefix}{group}".startswith("system:"):
        known = f"{settings.kubernetes.group_prefix}{group}"
        yield loc, f"'{known}' is Kubernetes' own group; name a Keycloak group"


def _check_role(team: Team, group: str, role: str, given: tuple[str, ...]) -> Iterator[Finding]:
    loc: Loc = ("access", "roles", group)
    for own, groups in (("edit", team.developers), ("view", team.viewers)):
        if role == own and group in groups:
            who = "developers" if own == "edit" else "viewers"
            yield (
                loc,
                f"'{group}' is already listed in {who}, which gives it {role}; remove it here",
            )
            return
    if role not in given:
        hint = nearest(role, given)
        do = f"did you mean {hint}?" if hint else "use one of them, or ask the platform team"
        if not given:
            do = "remove it, or ask the platform team"
        listed = ", ".join(given) or "none"
        yield (
            loc,
            f"'{role}' is not one of the roles that this stack allows ({listed}); {do}",
        )
