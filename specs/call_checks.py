"""What is wrong with an app's calls and callers, as far as its own file and the stack say."""

from collections.abc import Iterator, Sequence

from specs.app import AnyApp, WebApp
from specs.call_words import callers_of
from specs.calls import Call, Caller, service_entry_name
from specs.hosts import domain_of_wildcard, plain
from specs.names import DNS_NAME_MAX, nearest
from specs.network import NAMESPACE_NAME, IngressRule, NetworkPolicyPeer, network_of
from specs.ports import HTTP_PROTOCOLS, ROUTED_PROTOCOLS
from specs.problem import Finding, Loc, listed_twice
from specs.readers import flow, word
from specs.settings import MONITORING, PREFIX, Settings
from specs.team import Team

_TARGETS = ("app", "host", "cidr", "platform")
_POLICY = (
    "needs `networkPolicy.enabled`, because the app's NetworkPolicy opens what is listed here; "
    "turn it on, or remove this"
)

# gRPC's own requests are all of this method.
_GRPC = ("POST",)

# Ports on which each sidecar listens anyway, at every address: Envoy rejects a second listener.
_LISTENERS = frozenset({15001, 15006})

# Names of Services, and of pods.
_CLUSTER = (".svc", ".cluster.local")


def check_internal_traffic(team: Team, settings: Settings) -> Iterator[Finding]:
    """Report a namespace that is closed inside, in a stack whose mesh does not hold that."""
    if team.namespace.internal_traffic == "open" or settings.istio.authorization == "enforce":
        return
    yield (
        ("namespace", "internalTraffic"),
        "declared needs `istio.authorization: enforce` in the stack; write open, or ask the "
        "platform team",
    )


def check_calls(team: Team, app: AnyApp, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Report what is wrong with each call alone, and what is listed twice; `at` is the app's."""
    loc: Loc = (*at, "calls")
    if app.calls and not app.network_policy.enabled:
        yield loc, _POLICY
        return
    whole = []
    for index, call in enumerate(app.calls):
        found = list(_check_shape(call, (*loc, index)))
        if not found:
            found += _check_target(team, app, call, (*loc, index), settings)
            whole.append(((*loc, index), call.shown))
        yield from found
    yield from listed_twice(whole)
    yield from _check_service_entries(app, loc, settings)


def check_callers(team: Team, app: WebApp, at: Loc) -> Iterator[Finding]:
    """Report what is wrong with each caller alone, and who is listed twice; `at` is the app's."""
    loc: Loc = (*at, "callers")
    if app.callers and not app.network_policy.enabled:
        yield loc, _POLICY
        return
    named = (
        ((*loc, index), flow({"team": each.team, "app": each.app}))
        for index, each in enumerate(app.callers)
    )
    yield from listed_twice(named, "write one entry with all its paths and methods")
    for index, caller in enumerate(app.callers):
        if caller.team == team.name:
            yield (
                (*loc, index, "team"),
                f"'{caller.team}' is this file's own team, whose apps need no entry here; remove "
                f"it, and list this app in the `calls` of {caller.app}",
            )
        yield from _check_operations(app, caller, (*loc, index))


def _check_outside_host(host: str, team: Team, settings: Settings) -> str | None:
    """What is wrong with a host that an app of the team calls; other teams are not known."""
    if network := address_in(host):
        return f"'{host}' is an address; write it in `cidr`, such as `cidr: {word(network)}`"
    if is_in_cluster(host, settings) or is_service_of(team, host):
        return in_cluster(host)
    return too_wide(host)


def check_outside_port(port: int) -> str | None:
    """What is wrong with a port outside the mesh."""
    if port not in _LISTENERS:
        return None
    said = f"{port} is a port of every sidecar, which rejects a second listener there"
    return f"{said}; use another port"


def address_in(host: str) -> str | None:
    """What to write in place of an address; None for a name. Only addresses end in a number."""
    name = plain(host)
    if not name.rpartition(".")[2].isdecimal():
        return None
    return str(network_of(name) or "10.200.0.0/16")


def too_wide(host: str) -> str | None:
    """What is wrong with a wildcard for everything below a domain such as `.com`."""
    domain = domain_of_wildcard(plain(host))
    if domain and "." not in domain:
        return (
            f"'{host}' covers every name below '.{domain}'; name a narrower domain, such as "
            f"*.example.{domain}"
        )
    return None


def in_cluster(host: str, instead: str = "by `team` and `app`, or by `platform`") -> str:
    """What is wrong with a host that is the name of a Service."""
    return f"'{host}' is a name inside the cluster; name what it leads to {instead}"


def warn_of_calls(team: Team, settings: Settings) -> Iterator[Finding]:
    """Warn about restrictions that the stack's mesh does not hold, or not for this app alone."""
    enforced = settings.istio.authorization == "enforce"
    declared = team.namespace.internal_traffic == "declared"
    for index, app in enumerate(team.apps):
        inside = [call for call in app.calls if call.app and call.team is None]
        if enforced and declared and inside and not app.service_account.create:
            yield (
                ("apps", index, "serviceAccount", "create"),
                "the mesh identifies an app by its ServiceAccount, so every app of the namespace "
                "without one of its own may call what this app calls; turn it on",
            )
        if enforced and app.network_policy.enabled:
            for number, rule in enumerate(app.network_policy.additional_ingress):
                if _is_refused(team, app, rule, settings):
                    yield ("apps", index, "networkPolicy", "additionalIngress", number), _REFUSED
        for number, caller in enumerate(app.callers if isinstance(app, WebApp) else ()):
            for key, values in (("paths", caller.paths), ("methods", caller.methods)):
                if values and not enforced:
                    yield (
                        ("apps", index, "callers", number, key),
                        "has no effect in a stack without `istio.authorization: enforce`: every "
                        "request is let through; remove it, or ask the platform team",
                    )


_REFUSED = (
    "has no effect in a stack with `istio.authorization: enforce`: the mesh refuses whom this lets "
    "in; list them in `callers`, or in `calls` of this team's apps, or remove this"
)


def _is_refused(team: Team, app: AnyApp, rule: IngressRule, settings: Settings) -> bool:
    """Whether a rule lets in whom no AuthorizationPolicy of the team admits; those are for TCP."""
    if rule.ports and not any(port.protocol == "TCP" for port in rule.ports):
        return False
    listed = {(each.team, each.app) for each in app.callers} if isinstance(app, WebApp) else set()
    named = {(each.team, each.app) for each in callers_of(rule, team.name, app, lambda *_: app)}
    if named and named <= listed:
        return False
    admitted = {*settings.istio.gateway_namespaces}
    if team.namespace.internal_traffic == "open":
        admitted.add(team.name)
    if settings.metrics.scrape == "mesh":
        admitted.add(MONITORING)
    spaces = [_namespaces(peer, team) for peer in rule.peers]
    return not spaces or any(each is None or not each <= admitted for each in spaces)


def _namespaces(peer: NetworkPolicyPeer, team: Team) -> set[str] | None:
    """The names of the namespaces that a peer selects; None if it does not go by names."""
    selector = peer.namespace_selector
    if peer.ip_block:
        return None
    if selector is None:
        return {team.name}
    if (name := selector.match_labels.get(NAMESPACE_NAME)) is not None:
        return {name}
    for each in selector.match_expressions:
        if each.key == NAMESPACE_NAME and each.operator == "In":
            return set(each.values)
    return None


def _check_shape(call: Call, loc: Loc) -> Iterator[Finding]:
    """Report keys that do not go together."""
    given = [key for key in _TARGETS if getattr(call, key) is not None]
    if not given and call.team is not None:
        yield loc, f"names a team, but no app; write `{flow({'team': call.team, 'app': 'NAME'})}`"
    elif not given:
        yield loc, f"names nothing to call; add one of {', '.join(_TARGETS)}"
    elif len(given) > 1:
        yield (
            (*loc, given[1]),
            f"cannot be used with `{given[0]}`; write it as another entry of `calls`",
        )
    elif call.team is not None and call.app is None:
        yield (*loc, "team"), f"applies only to `app`, not to `{given[0]}`; remove it"
    elif call.port is not None and call.app is not None:
        yield (
            (*loc, "port"),
            "applies only to `host` and `cidr`: an app is called on its `app.port`; remove it",
        )
    elif call.port is not None and call.platform is not None:
        yield (
            (*loc, "port"),
            "applies only to `host` and `cidr`: the stack says which ports the service has; "
            "remove it",
        )
    elif call.cidr is not None and call.port is None:
        written = flow({"cidr": call.cidr, "port": 8443})
        yield (*loc, "cidr"), f"needs a port; write `{written}`, with the right number"


def _check_target(
    team: Team, app: AnyApp, call: Call, loc: Loc, settings: Settings
) -> Iterator[Finding]:
    if call.team == team.name:
        yield (*loc, "team"), f"'{call.team}' is this file's own team; remove it"
    elif call.app is not None and call.team is None:
        if message := _own_app(team, app, call.app):
            yield (*loc, "app"), message
    elif call.port is not None and (message := check_outside_port(call.port)):
        yield (*loc, "port"), message
    elif call.host is not None:
        if message := _check_outside_host(call.host, team, settings):
            yield (*loc, "host"), message
    elif call.platform is not None and call.platform not in settings.network.platform:
        do = f"the stack defines none ({PREFIX}network: platform); ask the platform team"
        if known := list(settings.network.platform):
            do = which(call.platform, known)
        yield (*loc, "platform"), f"'{call.platform}' is not a service of the platform; {do}"


def _own_app(team: Team, app: AnyApp, called: str) -> str | None:
    """What is wrong with a call to an app of the same team."""
    if called == app.name and team.namespace.internal_traffic == "open":
        return f"'{called}' is this app itself, whose pods may call each other anyway; remove it"
    other = next((each for each in team.apps if each.name == called), None)
    if isinstance(other, WebApp):
        if team.namespace.internal_traffic == "declared" and not other.network_policy.enabled:
            return (
                f"'{called}' has `networkPolicy.enabled: false`, so no rule can admit this app; "
                "turn it on there"
            )
        return None
    if other:
        return f"'{called}' is a {other.archetype}, and only a web-app can be called; remove it"
    return f"this team has no app '{called}'; {which(called, callable_apps(team, app))}"


def callable_apps(team: Team, but: AnyApp | None = None) -> list[str]:
    """Names of the team's apps that others may call."""
    return [each.name for each in team.apps if isinstance(each, WebApp) and each is not but]


def which(name: str, known: Sequence[str]) -> str:
    """What to write in place of a name that does not exist."""
    if hint := nearest(name, known):
        return f"did you mean {hint}?"
    return f"use one of: {', '.join(known)}" if known else "remove it"


def is_in_cluster(host: str, settings: Settings) -> bool:
    """Whether it names a Service, as far as this shows without the teams' apps."""
    name = plain(host)
    host = domain_of_wildcard(name) or name
    if f".{host}".endswith(_CLUSTER):
        return True
    if host.count(".") > 1:
        return False
    # <service>.<namespace>: no public domain has a hyphen at its top, but for encoded names.
    end = host.rpartition(".")[2]
    hyphened = "-" in end and not end.startswith("xn--")
    return hyphened or settings.is_platform_namespace(end)


def is_service_of(team: Team, host: str) -> bool:
    """Whether it is `<service>.<namespace>` of one of the team's apps.

    A team may have the name of a public domain, such as `dev`.
    """
    name, _, namespace = plain(host).partition(".")
    return namespace == team.name and any(
        name == (app.name if isinstance(app, WebApp) else app.metrics_service) for app in team.apps
    )


def _placed_outside(app: AnyApp, settings: Settings) -> Iterator[tuple[Loc, str]]:
    """Each host and range that the app calls, or that a platform service has, below `calls`."""
    for index, call in enumerate(app.calls):
        service = settings.network.platform.get(call.platform or "")
        if call.host is not None:
            yield (index, "host"), plain(call.host)
        elif call.cidr is not None:
            yield (index, "cidr"), str(network_of(call.cidr))
        elif service and service.host is not None:
            yield (index, "platform"), plain(service.host)
        elif service:
            yield from (((index, "platform"), str(network_of(cidr))) for cidr in service.cidrs)


def _check_service_entries(app: AnyApp, loc: Loc, settings: Settings) -> Iterator[Finding]:
    """Report targets whose ServiceEntry's name is too long, or that of another target."""
    made: dict[str, str] = {}
    for at, target in _placed_outside(app, settings):
        name = service_entry_name(app.name, target)
        if len(name) > DNS_NAME_MAX:
            yield (
                (*loc, *at),
                f"its ServiceEntry's name would have {len(name)} characters, but Kubernetes allows "
                f"{DNS_NAME_MAX}; use a wildcard, such as *.{target.partition('.')[2]}",
            )
        elif made.setdefault(name, target) != target:
            yield (
                (*loc, *at),
                f"its ServiceEntry '{name}' is already used for {made[name]}; use a wildcard for "
                "both, or `cidr` for one",
            )


def _check_operations(app: WebApp, caller: Caller, loc: Loc) -> Iterator[Finding]:
    """Report paths and methods that the app's protocol does not have."""
    for key, values in (("paths", caller.paths), ("methods", caller.methods)):
        if values is None:
            continue
        if app.app.protocol not in ROUTED_PROTOCOLS:
            yield (
                (*loc, key),
                f"applies only to HTTP and gRPC, but `app.protocol` is {app.app.protocol}; "
                "remove it",
            )
            continue
        yield from listed_twice(((*loc, key, index), each) for index, each in enumerate(values))
    if app.app.protocol in HTTP_PROTOCOLS or app.app.protocol not in ROUTED_PROTOCOLS:
        return
    for index, method in enumerate(caller.methods or ()):
        if method not in _GRPC:
            yield (
                (*loc, "methods", index),
                f"{method} is never used by gRPC, whose calls are all POST; remove it",
            )
