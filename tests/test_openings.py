"""What a NetworkPolicy lets through: the review and the import read one in the same way."""

from typing import Any

import pytest

from specs.openings import directions, openings, selector_shown, selects_all
from tools.migration.policies import is_covered, same

HTTPS: dict[str, Any] = {"port": 443}
RANGE: dict[str, Any] = {"port": 400, "endPort": 500}


def policy(*rules: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"podSelector": {}, "ingress": list(rules), **spec}}


def test_without_types_a_policy_closes_what_comes_in_and_with_egress_rules_what_goes_out() -> None:
    assert directions(policy()) == ["Ingress"]
    assert directions(policy(egress=[])) == ["Ingress"]
    assert directions(policy(egress=[{}])) == ["Ingress", "Egress"]
    assert directions(policy(policyTypes=["Egress"])) == ["Egress"]


def test_a_rule_without_peers_or_ports_opens_to_everyone_on_all_ports() -> None:
    assert [str(each) for each in openings(policy({}), "a")] == ["ingress from anywhere, all ports"]


def test_pods_without_a_namespace_are_those_of_the_policys_own() -> None:
    (opening,) = openings(policy({"from": [{"podSelector": {}, "namespaceSelector": None}]}), "a")
    assert str(opening) == (
        "ingress from all pods of namespaces kubernetes.io/metadata.name=a, all ports"
    )


def test_a_selector_is_shown_in_one_way_whatever_the_order_of_its_labels() -> None:
    labels = {"tier": "db", "app": "pg"}
    for order in (labels, dict(reversed(labels.items()))):
        assert selector_shown({"matchLabels": order}, "all") == "app=pg and tier=db"


def test_a_selector_that_asks_for_nothing_selects_all_pods() -> None:
    assert selects_all(policy(podSelector={"matchLabels": {}}))
    assert not selects_all(policy(podSelector={"matchLabels": {"app": "x"}}))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ([{"ports": [HTTPS]}], [{"ports": [RANGE]}]),
        ([{"ports": [HTTPS]}], [{"ports": [{"protocol": "TCP"}]}]),
        (
            [{"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}],
            [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.2.0.0/16"]}}]}],
        ),
        ([{"from": [{"podSelector": {"matchLabels": {"a": "x"}}}]}], [{}]),
    ],
)
def test_a_policy_is_covered_by_one_that_opens_wider_and_not_the_other_way_round(
    narrow: list[Any], wide: list[Any]
) -> None:
    assert is_covered(policy(*narrow), [policy(*wide)])
    assert not is_covered(policy(*wide), [policy(*narrow)])


def test_a_rule_that_another_covers_makes_no_difference() -> None:
    assert same(policy({}), policy({}, {"ports": [HTTPS]}))
    assert not same(policy({"ports": [RANGE]}), policy({"ports": [HTTPS]}))
