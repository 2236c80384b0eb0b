"""Edges between what the command line names."""

from collections.abc import Iterable

from tools.reach import ports
from tools.reach.answer import end
from tools.reach.edges import Edge, Node
from tools.reach.matrix import edges, in_order
from tools.reach.named import Named
from tools.reach.policies import End
from tools.reach.verdict import edges_between
from tools.reach.world import World


def listed(world: World, source: Named | None, target: Named | None) -> list[Edge]:
    """All edges from and to what is named; None is everything."""
    asked = target.asked if target else ports.ALL
    pods = {pod.node for pod in world.every_pod()}
    if any(each and not pods.issuperset(each.nodes) for each in (source, target)):
        # What is named need not be what a policy names, and counts as a place of its own.
        pairs = [
            (one, other)
            for other in _ends(world, target)
            for one in _ends(world, source)
            if one is not other
        ]
        return in_order(
            edge
            for one, other in pairs
            for edge in edges_between(one, _seen(world, one, other, asked), asked, named=False)
        )

    def wanted(one: Node, other: Node) -> bool:
        return (not source or source.has(one)) and (not target or target.has(other))

    return [*edges(world, wanted, asked)]


def _ends(world: World, named: Named | None) -> Iterable[End]:
    """Those that are named; of a namespace or of everything, the apps."""
    if named and named.nodes:
        return [end(world, node) for node in named.nodes]
    return [pod for pod in world.every_pod() if not named or named.has(pod.node)]


def _seen(world: World, source: End, target: End, asked: ports.Ports) -> End:
    """The target as the source's namespace sees it: its mesh may know a host on these ports."""
    if target.node.kind == "outside":
        return end(world, target.node, source.node.team, asked)
    return target
