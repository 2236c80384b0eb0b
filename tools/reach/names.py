"""What the command line names: a team, an app, a port of it, addresses or a host."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from specs.hosts import namespace_of, plain
from specs.names import nearest
from specs.network import LAST_PORT
from tools.reach import ports
from tools.reach.edges import Node
from tools.reach.ends import ANYWHERE, Pod
from tools.reach.ports import PROTOCOLS, Ports
from tools.reach.world import World

_PORT = re.compile(r"(?P<name>[a-z0-9-]+)(?:/(?P<protocol>TCP|UDP|SCTP))?", re.IGNORECASE)

_NAMES = "name a team, such as team-alpha, an app, such as team-alpha/my-api, an address or a host"


class UnknownNameError(Exception):
    """A name that stands for nothing; the message says what does."""


@dataclass(frozen=True)
class Named:
    """One node, or with None all of a namespace; and ports, if any are named."""

    node: Node | None
    team: str = ""
    asked: Ports = ports.ALL

    def has(self, node: Node) -> bool:
        """Whether the node is meant."""
        return node == self.node if self.node else node.team == self.team


def find(world: World, text: str) -> Named:
    """What `TEAM`, `TEAM/APP`, an address, a CIDR, a host or `anywhere` stands for.

    A port may follow after ":", also with its protocol. Raises UnknownNameError.
    """
    nodes = {node.shown: node for node in _nodes(world)}
    teams = {node.team for node in nodes.values()} - {""}
    if text in teams:
        return Named(None, text)
    name, asked = _parted(text)
    if node := nodes.get(text) or nodes.get(name):
        asked = ports.ALL if text in nodes else _in_service(world, node, asked, text)
        return Named(node, node.team, asked)
    if _network(name):
        return Named(Node("outside", "", name), "", asked)
    if "." in name and "/" not in name:
        return Named(Node("outside", "", _host(name, text, teams | world.teams)), "", asked)
    if name in teams:
        raise UnknownNameError(
            f"{text}: a port needs an app; write {name}/APP:PORT, or {name} alone"
        )
    team, _, app = name.partition("/")
    if team in teams:
        known = {each.app: each for each in nodes.values() if each.team == team}
        near = nearest(app, known)
        hint = f"did you mean {team}/{near}?" if near else f"choose from {', '.join(sorted(known))}"
        raise UnknownNameError(f"{text}: {team} has no app '{app}'; {hint}")
    near = nearest(team, teams)
    hint = f"did you mean {near}?" if near else _NAMES
    raise UnknownNameError(f"{text}: no team or namespace '{team}'; {hint}")


def _nodes(world: World) -> list[Node]:
    pods = [pod.node for pod in world.every_pod()]
    return [*pods, *world.named_elsewhere(), Node("outside", "", ANYWHERE)]


def _parted(text: str) -> tuple[str, Ports]:
    """The name, and the ports after it."""
    name, colon, rest = text.rpartition(":")
    part = _PORT.fullmatch(rest)
    if not colon or not part or _network(text):
        return text.strip("[]"), ports.ALL
    number, protocol = part["name"], (part["protocol"] or PROTOCOLS[0]).upper()
    if number.isdecimal() and not 1 <= int(number) <= LAST_PORT:
        raise UnknownNameError(
            f"{text}: '{number}' is not a port; write a number from 1 to {LAST_PORT}"
        )
    given = int(number) if number.isdecimal() else number
    return name.strip("[]"), ports.of({"port": given, "protocol": protocol})


def _host(name: str, text: str, namespaces: Iterable[str]) -> str:
    """A host outside the mesh, as ServiceEntries have it."""
    host = plain(name)
    if host.rpartition(".")[2].isdecimal():
        raise UnknownNameError(f"{text}: '{name}' is not an address; write one such as 10.1.2.3")
    service, _, rest = host.partition(".")
    place = namespace_of(host) or (rest if rest in namespaces else None)
    if place:
        service = service if place == rest.partition(".")[0] else "APP"
        raise UnknownNameError(
            f"{text}: '{name}' is a name inside the cluster; name the pods it leads to, such as "
            f"{place}/{service}"
        )
    return host


def _in_service(world: World, node: Node, asked: Ports, text: str) -> Ports:
    """A Service's port as the one that its pods listen on, if they have none of that number."""
    pod = next((each for each in world.pods.get(node.team, ()) if each.node == node), None)
    if pod and asked.names and not pod.meant(asked):
        known = ", ".join(sorted(each.name for each in pod.ports if each.name))
        do = f"use a number, or {known}" if known else "use a number"
        raise UnknownNameError(f"{text}: {node.shown} has no port of that name; {do}")
    if pod is None or asked & _declared(pod):
        return asked
    for service in world.services.get(node.team, ()):
        for number, leads in service.ports.items():
            if service.selects(pod) and ports.number(number) == asked:
                return pod.meant(leads)
    return asked


def _declared(pod: Pod) -> Ports:
    return ports.union(ports.number(each.number, each.protocol) for each in pod.ports)


def _network(name: str) -> object:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None
