"""What `./sre reach` answers is what cyclonus, which others wrote, says of the same objects."""

import ipaddress
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from bench.generated_teams import generate
from binaries import pinned
from specs.network import NAMESPACE_NAME
from tests.conftest import Program
from tests.connections import Object, among_peers, place
from tests.drawn_networks import (
    Cluster,
    Question,
    clusters,
    interesting_addresses,
    interesting_ports,
    questions,
)
from tests.optional import reader
from tests.program import (
    CRON_JOB,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    Made,
    as_yaml,
)
from tests.written import dev_settings
from tools.reach import ports
from tools.reach.answer import answer
from tools.reach.edges import Node
from tools.reach.matrix import edges
from tools.reach.world import World, world

pytestmark = pytest.mark.commands

# What is let through: out of the source, and into the target.
Sides = Mapping[str, bool]
Oracle = Callable[[Sequence[Object], Sequence[Question]], list[Sides]]

_TEMPLATES = {
    "Deployment": lambda spec: spec["template"],
    "CronJob": lambda spec: spec["jobTemplate"]["spec"]["template"],
}
# Of every pod: which addresses pods have is not in the objects. No block in policies has these,
# but for those of all addresses.
_OF_PODS = ("172.31.0.1", "fd00::1")
# 150 questions about each of 100 clusters; in `make nightly`, about each of 5,000.
often = settings(max_examples=5 * settings().max_examples)


@pytest.fixture(scope="session")
def cyclonus(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    """Answers from cyclonus; one process answers all questions."""
    with reader(request, pinned.CYCLONUS) as ask:

        def answers(objects: Sequence[Object], asked: Sequence[Question]) -> list[Sides]:
            return ask(_cluster(objects) | {"questions": [vars(each) for each in asked]})

        yield answers


def _cluster(objects: Sequence[Object]) -> dict[str, Any]:
    """Objects as cyclonus is given them."""
    found: dict[str, Any] = {"namespaces": {}, "pods": {}, "policies": []}
    for each in objects:
        metadata = each["metadata"]
        if each["kind"] == "NetworkPolicy":
            found["policies"].append(each)
        elif each["kind"] == "Namespace":
            found["namespaces"][metadata["name"]] = {**metadata.get("labels", {})}
        elif template := _TEMPLATES.get(each["kind"]):
            pods = template(each["spec"])
            containers = pods["spec"]["containers"]
            found["pods"][_key(each)] = {
                "namespace": metadata["namespace"],
                "labels": pods["metadata"]["labels"],
                "ports": [port for one in containers for port in one.get("ports", ())],
                "addresses": _OF_PODS,
            }
            found["namespaces"].setdefault(metadata["namespace"], {})
    for name, labels in found["namespaces"].items():
        labels[NAMESPACE_NAME] = name  # as the API server does
    return found


def _key(app: Object) -> str:
    return f"{app['metadata']['namespace']}/{app['metadata']['name']}"


def _ours(known: World, asked: Question) -> Sides:
    """The answer by side: a side that stops the connection has a reason that says so."""
    port = ports.number(asked.port, asked.protocol)
    said = answer(known, place(asked.source), place(asked.target), port)
    stopping = {reason.side for reason in said.reasons if not reason.allows}
    assert said.allowed == (not stopping), said
    return {side: side not in stopping for side in ("egress", "ingress")}


def _disagreements(
    objects: Sequence[Object], asked: Sequence[Question], cyclonus: Oracle
) -> list[tuple[Question, Sides, Sides]]:
    """Questions with our answer and cyclonus', where they differ."""
    known = world(objects)
    answered = zip(asked, cyclonus(objects, asked), strict=True)
    return [
        (each, ours, theirs) for each, theirs in answered if (ours := _ours(known, each)) != theirs
    ]


@often
@given(clusters())
def test_every_answer_about_a_drawn_cluster_is_that_of_cyclonus(
    cyclonus: Oracle, drawn: Cluster
) -> None:
    assert _disagreements(drawn.objects, drawn.asked, cyclonus) == []


@often
@given(clusters())
def test_the_edges_of_a_drawn_cluster_are_those_that_cyclonus_lets_through(
    cyclonus: Oracle, drawn: Cluster
) -> None:
    found = list(edges(world(drawn.objects)))
    # No edge leads to its source.
    apart = [each for each in drawn.asked if each.source != each.target]
    for each, sides in zip(apart, cyclonus(drawn.objects, apart), strict=True):
        leading = [
            edge
            for edge in found
            if _is_at(edge.source, each.source)
            and _is_at(edge.target, each.target)
            and _has(edge.port, each)
        ]
        assert bool(leading) == all(sides.values()), (each, leading)


def _is_at(node: Node, end: str) -> bool:
    """Whether a question's end is an edge's: the app, or an address among those of the edge."""
    if node.kind != "outside" or "/" in end:
        return node.shown == end
    if node.shown == "anywhere":
        return True
    within, _, left_out = node.shown.partition(" except ")
    holes = left_out.split(", ") if left_out else []
    return _contains(within, end) and not any(_contains(hole, end) for hole in holes)


def _contains(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def _has(shown: str, asked: Question) -> bool:
    """Whether an edge's port, as it is shown, is the one of the question or one of several."""
    if whole := re.fullmatch(r"all (.*?) ?ports", shown):
        return not whole[1] or asked.protocol in whole[1].split(" and ")
    one = re.fullmatch(r"(\d+)(?:-(\d+))?/(\w+)", shown)
    assert one, shown
    first, last, protocol = one.groups()
    return protocol == asked.protocol and int(first) <= asked.port <= int(last or first)


@pytest.fixture(scope="module")
def generated(program: Program) -> Made:
    teams = (as_yaml(generate(number)) for number in range(8))
    return program(
        *teams, namespace=dev_settings().namespace.model_dump(mode="json", by_alias=True)
    )


@pytest.mark.parametrize("teams", ["everything", "generated"])
def test_every_answer_about_what_the_program_makes_is_that_of_cyclonus(
    cyclonus: Oracle, request: pytest.FixtureRequest, teams: str
) -> None:
    made: Made = request.getfixturevalue(teams)
    kinds = (NAMESPACE, NETWORK_POLICY, DEPLOYMENT, CRON_JOB)
    objects = among_peers([each.inputs for each in made.all(*kinds)])
    choose = random.Random(0)
    apps = [_key(each) for each in objects if each["kind"] in _TEMPLATES]
    asked = questions(apps, interesting_addresses(objects), interesting_ports(objects))
    assert _disagreements(objects, choose.sample(asked, 20_000), cyclonus) == []
