"""Every edge: who may reach whom.

Nothing compares each pod with each other pod. A rule that names its peers' namespaces leads to the
pods there; what is left are pairs in which neither side names the other, and these are found by
what the rules say, which many pods share.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from specs.openings import EGRESS, INGRESS
from tools.reach import ports
from tools.reach.edges import Edge, Node
from tools.reach.ends import Pod
from tools.reach.peers import Peer
from tools.reach.policies import End
from tools.reach.ports import Ports
from tools.reach.verdict import edges_between
from tools.reach.world import World

# Pods by a rule that does not name namespaces.
_Wide = dict[tuple[Peer, Ports], list[Pod]]


def edges(
    world: World, wanted: Callable[[Node, Node], bool] | None = None, asked: Ports = ports.ALL
) -> Iterator[Edge]:
    """All edges, in order; one from an app to itself is left out.

    Only those between nodes that are `wanted`, and for the ports that are `asked`.
    """
    pairs = _pairs(world)
    if wanted:
        pairs = [(one, other) for one, other in pairs if wanted(one.node, other.node)]
    yield from in_order(edge for pair in pairs for edge in edges_between(*pair, asked))


def in_order(found: Iterable[Edge]) -> list[Edge]:
    """Edges by their ends and ports."""
    return sorted(found, key=lambda edge: (edge.source, edge.target, edge.port))


def _pairs(world: World) -> Iterable[tuple[End, End]]:
    """Every source and target between which something may be open."""
    found: dict[tuple[End, End], None] = {}
    wide: dict[str, _Wide] = {direction: defaultdict(list) for direction in (EGRESS, INGRESS)}
    reached: dict[Peer, list[Pod]] = {}
    for pod in world.every_pod():
        found |= {(pod, host): None for host in world.hosts_of(pod.namespace.name)}
        for direction, rules in wide.items():
            for rule in pod.policies(direction).rules:
                others: list[End] = [*world.others(rule.peer, direction)]
                if rule.peer.names is None:
                    if rule.peer.everyone or not rule.peer.block:
                        rules[rule.peer, rule.ports].append(pod)
                else:
                    if rule.peer not in reached:
                        reached[rule.peer] = world.pods_of(rule.peer)
                    others += reached[rule.peer]
                for other in others:
                    found[(pod, other) if direction == EGRESS else (other, pod)] = None
    found |= dict.fromkeys(_wide_pairs(world, wide[EGRESS], wide[INGRESS]))
    return [pair for pair in found if pair[0] is not pair[1]]


def _wide_pairs(world: World, out: _Wide, into: _Wide) -> Iterator[tuple[End, End]]:
    stands_for = {peer: set(world.pods_of(peer)) for peer in {peer for peer, _ in (*out, *into)}}
    for (to, leaving), sources in out.items():
        for (source_of, entering), targets in into.items():
            if not (leaving.names or entering.names or leaving & entering):
                continue
            for source in stands_for[source_of].intersection(sources):
                for target in stands_for[to].intersection(targets):
                    yield source, target
