"""What `./sre diff` says about secrets that apps read: each key that is new."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.written import app
from tools.review.comparison import compare
from tools.review.rendered_objects import Side, read_side
from tools.review.review_findings import Rules

pytestmark = pytest.mark.commands

Render = Callable[[str], Side]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """The side that a file of team-alpha with one app makes."""
    number = iter(range(10))

    def side(keys: str) -> Side:
        tenants = tmp_path / str(next(number))
        tenants.mkdir()
        (tenants / "team-alpha.yaml").write_text(app(keys))
        out = tenants / "out"
        assert main(["render", "--tenants", str(tenants), "--out", str(out)]) == 0
        return read_side(out)

    return side


NOTHING = ""
VALUE = "env: [{name: X, secretRef: db}]"
USER = "env: [{name: X, secretRef: db, key: user}]"
BOTH = "env: [{name: X, secretRef: db, key: user}, {name: Y, secretRef: db, key: password}]"
WHOLE = "envFrom: [{secretRef: db}]"
PREFIXED = "envFrom: [{secretRef: db, prefix: DB_}]"
FILE = "secretFiles: [{path: /tls, secretRef: db, keys: [user]}]"
STORED = "sre/team-alpha/db, as Secret db"


@pytest.mark.parametrize(
    ("before", "after", "reads"),
    [
        (NOTHING, VALUE, {STORED, "X from Secret db"}),
        (NOTHING, USER, {f"user of {STORED}", "X from user of Secret db"}),
        (USER, BOTH, {f"password of {STORED}", "Y from password of Secret db"}),
        (BOTH, USER, set[str]()),
        (USER, WHOLE, {f"all keys of {STORED}", "variables from all keys of Secret db"}),
        (WHOLE, BOTH, set[str]()),
        (WHOLE, PREFIXED, set[str]()),
        (NOTHING, FILE, {f"user of {STORED}", "user of Secret db, as files"}),
        (FILE, FILE.replace("user", "user, password"), {
            f"password of {STORED}", "password of Secret db, as files",
        }),
        (FILE, FILE.replace("/tls", "/etc/tls"), set[str]()),
    ],
)  # fmt: skip
def test_a_secret_that_is_newly_read_needs_a_second_reviewer(
    render: Render, before: str, after: str, reads: set[str]
) -> None:
    findings = compare(render(before), render(after)).findings
    assert {each.detail for each in findings if each.rule is Rules.SECRET_READ} == reads
    assert {each.rule for each in findings if each.needs_second} <= {Rules.SECRET_READ}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (WHOLE, PREFIXED, ["variables from whole secrets"]),
        (FILE, FILE.replace("/tls", "/etc/tls"), [
            "mount /tls of container my-api is removed", "what is at /etc/tls of container my-api",
        ]),
    ],
)  # fmt: skip
def test_other_names_of_the_same_secrets_are_a_note(
    render: Render, before: str, after: str, said: list[str]
) -> None:
    findings = compare(render(before), render(after)).findings
    assert [(each.rule, each.detail) for each in findings] == [
        (Rules.BEHAVIOUR, each) for each in said
    ]
