"""Hosts that apps call on a port of the mesh's own HTTP, which their sidecars take for theirs."""

from collections.abc import Iterable, Iterator

from specs.app import AnyApp, WebApp
from specs.calls import HTTPS
from specs.load import TeamFile
from specs.ports import ROUTED_PROTOCOLS
from specs.problem import Loc, Problem
from specs.settings import Settings

# Where a host's ServiceEntry says what is spoken, so that sidecars tell it from a Service.
_KNOWN = (80, HTTPS)


def warn_of_http_ports(
    files: Iterable[TeamFile], known: Iterable[TeamFile], settings: Settings
) -> Iterator[Problem]:
    """Warn about hosts on ports of the known apps' Services, where only declared hosts count.

    Elsewhere, the mesh lets plain HTTP to any host pass.
    """
    if settings.network.https_egress != "declared":
        return
    spoken: dict[int, str] = {}
    for file in known:
        for app in file.team.deployed if file.team else ():
            for port in _http_ports(app):
                spoken.setdefault(port, f"{file.team.name}'s {app.name}" if file.team else "")
    for file in files:
        for index, app in enumerate(file.team.deployed if file.team else ()):
            for loc, port in _ports(app, settings):
                if port in spoken and port not in _KNOWN:
                    yield file.problem(
                        ("apps", index, *loc),
                        f"HTTP on port {port} is that of Services in the mesh, such as "
                        f"{spoken[port]}, so plain HTTP to this host is answered with 502; use "
                        "HTTPS or another port, or call its addresses by `cidr`",
                    )


def _http_ports(app: AnyApp) -> Iterator[int]:
    """Ports of an app's Service on which HTTP is spoken."""
    if not isinstance(app, WebApp):
        return
    if app.app.protocol in ROUTED_PROTOCOLS:
        yield app.service_port
    yield from (each.port for each in app.app.ports if each.protocol in ROUTED_PROTOCOLS)


def _ports(app: AnyApp, settings: Settings) -> Iterator[tuple[Loc, int]]:
    """Each port on which the app calls a host, and the key that says so."""
    for index, call in enumerate(app.calls):
        service = settings.network.platform.get(call.platform or "")
        if call.host is not None and call.port is not None:
            yield ("calls", index, "port"), call.port
        elif service and service.host is not None:
            yield from ((("calls", index, "platform"), port) for port in service.ports)
