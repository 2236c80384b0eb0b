"""Edges and answers for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from plain.table import columns
from tools.reach.edges import Answer, Edge, Node

_MARKS = {"cross-team": "another team", "outside": "outside the cluster"}


def text(edges: Sequence[Edge]) -> str:
    """The edges of each source, and how many cross a border."""
    if not edges:
        return "No connections.\n"
    blocks = []
    for source, own in groupby(edges, key=lambda edge: edge.source):
        rows = [
            (f"  -> {target.shown}", _ports(same), _MARKS.get(same[0].kind, ""))
            for target, same in _by_target(own)
        ]
        blocks.append("\n".join([source.shown, *columns(rows)]))
    return "\n\n".join([*blocks, _summary(edges)]) + "\n"


def answer_text(source: str, target: str, answer: Answer) -> str:
    """Yes or no, and the reasons of each side."""
    if answer.allowed:
        said = f"yes: {source} may reach {target} on {', '.join(answer.ports)}"
    else:
        said = f"no: {source} may not reach {target}"
    rows = [
        (f"  {each.side}", "lets through" if each.allows else "stops", f"{each.policy} {each.text}")
        for each in answer.reasons
    ]
    return "\n".join([said, *columns([(*row[:2], row[2].strip()) for row in rows])]) + "\n"


def _by_target(edges: Iterable[Edge]) -> Iterator[tuple[Node, list[Edge]]]:
    for target, same in groupby(edges, key=lambda edge: edge.target):
        yield target, [*same]


def _ports(edges: Sequence[Edge]) -> str:
    return ", ".join(edge.port for edge in edges)


def _summary(edges: Sequence[Edge]) -> str:
    pairs = {(edge.source, edge.target): edge.kind for edge in edges}
    kinds = [*pairs.values()]
    crossing, leaving = kinds.count("cross-team"), kinds.count("outside")
    return (
        f"{len(pairs)} connection{'' if len(pairs) == 1 else 's'}: {crossing} between teams, "
        f"{leaving} to or from outside the cluster."
    )
