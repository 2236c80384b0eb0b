"""Edges for Graphviz."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tools.reach.drawn import links, nodes
from tools.reach.edges import Edge, EdgeKind, Node

_STYLES: Mapping[EdgeKind, str] = {
    "same-team": 'color="#8a94a3" style=solid penwidth=0.7',
    "cross-team": 'color="#1d4ed8" style=bold',
    "platform": 'color="#0f766e" style=dashed',
    "outside": 'color="#b45309" style=dotted penwidth=2',
}
_HEAD = (
    # The layout `dot` fails on clusters that have edges to and from each other (Graphviz 2.43).
    "  graph [layout=fdp overlap=false splines=true K=1.2 fontname=Helvetica]",
    '  node [shape=box style="rounded,filled" fillcolor=white fontname=Helvetica]',
    "  edge [fontname=Helvetica fontsize=9]",
)


def dot(edges: Sequence[Edge]) -> str:
    """A directed graph: a cluster for each team, for the platform and for what is outside.

    Ports of edges of one kind between two apps share an arrow.
    """
    return "\n".join(["digraph reach {", *_HEAD, *_clusters(edges), *_arrows(edges), "}", ""])


def _clusters(edges: Sequence[Edge]) -> Iterator[str]:
    clusters: defaultdict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in nodes(edges):
        kind = node.kind if node.kind in ("app", "outside") else "platform"
        clusters[(kind, node.team if kind == "app" else kind)].append(node)
    for number, ((kind, label), members) in enumerate(clusters.items()):
        fill = "" if kind == "outside" else ' style=filled fillcolor="#f1f4f8"'
        yield f"  subgraph cluster_{number} {{"
        yield f"    graph [label={_quoted(label)}{fill}]"
        for node in members:
            label = node.app if kind == "app" else node.shown
            yield f"    {_name(node)} [label={_quoted(label)}]"
        yield "  }"


def _arrows(edges: Sequence[Edge]) -> Iterator[str]:
    for link in links(edges):
        for source, target in ((link.source, link.target), (link.target, link.source)):
            ports = [each.port for each in link.edges if each.source == source]
            if ports and (source == link.source or source != target):
                label = _quoted(", ".join(ports))
                ends = f"{_name(source)} -> {_name(target)}"
                yield f"  {ends} [label={label} {_STYLES[link.kind]}]"


def _name(node: Node) -> str:
    return _quoted(f"{node.kind}:{node.shown}")


def _quoted(text: str) -> str:
    """A string of the dot language that shows this text: HTML's entities have a meaning there."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") + '"'
