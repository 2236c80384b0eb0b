"""Rules of an app's NetworkPolicy for what it calls and for who calls it.

NIST 800-53 AC-4, SC-7.
"""

from collections.abc import Iterator

from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
)

from components.metadata import selector_of
from components.network_rules import addresses, in_namespace, incoming, outgoing
from specs.app import BaseApp, WebApp
from specs.calls import HTTPS
from specs.connections import admitted, called_apps, called_hosts, platform_services
from specs.partners import Partners
from specs.settings import Settings
from specs.team import Team


def to_called(
    team: Team, app: BaseApp, settings: Settings, partners: Partners
) -> Iterator[NetworkPolicyEgressRuleArgs]:
    """To each of the app's calls, and to no other port.

    A NetworkPolicy knows no hosts: their ports are open to every address.
    """
    for called in called_apps(team, app, partners):
        yield outgoing([in_namespace(called.team, selector_of(called.app))], [called.port])
    for call in app.calls:
        if call.cidr and call.port:
            yield outgoing([addresses(call.cidr)], [call.port])
    for service in platform_services(app, settings):
        if service.namespace:
            yield outgoing([in_namespace(service.namespace, service.pod_labels)], service.ports)
        elif service.cidrs:
            yield outgoing([addresses(cidr) for cidr in service.cidrs], service.ports)
    ports = {port for found in called_hosts(app, settings).values() for port in found}
    if settings.network.https_egress == "open":
        ports.discard(HTTPS)  # open anyway
    if ports:
        yield outgoing([], sorted(ports))


def from_callers(
    team: Team, app: BaseApp, partners: Partners
) -> Iterator[NetworkPolicyIngressRuleArgs]:
    """From each app that may call this one, to its main port."""
    if not isinstance(app, WebApp):
        return
    for caller in admitted(team, app, partners):
        yield incoming([in_namespace(caller.team, selector_of(caller.app))], [app.app.port])
