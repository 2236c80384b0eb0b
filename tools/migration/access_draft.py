"""RoleBindings as `access` of a team's file."""

from collections.abc import Iterator, Sequence
from typing import Any

from specs.problem import Loc
from specs.settings import KubernetesSettings
from tools.migration.documents import Manifest, note_other_name
from tools.migration.import_findings import Findings
from tools.migration.value import Value

_INTO_GROUP = "add the account to a group"

# The roles of developers and viewers.
_ROLES = {"edit": "developers", "view": "viewers"}


def made_binding(team: str, binding: Manifest) -> str:
    """Name of the RoleBinding with which the program grants the same."""
    role = str(binding.get("roleRef", "name"))
    further = f"{team}-role-{role}"
    # Both may grant `view`, but viewers have access to Harbor too: the name tells which it is.
    is_further = role not in _ROLES or binding.name == further
    return further if is_further else f"{team}-{_ROLES[role]}"


def read_access(
    team: str,
    home: Manifest,
    bindings: Sequence[Manifest],
    cluster: KubernetesSettings,
    findings: Findings,
) -> dict[str, Any]:
    """Groups that differ from the defaults; a group without a binding has no access.

    `home` is the object that names the team: releases alone do not say who has access.
    """
    if not bindings and home.kind != "Namespace":
        return {}
    found: dict[str, list[Value]] = {who: [] for who in _ROLES.values()}
    roles: dict[str, Value] = {}
    for binding in bindings:
        role = str(binding.get("roleRef", "name"))
        known = dict.fromkeys((*_ROLES, *cluster.group_roles))
        if binding.get("roleRef", "kind") != "ClusterRole" or role not in known:
            subjects = binding.entries("subjects")
            is_of_group = any(
                isinstance(each, dict) and each.get("kind") == "Group" for each in subjects
            )
            into = "add the group to `access`, which may grant fewer rights, or " * is_of_group
            message = f"gives a role other than {' or '.join(known)}; {into}bind it by other means"
            findings.lost.append(binding.problem(("roleRef", "name"), message))
            continue
        lost_before = len(findings.lost)
        groups = list(_groups(binding, cluster.group_prefix, findings))
        made = made_binding(team, binding)
        if who := next((who for who in found if made == f"{team}-{who}"), None):
            there = {group.data for group in found[who]}
            found[who] += (group for group in groups if group.data not in there)
        else:
            _add_role(binding, role, groups, roles, findings)
        if groups:
            is_lossy = len(findings.lost) > lost_before
            note_other_name(binding, made, findings, is_lossy=is_lossy)
    home = bindings[0] if bindings else home
    access: dict[str, Any] = {
        who: Value(home.source, home.at, groups)
        for who, groups in found.items()
        if [group.data for group in groups] != [f"{team}-{who}"]
    }
    return {**access, "roles": roles} if roles else access


def _add_role(
    binding: Manifest,
    role: str,
    groups: Sequence[Value],
    roles: dict[str, Value],
    findings: Findings,
) -> None:
    for group in groups:
        given = roles.setdefault(group.data, binding.value(("roleRef", "name"), role))
        if given.data != role:
            message = (
                f"the group has {given.data} too, but a team's file can give it only one; "
                "remove one"
            )
            findings.lost.append(group.problem(message))


def _groups(binding: Manifest, prefix: str, findings: Findings) -> Iterator[Value]:
    """The groups in a team file's form: without the API server's prefix."""
    seen = set[str]()
    for index, subject in enumerate(binding.entries("subjects")):
        loc: Loc = ("subjects", index)
        if not isinstance(subject, dict) or subject.get("kind") != "Group":
            is_account = isinstance(subject, dict) and subject.get("kind") == "ServiceAccount"
            way = "bind the service account by other means" if is_account else _INTO_GROUP
            message = f"only groups can be given access; {way}"
            findings.lost.append(binding.problem(loc, message))
            continue
        name = str(subject.get("name"))
        if not name.startswith(prefix):
            message = (
                f"'{name}' lacks the stack's kubernetes.groupPrefix '{prefix}': it is not a "
                "Keycloak group; bind it by other means"
            )
            findings.lost.append(binding.problem((*loc, "name"), message))
        elif name not in seen:
            seen.add(name)
            yield binding.value((*loc, "name"), name.removeprefix(prefix))
