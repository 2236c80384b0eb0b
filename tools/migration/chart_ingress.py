"""An ingress as common charts write it, or a VirtualService, in the spelling of a team's file."""

from typing import Any

from specs.ingress import ALL
from tools.migration.value import Value

_HOST, _PATH = ("host", "name"), ("path", "prefix")  # by whichever key
# Ways of comparing that mean whole segments, as here.
_BY_SEGMENT = (None, "", "Prefix", "ImplementationSpecific")


def respell_ingress(entry: Value) -> None:
    """Write hosts and paths as a team's file has them; what has no counterpart stays."""
    ingress = entry.mapping(("ingress",))
    if ingress is None:
        return
    data = ingress.data
    for theirs, ours in {"hostname": "host", "corsPolicy": "cors"}.items():
        if theirs in data and ours not in data:
            data[ours] = data.pop(theirs)
    gateways = data.get("gateways")
    if gateways and isinstance(gateways.data, list) and len(gateways.data) == 1:
        data.setdefault("gateway", data.pop("gateways").data[0])
    _respell_rules(data)
    _respell_paths(ingress)


def _respell_rules(data: dict[str, Value]) -> None:
    """`hosts` as a list of hosts, each with paths: only if all of them have the same."""
    hosts = data.get("hosts")
    rules = hosts.data if hosts and isinstance(hosts.data, list) else []
    if not hosts or not rules or not all(isinstance(rule.data, dict) for rule in rules):
        return
    named = [_first(rule, _HOST) for rule in rules]
    paths = [rule.data.get("paths") for rule in rules]
    alike = all(_plain(each) == _plain(paths[0]) for each in paths)
    if not alike or not all(named) or any(set(rule.data) - {*_HOST, "paths"} for rule in rules):
        return
    data["hosts"] = Value(hosts.source, hosts.loc, named)
    if paths[0] is not None:
        data.setdefault("paths", paths[0])


def _respell_paths(ingress: Value) -> None:
    data = ingress.data
    path = data.get("path")
    if "paths" not in data and path and isinstance(path.data, str):
        data["paths"] = Value(path.source, path.loc, [data.pop("path")])
    paths = data.get("paths")
    if not paths or not isinstance(paths.data, list):
        return
    paths.data = [_entry(each) for each in paths.data]
    if [each.plain for each in paths.data] in ([], [{"prefix": ALL}]):
        del data["paths"]  # the whole host


def _entry(path: Value) -> Value:
    if isinstance(path.data, str):
        return Value(path.source, path.loc, {"prefix": _trimmed(path)})
    if not isinstance(path.data, dict):
        return path
    inside = dict(path.data)
    kind = inside.get("pathType")
    if kind and kind.data not in _BY_SEGMENT:
        return path
    inside.pop("pathType", None)
    prefix = _first(path, _PATH)
    if prefix and isinstance(prefix.data, str):
        inside.pop("path", None)
        inside = {"prefix": _trimmed(prefix), **inside}
    return Value(path.source, path.loc, inside)


def _trimmed(path: Value) -> Value:
    """Without the final slash, which means nothing where whole segments are compared."""
    return Value(path.source, path.loc, path.data.rstrip("/") or ALL)


def _first(value: Value, keys: tuple[str, ...]) -> Value | None:
    return next((value.data[key] for key in keys if key in value.data), None)


def _plain(value: Value | None) -> Any:
    return value.plain if value else None
