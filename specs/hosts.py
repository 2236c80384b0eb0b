"""Hosts, and whether they overlap: in any case, with a final dot or port, with wildcards."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from specs.names import DNS_NAME_MAX, check_dns_label, check_dns_name

_WILDCARD = "*."

# Suffixes of a Service's names inside the cluster, from the longest to the shortest.
_IN_CLUSTER = (".svc.cluster.local", ".svc", "")

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PATTERN = rf"(?=.{{1,{DNS_NAME_MAX}}}$)(\*\.{_LABEL}|{_LABEL}\.{_LABEL})(\.{_LABEL})*\.?"
PATTERN_EXAMPLE = "grafana.sre.example.com"


def check_host_pattern(text: str) -> None:
    """Raise ValueError unless `text` is a DNS name, or one with `*.` for all names below it."""
    host = plain(text)
    below = host.removeprefix(_WILDCARD)
    try:
        _check_bare(host)
        if below == "*":
            raise ValueError("it covers every host; name a domain, such as *.example.com")
        if "*" in below:
            raise ValueError("'*' must be its whole first label; write one such as *.example.com")
        check_dns_name(below)
        for label in below.split("."):
            check_dns_label(label)
    except ValueError as error:
        raise ValueError(f"is not a host: {error}") from None
    if "." not in host:
        raise ValueError(f"'{text}' has no domain; write the full name, such as {PATTERN_EXAMPLE}")


def _check_bare(host: str) -> None:
    """Raise ValueError for what belongs to an address on the web, but not to its host."""
    bare = host.partition("://")[2].partition("/")[0] or host.partition("/")[0]
    name, colon, port = bare.partition(":")
    instead = f"write {name}" if name.replace(".", "") else "write the host alone"
    if "@" in host:  # not shown: a password may precede it
        raise ValueError(f"it contains a user name or an '@'; write one such as {PATTERN_EXAMPLE}")
    if "://" in host:
        raise ValueError(f"'{host}' contains a scheme; {instead}")
    if "/" in host:
        raise ValueError(f"'{host}' contains a path; {instead}")
    if host.count(":") > 1:
        raise ValueError(f"'{host}' is an IP address; write a name such as {PATTERN_EXAMPLE}")
    if colon and port.isdecimal():
        raise ValueError(f"'{host}' contains a port; {instead}")


def plain(host: str) -> str:
    """A host as others are compared with it: in lower case, without a final dot."""
    return host.lower().removesuffix(".")


def domain_of_wildcard(host: str) -> str | None:
    """The domain below which a wildcard matches every name; None for a full name."""
    return host.removeprefix(_WILDCARD) if host.startswith(_WILDCARD) else None


def host_of(address: str) -> str:
    """The host of a URL, or of `host:port`, in lower case; "" if there is none."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname
    except ValueError:  # unmatched brackets of an IPv6 address
        return ""
    return (host or "").removesuffix(".")


def other_names(host: str) -> frozenset[str]:
    """All names of a Service that `host` names within the cluster; `host` alone if it names none.

    A bare `<service>.<namespace>` counts like a longer name.
    """
    for suffix in _IN_CLUSTER[:2]:
        if host.endswith(suffix):
            return frozenset(host.removesuffix(suffix) + each for each in _IN_CLUSTER)
    return frozenset({host})


def namespace_of(host: str) -> str | None:
    """The namespace of the Service that `host` names within the cluster, or None."""
    if len(names := other_names(host)) == 1:
        return None
    return min(names, key=len).rpartition(".")[2]


def overlap(one: str, other: str) -> bool:
    """Whether both match some host; each is a host, or `*.` and a domain.

    As in Istio, a wildcard stands for one label or more.
    """
    one, other = plain(one), plain(other)
    wild, wild_other = one.startswith(_WILDCARD), other.startswith(_WILDCARD)
    if wild and wild_other:
        return one.endswith(other[1:]) or other.endswith(one[1:])
    if wild:
        return other.endswith(one[1:])
    return one.endswith(other[1:]) if wild_other else one == other


def covers(one: str, other: str) -> bool:
    """Whether `one` matches every host that `other` matches."""
    one, other = plain(one), plain(other)
    return one == other or (one.startswith(_WILDCARD) and other.endswith(one[1:]))


def split_patterns(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Full hosts, and for each wildcard the end that all its hosts share, such as `.sre.internal`.

    Both sorted.
    """
    every = sorted(patterns)
    wild = [each[1:] for each in every if each.startswith(_WILDCARD)]
    return [each for each in every if not each.startswith(_WILDCARD)], wild
