"""ResourceQuotas and LimitRanges as `quota` and `limitRange` of a team's file."""

from collections.abc import Mapping, Sequence
from typing import Any

from specs import quantity
from specs.problem import Loc
from specs.team import LimitRange, Quota
from tools.migration.documents import Manifest, note_other_name
from tools.migration.import_findings import ACCEPT, Findings
from tools.migration.value import Value

# Names of the objects that the program creates from these.
MADE = {"ResourceQuota": "{}-quota", "LimitRange": "{}-limits"}

# Keys of a ResourceQuota, and their keys in a team's file; `cpu` is another name of Kubernetes for
# `requests.cpu`.
_HARD: dict[str, tuple[str, ...]] = {
    "requests.cpu": ("requests", "cpu"),
    "cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
    "pods": ("pods",),
    "services": ("services",),
    "persistentvolumeclaims": ("persistentvolumeclaims",),
    "requests.storage": ("requests", "storage"),
}

_BOUNDS = ("default", "defaultRequest", "max", "min")
_RESOURCES = ("cpu", "memory")

# Bounds that the API server fills in if a LimitRange omits them, and their sources.
_FILLED_IN = (("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min"))

_QUOTA_DEFAULTS = Quota().model_dump(by_alias=True)
_LIMIT_DEFAULTS = LimitRange().model_dump(by_alias=True)

# Keys of a ResourceQuota that restrict it to some pods.
_SCOPES = ("scopes", "scopeSelector")

_NO_COUNTERPART = f"has no counterpart in a team's file; {ACCEPT}"

# Values by their path in `quota` or `limitRange`.
_Found = dict[tuple[str, ...], Value]


def read_quota(team: str, manifests: Sequence[Manifest], findings: Findings) -> dict[str, Any]:
    """`quota`, where it differs from the defaults."""
    found: _Found = {}
    for manifest in manifests:
        lost_before = len(findings.lost)
        spec = manifest.mapping("spec")
        _lose_others(manifest, ("spec",), spec, {"hard"}, findings)
        if any(spec.get(key) for key in _SCOPES):
            continue  # it limits only some pods, but a team's file would limit all of them
        for key, amount in manifest.mapping("spec", "hard").items():
            loc: Loc = ("spec", "hard", key)
            path = _HARD.get(key)
            if path is None:
                message = f"is not a key of `quota`; {ACCEPT}"
                findings.lost.append(manifest.problem(loc, message, at_key=True))
            else:
                # Counts are numbers in a team's file, and usually text in a ResourceQuota.
                value = manifest.value(loc, _count(amount) if len(path) == 1 else amount)
                if path not in found or _is_less(value.data, found[path].data):
                    found[path] = value  # all apply in a namespace, so the lowest limit decides
        made, is_lossy = MADE[manifest.kind].format(team), len(findings.lost) > lost_before
        note_other_name(manifest, made, findings, is_lossy=is_lossy)
    paths = tuple(dict.fromkeys(_HARD.values()))
    if found:
        _leave_unlimited(
            manifests[0],
            [path for path in paths if path not in found and _has_default(path)],
            found,
            findings,
        )
    else:
        _note_defaults("quota", manifests, ("spec", "hard"), found, _QUOTA_DEFAULTS, findings)
    return _nested(found, paths, _QUOTA_DEFAULTS)


def read_limit_range(
    team: str, manifests: Sequence[Manifest], findings: Findings
) -> dict[str, Any]:
    """`limitRange`, where it differs from the defaults."""
    found: _Found = {}
    for manifest in manifests:
        lost_before = len(findings.lost)
        _lose_others(manifest, ("spec",), manifest.mapping("spec"), {"limits"}, findings)
        for index, item in enumerate(manifest.entries("spec", "limits")):
            loc: Loc = ("spec", "limits", index)
            if not isinstance(item, dict) or item.get("type") != "Container":
                message = f"only container limits can be imported; {ACCEPT}"
                findings.lost.append(manifest.problem(loc, message))
                continue
            _lose_others(manifest, loc, item, {"type", *_BOUNDS}, findings)
            _read_bounds(manifest, loc, item, found, findings)
        made, is_lossy = MADE[manifest.kind].format(team), len(findings.lost) > lost_before
        note_other_name(manifest, made, findings, is_lossy=is_lossy)
    for bound, other in _FILLED_IN:
        for resource in _RESOURCES:
            if (other, resource) in found:
                found.setdefault((bound, resource), found[other, resource])
    if found:
        _leave_without_minimum(manifests[0], found, findings)
    _note_defaults("limitRange", manifests, ("spec", "limits"), found, _LIMIT_DEFAULTS, findings)
    paths = [(bound, resource) for bound in _BOUNDS for resource in _RESOURCES]
    return _nested(found, paths, _LIMIT_DEFAULTS)


def _leave_without_minimum(manifest: Manifest, found: _Found, findings: Findings) -> None:
    """Values without a minimum in any LimitRange have none in the team's file: null."""
    missing = [resource for resource in _RESOURCES if ("min", resource) not in found]
    for resource in missing:
        found["min", resource] = manifest.value(("spec", "limits"), None)
    if missing:
        listed = ", ".join(f"limitRange.min.{resource}" for resource in missing)
        message = f"leaves out keys that have a default; written as null (no minimum): {listed}"
        findings.note(manifest.problem(("spec", "limits"), message, at_key=True))


def _leave_unlimited(
    manifest: Manifest, paths: Sequence[tuple[str, ...]], found: _Found, findings: Findings
) -> None:
    """Resources without a limit in any ResourceQuota have none in the team's file: null."""
    for path in paths:
        found[path] = manifest.value(("spec", "hard"), None)
    if paths:
        listed = ", ".join(".".join(("quota", *path)) for path in paths)
        message = f"leaves out limits that the defaults set; written as null (no limit): {listed}"
        findings.note(manifest.problem(("spec", "hard"), message, at_key=True))


def _read_bounds(
    manifest: Manifest, at: Loc, item: Mapping[str, Any], found: _Found, findings: Findings
) -> None:
    for bound in _BOUNDS:
        amounts = item.get(bound)
        for resource, amount in (amounts if isinstance(amounts, dict) else {}).items():
            loc: Loc = (*at, bound, resource)
            if resource not in _RESOURCES:
                message = f"is not a key of `limitRange`; {ACCEPT}"
                findings.lost.append(manifest.problem(loc, message, at_key=True))
            elif (bound, resource) not in found:
                found[bound, resource] = manifest.value(loc, amount)
            elif bound in ("min", "max"):
                # All of them apply: the highest minimum and the lowest maximum decide.
                low, high = amount, found[bound, resource].data
                if _is_less(*((low, high) if bound == "max" else (high, low))):
                    found[bound, resource] = manifest.value(loc, amount)
            else:
                message = f"another LimitRange sets it too; {ACCEPT}"
                findings.lost.append(manifest.problem(loc, message))


def _count(amount: Any) -> Any:
    """A whole quantity as a number; the checks reject other text."""
    try:
        count = quantity.parse(str(amount))
    except ValueError:
        return amount
    return int(count) if count.denominator == 1 else amount


def _is_less(one: Any, other: Any) -> bool:
    try:
        return quantity.parse(str(one)) < quantity.parse(str(other))
    except ValueError:
        return True  # the checks reject text that is not an amount


def _lose_others(
    manifest: Manifest, at: Loc, there: Mapping[str, Any], known: set[str], findings: Findings
) -> None:
    findings.lost += (
        manifest.problem((*at, key), _NO_COUNTERPART, at_key=True)
        for key in there
        if key not in known
    )


def _note_defaults(
    key: str,
    manifests: Sequence[Manifest],
    at: Loc,
    found: _Found,
    defaults: Mapping[str, Any],
    findings: Findings,
) -> None:
    """Values that the manifests omit get the defaults now, instead of none."""
    missing = {
        path: value for path, value in _flat(defaults).items() if value and path not in found
    }
    if manifests and missing:
        listed = ", ".join(f"{'.'.join((key, *path))} {value}" for path, value in missing.items())
        message = f"does not set everything; defaults now apply: {listed}"
        findings.note(manifests[0].problem(at, message, at_key=True))


def _flat(defaults: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for key, value in defaults.items():
        inner = _flat(value) if isinstance(value, Mapping) else {(): value}
        for path, amount in inner.items():
            flat[key, *path] = amount
    return flat


def _has_default(path: tuple[str, ...]) -> bool:
    return _flat(_QUOTA_DEFAULTS)[path] is not None


def _nested(
    found: _Found, paths: Sequence[tuple[str, ...]], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Values that differ from the default, in the order of `paths`."""
    flat, nested = _flat(defaults), dict[str, Any]()
    for path in paths:
        if path in found and not _is_same(found[path].data, flat.get(path)):
            inside = nested
            for step in path[:-1]:
                inside = inside.setdefault(step, {})
            inside[path[-1]] = found[path]
    return nested


def _is_same(one: Any, other: Any) -> bool:
    try:
        return other is not None and quantity.parse(str(one)) == quantity.parse(str(other))
    except ValueError:
        return False
