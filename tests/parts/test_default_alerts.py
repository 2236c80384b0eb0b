"""The alerts that every app has, in promtool: they fire when they should, and not otherwise.

Series are as kube-state-metrics, the kubelet and the sidecar's agent give them, with one sample a
minute.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.conftest import Program
from tests.parts.promtool import Alert, Promtool, Rules, promtool_in, with_expressions
from tests.program import PROMETHEUS_RULE, cronjob, merged, web_app

pytestmark = pytest.mark.parts

IN = 'namespace="team-alpha"'
KSM = 'job="kube-state-metrics",instance="10.0.0.1:8080"'
APP, JOB = f'{IN},deployment="my-api",{KSM}', f'{IN},cronjob="report",{KSM}'
POD = f'{IN},pod="my-api-5d7-x2x4b",uid="1",{KSM}'
RUN = f'{IN},job_name="report-1",{KSM}'
CONTAINER = f'{POD},container="my-api"'
SIDECAR = f'{POD},container="istio-proxy"'
QUOTA = f'{IN},resourcequota="team-alpha-quota",{KSM}'
CADVISOR = f'{IN},pod="my-api-5d7-x2x4b",container="my-api",job="kubelet",node="n1"'

# Another app's, whose name begins with this one's, and another team's of the same name.
OTHER_APP = ("my-api", "my-api-admin")
OTHER_TEAM = ("team-alpha", "team-beta")

AVAILABLE = f"kube_deployment_status_replicas_available{{{APP}}}"
WANTED = f"kube_deployment_spec_replicas{{{APP}}}"
RESTARTS = f"kube_pod_container_status_restarts_total{{{CONTAINER}}}"
SIDECAR_RESTARTS = f"kube_pod_init_container_status_restarts_total{{{SIDECAR}}}"
INFO = f'kube_pod_container_info{{{CONTAINER},image="my-api"}}'
USED = f"container_memory_working_set_bytes{{{CADVISOR}}}"
LIMIT = f'kube_pod_container_resource_limits{{{CONTAINER},resource="memory",unit="byte"}}'
CERTIFICATE = (
    f'istio_agent_cert_expiry_seconds{{{IN},job="my-api",pod="my-api-5d7-x2x4b",'
    'resource_name="default"}'
)
STARTED = f"kube_job_status_start_time{{{RUN}}}"
OWNED = (
    f'kube_job_owner{{{RUN},owner_kind="CronJob",owner_name="report",owner_is_controller="true"}}'
)
FAILED = f'kube_job_failed{{{RUN},condition="true"}}'
SUCCESS = f"kube_cronjob_status_last_successful_time{{{JOB}}}"
NEXT = f"kube_cronjob_next_schedule_time{{{JOB}}}"
USED_PODS = f'kube_resourcequota{{{QUOTA},resource="pods",type="used"}}'
HARD_PODS = f'kube_resourcequota{{{QUOTA},resource="pods",type="hard"}}'

Series = Mapping[str, str]


class Case(NamedTuple):
    """An alert, the series on which it fires, and those on which it does not.

    `rule` is the name of its PrometheusRule, `labels` what it has beside those of all.
    """

    rule: str
    minutes: int
    alert: str
    severity: str
    labels: Mapping[str, str]
    summary: str
    fires: Series
    quiet: Mapping[str, Series]


POD_NAME = "my-api-5d7-x2x4b"
CASES = {
    "unavailable": Case(
        "my-api",
        # From minute 10 on too few are available, for five minutes.
        15,
        "AppUnavailable",
        "critical",
        {},
        "my-api: only 33.33% of its pods are available",
        {AVAILABLE: "3x9 1x20", WANTED: "3x30"},
        {
            "half": {AVAILABLE: "1x30", WANTED: "2x30"},
            "none wanted": {AVAILABLE: "0x30", WANTED: "0x30"},
            "recovers": {AVAILABLE: "3x9 0x3 3x20", WANTED: "3x30"},
        },
    ),
    "crash looping": Case(
        "my-api",
        12,
        "AppCrashLooping",
        "warning",
        {"pod": POD_NAME, "container": "my-api"},
        f"my-api: the container my-api of {POD_NAME} restarted 3 times within 30 minutes",
        {RESTARTS: "0x3 1x3 2x3 3x30", INFO: "1x60"},
        {
            "twice": {RESTARTS: "0x3 1x3 2x30", INFO: "1x60"},
            "slowly": {RESTARTS: "0x15 1x20 2x20 3x20", INFO: "1x80"},
            "long ago": {RESTARTS: "50x60", INFO: "1x60"},
        },
    ),
    "sidecar crash looping": Case(
        "my-api",
        12,
        "AppCrashLooping",
        "warning",
        {"pod": POD_NAME, "container": "istio-proxy"},
        f"my-api: the container istio-proxy of {POD_NAME} restarted 3 times within 30 minutes",
        {SIDECAR_RESTARTS: "0x3 1x3 2x3 3x30", INFO: "1x60", RESTARTS: "0x60"},
        {},
    ),
    "near its memory limit": Case(
        "my-api",
        25,
        "AppMemoryNearLimit",
        "warning",
        {"pod": POD_NAME},
        f"my-api: {POD_NAME} uses 95% of its memory limit",
        {USED: "10x9 95x40", LIMIT: "100x60"},
        {
            "at the threshold": {USED: "90x60", LIMIT: "100x60"},
            "a peak": {USED: "10x9 95x10 10x30", LIMIT: "100x60"},
        },
    ),
    "certificate": Case(
        "my-api",
        15,
        "AppCertificateExpires",
        "critical",
        {"pod": POD_NAME},
        "my-api: the certificate of my-api-5d7-x2x4b expires in 1h 54m 0s",
        # From minute 10 on it is below 7200.
        {CERTIFICATE: "7740-60x60"},
        {"renewed in time": {CERTIFICATE: "7740-60x8 86400-60x60"}},
    ),
    "job failed": Case(
        "report",
        10,
        "JobFailed",
        "warning",
        {},
        "report: the run that started at 1970-01-01 00:05:00 +0000 UTC failed",
        {OWNED: "1x60", STARTED: "300x60", FAILED: "0x9 1x50"},
        {
            "succeeded later": {
                OWNED: "1x60",
                STARTED: "300x60",
                FAILED: "1x60",
                SUCCESS: "360x60",
            },
            "of another cronjob": {
                OWNED.replace('"report"', '"report-2"'): "1x60",
                STARTED: "300x60",
                FAILED: "1x60",
            },
            "of nobody": {STARTED: "300x60", FAILED: "1x60"},
        },
    ),
    "job failed after one that succeeded": Case(
        "report",
        10,
        "JobFailed",
        "warning",
        {},
        "report: the run that started at 1970-01-01 00:05:00 +0000 UTC failed",
        {OWNED: "1x60", STARTED: "300x60", FAILED: "0x9 1x50", SUCCESS: "200x60"},
        {},
    ),
    "job missed": Case(
        "report",
        21,
        "JobMissed",
        "warning",
        {},
        "report: a run is 16m 0s late",
        {NEXT: "300x60"},
        {
            "started in time": {NEXT: "300x15 3900x60"},
            "resumed after a month": {NEXT: "-2600000x60"},
        },
    ),
    "quota": Case(
        "team-alpha-quota",
        25,
        "QuotaNearlyUsed",
        "warning",
        {"resource": "pods"},
        "team-alpha: 95% of the quota for pods is used",
        {USED_PODS: "10x9 19x40", HARD_PODS: "20x60"},
        {
            "at the threshold": {USED_PODS: "18x60", HARD_PODS: "20x60"},
            "suspended": {USED_PODS: "2x60", HARD_PODS: "0x60"},
        },
    ),
}
QUIET = {
    f"{name}: {why}": (case, series)
    for name, case in CASES.items()
    for why, series in case.quiet.items()
}
FOREIGN = {
    f"{name}: {other}": (case, series)
    for name, case in CASES.items()
    for own, other in (OTHER_APP, OTHER_TEAM)
    if (series := {key.replace(f'"{own}"', f'"{other}"'): case.fires[key] for key in case.fires})
    != case.fires
}


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    return promtool_in(tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="module")
def rules(program: Program) -> Mapping[str, Rules]:
    """Of a web-app, a cronjob and their team, by the PrometheusRule's name."""
    made = program(merged(web_app(), cronjob()))
    return {rule.metadata["name"]: rule.spec for rule in made.all(PROMETHEUS_RULE)}


def _wanted(case: Case) -> Alert:
    app = {} if case.rule == "team-alpha-quota" else {"app": case.rule}
    everyone = {"severity": case.severity, "namespace": "team-alpha", "team": "team-alpha"}
    page = {
        "AppUnavailable": "app-unavailable",
        "AppCrashLooping": "app-crash-looping",
        "AppMemoryNearLimit": "app-memory-near-limit",
        "AppCertificateExpires": "app-certificate-expires",
        "JobFailed": "job-failed",
        "JobMissed": "job-missed",
        "QuotaNearlyUsed": "quota-nearly-used",
    }[case.alert]
    labels = {**everyone, **app, **case.labels}
    return Alert(case.minutes, case.alert, labels, case.summary, f"docs/runbooks/{page}.md")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_fires_and_says_what_is_wrong(
    promtool: Promtool, rules: Mapping[str, Rules], case: Case
) -> None:
    assert promtool.objection(rules[case.rule]) == ""
    assert promtool.failure(rules[case.rule], case.fires, _wanted(case)) == ""


@pytest.mark.parametrize(("case", "series"), QUIET.values(), ids=QUIET)
def test_it_does_not_fire(
    promtool: Promtool, rules: Mapping[str, Rules], case: Case, series: Series
) -> None:
    assert "got:[]" in promtool.failure(rules[case.rule], series, _wanted(case))


@pytest.mark.parametrize(("case", "series"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_another_s_does_not_matter(
    promtool: Promtool, rules: Mapping[str, Rules], case: Case, series: Series
) -> None:
    assert "got:[]" in promtool.failure(rules[case.rule], series, _wanted(case))


def test_several_instances_of_kube_state_metrics_count_once(
    promtool: Promtool, rules: Mapping[str, Rules]
) -> None:
    case = CASES["quota"]
    second = {name.replace("10.0.0.1", "10.0.0.2"): value for name, value in case.fires.items()}
    assert promtool.failure(rules[case.rule], {**case.fires, **second}, _wanted(case)) == ""


END = 253_402_300_800  # of the exception's last day, with which no test can wait
EXCEPTION = """\
exceptions:
  - {allow: CHOWN, reason: a test, ticket: T-1, approvedBy: nobody, until: 9999-12-31}
  - {allow: SETGID, reason: a test, ticket: T-1, approvedBy: nobody, until: 9999-12-30}
"""


def test_an_exception_is_reported_two_weeks_before_it_ends(
    promtool: Promtool, program: Program
) -> None:
    rule = program(web_app(EXCEPTION)).one(PROMETHEUS_RULE, "team-alpha/my-api").spec
    soon = with_expressions(rule, lambda text: text.replace(str(END), str(14 * 86_400 + 600)))
    assert soon != rule
    wanted = Alert(
        11,
        "AppExceptionEnds",
        {
            "severity": "warning",
            "namespace": "team-alpha",
            "team": "team-alpha",
            "app": "my-api",
            "exception": "CHOWN",
        },
        "my-api: the exception CHOWN ends in 13d 23h 59m 0s",
        "docs/runbooks/app-exception-ends.md",
    )
    assert promtool.failure(soon, {}, wanted) == ""
    assert "got:[]" in promtool.failure(rule, {}, wanted)
