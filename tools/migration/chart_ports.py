"""Ports as the platform's charts have them, in the spelling of a team's file."""

from typing import get_args

from specs.ports import Protocol
from tools.migration.value import Value

_PROTOCOLS = get_args(Protocol)


def respell_ports(entry: Value) -> None:
    """`appProtocol` and `extraPorts`; what has no counterpart stays, and is reported."""
    app = entry.mapping(("app",))
    if app is None:
        return
    protocol, ports = entry.data.get("appProtocol"), entry.data.get("extraPorts")
    if protocol and protocol.data in ("", *_PROTOCOLS) and "protocol" not in app.data:
        del entry.data["appProtocol"]
        if protocol.data not in ("", "http"):
            app.data["protocol"] = protocol
    if ports and isinstance(ports.data, list) and "ports" not in app.data:
        del entry.data["extraPorts"]
        if ports.data:
            app.data["ports"] = Value(ports.source, ports.loc, [_port(port) for port in ports.data])


def _port(port: Value) -> Value:
    if not isinstance(port.data, dict):
        return port
    data = dict(port.data)
    number, target = data.get("port"), data.get("targetPort")
    if target and number and target.data == number.data:
        del data["targetPort"]
    transport = data.get("protocol")
    if transport is None or transport.data == "TCP":
        where = transport or port
        data["protocol"] = Value(where.source, where.loc, _spoken(data.get("name")))
    return Value(port.source, port.loc, data)


def _spoken(name: Value | None) -> str:
    """What Istio reads from the name, up to a hyphen; of other names it guesses, as TCP can."""
    first = str(name.data).partition("-")[0] if name else ""
    return first if first in _PROTOCOLS else "tcp"
