"""What a picture of edges shows: nodes, and a link for each pair of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tools.reach.edges import Edge, EdgeKind, Node

# In the order of legends and tables.
KINDS: dict[EdgeKind, str] = {
    "cross-team": "another team",
    "outside": "outside the cluster",
    "platform": "platform",
    "same-team": "same team",
}


@dataclass(frozen=True)
class Link:
    """The edges of one kind between two nodes; `numbers` are their places among all edges.

    Between apps of a team there is one link, even if each may reach the other (`mutual`).
    """

    source: Node
    target: Node
    kind: EdgeKind
    edges: tuple[Edge, ...]
    numbers: tuple[int, ...]

    @property
    def mutual(self) -> bool:
        """Whether it has an arrowhead at both ends."""
        return any(edge.source != self.source for edge in self.edges)

    @property
    def title(self) -> str:
        """A line for each direction, with the ports."""
        ports: defaultdict[str, list[str]] = defaultdict(list)
        for edge in self.edges:
            ports[f"{edge.source.shown} → {edge.target.shown}"].append(edge.port)
        return "\n".join(f"{ends}: {', '.join(each)}" for ends, each in ports.items())


def links(edges: Sequence[Edge]) -> list[Link]:
    """All links, in the order of their first edges."""
    found: defaultdict[tuple[Node, Node, EdgeKind], list[int]] = defaultdict(list)
    for number, edge in enumerate(edges):
        key, back = (edge.source, edge.target, edge.kind), (edge.target, edge.source, edge.kind)
        found[back if edge.kind == "same-team" and back in found else key].append(number)
    return [
        Link(source, target, kind, tuple(edges[each] for each in numbers), tuple(numbers))
        for (source, target, kind), numbers in found.items()
    ]


def nodes(edges: Sequence[Edge]) -> list[Node]:
    """All ends, sorted by name."""
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    return sorted(ends, key=lambda node: (node.team, node.app, node.kind))


def symbols(found: Sequence[Node]) -> dict[Node, str]:
    """A letter for each node of the platform, a number for each outside; apps have none."""
    platform = [node for node in found if node.kind not in ("app", "outside")]
    outside = [node for node in found if node.kind == "outside"]
    return {
        **{node: _letters(number) for number, node in enumerate(platform)},
        **{node: str(number) for number, node in enumerate(outside, 1)},
    }


def _letters(number: int) -> str:
    """A to Z, AA, AB and so on."""
    first, last = divmod(number, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)
