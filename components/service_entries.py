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
    """`<app.name>-<host with dashes>` for each host, known in the team's namespace alone.

    It has all ports on which the team's apps call the host: of a namespace's entries for a host
    that differ, istiod takes one, and leaves listeners of the others without a cluster.
    """
    called = [called_hosts(other, settings) for other in team.deployed]
    return [
        _service_entry(
            team, app, place, host, sorted({port for each in called for port in each.get(host, ())})
        )
        for host in called_hosts(app, settings)
    ]


def _service_entry(
    team: Team, app: BaseApp, place: Place, host: str, ports: Sequence[int]
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
            "resolution": _resolution(host, [*protocols.values()]),
        },
        opts=place.options,
    )


def _resolution(host: str, protocols: Sequence[str]) -> str:
    """DNS where the sidecar can tell the host of a connection, and look it up.

    A wildcard has no address. For TCP, the sidecar knows the port alone, and all hosts of a port
    share a listener: it then connects to the address that the app has looked up.
    """
    return "NONE" if host.startswith("*.") or "TCP" in protocols else "DNS"
