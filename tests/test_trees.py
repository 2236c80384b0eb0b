"""Comparing two trees, as the review, adoption and the sandbox do."""

from typing import Any

from plain.trees import ABSENT, differences, within, written


def _paths(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    return [(written(each.path), each.before, each.after) for each in differences(before, after)]


def test_a_field_is_identified_by_its_path() -> None:
    assert _paths({"a": {"b.c": 1}}, {"a": {"b.c": 2}}) == [('a["b.c"]', 1, 2)]


def test_what_one_side_lacks_is_absent() -> None:
    assert _paths({"a": 1}, {"b": None}) == [("a", 1, ABSENT), ("b", ABSENT, None)]


def test_entries_of_a_list_are_compared_by_name() -> None:
    before = [{"name": "one", "value": 1}, {"name": "two", "value": 2}]
    after = [{"name": "zero", "value": 0}, {"name": "one", "value": 9}]
    assert _paths({"env": before}, {"env": after}) == [
        ("env[one].value", 1, 9),
        ("env[two]", {"name": "two", "value": 2}, ABSENT),
        ("env[zero]", ABSENT, {"name": "zero", "value": 0}),
    ]


def test_of_a_list_without_names_those_that_differ_are_reported() -> None:
    assert _paths({"to": ["a", "b"]}, {"to": ["b", "c", "c"]}) == [
        ("to[]", "a", ABSENT),
        ("to[]", ABSENT, "c"),
        ("to[]", ABSENT, "c"),
    ]


def test_another_order_is_a_difference() -> None:
    assert _paths({"to": ["a", "b"]}, {"to": ["b", "a"]}) == [("to", ["a", "b"], ["b", "a"])]
    named = [{"name": "a"}, {"name": "b"}]
    assert _paths({"env": named}, {"env": named[::-1]}) == [("env", ["a", "b"], ["b", "a"])]


def test_a_boolean_is_not_the_number_that_python_equates_it_with() -> None:
    assert _paths({"a": {"on": True}}, {"a": {"on": 1}}) == [("a.on", True, 1)]


def test_a_place_holds_what_is_below_it_and_no_longer_name() -> None:
    assert within("spec.containers[api].env[X].value", "spec.containers[*].env")
    assert not within("spec.containers[api].envFrom", "spec.containers[*].env")


def test_by_position_an_entry_is_compared_with_the_one_in_its_place_whatever_their_names() -> None:
    before = {"env": [{"name": "one"}, {"name": "two"}], "args": ["--a", "b"]}
    after = {"env": [{"name": "two"}], "args": ["--a", "c"]}
    assert [
        (written(each.path), each.before, each.after)
        for each in differences(before, after, by_position=True)
    ] == [
        ("args[1]", "b", "c"),
        ("env[0].name", "one", "two"),
        ("env[1]", {"name": "two"}, ABSENT),
    ]
