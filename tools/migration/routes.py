"""VirtualServices beside the releases, as the `ingress` of the apps that they route to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from specs.ingress import ALL
from specs.names import chart_name
from specs.problem import Loc
from specs.shared_hosts import is_below
from tools.migration.app_draft import AppDraft
from tools.migration.documents import Manifest
from tools.migration.import_findings import Findings
from tools.migration.live import release_name
from tools.migration.value import Value

KIND, GROUP = "VirtualService", "networking.istio.io"
_NAMES = ("", ".{}", ".{}.svc", ".{}.svc.cluster.local")
_PORT = 8080  # the charts' default

# What an `ingress` can say, in Istio's words, by the mapping that contains it.
_SPEC = {"hosts", "gateways", "http"}
_ENTRY = {"name", "match", "route", "redirect", "rewrite", "timeout", "retries", "corsPolicy"}
_SHARED = {"timeout": "timeout", "retries": "retries", "corsPolicy": "cors"}


@dataclass
class _Served:
    """What a VirtualService routes to one app."""

    paths: list[Value] = field(default_factory=list)
    shared: dict[str, Value] = field(default_factory=dict)


def read_routes(
    team: str, manifests: Iterable[Manifest], apps: Sequence[AppDraft], findings: Findings
) -> dict[str, str]:
    """Write VirtualServices into the apps; return each one's name and that of its first app.

    Only those are read whose every route an `ingress` can express, in whichever order Istio
    compares them; the others are left to be reported.
    """
    read: dict[str, str] = {}
    for manifest in manifests:
        if manifest.kind != KIND or manifest.group != GROUP:
            continue
        free = {name: app for app in apps if (name := _free(app))}
        served = _served(manifest, team, free)
        if served is None:
            continue
        for name, each in served.items():
            free[name].entry.data["ingress"] = _ingress(manifest, each)
        for note in _narrowed(manifest):
            findings.note(note)
        read[manifest.name] = next(iter(served))
    return read


def _free(app: AppDraft) -> str | None:
    """The name of a web-app that has no ingress yet."""
    name, missing = app.entry.find(("app", "name"))
    enabled, off = app.entry.find(("ingress", "enabled"))
    archetype = app.entry.data["archetype"].data
    is_free = archetype == "web-app" and (off or enabled.data is not True)
    return name.data if is_free and not missing and isinstance(name.data, str) else None


def _served(manifest: Manifest, team: str, apps: dict[str, AppDraft]) -> dict[str, _Served] | None:
    """What each app serves; None if an `ingress` cannot express it."""
    spec, gateways = manifest.mapping("spec"), manifest.entries("spec", "gateways")
    entries = manifest.entries("spec", "http")
    if set(spec) - _SPEC or len(gateways) != 1 or "mesh" in gateways or not spec.get("hosts"):
        return None
    if not all(isinstance(entry, dict) for entry in entries):
        return None
    owners = [_owner(entry, team, apps) for entry in entries]
    known = {owner for owner in owners if owner}
    found: dict[str, _Served] = {}
    order: list[str] = []
    for index, (entry, owner) in enumerate(zip(entries, owners, strict=True)):
        if owner is None and "redirect" in entry and "route" not in entry and len(known) == 1:
            (owner,) = known
        prefixes = _prefixes(entry)
        if owner is None or prefixes is None or not _is_simple(entry):
            return None
        loc: Loc = ("spec", "http", index)
        each = found.setdefault(owner, _Served())
        shared = {
            ours: manifest.values((*loc, key)) for key, ours in _SHARED.items() if key in entry
        }
        if len(each.paths) and _plain(shared) != _plain(each.shared):
            return None
        each.shared = shared
        each.paths += (_path(manifest, loc, entry, prefix) for prefix in prefixes)
        order += prefixes
    shadowed = any(is_below(late, early) for early, late in combinations(order, 2))
    return found if found and not shadowed else None


def _owner(entry: Any, team: str, apps: dict[str, AppDraft]) -> str | None:
    """The app whose Service gets all requests of an entry."""
    routes = _list(entry.get("route"))
    if len(routes) != 1 or set(_dict(routes[0])) - {"destination", "weight"}:
        return None
    to = _dict(_dict(routes[0]).get("destination"))
    for name, app in apps.items():
        services = (name, chart_name(release_name(app.release), name))
        own = _service_port(app)
        hosts = [service + form.format(team) for service in services for form in _NAMES]
        is_here = to.get("host") in hosts and _dict(to.get("port")).get("number", own) == own
        if is_here and set(to) <= {"host", "port"}:
            return name
    return None


def _service_port(app: AppDraft) -> Any:
    for key in ("servicePort", "port"):
        port, missing = app.entry.find(("app", key))
        if not missing:
            return port.data
    return _PORT


def _is_simple(entry: Any) -> bool:
    """Whether it has only what the paths of an `ingress` have too."""
    inside = {
        "rewrite": {"uri", "authority"},
        "redirect": {"uri", "authority", "scheme", "port", "redirectCode"},
    }
    return not set(entry) - _ENTRY and not any(
        set(_dict(entry.get(key))) - known for key, known in inside.items()
    )


def _prefixes(entry: Any) -> list[str] | None:
    """The prefixes by whole segments that an entry matches; None for anything else."""
    if not entry.get("match"):
        return [ALL]
    exact, prefixes = list[str](), list[str]()
    for match in _list(entry["match"]):
        uri = _dict(_dict(match).get("uri"))
        text = uri.get("exact", uri.get("prefix"))
        if set(_dict(match)) - {"uri", "name"} or len(uri) != 1 or not isinstance(text, str):
            return None
        if "exact" in uri:
            exact.append(text)
        else:
            prefixes.append(text.rstrip("/") or ALL)
    return prefixes if prefixes and set(exact) <= set(prefixes) else None


def _path(manifest: Manifest, loc: Loc, entry: Any, prefix: str) -> Value:
    at = (*loc, "match") if entry.get("match") else loc
    inside = {"prefix": manifest.value(at, prefix)}
    for key in ("rewrite", "redirect"):
        if entry.get(key):
            inside[key] = manifest.values((*loc, key))
    uri, missing = manifest.value(at, inside).find(("rewrite", "uri"))
    if not missing and isinstance(uri.data, str):
        uri.data = uri.data.rstrip("/") or ALL
    return manifest.value(at, inside)


def _ingress(manifest: Manifest, served: _Served) -> Value:
    """The `ingress` of one app; a single path for everything is its default."""
    paths = manifest.value(("spec", "http"), served.paths)
    whole = [path.plain for path in served.paths] == [{"prefix": ALL}]
    return manifest.value(
        ("spec",),
        {
            "enabled": manifest.value(("spec",), True),
            "hosts": manifest.values(("spec", "hosts")),
            "gateway": manifest.values(("spec", "gateways", 0)),
            **({} if whole else {"paths": paths}),
            **served.shared,
        },
    )


def _narrowed(manifest: Manifest) -> Iterator[Any]:
    """Notes on prefixes that match more than whole segments today."""
    for index, entry in enumerate(manifest.entries("spec", "http")):
        for number, match in enumerate(entry.get("match") or ()):
            prefix = match.get("uri", {}).get("prefix", ALL)
            if not prefix.endswith("/"):
                loc: Loc = ("spec", "http", index, "match", number, "uri", "prefix")
                message = f"matches {prefix}x too today; the program compares whole segments"
                yield manifest.problem(loc, message)


def _plain(shared: dict[str, Value]) -> dict[str, Any]:
    return {key: value.plain for key, value in shared.items()}


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()
