"""What `./sre reach` reads from the objects that the program makes for calls and callers."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import Made, merged, read_yaml, team_file, web_app, worker
from tests.reachable import line
from tests.written import ISTIO
from tools.reach.edges import Edge
from tools.reach.matrix import edges
from tools.reach.world import KINDS, world

CALLED = web_app("{app: {port: 9443}, callers: [{team: team-beta, app: consumer, paths: [/v1/*]}]}")
ENFORCED: dict[str, Any] = {"istio": {**ISTIO, "authorization": "enforce"}}


def _of_beta(file: str) -> str:
    apps = read_yaml(file)["apps"]
    for each in apps:
        image = each["app"]["image"]
        image["repository"] = image["repository"].replace("/team-alpha/", "/team-beta/")
    return team_file(*apps, team="team-beta")


CALLER = _of_beta(worker("calls: [{team: team-alpha, app: my-api}]"))


def _edges(made: Made) -> list[Edge]:
    documents = [each.inputs for each in made.resources if each.inputs.get("kind") in KINDS]
    return [*edges(world(documents))]


def _between(found: list[Edge], source: str, target: str) -> list[Edge]:
    return [each for each in found if (each.source.shown, each.target.shown) == (source, target)]


def test_a_call_is_one_edge_with_a_reason_on_each_side_and_in_the_mesh(program: Program) -> None:
    found = _edges(program(CALLED, CALLER, **ENFORCED))
    (edge,) = _between(found, "team-beta/consumer", "team-alpha/my-api")
    assert (edge.port, edge.kind) == ("9443/TCP", "cross-team")
    assert [(each.side, each.policy) for each in edge.reasons] == [
        ("egress", "NetworkPolicy team-beta/consumer"),
        ("ingress", "NetworkPolicy team-alpha/my-api"),
        ("mesh", "AuthorizationPolicy team-alpha/my-api"),
    ]
    assert edge.reasons[-1].text.endswith("only paths /v1/*")
    assert _between(found, "team-alpha/my-api", "team-beta/consumer") == []


def test_without_the_call_there_is_no_edge(program: Program) -> None:
    found = _edges(program(web_app(), _of_beta(worker()), **ENFORCED))
    assert [line(edge) for edge in found if edge.kind == "cross-team"] == []


@pytest.mark.parametrize("traffic", ["open", "declared"])
def test_inside_a_team_declared_traffic_is_what_its_calls_say(
    program: Program, traffic: str
) -> None:
    apps = read_yaml(merged(web_app(), worker("calls: [{app: my-api}]")))["apps"]
    file = team_file(*apps, keys=f"namespace: {{internalTraffic: {traffic}}}")
    found = _edges(program(file, **ENFORCED))
    inside = {line(edge) for edge in found if edge.kind == "same-team"}
    if traffic == "declared":
        assert inside == {"team-alpha/consumer -> team-alpha/my-api 8080/TCP"}
    else:
        assert "team-alpha/my-api -> team-alpha/consumer all ports" in inside
