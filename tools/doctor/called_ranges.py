"""Whether the addresses that apps call lie outside the cluster."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tools.doctor.examination import Outcome, ok, skipped, warn

# What Istio takes for HTTP: a port's `appProtocol`, or its name before the "-".
_HTTP = ("http", "http2", "grpc", "grpc-web")


def called_ranges(cluster: Cluster, entries: Sequence[Mapping[str, Any]]) -> Iterator[Outcome]:
    """A sidecar passes all of a range on as it is, HTTP to Services of the mesh too.

    There, it then arrives without mutual TLS.
    """
    try:
        services = cluster.list("v1", "Service")
    except RefusedError as refusal:
        if refusal.status != 403:
            raise
        yield skipped("this identity may not list Services")
        return
    wrong = False
    for entry in entries:
        ports = {port["number"] for port in entry["spec"]["ports"]}
        for cidr in entry["spec"].get("addresses") or ():
            for service in services:
                if spoken := sorted(ports.intersection(_http_ports(service))):
                    if not _has_address_of(cidr, service):
                        continue
                    wrong = True
                    own, other = entry["metadata"], service["metadata"]
                    yield warn(
                        f"{own['namespace']}/{own['name']}: {cidr} contains Service "
                        f"{other['namespace']}/{other['name']}, to which HTTP on port {spoken[0]} "
                        f"then fails for all apps of {own['namespace']}",
                        "name only addresses outside the cluster in `cidr`",
                    )
                    break
    if not wrong:
        yield ok(f"{len(entries)} ranges without a Service that speaks HTTP on their ports")


def _http_ports(service: Object) -> set[int]:
    return {
        port["port"]
        for port in service["spec"].get("ports") or ()
        if (port.get("appProtocol") or port.get("name", "").partition("-")[0]) in _HTTP
    }


def _has_address_of(cidr: str, service: Object) -> bool:
    network = ipaddress.ip_network(cidr)
    spec = service["spec"]
    addresses = [*(spec.get("clusterIPs") or [spec.get("clusterIP")])]
    return any(
        ipaddress.ip_address(each) in network for each in addresses if each and each != "None"
    )
