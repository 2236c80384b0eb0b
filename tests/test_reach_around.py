"""Edges from a part of the objects: those on which they depend."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.openings import EGRESS, INGRESS
from tests.drawn_networks import NAMESPACES, networks
from tests.reachable import (
    Object,
    app,
    authorization,
    deny_all,
    egress,
    ingress,
    named,
    namespace,
    policy,
)
from tools.reach.around import around
from tools.reach.edges import Edge, Node
from tools.reach.matrix import edges
from tools.reach.world import world
from tools.review.edge_changes import EdgeChange, edge_changes
from tools.review.rendered_objects import RenderedObject, Side

pytestmark = pytest.mark.commands


def kept(objects: Iterable[Object], *within: str) -> list[str]:
    """The namespaces with pods that are not left out."""
    (found,) = around([[*objects]], within)
    return [each["metadata"]["namespace"] for each in found if each["kind"] == "Deployment"]


def team(name: str, *policies: Object) -> list[Object]:
    return [namespace(name, tier=name), app(name, "one"), deny_all(name), *policies]


TO_B = policy("a", "out", egress=[egress(named("b"))])
FROM_A = policy("b", "in", ingress=[ingress(named("a"))])
TO_ALL = policy("a", "out", egress=[egress(ports=[{"port": 443}])])


def test_a_namespace_is_left_out_unless_both_sides_name_each_other() -> None:
    assert kept([*team("a", TO_B), *team("b")], "a") == ["a"]
    assert kept([*team("a"), *team("b", FROM_A)], "a") == ["a"]
    for within in ("a", "b"):
        assert kept([*team("a", TO_B), *team("b", FROM_A), *team("c")], within) == ["a", "b"]


def test_a_rule_for_everyone_needs_the_other_side_to_name_it() -> None:
    objects = [*team("a", TO_ALL), *team("b", FROM_A), *team("c")]
    assert kept(objects, "a") == ["a", "b"]
    assert kept(objects, "b") == ["a", "b"]
    assert kept(objects, "c") == ["c"]


def test_namespaces_are_named_by_their_labels_too() -> None:
    by_label = {"namespaceSelector": {"matchLabels": {"tier": "a"}}}
    into = policy("b", "in", ingress=[ingress(by_label)])
    assert kept([*team("a", TO_B), *team("b", into)], "a") == ["a", "b"]
    assert kept([*team("c", TO_B), *team("b", into)], "b") == ["b"]


def test_pods_that_a_policy_leaves_open_are_open_to_all() -> None:
    some = policy("b", "some", {"matchLabels": {"app": "two"}}, policyTypes=[INGRESS, EGRESS])
    assert kept([*team("a", TO_B), namespace("b"), app("b", "one"), some], "a") == ["a", "b"]


def test_policies_of_the_whole_mesh_and_unknown_namespaces_stay() -> None:
    root = authorization("istio-system", "all", action="DENY")
    elsewhere = app("d", "one")  # its Namespace is not among the objects
    objects = [*team("a"), *team("b"), root, app("istio-system", "one"), elsewhere]
    (found,) = around([[namespace("istio-system"), *objects]], ["a"])
    assert root in found
    assert kept(objects, "a") == ["a", "istio-system", "d"]


AUTHORIZATIONS = [
    authorization("blue", "none", action="ALLOW"),
    authorization("red", "named", {"from": [{"source": {"namespaces": ["blue"]}}]}),
    authorization("green", "denied", {"to": [{"operation": {"ports": ["80"]}}]}, action="DENY"),
    *(
        {
            "kind": "ServiceEntry",
            "metadata": {"name": f"host-{place}", "namespace": place},
            "spec": {"hosts": ["example.com"], "exportTo": ["."], "ports": [{"number": 80}]},
        }
        for place in NAMESPACES
    ),
]


@st.composite
def drawn_changes(draw: st.DrawFn) -> tuple[list[Object], list[Object]]:
    """Objects before and after: those of some namespaces differ; one may be another stack's."""
    before, after = draw(networks()), draw(networks())
    before += draw(st.lists(st.sampled_from(AUTHORIZATIONS), unique_by=str))
    after += draw(st.lists(st.sampled_from(AUTHORIZATIONS), unique_by=str))
    changed = draw(st.sets(st.sampled_from(NAMESPACES), min_size=1, max_size=2))
    elsewhere = draw(st.sampled_from((None, None, *NAMESPACES)))
    base = [each for each in before if _place(each) != elsewhere]
    head = [each for each in base if _place(each) not in changed]
    return base, [*head, *(e for e in after if _place(e) in changed - {elsewhere})]


def _place(each: Object) -> str:
    about = each["metadata"]
    return str(about["name"] if each["kind"] == "Namespace" else about["namespace"])


def _side(objects: Iterable[Object]) -> Side:
    found = {}
    for each in objects:
        key = f"kubernetes/{_place(each)}/{each['kind']}-{each['metadata']['name']}"
        found[key] = RenderedObject(key, each["kind"], each["metadata"]["name"], each)
    return Side(found)


def _all_edges(side: Side) -> Mapping[tuple[Node, Node], list[Edge]]:
    found: dict[tuple[Node, Node], list[Edge]] = defaultdict(list)
    for edge in edges(world((each.fields for each in side.objects.values()), NAMESPACES)):
        found[edge.source, edge.target].append(edge)
    return found


def _all_changes(base: Side, head: Side) -> list[EdgeChange]:
    """Every edge that differs, from all edges of both sides."""
    before, after = _all_edges(base), _all_edges(head)
    found = []
    for ends in sorted(before.keys() | after.keys()):
        was, now = before.get(ends, []), after.get(ends, [])
        former, ports = (tuple(edge.port for edge in each) for each in (was, now))
        if former != ports:
            shown = now or was
            reasons = tuple(dict.fromkeys(reason for edge in shown for reason in edge.reasons))
            found.append(EdgeChange(*ends, shown[0].kind, former, ports, reasons))
    return found


@given(drawn_changes())
def test_changes_are_those_of_all_edges(change: tuple[list[Object], list[Object]]) -> None:
    base, head = (_side(objects) for objects in change)
    assert edge_changes(base, head, NAMESPACES) == _all_changes(base, head)
