"""How apps are reached, and how their traffic is carried (NIST 800-53 SC-7, SC-8)."""

from collections.abc import Iterable, Iterator
from typing import Any

from specs.http_grammar import ANY
from specs.ingress import ALL
from specs.labels import HOSTS_ANNOTATION, TEAM_LABEL
from specs.shared_hosts import is_below
from tools.review.pair import Hit, Pair, listed
from tools.review.rendered_objects import Side
from tools.review.review_findings import Rules

_LEVEL = "pod-security.kubernetes.io/enforce"
_LEVELS = (None, "privileged", "baseline", "restricted")
_INJECTION = "istio-injection"
_CORS_LISTS = ("allowMethods", "allowHeaders", "exposeHeaders")
_JUDGED = {HOSTS_ANNOTATION, _LEVEL, TEAM_LABEL, _INJECTION}


def virtual_service(pair: Pair) -> Iterator[Hit]:
    """Hosts, paths and gateways that lead to an app, and where they lead."""
    gateways, former = _set(pair.now("spec.gateways")), _set(pair.was("spec.gateways"))
    paths, had = _routed_paths(pair.now("spec.http")), _routed_paths(pair.was("spec.http"))
    through = listed(sorted(gateways)) or "the mesh"
    hosts, old = _set(pair.now("spec.hosts")), _set(pair.was("spec.hosts"))
    for host in sorted(hosts - old):
        yield Hit(Rules.HOST, f"{listed(_addresses(host, paths))} through {through}")
    if new := sorted(path for path in paths if not any(is_below(path, each) for each in had)):
        for host in sorted(hosts & old):
            yield Hit(Rules.HOST, f"{listed(_addresses(host, new))} through {through}")
    if pair.before and (new := sorted(gateways - former)):
        yield Hit(Rules.HOST, f"{pair.object.shown} through {listed(new)}")
    if pair.before and (new := sorted(_targets(pair.now("spec")) - _targets(pair.was("spec")))):
        yield Hit(Rules.HOST, f"{pair.object.shown} routes to {listed(new)}")
    for path in sorted(paths.keys() | had.keys()):
        now, was = _seen(path, paths), _seen(path, had)
        if now and was is not None and now - was:
            to = listed(sorted(now))
            yield Hit(Rules.HOST, f"{path} of {pair.object.shown} leads to the app's {to}")
    plain, had_plain = _sent_on_plain(pair.now("spec.http")), _sent_on_plain(pair.was("spec.http"))
    for path in sorted(plain - had_plain):
        yield Hit(Rules.REDIRECT, f"{path} of {pair.object.shown} leads to http://")
    yield from _cors(pair)


def _cors(pair: Pair) -> Iterator[Hit]:
    """Any site that may call the app, and with credentials each new one; what more they may do."""
    now, was = (_origins(get("spec.http")) for get in (pair.now, pair.was))
    for (origin, credentials), may in sorted(now.items()):
        who = f"{pair.object.shown}: {'any site' if origin == ANY else origin}"
        if credentials:
            who += ", with its visitors' credentials"
        elif origin != ANY:
            continue
        could = was.get((origin, credentials))
        if could is None:
            yield Hit(Rules.CORS, who)
        elif may - could:
            yield Hit(Rules.CORS, f"{who}: {listed(sorted(may - could))}")


def _origins(http: Any) -> dict[tuple[str, bool], set[str]]:
    """Origins that a VirtualService allows, each with whether browsers send credentials.

    And the methods and headers that they may use and read.
    """
    found: dict[tuple[str, bool], set[str]] = {}
    for policy in (route.get("corsPolicy") or {} for route in http or ()):
        may = {f"{key} {each}" for key in _CORS_LISTS for each in policy.get(key) or ()}
        for origin in policy.get("allowOrigins") or ():
            for how, text in origin.items():
                who = _any(how, text), bool(policy.get("allowCredentials"))
                found.setdefault(who, set()).update(may)
    return found


def _any(how: str, text: str) -> str:
    """What an origin matches; a regular expression or an open prefix may match any site."""
    return text if how == "exact" or (how == "prefix" and text.endswith(":")) else ANY


def _routed_paths(http: Any) -> dict[str, set[str]]:
    """The prefixes of a VirtualService's routes, each with the paths that the app then sees.

    Behind a redirect it sees none.
    """
    found: dict[str, set[str]] = {}
    for route in http or ():
        for match in route.get("match") or [{}]:
            uri = match.get("uri") or {}
            path = (uri.get("exact") or uri.get("prefix") or ALL).rstrip("/") or ALL
            to = (route.get("rewrite") or {}).get("uri") or path
            seen = found.setdefault(path, set())
            if not route.get("redirect"):
                seen.add(to.rstrip("/") or ALL)
    return found


def _sent_on_plain(http: Any) -> set[str]:
    """The paths whose requests a VirtualService redirects to plain HTTP."""
    plain = [each for each in http or () if (each.get("redirect") or {}).get("scheme") == "http"]
    return set(_routed_paths(plain))


def _seen(path: str, routed: dict[str, set[str]]) -> set[str] | None:
    """What the app sees of requests for `path`; None if no route matches them."""
    prefixes = [prefix for prefix in routed if is_below(path, prefix)]
    if not prefixes:
        return None
    longest = max(prefixes, key=len)
    rest = path.removeprefix(longest.rstrip("/"))
    return {(to.rstrip("/") + rest).rstrip("/") or ALL for to in routed[longest]}


def _addresses(host: str, paths: Iterable[str]) -> list[str]:
    """The host alone if all of it is among the paths."""
    return [host] if ALL in paths or not paths else [f"{host}{path}" for path in sorted(paths)]


def service(pair: Pair) -> Iterator[Hit]:
    """Whether a Service is reachable from outside the cluster."""
    kind, former = (get("spec.type", "ClusterIP") for get in (pair.now, pair.was))
    if kind != former and kind != "ClusterIP":
        yield Hit(Rules.SERVICE, f"{pair.object.shown} is of type {kind}")
    if new := _set(pair.now("spec.externalIPs")) - _set(pair.was("spec.externalIPs")):
        yield Hit(Rules.SERVICE, f"{pair.object.shown} is reachable at {listed(sorted(new))}")


def namespace(pair: Pair) -> Iterator[Hit]:
    """Settings that apply to all pods of a namespace."""
    labels, former = (get("metadata.labels") or {} for get in (pair.now, pair.was))
    level, had = labels.get(_LEVEL), former.get(_LEVEL)
    if pair.before and _rank(level) < _rank(had):
        yield Hit(Rules.POD_SECURITY, f"{pair.object.shown}: {level or 'none'} instead of {had}")
    if labels.get(_INJECTION) != "enabled" and (
        pair.before is None or former.get(_INJECTION) == "enabled"
    ):
        yield Hit(Rules.MESH, f"{pair.object.shown}: no sidecars are injected")
    if pair.before and former.get(TEAM_LABEL) and labels.get(TEAM_LABEL) != former[TEAM_LABEL]:
        yield Hit(
            Rules.GUARDRAIL, f"{pair.object.shown} is no longer labelled as {former[TEAM_LABEL]}'s"
        )
    if pair.before:
        yield from _other_labels(pair)
    # A host that a VirtualService claims is reported there.
    for host in sorted(_annotated(pair, pair.now) - _annotated(pair, pair.was)):
        if host not in _routed(pair.head, pair.object.name):
            yield Hit(Rules.HOST, f"{pair.object.shown} may use {host}")


def _other_labels(pair: Pair) -> Iterator[Hit]:
    """Labels and annotations that have no rule of their own."""
    for path in ("metadata.labels", "metadata.annotations"):
        now, was = pair.now(path) or {}, pair.was(path) or {}
        for key in sorted((now.keys() | was.keys()) - _JUDGED):
            if now.get(key) != was.get(key):
                change = f"{was.get(key, 'none')} -> {now.get(key, 'none')}"
                yield Hit(Rules.NAMESPACE, f"{pair.object.shown}: {key} {change}")


def _set(values: Any) -> set[str]:
    return set(values or ())


def _targets(spec: Any) -> set[str]:
    """Hosts that any route, mirror or redirect of a VirtualService names."""
    if isinstance(spec, dict):
        own = {
            value
            for key, value in spec.items()
            if key in ("host", "authority") and isinstance(value, str)
        }
        return own.union(*map(_targets, spec.values()))
    if isinstance(spec, list):
        return set().union(*map(_targets, spec))
    return set()


def _rank(level: Any) -> int:
    return _LEVELS.index(level) if level in _LEVELS else 0


def _annotated(pair: Pair, get: Any) -> set[str]:
    annotations = get("metadata.annotations") or {}
    return set(filter(None, annotations.get(HOSTS_ANNOTATION, "").split(",")))


def _routed(side: Side, namespace: str) -> set[str]:
    services = [each for each in side.of("VirtualService") if each.place == namespace]
    return {host for each in services for host in each.get("spec.hosts") or ()}
