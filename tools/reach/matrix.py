"""Every edge: who may reach whom.

Nothing compares each pod with each other pod. A rule that names namespaces, or stands for few pods,
leads to these; what is left are pairs in which each side stands for many, and these are found by
what the rules say, which many pods share.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from specs.openings import EGRESS, INGRESS
from tools.reach import ports
from tools.reach.edges import Edge, Node
from tools.reach.ends import Pod
from tools.reach.peers import Peer
from tools.reach.policies import End
from tools.reach.ports import Ports
from tools.reach.verdict import edges_between
from tools.reach.world import World

# A rule that stands for more pods than this is looked at together with those that say the same.
_MANY = 50

# Pods by such a rule.
_Wide = dict[tuple[Peer, Ports], list[Pod]]
_ByNumber = dict[tuple[str, int], list[tuple[Peer, Ports]]]


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
    """Edges by their ends; those between the same two stay in the order of their ports."""
    return sorted(found, key=lambda edge: (edge.source, edge.target))


def _pairs(world: World) -> Iterable[tuple[End, End]]:
    """Every source and target between which something may be open."""
    found: dict[tuple[End, End], None] = {}
    wide: dict[str, _Wide] = {direction: defaultdict(list) for direction in (EGRESS, INGRESS)}
    reached: dict[Peer, list[Pod]] = {}
    for pod in world.every_pod():
        found |= {(pod, host): None for host in world.hosts_of(pod.namespace.name)}
        for direction, rules in wide.items():
            for rule in pod.policies(direction).rules:
                if rule.peer not in reached:
                    reached[rule.peer] = world.pods_of(rule.peer)
                others: list[End] = [*world.others(rule.peer, direction)]
                many = rule.peer.everyone or len(reached[rule.peer]) > _MANY
                if many and rule.peer.names is None:
                    rules[rule.peer, rule.ports].append(pod)
                else:
                    others += reached[rule.peer]
                for other in others:
                    found[(pod, other) if direction == EGRESS else (other, pod)] = None
    found |= dict.fromkeys(_wide_pairs(wide[EGRESS], wide[INGRESS], reached))
    return [pair for pair in found if pair[0] is not pair[1]]


def _wide_pairs(
    out: _Wide, into: _Wide, reached: Mapping[Peer, list[Pod]]
) -> Iterator[tuple[End, End]]:
    stands_for = {peer: set(reached[peer]) for peer, _ in (*out, *into)}
    at, elsewhere = _by_number(into)
    for (to, leaving), sources in out.items():
        numbers = _numbers(leaving)
        meeting = into if numbers is None else [*elsewhere, *(e for n in numbers for e in at[n])]
        for source_of, entering in dict.fromkeys(meeting):
            if leaving.names or entering.names or leaving & entering:
                targets = into[source_of, entering]
                for source in stands_for[source_of].intersection(sources):
                    for target in stands_for[to].intersection(targets):
                        yield source, target


def _by_number(rules: _Wide) -> tuple[_ByNumber, list[tuple[Peer, Ports]]]:
    """Rules for single ports by each of these, and all others."""
    at: _ByNumber = defaultdict(list)
    others = []
    for rule in rules:
        numbers = _numbers(rule[1])
        if numbers is None:
            others.append(rule)
        for each in numbers or ():
            at[each].append(rule)
    return at, others


def _numbers(opened: Ports) -> list[tuple[str, int]] | None:
    """The ports one by one; None for names and ranges."""
    if opened.names or any(first != last for _, (first, last) in opened.ranges):
        return None
    return [(name, first) for name, (first, _) in opened.ranges]
