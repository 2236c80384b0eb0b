"""Checks and warnings about the ports on which others reach an app."""

from collections.abc import Iterator

from specs.app import AnyApp, WebApp
from specs.exceptions import FIRST_UNPRIVILEGED_PORT, NET_BIND_SERVICE, PRIVILEGED_PORT
from specs.ingress_checks import check_port
from specs.ports import HTTP_PROTOCOLS, MAIN, METRICS, ROUTED_PROTOCOLS
from specs.problem import Finding, Loc

# Each lets a process that is not root listen on a port below 1024.
_LOW_PORTS = (PRIVILEGED_PORT, NET_BIND_SERVICE)

# The port of Istio's sidecar that has a name (istio/istio: files/injection-template.yaml).
_SIDECAR_PORT_NAME = "http-envoy-prom"


def check_ports(app: WebApp, at: Loc) -> Iterator[Finding]:
    """Report ports and names that are taken, and what does not fit the app's protocol."""
    inner: Loc = (*at, "app")
    main = app.app
    yield from check_port(main.port, (*inner, "port"))
    if main.service_port is not None:
        yield from check_port(main.service_port, (*inner, "servicePort"))
    names = dict.fromkeys((MAIN, main.protocol), "`app.port`")
    names[_SIDECAR_PORT_NAME] = "a port of Istio's sidecar"
    numbers = {app.service_port: "`app.servicePort`", main.port: "`app.port`"}
    for index, port in enumerate(main.ports):
        loc: Loc = (*inner, "ports", index)
        if port.name in names:
            yield (
                (*loc, "name"),
                f"'{port.name}' is the name of {names[port.name]}; choose another",
            )
        if port.port in numbers:
            yield (*loc, "port"), f"{port.port} is {numbers[port.port]}; choose another"
        yield from check_port(port.port, (*loc, "port"))
        names.setdefault(port.name, f"ports[{index}]")
        numbers.setdefault(port.port, f"ports[{index}].port")
        if port.name == METRICS and port.protocol not in HTTP_PROTOCOLS:
            yield (
                (*loc, "protocol"),
                f"is {port.protocol}, but Prometheus reads metrics over HTTP; write http, or "
                "rename the port",
            )
    if app.ingress.enabled and main.protocol not in ROUTED_PROTOCOLS:
        yield (
            (*at, "ingress", "enabled"),
            f"is true, but the gateway takes only HTTP, and `app.protocol` is {main.protocol}; "
            "turn it off, or change the protocol",
        )
    monitor = app.service_monitor
    if monitor.enabled and monitor.model_fields_set and app.scraped is None:
        yield (
            (*at, "serviceMonitor"),
            f"has nothing to read: `app.protocol` is {main.protocol}, and metrics come over HTTP; "
            f"add `{{name: {METRICS}, port: 9090}}` to `app.ports`, or remove it",
        )


def warn_of_ports(app: AnyApp, at: Loc) -> Iterator[Finding]:
    """Warn about low ports without an exception: an app never runs as root."""
    if any(each.allow in _LOW_PORTS for each in app.exceptions):
        return
    places: dict[Loc, int] = {}
    if isinstance(app, WebApp):
        places["app", "port"] = app.app.port
        for index, port in enumerate(app.app.ports):
            places["app", "ports", index, "port"] = port.port
    elif app.metrics_port:
        places["serviceMonitor", "port"] = app.metrics_port
    for key, number in places.items():
        if number < FIRST_UNPRIVILEGED_PORT:
            yield (
                (*at, *key),
                f"{number} is below 1024, where a process that is not root may listen only if the "
                "node's runtime allows it (containerd does since 2.0, CRI-O does not); "
                f"add an exception ({PRIVILEGED_PORT}), or use a higher port such as "
                f"{8080 if isinstance(app, WebApp) else 9090}",
            )
