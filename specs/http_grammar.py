"""Grammars of routes over HTTP: paths, durations, origins, header names, conditions of retries."""

import re
from decimal import Decimal
from http import HTTPStatus

from specs.credentials import credential_form
from specs.names import check_dns_name

PATH_MAX = 1024  # as in Gateway API
_SEGMENT = r"(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()+,;=:@-]+"
PATH = rf"/({_SEGMENT}(/{_SEGMENT})*)?"
URI = rf"/({_SEGMENT}(/{_SEGMENT})*/?)?"
MATCHED_PATH = r"\*|/[^*{}?#%\s]*\*?|\*[^*{}?#%\s]+"
_NOT_IN_PATH = re.compile(r"[^A-Za-z0-9._~!$&'()+,;=:@/-]")

# What Go's time.ParseDuration reads, by which Istio and its CRDs parse durations; smaller units are
# left out, because Istio accepts whole milliseconds only.
DURATION = r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+"
MAX_AGE = DURATION.replace("ms|", "")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_LONGEST = 2**63 // 10**6  # Go counts nanoseconds in an int64

# Conditions of Envoy's router filter, x-envoy-retry-on and x-envoy-retry-grpc-on, that Istio
# accepts; status codes may stand beside them.
RETRY_CONDITIONS = (
    "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx",
    "refused-stream", "retriable-status-codes", "retriable-headers", "envoy-ratelimited",
    "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal",
    "resource-exhausted", "unavailable",
)  # fmt: skip
_CONDITION = rf"({'|'.join(RETRY_CONDITIONS)}|[1-5][0-9]{{2}})"
RETRY_ON = rf"{_CONDITION}(,{_CONDITION})*"

ANY = "*"
_TOKEN = r"[A-Za-z0-9!#$%&'+.^_`|~-]+"
HEADER = rf"\*|{_TOKEN}"

_SCHEME = r"[a-z][a-z0-9+.-]*://"
_PORT = r":[1-9][0-9]{0,4}"
ORIGIN = rf"\*|{_SCHEME}[a-z0-9.-]+({_PORT})?"
ORIGIN_PREFIX = rf"{_SCHEME}[a-z0-9.-]+:"
_ORIGIN_PARTS = re.compile(rf"(?P<scheme>{_SCHEME})(?P<host>[^/:?#]+)(?P<port>:[0-9]+)?")
_DEFAULT_PORTS = {"https://": ":443", "http://": ":80"}
_ORIGIN_EXAMPLE = "https://www.example.com"


def check_path(text: str) -> None:
    """Raise ValueError unless `text` is a path of whole segments: `/`, or `/v1/users`."""
    check_uri(text)
    if text != "/" and text.endswith("/"):
        raise ValueError(
            f"'{text}' ends with '/', but a prefix stands for whole segments: "
            f"write {text.rstrip('/') or '/'}"
        )


def check_uri(text: str) -> None:
    """Raise ValueError unless `text` is an absolute path, without a query or encoded characters."""
    if form := credential_form(text):
        raise ValueError(f"contains {form}, which everyone who sees the route can read; remove it")
    if not text.startswith("/"):
        where = text.partition("://")[2].partition("/")[2] if "://" in text else text
        raise ValueError(f"'{text}' is not a path; write /{where.lstrip('/')}")
    if len(text) > PATH_MAX:
        raise ValueError(f"has {len(text)} characters; use {PATH_MAX} at most")
    if "*" in text:
        raise ValueError(
            f"'{text}' contains a wildcard, but a prefix stands for everything below it; "
            f"write {text.partition('*')[0].rstrip('/') or '/'}"
        )
    if "?" in text or "#" in text:
        raise ValueError(f"'{text}' contains a query or fragment; write only the path")
    if wrong := _NOT_IN_PATH.search(text):
        raise ValueError(
            f"'{text}' contains {wrong[0]!r}; use letters, digits and -._~!$&'()+,;=:@ only"
        )
    segments = text.strip("/").split("/")
    if "//" in text or "." in segments or ".." in segments:
        raise ValueError(
            f"'{text}' has an empty segment, '.' or '..', which Istio resolves before it compares; "
            "write the plain path"
        )


def check_matched_path(text: str) -> None:
    """Raise ValueError unless Istio's AuthorizationPolicy compares it as people expect.

    That is a whole path, one with a `*` for any rest, or one for any beginning; elsewhere a `*`
    would stand for itself.
    """
    if text == ANY:
        return
    if "{" in text:
        raise ValueError(f"'{text}' has a template, which is not supported; end it with a `*`")
    if "?" in text or "#" in text:
        raise ValueError(f"'{text}' contains a query or fragment; write only the path")
    if not text.startswith(("/", ANY)):
        check_uri(text)
    whole = text.removesuffix(ANY)
    if text.startswith(ANY):
        whole = f"/{text.removeprefix(ANY).removeprefix('/')}"
    if ANY in whole:
        raise ValueError(
            f"'{text}' has a `*` inside; write one at the end or the beginning, such as /v1/*"
        )
    check_uri(whole)


def milliseconds(text: str) -> int:
    """A duration as Istio reads it; raises ValueError."""
    if not re.fullmatch(DURATION, text):
        raise ValueError(f"'{text}' is not a duration; write one such as 30s, 1m30s or 500ms")
    total = sum(Decimal(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text))
    if total < 1:
        raise ValueError(f"'{text}' is below 1ms, the least that Istio accepts; raise or remove it")
    if total != int(total):
        raise ValueError(f"'{text}' is not a whole number of milliseconds; round it")
    if total > _LONGEST:
        raise ValueError(f"'{text}' is too long for Istio; shorten it")
    return int(total)


def check_duration(text: str) -> None:
    """Raise ValueError unless Istio can read and represent it."""
    milliseconds(text)


def check_max_age(text: str) -> None:
    """Raise ValueError unless it is a duration of whole seconds."""
    if "ms" in text or milliseconds(text) % 1_000:
        raise ValueError(f"'{text}' is not a whole number of seconds; round it")


def check_retry_on(text: str) -> None:
    """Raise ValueError unless it is a list of conditions and status codes that Istio accepts."""
    for condition in text.split(","):
        if condition in RETRY_CONDITIONS or condition in {str(int(each)) for each in HTTPStatus}:
            continue
        if condition != condition.strip() and condition.strip():
            raise ValueError(f"'{text}' contains spaces; separate conditions with commas only")
        raise ValueError(
            f"'{condition}' is not a condition of Envoy's retries; use status codes such as 503, "
            f"or {', '.join(RETRY_CONDITIONS)}"
        )


def check_origin(text: str) -> None:
    """Raise ValueError unless it is `*` or an origin as browsers write it."""
    if text == ANY:
        return
    if form := credential_form(text):
        raise ValueError(f"contains {form}, which everyone who sees the route can read; remove it")
    if text == "null":
        raise ValueError(
            "'null' is the origin of any sandboxed page, whoever wrote it; list the sites' origins"
        )
    found = _ORIGIN_PARTS.fullmatch(text.removesuffix("/"))
    if "*" in text or not found:
        raise ValueError(
            f"'{text}' is not an origin; write scheme and host of one site, such as "
            f"{_ORIGIN_EXAMPLE}"
        )
    if text.endswith("/"):
        raise ValueError(f"'{text}' ends with '/', which origins never do; write {text[:-1]}")
    if text != text.lower():
        raise ValueError(f"'{text}' has capitals, which origins never do; write {text.lower()}")
    port = found["port"]
    if port and port == _DEFAULT_PORTS.get(found["scheme"]):
        bare = text.removesuffix(port)
        raise ValueError(f"'{text}' has its scheme's own port, which browsers omit; write {bare}")
    if port and not (re.fullmatch(_PORT, port) and int(port[1:]) <= 65535):
        raise ValueError(f"'{text}' has no valid port; use 1 to 65535")
    check_dns_name(found["host"])


def check_origin_prefix(text: str) -> None:
    """Raise ValueError unless it matches the ports of one host only."""
    if not text.endswith(":"):
        raise ValueError(
            f"'{text}' also begins the origins of other sites, such as "
            f"{text.rstrip('.')}.example.org; use `exact`, or end with ':' for all ports of a host"
        )
    check_origin(text[:-1])
    if (found := _ORIGIN_PARTS.fullmatch(text[:-1])) and found["port"]:
        raise ValueError(f"'{text}' already has a port; write it in `exact`, without the last ':'")


def check_header(text: str) -> None:
    """Raise ValueError unless it is a header's name, or `*`."""
    if form := credential_form(text):
        raise ValueError(f"contains {form}, which everyone who sees the route can read; remove it")
    if not re.fullmatch(HEADER, text):
        raise ValueError(f"'{text}' is not a header's name; write one such as X-Request-Id")
