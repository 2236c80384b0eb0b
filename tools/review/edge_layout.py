"""Edges that differ, in few lines: those that a reviewer must see first, alike ones together."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tools.reach.edges import Node
from tools.review.edge_changes import EdgeChange

EDGE_SIGNS = {"appears": "+", "other-ports": "~", "vanishes": "-"}
_KINDS = ("cross-team", "outside", "platform", "same-team")
_ACTIONS = tuple(EDGE_SIGNS)

# The most names of one side of a line, and policies that are named.
_FEW = 6


@dataclass(frozen=True)
class EdgeGroup:
    """Edges that differ in the same way: each of `sources` with each of `targets`."""

    sources: tuple[Node, ...]
    targets: tuple[Node, ...]
    one: EdgeChange

    @property
    def sign(self) -> str:
        """`+`, `~` or `-`."""
        return EDGE_SIGNS[self.one.action]

    @property
    def ends(self) -> str:
        """`team-alpha/my-api -> team-beta/ledger`."""
        return f"{_names(self.sources)} -> {_names(self.targets)}"

    @property
    def ports(self) -> str:
        """The ports; before and after if only they differ."""
        return " -> ".join(filter(None, (", ".join(self.one.before), ", ".join(self.one.after))))

    @property
    def mark(self) -> str:
        """Which border it crosses, if any."""
        if self.one.kind == "cross-team":
            return "crosses teams"
        if self.one.kind == "outside":
            inbound = self.one.source.kind == "outside"
            return "comes from outside the cluster" if inbound else "leaves the cluster"
        return ""

    @property
    def policies(self) -> str:
        """What lets it through, or did."""
        named = dict.fromkeys(each.policy for each in self.one.reasons if each.policy)
        single = len(self.sources) == len(self.targets) == 1
        return _few([*named]) if single else ""


def edge_groups(changes: Sequence[EdgeChange]) -> list[EdgeGroup]:
    """The changes, those across a border first; alike ones with the same ends together."""
    by_target: dict[Hashable, list[EdgeChange]] = {}
    for each in changes:
        by_target.setdefault((each.target, *_alike(each)), []).append(each)
    by_sources: dict[Hashable, list[EdgeChange]] = {}
    sources_of: dict[Hashable, tuple[Node, ...]] = {}
    for same in by_target.values():
        sources = tuple(sorted({each.source for each in same}))
        key = (sources, *_alike(same[0]))
        sources_of[key] = sources
        by_sources.setdefault(key, []).append(same[0])
    groups = [
        EdgeGroup(sources_of[key], tuple(sorted({each.target for each in same})), same[0])
        for key, same in by_sources.items()
    ]
    return sorted(
        groups,
        key=lambda each: (
            _KINDS.index(each.one.kind), _ACTIONS.index(each.one.action), each.sources,
            each.targets,
        ),
    )  # fmt: skip


def counted_edges(changes: Sequence[EdgeChange]) -> str:
    """`2 appear, 1 vanishes; 1 between teams, 0 to or from outside the cluster`."""
    numbers = [
        _number(changes, action, *words)
        for action, words in {
            "appears": ("appears", "appear"),
            "other-ports": ("has other ports", "have other ports"),
            "vanishes": ("vanishes", "vanish"),
        }.items()
    ]
    teams = sum(each.kind == "cross-team" for each in changes)
    outside = sum(each.kind == "outside" for each in changes)
    crossing = f"{teams} between teams, {outside} to or from outside the cluster"
    return f"{', '.join(filter(None, numbers))}; {crossing}"


def _number(changes: Sequence[EdgeChange], action: str, one: str, several: str) -> str:
    number = sum(each.action == action for each in changes)
    return f"{number} {one if number == 1 else several}" if number else ""


def _alike(change: EdgeChange) -> tuple[Hashable, ...]:
    """What edges of one line have in common beside an end."""
    return change.kind, change.source.kind == "outside", change.before, change.after


def _names(nodes: Sequence[Node]) -> str:
    return _few([node.shown for node in nodes])


def _few(names: Sequence[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")
