"""Access to a web-app from outside the cluster (guide: ingress)."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from specs import http_grammar, names
from specs.base import NOT_EMPTY, Count, OrEmpty, Port, Spec, ValueRule, checked
from specs.problem import Loc

# An empty string means none: see OrEmpty.
Host = Annotated[str, checked(names.check_host, f"({names.HOST})?", maxLength=names.DNS_NAME_MAX)]
FullHost = Annotated[str, checked(names.check_host, names.HOST, maxLength=names.DNS_NAME_MAX)]


def _check_not_rule(value: Any) -> Any:
    """Charts commonly list hosts as `{host, paths}`."""
    if isinstance(value, dict):
        host = value.get("host")
        write = host if isinstance(host, str) and host else "the host name"
        raise ValueError(f"is a mapping; write {write} alone, and its paths under `ingress.paths`")
    return value


HostEntry = Annotated[FullHost, BeforeValidator(_check_not_rule)]
DnsName = Annotated[
    str, checked(names.check_dns_name, names.DNS_NAME, maxLength=names.DNS_NAME_MAX)
]
PathPrefix = Annotated[
    str, checked(http_grammar.check_path, http_grammar.PATH, maxLength=http_grammar.PATH_MAX)
]
Uri = Annotated[
    str, checked(http_grammar.check_uri, http_grammar.URI, maxLength=http_grammar.PATH_MAX)
]
Timeout = Annotated[str, checked(http_grammar.check_duration, http_grammar.DURATION)]
MaxAge = Annotated[str, checked(http_grammar.check_max_age, http_grammar.MAX_AGE)]
RetryOn = Annotated[str, checked(http_grammar.check_retry_on, http_grammar.RETRY_ON)]
Origin = Annotated[str, checked(http_grammar.check_origin, http_grammar.ORIGIN)]
OriginPrefix = Annotated[str, checked(http_grammar.check_origin_prefix, http_grammar.ORIGIN_PREFIX)]
HeaderName = Annotated[str, checked(http_grammar.check_header, http_grammar.HEADER)]

Method = Literal[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "*"
]

# The whole host, as the prefix of a path.
ALL = "/"

# Those that Envoy can send (istio/istio: pilot/pkg/networking/core/route/route.go, ApplyRedirect).
REDIRECT_CODES = (301, 302, 303, 307, 308)


def _check_redirect_code(value: int, _: ValidationInfo) -> int:
    if value not in REDIRECT_CODES:
        raise ValueError(
            f"{value} is not a redirect that Istio sends; use 301 or 308 (permanent), "
            "302, 303 or 307 (temporary)"
        )
    return value


RedirectCode = Annotated[int, ValueRule(_check_redirect_code, {"enum": list(REDIRECT_CODES)})]


class Rewrite(Spec):
    """What a request becomes before it reaches the app (Istio: HTTPRewrite)."""

    uri: PathPrefix | None = Field(
        None,
        description="Replaces the prefix, by whole segments: with `/`, the app sees "
        "`/users` for `/api/users`.",
        examples=["/"],
    )
    authority: DnsName | None = Field(
        None,
        description="Replaces the Host header.",
        examples=["shop.internal.example.com"],
    )


class Redirect(Spec):
    """The answer that sends the caller elsewhere (Istio: HTTPRedirect)."""

    uri: Uri | None = Field(
        None,
        description="Replaces the whole path; default: unchanged.",
        examples=["/v2"],
    )
    authority: FullHost | None = Field(
        None, description="Host to go to; default: unchanged.", examples=["www.example.com"]
    )
    scheme: Literal["http", "https"] | None = Field(
        None, description="Scheme to go to; default: unchanged."
    )
    port: Port | None = Field(
        None, description="Port to go to; default: the scheme's own.", examples=["8443"]
    )
    redirect_code: RedirectCode = Field(
        301,
        description="301, 302, 303, 307 or 308; after 307 and 308, the caller repeats method and "
        "body.",
    )


class IngressPath(Spec):
    """Requests that an app serves on its hosts."""

    prefix: PathPrefix = Field(
        description="Whole segments: `/api` stands for `/api` and all below `/api/`, not for "
        "`/apix`. The longest prefix on a host wins, whichever of the team's apps it belongs to.",
        examples=["/api"],
    )
    rewrite: Rewrite | None = Field(None, description="Changes requests before they reach the app.")
    redirect: Redirect | None = Field(
        None, description="Answers requests with a redirect; the app does not see them."
    )


_EVERYTHING = (IngressPath(prefix=ALL),)


class Retries(Spec):
    """Retries of failed requests (Istio: HTTPRetry)."""

    attempts: Count = Field(
        description="Retries of one request, beside the first try; 0 turns retries off.",
        examples=["3"],
    )
    per_try_timeout: Timeout | None = Field(
        None,
        description="Time for each try, such as `2s`; default: `timeout`.",
        examples=["2s"],
    )
    retry_on: RetryOn | None = Field(
        None,
        description="Envoy's conditions and status codes, separated by commas; default: Istio's "
        "own.",
        examples=["connect-failure,refused-stream,503"],
    )


class OriginMatch(Spec):
    """Origins whose pages may call the app (Istio: StringMatch)."""

    exact: Origin | None = Field(
        None,
        description="One origin, or `*` for any.",
        examples=["https://www.example.com"],
    )
    prefix: OriginPrefix | None = Field(
        None,
        description="Ends with `:`, for all ports of a host.",
        examples=['"http://localhost:"'],
    )


class Cors(Spec):
    """Which other sites' pages may call the app from a browser (Istio: CorsPolicy)."""

    allow_origins: Annotated[tuple[OriginMatch, ...], NOT_EMPTY] = Field(
        description="Sites whose pages may call the app.",
        examples=["[{exact: 'https://www.example.com'}]"],
    )
    allow_methods: tuple[Method, ...] = Field(
        (), description="Methods they may use.", examples=["[GET, POST]"]
    )
    allow_headers: tuple[HeaderName, ...] = Field(
        (), description="Headers they may send.", examples=["[Content-Type]"]
    )
    expose_headers: tuple[HeaderName, ...] = Field(
        (), description="Headers of the answer they may read.", examples=["[X-Request-Id]"]
    )
    max_age: MaxAge | None = Field(
        None, description="How long browsers keep this answer, in whole seconds.", examples=["24h"]
    )
    allow_credentials: bool = Field(
        False, description="Whether they may send cookies and other credentials."
    )


class Ingress(Spec):
    """Access from outside the cluster (guide: ingress)."""

    enabled: bool = Field(False, description="Creates the VirtualService `<app.name>`.")
    host: Annotated[Host | None, OrEmpty] = Field(
        None,
        description="Host name; only one team may use it, and only one of its apps each path. "
        "Required when enabled, unless there are `hosts`.",
        examples=["my-api.apps.sre.example.com"],
    )
    hosts: Annotated[tuple[HostEntry, ...], NOT_EMPTY] = Field(
        (),
        description="Several host names, instead of `host`; the first is the app's `url`.",
        examples=["[shop.example.com, www.shop.example.com]"],
    )
    gateway: str | None = Field(
        None,
        description="Istio gateway, one of the stack's; default: the stack's first, "
        "`istio-system/sre-gateway`.",
        examples=["istio-system/sre-gateway"],
    )
    paths: Annotated[tuple[IngressPath, ...], NOT_EMPTY] = Field(
        (),
        description="What the app serves on its hosts; default: everything that no other app of "
        "the team serves.",
    )
    timeout: Timeout | None = Field(
        None,
        description="Time for a request with its retries, such as `30s` or `1m30s`; default: no "
        "limit.",
        examples=["30s"],
    )
    retries: Retries | None = Field(
        None, description="Retries at the gateway; default: Istio's own, 2."
    )
    cors: Cors | None = Field(
        None, description="Calls by pages of other sites; default: the app's own answers decide."
    )

    def placed_hosts(self) -> Iterator[tuple[str, Loc]]:
        """Each of the hosts, and its place below this block."""
        if self.host is not None:
            yield self.host, ("host",)
        # Empty in place of a wrong one, while a file is checked for further problems.
        yield from ((host, ("hosts", index)) for index, host in enumerate(self.hosts) if host)

    def placed_paths(self) -> Iterator[tuple[str, Loc]]:
        """The prefix of each path, and its place below this block, if it has one."""
        for index, path in enumerate(self.paths):
            yield path.prefix, ("paths", index, "prefix")
        if not self.paths:
            yield ALL, ()

    @property
    def every_host(self) -> tuple[str, ...]:
        """The hosts, the app's `url` first."""
        return tuple(host for host, _ in self.placed_hosts())

    @property
    def every_path(self) -> tuple[IngressPath, ...]:
        """The paths; without any, the whole host."""
        return self.paths or _EVERYTHING
