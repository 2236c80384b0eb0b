"""Hosts that lead nowhere: not routed, not served by the gateway, or without a certificate."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients.kubernetes import Object
from specs.app import WebApp
from specs.problem import Loc
from specs.settings import Settings
from specs.shared_hosts import gateway
from specs.team import Team
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import VIRTUAL_SERVICES, ClusterState, gateways_in
from tools.status.words import RESTORE


def causes(app: AppState) -> Iterator[Cause]:
    """Why requests for the app's hosts do not reach it."""
    if not isinstance(app.app, WebApp) or not app.app.ingress.enabled or app.workload is None:
        return
    if VIRTUAL_SERVICES not in app.state.unread:
        yield from _routing(app, app.app)
    at = gateway(app.app, app.settings)
    if at and gateways_in(at.partition("/")[0]) not in app.state.unread:
        yield from _gateway(app, app.app, at)


def _routing(app: AppState, web: WebApp) -> Iterator[Cause]:
    found = app.state.named(VIRTUAL_SERVICES, web.name)
    routed = found["spec"].get("hosts") or () if found else ()
    for host, loc in web.ingress.placed_hosts():
        if found is None:
            yield Cause(
                "not-routed",
                f"{host} is not routed: the namespace has no VirtualService {web.name}",
                RESTORE,
                ("ingress", *loc),
                weight=Weight.DIFFERS,
            )
        elif host not in routed:
            yield Cause(
                "not-routed",
                f"{host} is not routed: the VirtualService {web.name} is for "
                f"{', '.join(routed) or 'no host'}",
                RESTORE,
                ("ingress", *loc),
                weight=Weight.DIFFERS,
            )


def _gateway(app: AppState, web: WebApp, at: str) -> Iterator[Cause]:
    found = _find(app.state, at)
    where: Loc = ("ingress", "gateway")
    if found is None:
        yield Cause(
            "gateway-missing",
            f"there is no Gateway {at}, so no host is reached from outside",
            "name one of the stack's gateways, or ask the platform team",
            where,
            weight=Weight.WARNING,
        )
        return
    for host, loc in web.ingress.placed_hosts():
        servers = [each for each in _servers(found) if _serves(each, host, app.team.name)]
        if not servers:
            yield Cause(
                "host-not-served",
                f"the Gateway {at} does not serve {host}",
                "choose a host of its domains, or ask the platform team to add it",
                ("ingress", *loc),
                weight=Weight.WARNING,
            )
            continue
        missing = [
            name
            for name in map(_certificate, servers)
            if name and app.state.certificates.get(f"{at.partition('/')[0]}/{name}") is False
        ]
        if missing and len(missing) == len([each for each in servers if _certificate(each)]):
            yield Cause(
                "certificate-missing",
                f"{host} has no certificate: the Gateway {at} names the Secret {missing[0]}, which "
                "does not exist",
                "ask the platform team",
                ("ingress", *loc),
                weight=Weight.WARNING,
            )


def certificates(team: Team, settings: Settings, state: ClusterState) -> Sequence[tuple[str, str]]:
    """Namespace and name of the Secrets with certificates of the team's hosts."""
    needed: dict[tuple[str, str], None] = {}
    for app in team.deployed:
        at = gateway(app, settings) if isinstance(app, WebApp) and app.ingress.enabled else None
        found = _find(state, at) if at else None
        if at and found and isinstance(app, WebApp):
            for host in app.ingress.every_host:
                for server in _servers(found):
                    name = _certificate(server)
                    if name and _serves(server, host, team.name):
                        needed[at.partition("/")[0], name] = None
    return list(needed)


def _find(state: ClusterState, at: str) -> Object | None:
    namespace, _, name = at.partition("/")
    return state.named(gateways_in(namespace), name)


def _servers(found: Object) -> Sequence[Mapping[str, Any]]:
    servers: Sequence[Mapping[str, Any]] = found["spec"].get("servers") or ()
    return servers


def _certificate(server: Mapping[str, Any]) -> str:
    return str((server.get("tls") or {}).get("credentialName") or "")


def _serves(server: Mapping[str, Any], host: str, namespace: str) -> bool:
    """Whether a gateway's server takes requests for a host of that namespace's VirtualServices."""
    for each in server.get("hosts") or ():
        admitted, _, pattern = each.rpartition("/")
        if admitted not in ("", "*", namespace):
            continue
        if pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:])):
            return True
    return False
