"""Whether one end may reach another: both sides must let it through."""

from dataclasses import dataclass

from specs.openings import EGRESS, INGRESS
from tools.reach import ports
from tools.reach.edges import Edge, EdgeKind, Node, Reason
from tools.reach.ends import Outside, Pod
from tools.reach.policies import End
from tools.reach.ports import Ports


@dataclass(frozen=True)
class Verdict:
    """The ports that are open, and each reason with the ports that it concerns."""

    ports: Ports
    reasons: tuple[tuple[Ports, Reason], ...]

    def reasons_for(self, group: Ports) -> tuple[Reason, ...]:
        """Those for some of the ports: on each side, those for all of them if there are any."""
        touching = [(there, reason) for there, reason in self.reasons if there & group]
        whole = [reason for there, reason in touching if there & group == group]
        sides = {reason.side for reason in whole}
        return tuple(
            reason for _, reason in touching if reason.side not in sides or reason in whole
        )


def verdict(source: End, target: End, named: bool = False) -> Verdict:
    """What is open from source to target; with `named`, only by rules that are not for everyone."""
    reasons: list[tuple[Ports, Reason]] = []
    opened = ports.ALL
    for side, other in ((source.policies(EGRESS), target), (target.policies(INGRESS), source)):
        found = side.lets(other, target, named)
        opened &= ports.union(there for _, there in found)
        if not opened:
            return Verdict(ports.NONE, ())
        reasons += [(there, rule.reason) for rule, there in found]
    reasons += [
        (ports.ALL, reason)
        for gateway, there, reason in target.routes
        if gateway == _gateway_of(source) and there & opened
    ]
    if target.guard:
        admitted, why = target.guard.admits(source.identity)
        opened &= admitted
        reasons += why
    return Verdict(opened, tuple(reasons))


def edges_between(
    source: End, target: End, asked: Ports = ports.ALL, *, named: bool | None = None
) -> list[Edge]:
    """An edge for each range of the ports that is open.

    Unless `named` says otherwise, what is open to everyone is an edge to `anywhere`, or to all
    addresses of IPv4 or IPv6, and none to each place outside the teams.
    """
    if named is None:
        ends = (source, target)
        among_pods = all(isinstance(end, Pod) for end in ends)
        everything = any(
            isinstance(end, Outside) and (end.everything or not end.block) for end in ends
        )
        named = not among_pods and not everything
    found = verdict(source, target, named)
    kind = _kind(source.node, target.node)
    return [
        Edge(
            source.node,
            target.node,
            group.shown,
            kind,
            found.reasons_for(group),
        )
        for group in (found.ports & target.meant(asked)).groups()
    ]


def _gateway_of(source: End) -> str | None:
    return source.node.team if source.node.kind == "gateway" else None


def _kind(source: Node, target: Node) -> EdgeKind:
    kinds = {source.kind, target.kind}
    if "outside" in kinds:
        return "outside"
    if kinds != {"app"}:
        return "platform"
    return "same-team" if source.team == target.team else "cross-team"
