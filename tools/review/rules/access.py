"""Who has access and with which rights: Kubernetes, Harbor, OpenBao (NIST 800-53 AC-2, 3, 6)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tools.review.pair import Hit, Pair, listed
from tools.review.review_findings import Rules

# From the least to the most; roles not listed count as more than all.
_CLUSTER_ROLES = ("view", "edit", "admin")
# Of developers and viewers.
_USUAL_ROLES = ("edit", "view")
_HARBOR_ROLES = ("limitedguest", "guest", "developer", "maintainer", "projectadmin")

_POLICY_PATH = re.compile(
    r'\s*path\s+"(?P<path>[^"]+)"\s*\{\s*capabilities\s*=\s*\[(?P<may>[^\]]*)\]\s*\}\s*'
)


def role_binding(pair: Pair) -> Iterator[Hit]:
    """A RoleBinding or ClusterRoleBinding."""
    role, former = pair.now("roleRef.name"), pair.was("roleRef.name")
    new = _subjects(pair.now("subjects")) - _subjects(pair.was("subjects"))
    for subject in sorted(new):
        rule = Rules.GROUP if role in _USUAL_ROLES else Rules.ROLE
        yield Hit(rule, f"{subject} gets {role}")
    same_kind = pair.now("roleRef.kind") == pair.was("roleRef.kind")
    if former and not (same_kind and _rank(role, _CLUSTER_ROLES) <= _rank(former, _CLUSTER_ROLES)):
        yield Hit(Rules.RIGHTS, f"{pair.object.name}: {role} instead of {former}")


def member(pair: Pair) -> Iterator[Hit]:
    """A group in a Harbor project."""
    group, role = pair.now("groupName"), pair.now("role")
    if group != pair.was("groupName"):
        yield Hit(Rules.GROUP, f"Group {group} becomes {role} of the Harbor project")
    elif _rank(role, _HARBOR_ROLES) > _rank(pair.was("role"), _HARBOR_ROLES):
        yield Hit(Rules.RIGHTS, f"Group {group}: {role} of the Harbor project")


def robot(pair: Pair) -> Iterator[Hit]:
    """A robot account of Harbor."""
    name = pair.object.name
    new = sorted(_permissions(pair.now("permissions")) - _permissions(pair.was("permissions")))
    if pair.before is None:
        yield Hit(Rules.GROUP, f"robot {name}, which may {listed(new)}")
    elif new:
        yield Hit(Rules.RIGHTS, f"robot {name} may {listed(new)}")
    if pair.was("disable") and not pair.now("disable"):
        yield Hit(Rules.ACCOUNT, f"robot {name}")
    if pair.before and _lifetime(pair.now("duration")) > _lifetime(pair.was("duration")):
        yield Hit(Rules.CREDENTIAL, f"robot {name}: {_days(pair.now('duration'))}")


def openbao_policy(pair: Pair) -> Iterator[Hit]:
    """A policy of OpenBao."""
    before, after = _capabilities(pair.was("policy", "")), _capabilities(pair.now("policy", ""))
    if before is None or after is None:
        yield Hit(Rules.RIGHTS, f"policy {pair.object.name} is in a form that no rule can read")
        return
    for path in sorted(before.keys() | after.keys()):
        had, may = _effective(before, path), _effective(after, path)
        if new := sorted(may - had - {"deny"}):
            yield Hit(Rules.RIGHTS, f"policy {pair.object.name}: {listed(new)} on {path}")
        elif "deny" in had and "deny" not in may:
            yield Hit(Rules.RIGHTS, f"policy {pair.object.name}: {path} is no longer denied")


def login_role(pair: Pair) -> Iterator[Hit]:
    """A role with which ServiceAccounts log in to OpenBao."""
    name = pair.object.name
    names, namespaces = "boundServiceAccountNames", "boundServiceAccountNamespaces"
    if any(_new(pair, bound) for bound in (names, namespaces)):
        accounts, places = listed(pair.now(names, ())), listed(pair.now(namespaces, ()))
        yield Hit(Rules.GROUP, f"ServiceAccounts {accounts} of {places} can log in as {name}")
    if pair.before and (new := _new(pair, "tokenPolicies")):
        yield Hit(Rules.RIGHTS, f"role {name} gets the policy {listed(new)}")
    for field in ("tokenTtl", "tokenMaxTtl", "tokenPeriod"):
        if pair.before and _seconds(pair.now(field)) > _seconds(pair.was(field)):
            yield Hit(Rules.CREDENTIAL, f"role {name}: {field}")


def identity_group(pair: Pair) -> Iterator[Hit]:
    """A group of OpenBao, or the alias for its Keycloak group."""
    name = pair.now("name", pair.object.name)
    if pair.before is None or name != pair.was("name", pair.object.name):
        yield Hit(Rules.GROUP, f"Group {name} in OpenBao")
    elif new := _new(pair, "policies"):
        yield Hit(Rules.RIGHTS, f"Group {name} gets the policy {listed(new)}")


def login(pair: Pair) -> Iterator[Hit]:
    """How OpenBao checks logins, and where External Secrets reads: any change counts."""
    yield Hit(Rules.LOGIN, pair.object.shown)


def _subjects(subjects: Iterable[Mapping[str, str]] | None) -> set[str]:
    return {
        " ".join(filter(None, (each.get("kind"), each.get("namespace"), each.get("name"))))
        for each in subjects or ()
    }


def _rank(role: Any, roles: tuple[str, ...]) -> int:
    return roles.index(role) if role in roles else len(roles)


def _permissions(permissions: Iterable[Mapping[str, Any]] | None) -> set[str]:
    return {
        f"{access.get('action')} {access.get('resource')} in "
        f"{each.get('kind')} {each.get('namespace')}"
        for each in permissions or ()
        for access in each.get("accesses") or ()
    }


def _lifetime(days: Any) -> float:
    return float("inf") if days in (None, -1) else days


def _days(days: Any) -> str:
    return "without expiry" if days in (None, -1) else f"{days} days"


def _seconds(seconds: Any) -> float:
    # 0 or none means the server's own limit, which is a month or more.
    return seconds or float("inf")


def _new(pair: Pair, path: str) -> list[str]:
    return sorted(set(pair.now(path) or ()) - set(pair.was(path) or ()))


def _capabilities(policy: str) -> dict[str, set[str]] | None:
    """A policy's capabilities by path; None if it contains more than paths and capabilities."""
    if _POLICY_PATH.sub("", policy).strip():
        return None
    return {
        match["path"]: {word.strip().strip('"') for word in match["may"].split(",")} - {""}
        for match in _POLICY_PATH.finditer(policy)
    }


def _effective(policy: Mapping[str, set[str]], path: str) -> set[str]:
    """A policy's capabilities at a path: in OpenBao, the longest match wins."""
    fitting = [
        known
        for known in policy
        if known == path or (known.endswith("*") and path.startswith(known[:-1]))
    ]
    return policy[max(fitting, key=len)] if fitting else set()
