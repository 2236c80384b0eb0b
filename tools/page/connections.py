"""An app's connections in a few lines: those of one kind on the same ports are one."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tools.reach.drawn import KINDS
from tools.reach.edges import Edge, EdgeKind, Node

_KINDS = [*KINDS]


@dataclass(frozen=True)
class Connections:
    """What an app may reach on some ports, or (`incoming`) what may reach it."""

    incoming: bool
    kind: EdgeKind
    ports: str
    others: tuple[Node, ...]


def connections(edges: Iterable[Edge], app: Node) -> list[Connections]:
    """Those of an app: what it may reach comes first, other teams come before the platform."""
    ports: defaultdict[tuple[bool, EdgeKind, Node], list[str]] = defaultdict(list)
    for edge in edges:
        if app in (edge.source, edge.target):
            incoming = edge.target == app
            other = edge.source if incoming else edge.target
            ports[incoming, edge.kind, other].append(edge.port)
    others: defaultdict[tuple[bool, EdgeKind, str], list[Node]] = defaultdict(list)
    for (incoming, kind, other), open_ones in ports.items():
        others[incoming, kind, ", ".join(open_ones)].append(other)
    found = [Connections(*key, tuple(sorted(nodes))) for key, nodes in others.items()]
    return sorted(found, key=lambda each: (each.incoming, _KINDS.index(each.kind), each.others))
