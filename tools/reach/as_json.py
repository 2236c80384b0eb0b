"""Edges and answers as data for other programs."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tools.reach.edges import Answer, Edge, Node, Reason
from tools.reach.named import Named


def edges_json(edges: Sequence[Edge]) -> str:
    """`{"edges": [...]}`, each with its ends, port, kind and reasons."""
    return _text({"edges": [_edge(edge) for edge in edges]})


def answer_json(source: Named, target: Named, answer: Answer) -> str:
    """Both ends, `allowed`, the ports and the reasons."""
    return _text(
        {
            "source": _named(source),
            "target": _named(target),
            "allowed": answer.allowed,
            "ports": [*answer.ports],
            "reasons": _reasons(answer.reasons),
        }
    )


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": _node(edge.source),
        "target": _node(edge.target),
        "port": edge.port,
        "kind": edge.kind,
        "reasons": _reasons(edge.reasons),
    }


def _named(named: Named) -> dict[str, str]:
    """The node; several of the platform, such as gateways, together."""
    first, *others = named.nodes
    return _node(Node(first.kind, "", named.shown) if others else first)


def _node(node: Node) -> dict[str, str]:
    return {"kind": node.kind, "team": node.team, "app": node.app, "name": node.shown}


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {"side": each.side, "policy": each.policy, "text": each.text, "allows": each.allows}
        for each in reasons
    ]


def _text(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
