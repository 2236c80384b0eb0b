"""What the command line names: a team, an app, a port of it, addresses, a host or the platform."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from specs.hosts import namespace_of, plain
from specs.names import nearest
from specs.network import LAST_PORT
from tools.reach import ports
from tools.reach.edges import Node
from tools.reach.ends import ANYWHERE, Pod, outside
from tools.reach.named import Named
from tools.reach.peers import Peer
from tools.reach.ports import PROTOCOLS, Ports
from tools.reach.world import World

_PORT = re.compile(r"(?P<name>[a-z0-9-]+)(?:/(?P<protocol>[a-z]+))?", re.IGNORECASE)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_API_SERVER = "kubernetes-api"
_NAME_ITS_ADDRESS = (
    "name an address of the API server, such as 10.0.0.1:6443, or a service that the stack defines "
    "for it in `network.platform`"
)


class UnknownNameError(Exception):
    """A name that stands for nothing; the message says what does."""


def find(world: World, text: str, platform: Mapping[str, Named] | None = None) -> Named:
    """What `TEAM`, `TEAM/APP`, a name of the platform, an address, a CIDR or a host stands for.

    A port may follow after ":", also with its protocol. Names of apps come first, then those of
    the platform (`platform`), then other namespaces. Raises UnknownNameError.
    """
    nodes = {node.shown: node for node in _nodes(world)}
    namespaces = {node.team for node in nodes.values()} - {""}
    teams = world.namespaces.keys() | world.teams
    platform = {key: named for key, named in (platform or {}).items() if key not in teams}
    name, asked = _parted(text)
    if known := platform.get(text) or platform.get(name):
        opened = known.asked if text in platform else asked
        return Named(known.nodes, known.shown.replace(name, text, 1), "", opened)
    if text in namespaces:
        return Named((), text, text)
    if places := _addresses(world, name):
        return Named(places, text, "", asked)
    if node := nodes.get(text) or nodes.get(name):
        asked = ports.ALL if text in nodes else _in_service(world, node, asked, text)
        return Named((node,), text, node.team, asked)
    if "://" in text:
        raise UnknownNameError(f"{text}: is a URL; write only its host and port, HOST:PORT")
    if "." in name and "/" not in name:
        host = _host(name, text, namespaces | world.teams)
        return Named((Node("outside", "", host),), text, "", asked)
    raise UnknownNameError(f"{text}: {_unknown(world, name, nodes, namespaces, platform)}")


def _unknown(
    world: World,
    name: str,
    nodes: Mapping[str, Node],
    namespaces: set[str],
    platform: Mapping[str, Named],
) -> str:
    """What is wrong with a name, and what to write instead."""
    if name in namespaces:
        return f"a port needs an app; write {name}/APP:PORT, or {name} alone"
    team, _, app = name.partition("/")
    if team in namespaces:
        known = {each.app: each for each in nodes.values() if each.team == team}
        near = nearest(app, known)
        hint = f"did you mean {team}/{near}?" if near else f"choose from {', '.join(sorted(known))}"
        if team in world.teams - world.namespaces.keys():
            return f"the stack has no app '{app}' of {team}; {hint}, or another stack (--stack)"
        return f"{team} has no app '{app}'; {hint}"
    if team in world.teams:
        return f"the stack does not have {team}; name one that does with --stack"
    if _network(team):
        return f"'{name}' is not a range of addresses; write one such as 10.200.0.0/16"
    if name == _API_SERVER:
        return f"the stack does not define this service; {_NAME_ITS_ADDRESS}"
    apps = {node.app: shown for shown, node in nodes.items() if node.kind == "app"}
    meant = apps | {each: each for each in (*nodes, *namespaces, *platform, *world.teams)}
    near = meant.get(name) or meant.get(nearest(name, meant) or "")
    hint = f"did you mean {near}?" if near else _choices(platform)
    return f"no team or namespace '{team}'; {hint}"


def _choices(platform: Mapping[str, Named]) -> str:
    others = ["an address", "a range of addresses", "a host"]
    return f"name a team, an app (TEAM/APP), {', '.join([*platform, *others])}, or {ANYWHERE}"


def _nodes(world: World) -> list[Node]:
    pods = [pod.node for pod in world.every_pod()]
    return [*pods, *world.named_elsewhere(), Node("outside", "", ANYWHERE)]


def _parted(text: str) -> tuple[str, Ports]:
    """The name, and the ports after it."""
    name, colon, rest = text.rpartition(":")
    part = _PORT.fullmatch(rest)
    if not colon or not part or _network(text) or "://" in text:
        return text.strip("[]"), ports.ALL
    number, protocol = part["name"], (part["protocol"] or PROTOCOLS[0]).upper()
    if protocol not in PROTOCOLS:
        known = " or ".join((", ".join(PROTOCOLS[:-1]), PROTOCOLS[-1]))
        raise UnknownNameError(
            f"{text}: '{part['protocol']}' is not a protocol of ports; write {known}"
        )
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
    if place and (place, service) == ("default", "kubernetes"):
        raise UnknownNameError(f"{text}: '{name}' leads to no pods; {_NAME_ITS_ADDRESS}")
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
        known = ", ".join(sorted({each.name for each in pod.ports if each.name}))
        do = f"use a number, or {known}" if known else "use a number"
        raise UnknownNameError(f"{text}: {node.shown} has no port of that name; {do}")
    if pod is None or asked & _declared(pod):
        return asked
    for service in world.services.get(node.team, ()):
        for number, leads in service.ports.items():
            if service.selects(pod) and ports.number(number) == asked:
                return pod.meant(leads)
    return asked


def _addresses(world: World, name: str) -> tuple[Node, ...]:
    """The addresses that are meant, and the parts of them that blocks of policies mean.

    Of `anywhere`, only blocks of all addresses are parts, also with exceptions: others are far
    less.
    """
    asked = _network(name)
    if asked is None and name != ANYWHERE:
        return ()
    own = Node("outside", "", name)
    parts = [_part(place.block, asked) for place in world.blocks.values() if place.block]
    found = [outside(Peer({"ipBlock": part})) for part in parts if part]
    for place in found:
        world.blocks.setdefault(place.node, place)
    return own, *sorted({place.node for place in found} - {own})


def _part(block: Mapping[str, Any], asked: _Network | None) -> Mapping[str, Any] | None:
    """What a block and addresses that are asked for share; None if that is nothing, or all."""
    known = ipaddress.ip_network(block["cidr"], strict=False)
    if asked is None:
        return block if known.prefixlen == 0 else None
    smaller = asked if _is_within(asked, known) else known
    left_out = (ipaddress.ip_network(each, strict=False) for each in block.get("except") or ())
    holes = [*ipaddress.collapse_addresses(left_out)]  # type: ignore[type-var]
    if not _is_within(smaller, asked) or any(_is_within(smaller, each) for each in holes):
        return None
    if smaller == known:
        return block
    within = [str(each) for each in holes if _is_within(each, asked)]
    return {"cidr": str(asked), "except": within} if within else None


def _is_within(one: _Network, other: _Network) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.subnet_of(other)
    return False


def _declared(pod: Pod) -> Ports:
    return ports.union(ports.number(each.number, each.protocol) for each in pod.ports)


def _network(name: str) -> _Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None
