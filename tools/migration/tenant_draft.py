"""A team's file without its apps, from the tenant's manifests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specs.problem import Loc
from specs.settings import Settings
from tools.migration.access_draft import read_access
from tools.migration.amounts import read_limit_range, read_quota
from tools.migration.documents import Manifest
from tools.migration.import_findings import Findings
from tools.migration.namespace_draft import read_namespace
from tools.migration.value import Value

# Kinds of a tenant's manifests, and their blocks in a team's file.
_KEYS = {"RoleBinding": "access", "ResourceQuota": "quota", "LimitRange": "limitRange"}


@dataclass(frozen=True)
class TenantDraft:
    """A team; `home` is the object that names it, `keys` are Values in dicts."""

    team: str
    home: Manifest
    keys: dict[str, dict[str, Any]]

    def leave_out(self, loc: Loc) -> bool:
        """Remove the value at `loc` of the team's file; return False if no key here has it."""
        if len(loc) < 2:
            return False
        holder: Any = self.keys
        try:
            for step in loc[:-1]:
                holder = holder[step]
                holder = holder.data if isinstance(holder, Value) else holder
            del holder[loc[-1]]
        except (LookupError, TypeError):
            return False
        for key in [key for key, block in self.keys.items() if not _prune(block)]:
            del self.keys[key]
        return True


def _prune(block: dict[str, Any]) -> dict[str, Any]:
    """The block without empty mappings."""
    for key in [key for key, inner in block.items() if isinstance(inner, dict)]:
        if not _prune(block[key]):
            del block[key]
    return block


def read_tenant(
    team: str,
    home: Manifest,
    manifests: Sequence[Manifest],
    settings: Settings,
    findings: Findings,
) -> TenantDraft:
    """The team that owns these objects."""

    def of_kind(kind: str) -> list[Manifest]:
        return [manifest for manifest in manifests if manifest.kind == kind]

    keys = {
        "namespace": read_namespace(of_kind("Namespace"), settings.namespace),
        "access": read_access(team, home, of_kind("RoleBinding"), settings.kubernetes, findings),
        "quota": read_quota(team, of_kind("ResourceQuota"), findings),
        "limitRange": read_limit_range(team, of_kind("LimitRange"), findings),
    }
    # Releases alone say nothing about the team's namespace.
    if of_kind("Namespace"):
        _note_missing(home, [kind for kind in _KEYS if not of_kind(kind)], findings)
    return TenantDraft(team, home, {key: found for key, found in keys.items() if found})


def _note_missing(home: Manifest, missing: Sequence[str], findings: Findings) -> None:
    """Note what has no limits today, or nobody with access."""
    if "RoleBinding" in missing:
        message = "has no RoleBinding; nobody gets access to the team"
        findings.note(home.problem(("metadata", "name"), message))
    if kinds := [kind for kind in missing if kind != "RoleBinding"]:
        blocks = ", ".join(f"`{_KEYS[kind]}`" for kind in kinds)
        message = f"has no {', '.join(kinds)}; the defaults of {blocks} apply to the team"
        findings.note(home.problem(("metadata", "name"), message))
