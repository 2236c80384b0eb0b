"""Alerts of teams in promtool: whether rules are valid, and when alerts fire."""

from collections.abc import Mapping

import pytest

from tests.conftest import Program
from tests.parts.promtool import Alert, Promtool, promtool_in, with_expressions
from tests.program import PROMETHEUS_RULE, Made, worker

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    return promtool_in(tmp_path_factory.mktemp("rules"))


def test_every_rule_passes_and_one_that_prometheus_cannot_parse_does_not(
    promtool: Promtool, everything: Made
) -> None:
    rules = {made.name: made.spec for made in everything.all(PROMETHEUS_RULE)}
    assert {name: said for name, spec in rules.items() if (said := promtool.objection(spec))} == {}
    for spec in rules.values():
        broken = with_expressions(spec, lambda expression: f"({expression}")
        assert "could not parse expression" in promtool.objection(broken)


ERRORS = {
    'http_requests_total{job="my-api",code="500"}': "0+90x30",
    'http_requests_total{job="my-api",code="503"}': "0+60x30",  # together 2.5 a second
}
HIGH_ERROR_RATE = Alert(
    # The rate is that of five minutes, so it takes three to exceed one; then it does for ten.
    minutes=13,
    name="HighErrorRate",
    labels={"severity": "critical", "namespace": "team-alpha", "team": "team-alpha"},
    summary="my-api answers more than one request a second with an error",
)


def test_the_shipped_alert_fires_on_errors_and_says_what_the_team_wrote(
    promtool: Promtool, everything: Made
) -> None:
    rules = everything.one(PROMETHEUS_RULE, "team-alpha/my-api").spec
    assert promtool.failure(rules, ERRORS, HIGH_ERROR_RATE) == ""


QUIET: dict[str, Mapping[str, str]] = {
    "few": dict.fromkeys(ERRORS, "0+30x30"),
    "no-errors": {'http_requests_total{job="my-api",code="200"}': "0+900x30"},
    "another-app": {name.replace("my-api", "frontend"): "0+900x30" for name in ERRORS},
    "over-after-8-minutes": dict.fromkeys(ERRORS, "0+90x8 720x20"),
}


@pytest.mark.parametrize("series", QUIET.values(), ids=QUIET)
def test_the_shipped_alert_does_not_fire_otherwise(
    promtool: Promtool, everything: Made, series: Mapping[str, str]
) -> None:
    rules = everything.one(PROMETHEUS_RULE, "team-alpha/my-api").spec
    assert "got:[]" in promtool.failure(rules, series, HIGH_ERROR_RATE)


@pytest.mark.parametrize(("old", "new"), [("> 1", "> 3"), ("5..", "4.."), ("my-api", "api")])
def test_a_rule_whose_expression_is_broken_fails(
    promtool: Promtool, everything: Made, old: str, new: str
) -> None:
    rules = everything.one(PROMETHEUS_RULE, "team-alpha/my-api").spec
    broken = with_expressions(rules, lambda expression: expression.replace(old, new))
    assert broken != rules
    assert "got:[]" in promtool.failure(broken, ERRORS, HIGH_ERROR_RATE)


OWN = """\
alerts:
  - name: QueueGrows
    expr: queue_length > 100
    for: 2m
    summary: "{{ $labels.queue }} has {{ $value | humanize }} of them"
  - {name: Stalled, expr: 'absent(queue_length{queue="mails"})', for: 0s, severity: info}
"""


def test_a_team_s_own_alert_has_the_team_s_labels_whatever_its_expression_finds(
    promtool: Promtool, program: Program
) -> None:
    rules = program(worker(OWN)).one(PROMETHEUS_RULE, "team-alpha/consumer").spec
    foreign = {'queue_length{queue="orders",namespace="team-beta",team="team-beta"}': "2000x9"}
    own = {"namespace": "team-alpha", "team": "team-alpha"}
    grows = {**own, "severity": "warning", "queue": "orders"}
    stalled = {**own, "severity": "info", "queue": "mails"}
    assert (
        promtool.failure(
            rules,
            {**foreign, 'queue_length{queue="mails"}': "5x4 stale"},
            Alert(2, "QueueGrows", grows, "orders has 2k of them"),
            Alert(5, "Stalled", stalled, "Stalled"),
        )
        == ""
    )
