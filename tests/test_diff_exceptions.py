"""What a reviewer sees of exceptions: first what is new or extended, and what they open."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.written import entry, team
from tools.review.comparison import compare
from tools.review.rendered_objects import Side, read_side
from tools.review.review_findings import ReviewFinding, Rules

pytestmark = pytest.mark.commands

Render = Callable[..., Side]


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    count = iter(range(10))

    def render(*exceptions: str, archetype: str = "web-app") -> Side:
        tenants = tmp_path / f"tenants-{next(count)}"
        tenants.mkdir()
        listed = "".join(f"  - {each}\n" for each in exceptions)
        beside = f"exceptions:\n{listed}" if listed else ""
        text = entry("port: 443" if archetype == "web-app" else "", beside, archetype=archetype)
        (tenants / "team-alpha.yaml").write_text(team("apps:\n" + text))
        out = tenants / "out"
        assert main(["render", "--tenants", str(tenants), "--out", str(out)]) == 0
        return read_side(out)

    return render


def one(allow: str, until: str = "9998-12-31", reason: str = "needs it", by: str = "Jane") -> str:
    return f"{{allow: {allow}, reason: {reason}, ticket: SEC-1, approvedBy: {by}, until: {until}}}"


def findings(base: Side, head: Side) -> list[ReviewFinding]:
    return list(compare(base, head).findings)


def said(base: Side, head: Side) -> dict[Rules, list[str]]:
    found: dict[Rules, list[str]] = {}
    for each in findings(base, head):
        found.setdefault(each.rule, []).append(each.detail)
    return found


def test_a_new_one_comes_first_with_its_owner_and_controls(rendered: Render) -> None:
    first, *others = findings(rendered(), rendered(one("writableRootFilesystem")))
    assert first.rule is Rules.EXCEPTION
    assert (first.team, first.app) == ("team-alpha", "my-api")
    assert first.detail == (
        "writableRootFilesystem until 9998-12-31 (SEC-1, approved by Jane): needs it"
    )
    assert first.controls == ("CM-6", "CM-7", "SI-7")
    assert first.needs_second
    assert [(each.rule, each.detail) for each in others] == [
        (Rules.POD, "securityContext.readOnlyRootFilesystem of container my-api")
    ]


def test_a_cronjob_s_is_found_too(rendered: Render) -> None:
    base, head = (
        rendered(*each, archetype="cronjob") for each in ((), (one("writableRootFilesystem"),))
    )
    assert list(said(base, head)) == [Rules.EXCEPTION, Rules.POD]


def test_a_capability_comes_with_the_lower_level_of_its_namespace(rendered: Render) -> None:
    found = said(rendered(), rendered(one("CHOWN")))
    assert list(found) == [Rules.EXCEPTION, Rules.POD, Rules.POD_SECURITY]
    assert found[Rules.POD_SECURITY] == ["Namespace team-alpha: baseline instead of restricted"]


def test_a_privileged_port_weakens_the_pod(rendered: Render) -> None:
    found = said(rendered(), rendered(one("privilegedPort")))
    assert found == {
        Rules.EXCEPTION: [
            "privilegedPort until 9998-12-31 (SEC-1, approved by Jane): needs it",
        ],
        Rules.POD: ["net.ipv4.ip_unprivileged_port_start 443 of the pod"],
    }


@pytest.mark.parametrize(
    ("after", "rule", "detail"),
    [
        (
            one("CHOWN", "9999-12-31"),
            Rules.EXCEPTION,
            "CHOWN until 9998-12-31 -> 9999-12-31 (SEC-1, approved by Jane): needs it",
        ),
        (
            one("CHOWN", reason="still needs it"),
            Rules.EXCEPTION,
            "CHOWN until 9998-12-31 is changed (SEC-1, approved by Jane): still needs it",
        ),
        (
            one("CHOWN", "9998-01-31", by="Joe"),
            Rules.EXCEPTION,
            "CHOWN until 9998-12-31 -> 9998-01-31 (SEC-1, approved by Joe): needs it",
        ),
        (
            one("CHOWN", "9998-01-31"),
            Rules.EXCEPTION_ENDED,
            "CHOWN until 9998-12-31 -> 9998-01-31 (SEC-1, approved by Jane): needs it",
        ),
    ],
)
def test_one_that_changes_is_all_that_is_found(
    rendered: Render, after: str, rule: Rules, detail: str
) -> None:
    assert said(rendered(one("CHOWN")), rendered(after)) == {rule: [detail]}


def test_one_that_goes_is_a_note(rendered: Render) -> None:
    (found,) = findings(rendered(one("writableRootFilesystem")), rendered())
    assert (found.rule, found.detail) == (
        Rules.EXCEPTION_ENDED,
        "writableRootFilesystem is no longer allowed",
    )
    assert not found.needs_second


def test_one_beside_another_is_reported_alone(rendered: Render) -> None:
    base, head = rendered(one("CHOWN")), rendered(one("CHOWN"), one("SETUID"))
    found = said(base, head)
    assert found[Rules.EXCEPTION] == [
        "SETUID until 9998-12-31 (SEC-1, approved by Jane): needs it",
    ]
    assert found[Rules.POD] == ["capability SETUID of container my-api"]
