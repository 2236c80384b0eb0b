"""HTTP routes of an app's VirtualService, the longest prefix first."""

from collections.abc import Iterator
from typing import Any

from specs.ingress import ALL, Cors, Ingress, IngressPath, Redirect, Retries, Rewrite

HttpRoute = dict[str, Any]
Target = tuple[Ingress, IngressPath, HttpRoute]


def http_routes(targets: list[Target]) -> list[HttpRoute]:
    """Routes for paths, each with its app's `ingress` and the destination of its requests.

    The first route that matches applies.
    """
    longest_first = sorted(targets, key=lambda each: (-len(each[1].prefix), each[1].prefix))
    return [route for target in longest_first for route in _routes(*target)]


def _routes(ingress: Ingress, path: IngressPath, destination: HttpRoute) -> Iterator[HttpRoute]:
    shared = _given(corsPolicy=ingress.cors and _cors(ingress.cors))
    if path.redirect:
        yield {**_match(path.prefix), "redirect": redirected(path.redirect), **shared}
        return
    shared |= _given(timeout=ingress.timeout, retries=ingress.retries and _retries(ingress.retries))
    for match, rewrite in _rewritten(path):
        yield {
            **match,
            **_given(rewrite=rewrite),
            "route": [{"destination": destination}],
            **shared,
        }


def _match(prefix: str, *, exact: bool = True, below: bool = True) -> HttpRoute:
    """What a prefix of whole segments matches; Istio's own `prefix` also matches `/apix`."""
    if prefix == ALL:
        return {}
    uris = [{"exact": prefix}] * exact + [{"prefix": f"{prefix}/"}] * below
    return {"match": [{"uri": uri} for uri in uris]}


def _rewritten(path: IngressPath) -> Iterator[tuple[HttpRoute, HttpRoute | None]]:
    """Matches, and what becomes of their requests.

    Istio replaces what was matched, with or without the final `/`: each needs its own route.
    """
    rewrite = path.rewrite
    if rewrite is None:
        yield _match(path.prefix), None
    elif rewrite.uri is None:
        yield _match(path.prefix), _rewrite(rewrite, None)
    elif path.prefix == ALL:
        yield _match(path.prefix), _rewrite(rewrite, _below(rewrite.uri))
    else:
        yield _match(path.prefix, below=False), _rewrite(rewrite, rewrite.uri)
        yield _match(path.prefix, exact=False), _rewrite(rewrite, _below(rewrite.uri))


def _below(uri: str) -> str:
    return f"{uri.rstrip('/')}/"


def _rewrite(rewrite: Rewrite, uri: str | None) -> HttpRoute:
    return _given(uri=uri, authority=rewrite.authority)


def redirected(redirect: Redirect) -> HttpRoute:
    """A redirect in Istio's words."""
    return _given(
        uri=redirect.uri,
        authority=redirect.authority,
        scheme=redirect.scheme,
        port=redirect.port,
        redirectCode=redirect.redirect_code,
    )


def _retries(retries: Retries) -> HttpRoute:
    return {
        "attempts": retries.attempts,
        **_given(perTryTimeout=retries.per_try_timeout, retryOn=retries.retry_on),
    }


def _cors(cors: Cors) -> HttpRoute:
    return {
        "allowOrigins": [
            _given(exact=origin.exact, prefix=origin.prefix) for origin in cors.allow_origins
        ],
        **_given(
            allowMethods=list(cors.allow_methods),
            allowHeaders=list(cors.allow_headers),
            exposeHeaders=list(cors.expose_headers),
            maxAge=cors.max_age,
            allowCredentials=cors.allow_credentials,
        ),
    }


def _given(**values: Any) -> HttpRoute:
    return {key: value for key, value in values.items() if value}
