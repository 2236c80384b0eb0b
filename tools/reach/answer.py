"""Whether one end may reach another, with the reasons of each side."""

from collections.abc import Iterable, Iterator
from itertools import product

from specs.openings import EGRESS, INGRESS, block_covers
from tools.reach import ports
from tools.reach.edges import Answer, Node, Reason
from tools.reach.ends import Outside, named_outside
from tools.reach.policies import End, stopped
from tools.reach.ports import Ports
from tools.reach.verdict import verdict
from tools.reach.world import World


def answer_for(
    world: World, sources: Iterable[Node], targets: Iterable[Node], port: Ports = ports.ALL
) -> Answer:
    """Whether any of the sources may reach any of the targets, with the reasons of those that may.

    Raises KeyError as `answer` does.
    """
    found = [answer(world, *pair, port) for pair in product(sources, targets)]
    shown = [each for each in found if each.allowed] or found
    return Answer(
        shown[0].allowed,
        tuple(dict.fromkeys(reason for each in shown for reason in each.reasons)),
        tuple(dict.fromkeys(opened for each in shown for opened in each.ports)),
    )


def answer(world: World, source: Node, target: Node, port: Ports = ports.ALL) -> Answer:
    """Whether the source may reach the target, on any of these ports.

    Raises KeyError for a node that the world does not have; addresses and hosts need not be in it.
    """
    one, other = end(world, source), end(world, target, source.team, port)
    asked = other.meant(port)
    found = verdict(one, other)
    if opened := found.ports & asked:
        shown = tuple(group.shown for group in opened.groups())
        return Answer(True, found.reasons_for(opened), shown)
    return Answer(False, tuple(_why_not(one, other, asked)))


def end(world: World, node: Node, seen_in: str = "", asked: Ports = ports.ALL) -> End:
    """What the node stands for: a host as a namespace sees it, if its mesh knows these ports.

    Raises KeyError if the world does not have it.
    """
    if node.kind == "app":
        pods: dict[Node, End] = {pod.node: pod for pod in world.pods.get(node.team, ())}
        return pods.get(node) or world.stations[node]
    if node.kind == "outside":
        found = world.blocks.get(node) or named_outside(node.app)
        if found.block:
            naming = [each for each in world.ranges_of(seen_in) if _contains(each, found)]
        else:
            naming = [each for each in world.hosts_of(seen_in) if _known(node.app, each.node.app)]
        named = (each for one in naming for each in one.named if each[0] & asked)
        by_port = (each for each in world.ports_of(seen_in) if each[0] & asked)
        return Outside(node, found.block, tuple(named), tuple(by_port))
    return world.stations[node]


def _why_not(source: End, target: End, asked: Ports) -> Iterator[Reason]:
    """The reasons of each side, for the ports that the sides before it let through."""
    left = asked
    for side, other in ((source.policies(EGRESS), target), (target.policies(INGRESS), source)):
        found = [(rule, there) for rule, there in side.lets(other, target) if there & left]
        if found:
            left &= ports.union(there for _, there in found)
            yield from (rule.reason for rule, _ in found)
        else:
            yield from stopped(side, other)
    if target.guard and not target.guard.admits(source.identity)[0] & left:
        yield from target.guard.refusals(source.identity, left)


def _contains(known: Outside, other: Outside) -> bool:
    return bool(known.block and other.block and block_covers(known.block, other.block))


def _known(host: str, named: str) -> bool:
    """Whether a ServiceEntry's host stands for one; `*.` is for all names below a domain."""
    return host == named or (named.startswith("*.") and host.endswith(named[1:]))
