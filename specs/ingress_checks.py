"""Checks of an app's port, and of the hosts under which it is reachable from outside."""

from collections.abc import Iterator

from specs.app import WebApp
from specs.hosts import overlap
from specs.http_grammar import ANY, milliseconds
from specs.ingress import ALL, Cors, Ingress, IngressPath, Retries
from specs.names import nearest
from specs.problem import Finding, Loc, listed_twice
from specs.settings import Settings
from specs.shared_hosts import is_below, sharers
from specs.team import Team

# Ports that Istio's sidecar listens on in every pod (Istio: Ports used by Istio).
_SIDECAR_PORTS = frozenset({15000, 15001, 15002, 15004, 15006, 15008, 15020, 15021, 15053, 15090})


def check_port(port: int, loc: Loc) -> Iterator[Finding]:
    """Report a port that the sidecar occupies."""
    if port in _SIDECAR_PORTS:
        yield loc, f"{port} is used by Istio's sidecar in every pod; use another port such as 8080"


def check_ingress(team: Team, app: WebApp, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Everything that is wrong with an app's ingress alone."""
    ingress = app.ingress
    if ingress.host is not None and ingress.hosts:
        yield (*at, "host"), "cannot be used with `hosts`; move it into `hosts`"
    elif ingress.enabled and ingress.host is None and "hosts" not in ingress.model_fields_set:
        yield (
            (*at, "host"),
            "is required when ingress is enabled; add it, such as `host: my-api.apps.example.com`",
        )
    seen: set[str] = set()
    for host, loc in ingress.placed_hosts():
        if host in seen:
            yield (*at, *loc), f"'{host}' is listed twice; remove one"
        else:
            yield from _check_host(host, (*at, *loc), settings)
        seen.add(host)
    known = settings.istio.gateways
    if ingress.gateway is not None and ingress.gateway not in known:
        hint = nearest(ingress.gateway, known)
        do = f"did you mean {hint}?" if hint else f"use one of: {', '.join(known)}"
        yield (*at, "gateway"), f"'{ingress.gateway}' is not a gateway of this stack; {do}"
    others = [
        path.prefix for other in sharers(team, app, settings) for path in other.ingress.every_path
    ]
    yield from _check_paths(ingress, others, (*at, "paths"))
    if ingress.retries:
        yield from _check_retries(ingress.retries, (*at, "retries"))
    if ingress.cors:
        yield from _check_cors(ingress.cors, (*at, "cors"))


def _check_paths(ingress: Ingress, others: list[str], at: Loc) -> Iterator[Finding]:
    """`others` are the paths of the team's other apps on its hosts."""
    yield from listed_twice(
        ((*at, index, "prefix"), each.prefix) for index, each in enumerate(ingress.paths)
    )
    for index, path in enumerate(ingress.paths):
        loc: Loc = (*at, index)
        if path.rewrite and path.redirect:
            yield (*loc, "rewrite"), "cannot be used with `redirect`; keep one of the two"
        if path.rewrite and path.rewrite.uri is None and path.rewrite.authority is None:
            yield (*loc, "rewrite"), "changes nothing; add `uri` or `authority`"
        if path.redirect:
            yield from _check_redirect(ingress, path, others, (*loc, "redirect"))


def _check_redirect(
    ingress: Ingress, path: IngressPath, others: list[str], loc: Loc
) -> Iterator[Finding]:
    redirect = path.redirect
    assert redirect
    if redirect.uri is None and redirect.authority is None:
        # For callers who already use this scheme and port, it would lead back to itself.
        yield loc, "leads back to the same address; add `uri` or `authority`"
        return
    seen: list[IngressPath] = []
    following: IngressPath | None = path
    while following and following not in seen:
        seen.append(following)
        following = _next(ingress, following, others)
    if following is path:
        yield loc, "leads back to the same path, without end; lead to another path or host"


def _next(ingress: Ingress, path: IngressPath, others: list[str]) -> IngressPath | None:
    """The path of the same app, if any, to which a path's redirect leads."""
    redirect = path.redirect
    if redirect is None or redirect.port is not None:
        return None
    if redirect.authority not in (None, *ingress.every_host):
        return None
    to = (redirect.uri or path.prefix).rstrip("/") or ALL
    around = [other for other in ingress.paths if is_below(to, other.prefix)]
    longest = max(around, key=lambda other: len(other.prefix), default=None)
    taken = [each for each in others if is_below(to, each)]
    if longest and any(len(each) > len(longest.prefix) for each in taken):
        return None
    return longest


def _check_retries(retries: Retries, at: Loc) -> Iterator[Finding]:
    if retries.attempts:
        return
    for key, value in (
        ("perTryTimeout", retries.per_try_timeout),
        ("retryOn", retries.retry_on),
    ):
        if value is not None:
            yield (*at, key), "applies only if `attempts` is above 0; remove it"


def warn_of_retries(ingress: Ingress, at: Loc) -> Iterator[Finding]:
    """Warn about a try that may take as long as the request with all its retries."""
    retries, timeout = ingress.retries, ingress.timeout
    if retries is None or timeout is None or retries.per_try_timeout is None:
        return
    if milliseconds(retries.per_try_timeout) >= milliseconds(timeout):
        yield (
            (*at, "perTryTimeout"),
            f"{retries.per_try_timeout} is not below ingress.timeout {timeout}, so a try that "
            "takes too long is never repeated; lower it, or raise the timeout",
        )


def _check_cors(cors: Cors, at: Loc) -> Iterator[Finding]:
    for index, origin in enumerate(cors.allow_origins):
        loc: Loc = (*at, "allowOrigins", index)
        if (origin.exact is None) == (origin.prefix is None):
            given = "neither exact nor prefix; add" if origin.exact is None else "both; keep"
            yield loc, f"has {given} one of the two"
        elif origin.exact == ANY and cors.allow_credentials:
            yield (
                (*loc, "exact"),
                "lets every site act with its visitors' credentials (allowCredentials); list the "
                "sites",
            )
    if not cors.allow_credentials:
        return
    for key, values in (
        ("allowMethods", cors.allow_methods),
        ("allowHeaders", cors.allow_headers),
        ("exposeHeaders", cors.expose_headers),
    ):
        for index, value in enumerate(values):
            if value == ANY:
                yield (
                    (*at, key, index),
                    "stands for itself, and not for all, where browsers send credentials "
                    "(allowCredentials); list them",
                )


def check_shared_hosts(team: Team, app: WebApp, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Report a path inside one of another app's that the other app has on more hosts.

    The other app's VirtualService has one list of routes for all of its hosts.
    """
    for other in sharers(team, app, settings):
        extra = set(other.ingress.every_host) - set(app.ingress.every_host)
        around = [path.prefix for path in other.ingress.every_path if path.prefix != ALL]
        for prefix, loc in app.ingress.placed_paths():
            inside = [each for each in around if is_below(prefix, each) and prefix != each]
            if extra and inside:
                yield (
                    (*at, *loc),
                    f"is inside '{inside[0]}' of app '{other.name}', which has it on "
                    f"{', '.join(sorted(extra))} too; list the same hosts in both",
                )


def _check_host(host: str, loc: Loc, settings: Settings) -> Iterator[Finding]:
    """Report hosts of the platform: its logins, image pulls and secrets would go to the app."""
    for own, setting in settings.platform_owned_hosts.items():
        if overlap(host, own):
            named = f"sre-platform:{setting}{f': {own}' if own != host else ''}"
            yield loc, f"'{host}' is reserved for the platform ({named}); choose another"
            return
    namespace = host.rpartition(".")[2]
    if settings.is_platform_namespace(namespace):
        yield (
            loc,
            f"'{host}' is the name of a Service in the platform's namespace '{namespace}'; write "
            "the host name that users call, such as my-api.apps.sre.example.com",
        )
