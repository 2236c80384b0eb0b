"""Checks of an app's port, and of the hosts under which it is reachable from outside."""

from collections.abc import Iterator

from specs.hosts import overlap
from specs.ingress import Ingress
from specs.names import nearest
from specs.problem import Finding, Loc
from specs.settings import Settings

# Ports that Istio's sidecar listens on in every pod (Istio: Ports used by Istio).
_SIDECAR_PORTS = frozenset({15000, 15001, 15002, 15004, 15006, 15008, 15020, 15021, 15053, 15090})


def check_port(port: int, loc: Loc) -> Iterator[Finding]:
    """Report a port that the sidecar occupies."""
    if port in _SIDECAR_PORTS:
        yield loc, f"{port} is used by Istio's sidecar in every pod; use another port such as 8080"


def check_ingress(ingress: Ingress, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Report a host that is missing or not the team's to use, and an unknown gateway."""
    if ingress.enabled and ingress.host is None:
        yield (
            (*at, "host"),
            "is required when ingress is enabled; add it, such as `host: my-api.apps.example.com`",
        )
    elif ingress.host is not None:
        yield from _check_host(ingress.host, (*at, "host"), settings)
    known = settings.istio.gateways
    if ingress.gateway is not None and ingress.gateway not in known:
        hint = nearest(ingress.gateway, known)
        do = f"did you mean {hint}?" if hint else f"use one of: {', '.join(known)}"
        yield (*at, "gateway"), f"'{ingress.gateway}' is not a gateway of this stack; {do}"


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
