"""ServiceEntries: hosts and addresses outside the mesh that a team's apps call.

A mesh with `outboundTrafficPolicy: REGISTRY_ONLY` lets sidecars connect to no others. NIST 800-53
SC-7.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_kubernetes.apiextensions import CustomResource

from components.metadata import Place, app_labels, object_meta
from specs.app import BaseApp
from specs.calls import HTTPS, host_of_range, service_entry_name
from specs.connections import called_hosts, called_ranges
from specs.settings import Settings
from specs.team import Team

_PROTOCOLS = {HTTPS: "TLS", 80: "HTTP"}


def service_entries(
    team: Team, app: BaseApp, place: Place, settings: Settings
) -> list[CustomResource]:
    """`<app.name>-<host or range with dashes>` for each, known in the team's namespace alone.

    A host has all ports on which the team's apps call it: of a namespace's entries for a host that
    differ, istiod takes one, and leaves listeners of the others without a cluster.
    """
    called = [called_hosts(other, settings) for other in team.deployed]
    hosts = {
        host: _host(host, sorted({port for each in called for port in each.get(host, ())}))
        for host in called_hosts(app, settings)
    }
    ranges = {
        cidr: _range(app, cidr, ports) for cidr, ports in called_ranges(app, settings).items()
    }
    return [
        _service_entry(team, app, place, target, spec)
        for target, spec in {**hosts, **ranges}.items()
    ]


def _service_entry(
    team: Team, app: BaseApp, place: Place, target: str, spec: Mapping[str, Any]
) -> CustomResource:
    name = service_entry_name(app.name, target)
    return CustomResource(
        place.name(name),
        api_version="networking.istio.io/v1",
        kind="ServiceEntry",
        metadata=object_meta(place, name, app_labels(team, app)),
        spec={**spec, "location": "MESH_EXTERNAL", "exportTo": ["."]},
        opts=place.options,
    )


def _host(host: str, ports: Sequence[int]) -> dict[str, Any]:
    protocols = {port: _PROTOCOLS.get(port, "TCP") for port in ports}
    return {
        "hosts": [host],
        "ports": _ports(protocols),
        "resolution": _resolution(host, [*protocols.values()]),
    }


def _range(app: BaseApp, cidr: str, ports: Sequence[int]) -> dict[str, Any]:
    """A host of its own for each app's range: istiod then has a cluster for each.

    A range of all addresses is known by its port alone, as TCP hosts are: by its addresses, it
    would also take the HTTP of the mesh's Services. So is each that begins at 0.0.0.0, for which
    istiod sets no addresses whatever its length.
    """
    named = {} if _begins_at_zero(cidr) else {"addresses": [cidr]}
    return {
        "hosts": [host_of_range(app.name, cidr)],
        **named,
        "ports": _ports(dict.fromkeys(ports, "TCP")),
        "resolution": "NONE",
    }


def _begins_at_zero(cidr: str) -> bool:
    return ipaddress.ip_network(cidr).network_address.is_unspecified


def _ports(protocols: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {"number": port, "name": f"{protocol.lower()}-{port}", "protocol": protocol}
        for port, protocol in protocols.items()
    ]


def _resolution(host: str, protocols: Sequence[str]) -> str:
    """DNS where the sidecar can tell the host of a connection, and look it up.

    A wildcard has no address. For TCP, the sidecar knows the port alone, and all hosts of a port
    share a listener: it then connects to the address that the app has looked up.
    """
    return "NONE" if host.startswith("*.") or "TCP" in protocols else "DNS"
