"""A review's reports: field by field, for a terminal, a comment and a program, without secrets."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tools.review.as_json import json_report
from tools.review.comparison import compare
from tools.review.layout import lines_of
from tools.review.markdown import markdown_report
from tools.review.object_changes import FieldChange, shown
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review import (
    CHANGES,
    NONE,
    SECOND_REVIEWER,
    Review,
)
from tools.review.terminal import text_report


def _object(
    fields: Mapping[str, Any], kind: str = "ResourceQuota", name: str = "x"
) -> RenderedObject:
    return RenderedObject(f"kubernetes/team-alpha/{kind}-{name}", kind, name, fields, "team-alpha")


def _side(*objects: RenderedObject) -> Side:
    return Side({each.key: each for each in objects})


def _review(base: Side, head: Side) -> Review:
    return Review("main", "0123456789abcdef", "dev", compare(base, head), (), (), (), True)


def _of(before: Mapping[str, Any], after: Mapping[str, Any], kind: str = "ConfigMap") -> Review:
    return _review(_side(_object(before, kind)), _side(_object(after, kind)))


# Nothing secret


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("SecretV2", {"dataJson": "[secret]"}, {"dataJson": "Hunter2"}),
        ("SecretV2", {"dataJson": "Hunter2"}, {"dataJson": "[secret]"}),
        ("Other", {"any": "[secret]"}, {"any": "Hunter2"}),
        ("Secret", {"data": {"key": "Hunter2"}}, {"data": {"key": "x"}}),
        ("Secret", {"stringData": {"key": "Hunter2"}}, {}),
        ("Pod", {"env": [{"name": "DB_PASSWORD", "value": "Hunter2"}]}, {"env": []}),
        (
            "Pod",
            {"env": [{"name": "DB_PASSWORD", "value": "Hunter2"}]},
            {"env": [{"name": "DB_PASSWORD", "value": "x"}]},
        ),
        ("Pod", {"args": ["--password", "Hunter2"]}, {"args": ["--password", "x"]}),
        ("Pod", {"args": ["--password=Hunter2"]}, {"args": []}),
        ("Pod", {"args": ["--token=Hunter2"]}, {"args": ["--token=x"]}),
        ("Pod", {"args": ["env", "API_KEY=Hunter2", "x"]}, {"args": []}),
        ("Pod", {"env": [{"name": "URL", "value": "https://me:Hunter2@example.com"}]}, {}),
        ("Pod", {"a": {"deep": [{"url": "postgres://me:Hunter2@db/x"}]}}, {"a": 1}),
        ("Provider", {"password": "Hunter2"}, {"password": "x"}),
    ],
)
def test_a_secret_of_either_side_is_in_no_report(
    kind: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    for review in (_of(before, after, kind), _of(after, before, kind)):
        assert len(review.entries) == 1
        for report in (text_report(review, False), markdown_report(review), json_report(review)):
            assert "Hunter2" not in report


def test_a_secret_that_changes_is_reported_without_its_values() -> None:
    variable = {"env": [{"name": "API_TOKEN", "value": "one-value"}]}
    other = {"env": [{"name": "API_TOKEN", "value": "other-value"}]}
    (entry,) = _of(variable, other, "Pod").entries
    (change,) = entry.changes
    assert change == FieldChange("env[API_TOKEN].value", "[hidden]", "[hidden]")


@pytest.mark.parametrize(
    "change",
    [
        FieldChange("spec.hard.pods", "20", "21"),
        FieldChange("env[API_KEY].valueFrom.secretKeyRef.name", "one-secret", "other-secret"),
    ],
)
def test_what_is_not_secret_is_shown(change: FieldChange) -> None:
    assert shown(change, "Deployment") == change


def test_what_differs_at_the_end_of_a_long_value_is_shown() -> None:
    padding = "x" * 400
    (line,) = lines_of(FieldChange("args", [padding, "-a"], [padding, "-b"]))
    before, after = line.split(" -> ")
    assert before == f'...{"x" * 70}", "-a"]'
    assert after == before.replace("-a", "-b")


def test_a_long_text_of_which_every_line_differs_is_shown_at_once() -> None:
    before, after = (
        "".join(f"key{number} = {value} {number}\n" for number in range(3000))
        for value in ("one", "other")
    )
    lines = lines_of(FieldChange("data.x", before, after))
    assert len(lines) == 6000
    assert {"- key7 = one 7", "+ key7 = other 7"} < set(lines)


def test_a_text_of_which_only_the_end_differs_is_shown() -> None:
    (line,) = lines_of(FieldChange("data.x", "a\nb", "a\nb\n"))
    assert line == r'''"a\nb" -> "a\nb\n"'''


# The reports


def test_no_differences_are_reported_in_one_line() -> None:
    review = _of({"a": 1}, {"a": 1})
    assert review.exit_code == NONE
    assert text_report(review, False) == (
        "stack dev, since main (0123456789ab): objects: none differs\nno differences\n"
    )


def test_a_change_says_which_field_and_both_values() -> None:
    review = _review(
        _side(_object({"spec": {"hard": {"pods": "20"}}})),
        _side(_object({"spec": {"hard": {"pods": "30"}}})),
    )
    assert review.exit_code == SECOND_REVIEWER
    assert text_report(review, False) == (
        "stack dev, since main (0123456789ab): objects: 1 changed\n"
        "needs a second reviewer\n"
        "\n"
        "! SC-6 SC-5  team-alpha: quota or limit raised\n"
        "    pods 20 -> 30\n"
        "\n"
        "team-alpha: 1 changed\n"
        "  ~ ResourceQuota x\n"
        "      spec.hard.pods: 20 -> 30\n"
    )


def test_of_a_text_only_the_lines_that_differ_are_shown() -> None:
    before, after = {"policy": "one\ntwo\nthree\n"}, {"policy": "one\n2\nthree\n"}
    assert "policy:\n        - two\n        + 2\n" in text_report(_of(before, after), False)


def test_colours_are_there_only_when_asked_for() -> None:
    review = _of({"a": 1}, {"a": 2})
    assert "\x1b" in text_report(review, True)
    assert "\x1b" not in text_report(review, False)


_NASTY = "a`b``c | <script> <!-- --> @someone #1 https://e.example \n\n# title\x1b[31m [x](y)"


def test_a_value_ends_neither_its_line_nor_its_code_span() -> None:
    report = markdown_report(_of({"a": "plain"}, {"a": _NASTY}))
    (line,) = [line for line in report.splitlines() if "script" in line]
    fence = "```"
    assert line.startswith("  - `a`: ")
    assert line.count(fence) == 2
    assert line.endswith(fence)
    assert "\x1b" not in report
    assert report.count("\n# ") == 0


def test_a_value_does_not_act_on_the_terminal() -> None:
    report = text_report(_of({"a": "plain"}, {"a": "x\x1b]0;title\x07\u202e"}), False)
    assert report.isascii()
    assert "\\u001b" in report


def test_a_comment_is_never_longer_than_github_accepts_and_notes_the_cut() -> None:
    many = {f"key{number}": "x" * 200 for number in range(2_000)}
    quotas = [_object({"spec": {"hard": {f"k{n}": "1"}}}, name=f"q{n}") for n in range(3_000)]
    report = markdown_report(_of({}, many))
    assert 40_000 < len(report.encode()) <= 65_536
    assert report.endswith("lines do not fit into a comment**; run `./sre diff` to see them all.\n")
    assert report.count("<details>") == report.count("</details>") == 1
    destroyed = markdown_report(_review(_side(*quotas), _side()))
    assert len(destroyed.encode()) <= 65_536
    assert "do not fit" in destroyed


def test_a_comment_begins_with_the_line_that_identifies_it() -> None:
    assert markdown_report(_of({"a": 1}, {"a": 2})).startswith("<!-- sre diff dev -->\n")


def test_the_json_has_what_is_documented() -> None:
    review = _review(
        _side(_object({"spec": {"hard": {"pods": "20"}}})),
        _side(_object({"spec": {"hard": {"pods": "30"}}})),
    )
    assert json.loads(json_report(review)) == {
        "version": 1,
        "base": {"ref": "main", "commit": "0123456789abcdef"},
        "stack": "dev",
        "result": "second-reviewer",
        "edges": [],
        "findings": [
            {
                "id": "quota-raised",
                "secondReviewer": True,
                "controls": ["SC-6", "SC-5"],
                "says": "quota or limit raised",
                "team": "team-alpha",
                "app": "",
                "object": "kubernetes/team-alpha/ResourceQuota-x",
                "detail": "pods 20 -> 30",
            }
        ],
        "platformCode": {"files": [], "teams": []},
        "settings": [],
        "objects": [
            {
                "key": "kubernetes/team-alpha/ResourceQuota-x",
                "action": "changed",
                "kind": "ResourceQuota",
                "name": "x",
                "team": "team-alpha",
                "app": "",
                "changes": [{"path": "spec.hard.pods", "before": "20", "after": "30"}],
            }
        ],
        "protectionCompared": True,
    }


def test_the_order_in_which_objects_are_read_changes_no_report() -> None:
    before = [_object({"a": number}, "Job", str(number)) for number in range(9)]
    after = [_object({"a": 0}, "Job", str(number)) for number in range(3, 12)]
    one = _review(_side(*before), _side(*after))
    other = _review(_side(*before[::-1]), _side(*after[::-1]))
    assert json_report(one) == json_report(other)
    assert markdown_report(one) == markdown_report(other)
    assert one.exit_code != CHANGES
