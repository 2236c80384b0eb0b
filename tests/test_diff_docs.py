"""docs/review.md says what the code does."""

import re

from tests.written import ROOT
from tools.review.review_findings import Rules

PAGE = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")


def test_the_table_of_findings_is_that_of_the_code() -> None:
    table = [
        f"| `{rule.id}` | {', '.join(rule.controls)} | {rule.says} "
        f"| {'second reviewer' if rule.second else 'note'} |"
        for rule in (each.value for each in Rules)
    ]
    assert re.findall(r"^\| `[a-z-]+` \| [A-Z]{2}-.*$", PAGE, re.MULTILINE) == table


def test_a_finding_has_an_id_of_its_own_and_controls() -> None:
    ids = [each.value.id for each in Rules]
    assert len({*ids}) == len(ids)
    assert all(
        re.fullmatch(r"[A-Z]{2}-\d+", control) for each in Rules for control in each.value.controls
    )
