"""The connections in docs/isolation.md, which tests/servers tries between running pods."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import pytest

from tests.program import KEYS, ROOT
from tools.reach import ports
from tools.reach.answer import answer
from tools.reach.edges import Node
from tools.reach.world import World

Object = dict[str, Any]

APP, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
# Pods that stand for the rest of a platform: labels by namespace and name.
PEERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("kube-system", "dns"): {"k8s-app": "kube-dns"},
    ("istio-system", "gateway"): {"istio": "gateway"},
    ("istio-system", "istiod"): {"app": "istiod"},
    ("monitoring", "prometheus"): {},
    ("databases", "postgresql"): {"app": "postgresql"},
    ("databases", "pg"): {"app": "pg"},
    ("databases", "other"): {},
    ("stranger", "any"): {"istio": "gateway"},
    # Runs of the cronjob end at once.
    ("team-beta", "nightly-report"): {APP: "nightly-report", INSTANCE: "nightly-report"},
    # These have no pods of their own.
    **{
        (team, app): {APP: app, INSTANCE: app}
        for team, apps in {
            "calls": ("ledger", "rates"),
            "callers": ("storefront", "invoices"),
        }.items()
        for app in apps
    },
}
# The files of these two teams.
CALLING = [file for file in KEYS if file.stem in ("calls", "callers")]


class Connection(NamedTuple):
    """A row of the page's table: two places by name, and whether a connection passes."""

    source: str
    target: str
    port: str
    protocol: str
    seen: str

    @classmethod
    def of_page(cls, heading: str) -> list[Self]:
        text = (ROOT / "docs" / "isolation.md").read_text("utf-8")
        _, _, section = text.partition(f"# {heading}\n")
        section, _, _ = section.partition("\n#")
        pattern = r"^\| `(\S+)` \| `(\S+)` \| (\d+) (TCP|UDP) \| ([a-z ]+) \|"
        found = [cls(*row) for row in re.findall(pattern, section, re.MULTILINE)]
        assert found
        return found

    @property
    def shown(self) -> str:
        return " ".join(self[:4])


CONNECTIONS = Connection.of_page("Connections")
each_connection = pytest.mark.parametrize("connection", CONNECTIONS, ids=lambda each: each.shown)
# In a stack that opens port 443 only to those whose calls say so.
DECLARED = Connection.of_page("Connections where port 443 is declared")
each_declared = pytest.mark.parametrize("connection", DECLARED, ids=lambda each: each.shown)
# In a stack that names the labels of the gateways' pods.
LABELLED = Connection.of_page("Connections where gateways have labels")
each_labelled = pytest.mark.parametrize("connection", LABELLED, ids=lambda each: each.shown)


def among_peers(objects: Iterable[Object]) -> list[Object]:
    """The objects, with a workload for each of the rest of a platform's pods that they lack."""
    objects = list(objects)
    found = {(each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects}
    peers = [workload(*place, labels) for place, labels in PEERS.items() if place not in found]
    return [*objects, *peers]


def workload(
    namespace: str, name: str, labels: Mapping[str, str], ports: Sequence[Object] = ()
) -> Object:
    """A Deployment of pods with these labels and ports, each port in a container of its own."""
    containers = [{"name": f"c{number}", "ports": [port]} for number, port in enumerate(ports)]
    pod = {"containers": containers or [{"name": "c"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
        },
    }


def answered(known: World, connection: Connection) -> str:
    """What `./sre reach` answers, in the page's words."""
    port = ports.number(int(connection.port), connection.protocol)
    said = answer(known, place(connection.source), place(connection.target), port)
    return "passes" if said.allowed else "is dropped"


def place(name: str) -> Node:
    """An app by its namespace and name, or an address outside the cluster."""
    namespace, _, app = name.partition("/")
    return Node("app", namespace, app) if app else Node("outside", "", name)
