"""What `./sre diff` says about an app's files, also those beside the team's file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main
from specs.labels import DASHBOARD_LABEL
from tests.written import app
from tools.review.comparison import compare
from tools.review.layout import lines_of
from tools.review.pair import Pair
from tools.review.rendered_objects import RenderedObject, Side, read_side
from tools.review.review_findings import Rules
from tools.review.rules.workload import files

pytestmark = pytest.mark.commands

Render = Callable[..., Side]

FILES = "files: [{path: /etc/app.conf, from: team-alpha/app.conf}]"
TEXT = "level = info\nport = 8080\n"


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """The side that a file of team-alpha with one app makes, and the text beside it."""
    number = iter(range(10))

    def side(keys: str, text: str = TEXT) -> Side:
        tenants = tmp_path / str(next(number))
        (tenants / "team-alpha").mkdir(parents=True)
        (tenants / "team-alpha" / "app.conf").write_text(text)
        (tenants / "team-alpha.yaml").write_text(app(keys))
        out = tenants / "out"
        assert main(["render", "--tenants", str(tenants), "--out", str(out)]) == 0
        return read_side(out)

    return side


def test_another_text_is_shown_line_by_line_and_is_a_note(render: Render) -> None:
    comparison = compare(render(FILES), render(FILES, TEXT.replace("info", "debug")))
    config_map, deployment = comparison.entries
    assert (config_map.object.kind, deployment.object.kind) == ("ConfigMap", "Deployment")
    assert [(each.rule, each.detail) for each in comparison.findings] == [
        (Rules.BEHAVIOUR, "etc_app.conf of ConfigMap my-api-files")
    ]
    (change,) = config_map.changes
    assert lines_of(change) == ["- level = info", "+ level = debug"]


def test_a_file_that_an_app_gets_is_a_note(render: Render) -> None:
    findings = compare(render(""), render(FILES)).findings
    assert {(each.rule, each.detail) for each in findings} == {
        (Rules.BEHAVIOUR, "etc_app.conf of ConfigMap my-api-files"),
        (Rules.BEHAVIOUR, "what is at /etc/app.conf of container my-api"),
    }


@pytest.mark.parametrize(("labels", "hits"), [({}, 1), ({DASHBOARD_LABEL: "1"}, 0)])
def test_another_dashboard_is_no_finding(labels: dict[str, str], hits: int) -> None:
    before, after = (
        RenderedObject(
            "kubernetes/a/ConfigMap-b",
            "ConfigMap",
            "b",
            {"metadata": {"labels": labels}, "data": {"a.json": text}},
        )
        for text in ("{}", "[]")
    )
    assert len(list(files(Pair(before, after, Side(), Side())))) == hits


def test_a_text_that_moves_into_the_teams_file_changes_nothing(render: Render) -> None:
    inline = f"files: [{{path: /etc/app.conf, content: {TEXT!r}}}]".replace("'", '"')
    assert compare(render(FILES), render(inline)).entries == ()


def test_no_credential_is_shown_even_if_its_file_says_that_it_has_none(render: Render) -> None:
    plain = FILES.replace("}]", ", plain: true}]")
    was, now = (
        render(plain, f"{TEXT}db_password = {word}\nuser = {word[0]}\n")
        for word in ("hunter2", "Tr0ub4dor")
    )
    changes = [change for entry in compare(was, now).entries for change in entry.changes]
    assert lines_of(changes[0]) == ["- user = h", "+ user = T"]
    assert not any(word in str(changes) for word in ("hunter2", "Tr0ub4dor"))


def test_that_only_a_credential_differs_is_shown_without_it(render: Render) -> None:
    plain = FILES.replace("}]", ", plain: true}]")
    was, now = (render(plain, f"db_password = {word}\n") for word in ("hunter2", "Tr0ub4dor"))
    config_map, _ = compare(was, now).entries
    (change,) = config_map.changes
    assert lines_of(change) == [r'''"[hidden]\n" -> "[hidden]\n"''']
