"""What an app's calls and callers come to: who may reach it, and which hosts it reaches.

NIST 800-53 AC-4, SC-7.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specs.app import BaseApp, WebApp
from specs.calls import HTTPS, Call
from specs.hosts import plain
from specs.network import network_of
from specs.partners import Partners
from specs.settings import PlatformService, Settings
from specs.team import Team


@dataclass(frozen=True)
class Admitted:
    """An app that may call another one, by the ServiceAccount of its pods.

    `paths` and `methods` are all that it may use; None: any.
    """

    team: str
    app: str
    account: str
    paths: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Called:
    """Pods that an app calls: those of an app, and its port."""

    team: str
    app: str
    port: int


def called_apps(team: Team, app: BaseApp, partners: Partners) -> Iterator[Called]:
    """Apps that it calls and that its team's NetworkPolicies do not open to it anyway."""
    for call in app.calls:
        if not call.app:
            continue
        if call.team and call.team != team.name:
            partner = partners.get((call.team, call.app))
            if partner and partner.port:
                yield Called(call.team, call.app, partner.port)
        elif team.namespace.internal_traffic == "declared":
            for other in team.deployed:
                if isinstance(other, WebApp) and other.name == call.app:
                    yield Called(team.name, other.name, other.app.port)


def admitted(team: Team, app: WebApp, partners: Partners) -> Iterator[Admitted]:
    """Apps that may call it, besides those that the whole namespace admits."""
    if team.namespace.internal_traffic == "declared":
        for other in team.deployed:
            if any(_is(call, team, app) for call in other.calls):
                yield Admitted(team.name, other.name, other.account)
    for caller in app.callers:
        partner = partners.get((caller.team, caller.app))
        if partner:
            yield Admitted(caller.team, caller.app, partner.account, caller.paths, caller.methods)


def platform_services(app: BaseApp, settings: Settings) -> Iterator[PlatformService]:
    """Services of the platform that it calls."""
    for call in app.calls:
        if call.platform and (service := settings.network.platform.get(call.platform)):
            yield service


def called_hosts(app: BaseApp, settings: Settings) -> dict[str, Sequence[int]]:
    """Ports of each host outside the mesh that it calls, both sorted.

    The host is in lower case and without a final dot.
    """
    found: dict[str, set[int]] = {}
    for call in app.calls:
        if call.host:
            found.setdefault(plain(call.host), set()).add(call.port or HTTPS)
    for service in platform_services(app, settings):
        if service.host:
            found.setdefault(plain(service.host), set()).update(service.ports)
    return {host: sorted(found[host]) for host in sorted(found)}


def called_ranges(app: BaseApp, settings: Settings) -> dict[str, Sequence[int]]:
    """Ports of each range of addresses outside the mesh that it calls, both sorted."""
    found: dict[str, set[int]] = {}
    for call in app.calls:
        if call.cidr and call.port:
            found.setdefault(str(network_of(call.cidr)), set()).add(call.port)
    for service in platform_services(app, settings):
        for cidr in service.cidrs:
            found.setdefault(str(network_of(cidr)), set()).update(service.ports)
    return {cidr: sorted(found[cidr]) for cidr in sorted(found)}


def _is(call: Call, team: Team, app: WebApp) -> bool:
    return call.app == app.name and call.team in (None, team.name)
