"""ServiceEntries: hosts outside the mesh that a team's apps call.

A mesh with `outboundTrafficPolicy: REGISTRY_ONLY` lets sidecars connect to no others. NIST 800-53
SC-7.
"""

from collections.abc import Sequence

from pulumi_kubernetes.apiextensions import CustomResource

from components.metadata import Place, app_labels, object_meta
from specs.app import BaseApp
from specs.calls import HTTPS, service_entry_name
from specs.connections import called_hosts
from specs.settings import Settings
from specs.team import Team

_PROTOCOLS = {HTTPS: "TLS", 80: "HTTP"}


def service_entries(
    team: Team, app: BaseApp, place: Place, settings: Settings
) -> list[CustomResource]:
    """`<app.name>-<host with dashes>` for each host, known in the team's namespace alone."""
    return [
        _service_entry(team, app, place, host, ports, _resolution(team, host, settings))
        for host, ports in called_hosts(app, settings).items()
    ]


def _service_entry(
    team: Team, app: BaseApp, place: Place, host: str, ports: Sequence[int], resolution: str
) -> CustomResource:
    name = service_entry_name(app.name, host)
    protocols = {port: _PROTOCOLS.get(port, "TCP") for port in ports}
    return CustomResource(
        place.name(name),
        api_version="networking.istio.io/v1",
        kind="ServiceEntry",
        metadata=object_meta(place, name, app_labels(team, app)),
        spec={
            "hosts": [host],
            "location": "MESH_EXTERNAL",
            "exportTo": ["."],
            "ports": [
                {"number": port, "name": f"{protocol.lower()}-{port}", "protocol": protocol}
                for port, protocol in protocols.items()
            ],
            "resolution": resolution,
        },
        opts=place.options,
    )


def _resolution(team: Team, host: str, settings: Settings) -> str:
    """DNS where the sidecar can tell the host of a connection, and look it up.

    A wildcard has no address. For TCP, the sidecar knows the port alone, and all hosts of a port
    share a listener: it then connects to the address that the app has looked up.

    One for all apps of the team that call the host: of entries that differ, istiod takes one, and
    leaves listeners of the others without a cluster.
    """
    ports = {port for app in team.deployed for port in called_hosts(app, settings).get(host, ())}
    return "NONE" if host.startswith("*.") or not ports <= _PROTOCOLS.keys() else "DNS"
