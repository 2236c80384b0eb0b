"""Edges between what the command line names."""

from collections.abc import Iterator

from tools.reach import ports
from tools.reach.answer import end
from tools.reach.edges import Edge, Node
from tools.reach.matrix import edges, in_order
from tools.reach.names import Named
from tools.reach.policies import End
from tools.reach.ports import Ports
from tools.reach.verdict import edges_between
from tools.reach.world import World


def listed(world: World, source: Named | None, target: Named | None) -> list[Edge]:
    """All edges from and to what is named; None is everything."""
    asked = target.asked if target else ports.ALL
    if any(each and each.node and each.node.kind == "outside" for each in (source, target)):
        pairs = _with_outside(world, source, target, asked)
        return in_order(edge for pair in pairs for edge in edges_between(*pair, asked))

    def wanted(one: Node, other: Node) -> bool:
        return (not source or source.has(one)) and (not target or target.has(other))

    return [*edges(world, wanted, asked)]


def _with_outside(
    world: World, source: Named | None, target: Named | None, asked: Ports
) -> Iterator[tuple[End, End]]:
    """Each app that is named with what is outside: it need not be what a policy names."""
    for pod in world.every_pod():
        if target and target.node and target.node.kind == "outside":
            if not source or source.has(pod.node):
                yield pod, end(world, target.node, pod.node.team, asked)
        elif source and source.node and (not target or target.has(pod.node)):
            yield end(world, source.node), pod
