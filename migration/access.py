"""RoleBindings as `access` of a team's file."""

from collections.abc import Sequence

from migration.documents import Manifest, note_other_name
from migration.findings import Findings
from migration.value import Value
from specs.problem import Loc

# Kubernetes' roles, and whose they are in a team's file.
ROLES = {"edit": "developers", "view": "viewers"}


def read_access(
    team: str, home: Manifest, bindings: Sequence[Manifest], findings: Findings
) -> dict[str, Value]:
    """Groups where they are not the default ones; who has no binding has no access.

    `home` is what tells the team's name: releases alone say nothing of who has access.
    """
    if not bindings and home.kind != "Namespace":
        return {}
    found: dict[str, list[Value]] = {who: [] for who in ROLES.values()}
    for binding in bindings:
        role = binding.mapping("roleRef")
        who = ROLES.get(str(role.get("name"))) if role.get("kind") == "ClusterRole" else None
        if who is None:
            message = (
                "gives another role than edit or view; put the group into `access`, which may let "
                "it do less, or bind it by other means"
            )
            findings.lost.append(binding.problem(("roleRef", "name"), message))
            continue
        _add_groups(binding, found[who], findings)
        if found[who]:
            note_other_name(binding, f"{team}-{who}", findings)
    home = bindings[0] if bindings else home
    return {
        who: Value(home.source, home.at, groups)
        for who, groups in found.items()
        if [group.data for group in groups] != [f"{team}-{who}"]
    }


def _add_groups(binding: Manifest, groups: list[Value], findings: Findings) -> None:
    for index, subject in enumerate(binding.entries("subjects")):
        loc: Loc = ("subjects", index)
        if not isinstance(subject, dict) or subject.get("kind") != "Group":
            message = "only groups can be given access; put the account into one"
            findings.lost.append(binding.problem(loc, message))
        elif subject.get("name") not in [group.data for group in groups]:
            groups.append(binding.value((*loc, "name"), subject.get("name")))
