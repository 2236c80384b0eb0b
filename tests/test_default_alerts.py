"""Alerts that apps and teams have without asking for them: which, for whom, and how to adjust."""

import re
from typing import Any

import pytest

from specs.promql import check_expression
from tests.conftest import Program
from tests.program import (
    ARCHETYPES,
    PROMETHEUS_RULE,
    ROOT,
    Made,
    one_of_each,
    team_file,
    worker,
)

pytestmark = pytest.mark.commands

EVERYWHERE = {"AppMemoryNearLimit"}
OF_DEPLOYMENTS = {"AppUnavailable", "AppCrashLooping"}
OF = {
    "web-app": EVERYWHERE | OF_DEPLOYMENTS | {"AppCertificateExpires"},
    "worker": EVERYWHERE | OF_DEPLOYMENTS | {"AppCertificateExpires"},
    "cronjob": EVERYWHERE | {"JobFailed", "JobMissed"},
}
EACH = pytest.mark.parametrize("archetype", ARCHETYPES)

EXCEPTION = (
    "exceptions: [{allow: writableRootFilesystem, reason: r, ticket: t, approvedBy: a, "
    "until: 9999-12-31}]"
)


def _rules(made: Made, name: str) -> dict[str, Any]:
    """Default alerts in a PrometheusRule, by name."""
    groups = made.one(PROMETHEUS_RULE, f"team-alpha/{name}").spec["groups"]
    (defaults,) = (group for group in groups if group["name"].endswith("/defaults"))
    return {rule["alert"]: rule for rule in defaults["rules"]}


@EACH
def test_an_app_has_the_alerts_of_its_archetype(program: Program, archetype: str) -> None:
    assert set(_rules(program(one_of_each()), archetype)) == OF[archetype]


@EACH
def test_with_an_exception_it_has_one_more(program: Program, archetype: str) -> None:
    made = program(one_of_each(EXCEPTION))
    assert set(_rules(made, archetype)) == OF[archetype] | {"AppExceptionEnds"}


def test_the_alerts_beside_an_app_s_own_are_a_group_of_their_own(program: Program) -> None:
    made = program(one_of_each("alerts: [{name: AppUnavailable, expr: up == 0}]"))
    groups = made.one(PROMETHEUS_RULE, "team-alpha/worker").spec["groups"]
    assert [group["name"] for group in groups] == [
        "team-alpha/worker",
        "team-alpha/worker/defaults",
    ]
    assert [rule["expr"] for rule in groups[0]["rules"]] == ["up == 0"]
    assert set(_rules(made, "worker")) == OF["worker"]


def test_a_team_has_an_alert_about_its_quota(program: Program) -> None:
    made = program(one_of_each())
    rule = made.one(PROMETHEUS_RULE, "team-alpha/team-alpha-quota")
    assert rule.parent == "sre:platform:Tenant team-alpha"
    assert set(_rules(made, "team-alpha-quota")) == {"QuotaNearlyUsed"}


def test_a_team_that_leaves_has_none(program: Program) -> None:
    made = program("lifecycle: offboarding\n" + one_of_each())
    assert made.names(PROMETHEUS_RULE) == []


ADJUSTED = {
    "unavailable: {percent: 100, for: 1m, severity: info}": (
        "worker",
        ("AppUnavailable", " < 100", "1m", "info"),
    ),
    "crashLooping: {restarts: 7, for: 2m, severity: critical}": (
        "worker",
        ("AppCrashLooping", " >= 7", "2m", "critical"),
    ),
    "memoryNearLimit: {percent: 80, for: 1h, severity: info}": (
        "cronjob",
        ("AppMemoryNearLimit", " > 80", "1h", "info"),
    ),
    "certificateExpires: {hours: 1, for: 6m, severity: warning}": (
        "worker",
        ("AppCertificateExpires", " < 3600", "6m", "warning"),
    ),
    "jobFailed: {for: 4m, severity: critical}": (
        "cronjob",
        ("JobFailed", " or vector(0))", "4m", "critical"),
    ),
    "jobMissed: {minutes: 30, for: 3m, severity: info}": (
        "cronjob",
        ("JobMissed", " > 1800 < 86400", "3m", "info"),
    ),
}


@pytest.mark.parametrize("written", ADJUSTED)
def test_threshold_duration_and_severity_are_the_file_s(program: Program, written: str) -> None:
    archetype, (name, threshold, lasting, severity) = ADJUSTED[written]
    made = program(one_of_each(f"defaultAlerts: {{{written}}}", [archetype]))
    rule = _rules(made, archetype)[name]
    assert rule["expr"].endswith(threshold)
    assert (rule["for"], rule["labels"]["severity"]) == (lasting, severity)


@pytest.mark.parametrize("written", ADJUSTED)
def test_each_can_be_switched_off(program: Program, written: str) -> None:
    archetype, (name, *_) = ADJUSTED[written]
    key, _, _ = written.partition(":")
    made = program(one_of_each(f"defaultAlerts: {{{key}: {{enabled: false}}}}", [archetype]))
    assert set(_rules(made, archetype)) == OF[archetype] - {name}


def test_that_of_an_exception_can_be_adjusted_and_switched_off(program: Program) -> None:
    sooner = f"{EXCEPTION}\ndefaultAlerts: {{exceptionEnds: {{days: 3, severity: info}}}}"
    rule = _rules(program(worker(sooner)), "consumer")["AppExceptionEnds"]
    assert f" < {3 * 86_400}, " in rule["expr"]
    assert rule["labels"]["severity"] == "info"
    off = f"{EXCEPTION}\ndefaultAlerts: {{exceptionEnds: {{enabled: false}}}}"
    assert "AppExceptionEnds" not in _rules(program(worker(off)), "consumer")


def test_that_of_the_quota_can_be_adjusted_and_switched_off(program: Program) -> None:
    adjusted = "{percent: 75, for: 1h, severity: critical}"
    made = program(team_file(keys=f"defaultAlerts: {{quotaNearlyUsed: {adjusted}}}"))
    rule = _rules(made, "team-alpha-quota")["QuotaNearlyUsed"]
    assert rule["expr"].endswith(" > 75")
    assert (rule["for"], rule["labels"]["severity"]) == ("1h", "critical")
    off = program(team_file(keys="defaultAlerts: {quotaNearlyUsed: {enabled: false}}"))
    assert off.names(PROMETHEUS_RULE) == []


@pytest.mark.parametrize("scrape", ["mesh", "plain"])
def test_without_the_agent_s_metrics_no_alert_reads_them(program: Program, scrape: str) -> None:
    made = program(one_of_each(), metrics={"scrape": scrape})
    assert set(_rules(made, "worker")) == OF["worker"] - {"AppCertificateExpires"}


def test_nor_for_an_app_that_is_not_scraped(program: Program) -> None:
    made = program(one_of_each("serviceMonitor: {enabled: false}"))
    assert set(_rules(made, "web-app")) == OF["web-app"] - {"AppCertificateExpires"}


def test_the_stack_can_do_without_them(program: Program) -> None:
    made = program(one_of_each(EXCEPTION), monitoring={"defaultAlerts": False})
    assert made.names(PROMETHEUS_RULE) == []


def test_the_stack_s_labels_have_prometheus_select_them(program: Program) -> None:
    made = program(one_of_each(), metrics={"labels": {"release": "monitoring"}})
    rules = made.all(PROMETHEUS_RULE)
    assert len(rules) == 4
    assert {rule.labels["release"] for rule in rules} == {"monitoring"}


def _all_rules(made: Made) -> list[dict[str, Any]]:
    return [
        rule
        for made_rule in made.all(PROMETHEUS_RULE)
        for group in made_rule.spec["groups"]
        if group["name"].endswith("/defaults")
        for rule in group["rules"]
    ]


def test_each_has_a_page_that_says_what_to_do(everything: Made) -> None:
    rules = _all_rules(everything)
    pages = {ROOT / rule["annotations"]["runbook_url"]: rule["alert"] for rule in rules}
    assert pages.keys() == set((ROOT / "docs" / "runbooks").glob("*.md"))
    for page, alert in pages.items():
        assert page.read_text(encoding="utf-8").startswith(f"# {alert}\n")


def test_a_stack_can_give_the_address_of_the_pages(program: Program) -> None:
    base = "https://git.example.com/sre-platform/blob/main/docs/runbooks"
    for written in (base, f"{base}/"):
        made = program(one_of_each(), monitoring={"runbooks": written})
        rule = _rules(made, "cronjob")["JobFailed"]
        assert rule["annotations"]["runbook_url"] == f"{base}/job-failed.md"


def test_every_expression_names_one_namespace_and_parses(everything: Made) -> None:
    for rule in _all_rules(everything):
        check_expression(rule["expr"])
        team = rule["labels"]["team"]
        selectors = re.findall(r"[a-z_]+\{[^}]*\}", rule["expr"])
        assert selectors or rule["alert"] == "AppExceptionEnds"
        assert all(f'namespace="{team}"' in selector for selector in selectors)
        assert "=~" not in rule["expr"]
