"""Small objects for questions of who may reach whom, and the questions."""

from collections.abc import Iterable, Mapping
from typing import Any

from tools.reach.answer import answer
from tools.reach.edges import Answer, Edge, Node
from tools.reach.matrix import edges
from tools.reach.ports import ALL, Ports
from tools.reach.world import world

Object = dict[str, Any]
NAME = "kubernetes.io/metadata.name"
HTTP = {"name": "http", "containerPort": 8080}


def namespace(name: str, **labels: str) -> Object:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def app(team: str, name: str, *ports: Mapping[str, Any], **labels: str) -> Object:
    """A Deployment whose pods have the label `app` and these."""
    template = {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {
            "serviceAccountName": name,
            "containers": [{"name": name, "ports": [*(ports or (HTTP,))]}],
        },
    }
    metadata = {"name": name, "namespace": team}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": template}}


def policy(team: str, name: str, pods: Mapping[str, Any] | None = None, **spec: Any) -> Object:
    """A NetworkPolicy; without `pods`, for all of them."""
    metadata = {"name": name, "namespace": team}
    return {
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": pods or {}, **spec},
    }


def authorization(
    team: str, name: str, *rules: Any, pods: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """An AuthorizationPolicy; without `pods`, for all of them."""
    if pods:
        spec["selector"] = {"matchLabels": pods}
    metadata = {"name": name, "namespace": team}
    return {
        "kind": "AuthorizationPolicy",
        "metadata": metadata,
        "spec": {"rules": [*rules], **spec},
    }


def deny_all(team: str) -> Object:
    return policy(team, "deny", policyTypes=["Ingress", "Egress"])


def labelled(**labels: str) -> dict[str, Any]:
    return {"matchLabels": labels}


def named(team: str, **pods: str) -> dict[str, Any]:
    """A peer: the pods of a namespace by its name."""
    peer: dict[str, Any] = {"namespaceSelector": {"matchLabels": {NAME: team}}}
    return {**peer, "podSelector": labelled(**pods)} if pods else peer


def egress(*to: Any, ports: Iterable[Any] = ()) -> dict[str, Any]:
    return {"to": [*to], "ports": [*ports]}


def ingress(*peers: Any, ports: Iterable[Any] = ()) -> dict[str, Any]:
    return {"from": [*peers], "ports": [*ports]}


def shown(objects: Iterable[Object]) -> list[str]:
    """Each edge in a line."""
    return [line(edge) for edge in edges(world(objects))]


def line(edge: Edge) -> str:
    return f"{edge.source.shown} -> {edge.target.shown} {edge.port}"


def ask(objects: Iterable[Object], source: str, target: str, port: Ports = ALL) -> Answer:
    """`team/app`, or an address or a host."""
    return answer(world(objects), _node(source), _node(target), port)


def _node(name: str) -> Node:
    team, _, app = name.partition("/")
    if not app or app.isdecimal():
        return Node("outside", "", name)
    return Node("app", team, app)
