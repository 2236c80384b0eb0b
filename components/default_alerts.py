"""The alerts that every app and every team gets, as rules of Prometheus (guide: Alerts).

They read metrics of kube-state-metrics (`kube_*`), of the kubelet's cAdvisor (`container_*`) and of
the sidecar's agent (`istio_agent_*`). kube-prometheus-stack keeps the labels of the first two
(`honorLabels`), so that `namespace` is the app's; the app's own ServiceMonitor brings the third.

Every selector names the namespace and the workload exactly. An app's pods are those with a
container of the app's name: in its namespace, only a step before another app may have it too
(`app.init`), and kube-state-metrics has other metrics for steps. The values of several instances of
kube-state-metrics count once, because of `max`.
"""

from datetime import UTC, datetime, time
from typing import Any, NamedTuple

from specs.app import BaseApp, CronJob, WebApp, Worker
from specs.default_alerts import DefaultAlert, ExceptionEnds, RunningAlerts
from specs.exceptions import HardeningException
from specs.settings import Settings
from specs.team import Team

Rule = dict[str, Any]

# Where runbooks are in the repository, for a stack that gives no address.
RUNBOOKS = "docs/runbooks"

_HOUR, _DAY = 3600, 86_400


class _Found(NamedTuple):
    """An alert that an app or team has; `page` is its runbook."""

    name: str
    page: str
    alert: DefaultAlert
    expr: str
    summary: str


def app_rules(team: Team, app: BaseApp, settings: Settings) -> list[Rule]:
    """The default alerts of an app."""
    found = [_memory_near_limit(team, app)]
    if app.exceptions:
        found.append(_exception_ends(app))
    if isinstance(app, WebApp | Worker):
        alerts = app.default_alerts
        found += [_unavailable(team, app, alerts), _crash_looping(team, app, alerts)]
        if app.monitored and settings.metrics.scrape == "merged":
            found.append(_certificate_expires(team, app, alerts))
    elif isinstance(app, CronJob):
        found += [_job_failed(team, app), _job_missed(team, app)]
    return _rules(found, team, settings, {"app": app.name})


def team_rules(team: Team, settings: Settings) -> list[Rule]:
    """The default alerts of a team's namespace."""
    return _rules([_quota_nearly_used(team)], team, settings, {})


def _rules(
    found: list[_Found], team: Team, settings: Settings, labels: dict[str, str]
) -> list[Rule]:
    if not settings.monitoring.default_alerts:
        return []
    base = (settings.monitoring.runbooks or RUNBOOKS).removesuffix("/")
    return [
        {
            "alert": each.name,
            "expr": each.expr,
            "for": each.alert.for_,
            "labels": {
                "severity": each.alert.severity,
                "namespace": team.name,
                "team": team.name,
                **labels,
            },
            "annotations": {"summary": each.summary, "runbook_url": f"{base}/{each.page}.md"},
        }
        for each in found
        if each.alert.enabled
    ]


def _unavailable(team: Team, app: BaseApp, alerts: RunningAlerts) -> _Found:
    deployment = f'{{namespace="{team.name}",deployment="{app.name}"}}'
    alert = alerts.unavailable
    return _Found(
        "AppUnavailable",
        "app-unavailable",
        alert,
        # Without pods that are wanted there is no quotient.
        f"100 * max(kube_deployment_status_replicas_available{deployment})"
        f" / max(kube_deployment_spec_replicas{deployment}) < {alert.percent}",
        f"{app.name}: only {{{{ $value | humanize }}}}% of its pods are available",
    )


def restarts(team: Team, app: BaseApp, within: str) -> str:
    """How often each container of the app's pods restarted within such a time as `30m`.

    Sidecars and the steps before an app are init containers: those of any of the app's pods count.
    """
    namespace, container = f'namespace="{team.name}"', f'container="{app.name}"'
    return (
        "max by (pod, container) ("
        f"changes(kube_pod_container_status_restarts_total{{{namespace},{container}}}[{within}])"
        f" or changes(kube_pod_init_container_status_restarts_total{{{namespace}}}[{within}])"
        f" and on (pod) kube_pod_container_info{{{namespace},{container}}})"
    )


def quota_used(team: Team) -> str:
    """The share of each limit of the quota, in per cent.

    A suspended team may have no pods: of a limit of nothing, nothing is used.
    """
    quota = f'namespace="{team.name}",resourcequota="{team.quota_name}"'
    return (
        f'100 * max by (resource) (kube_resourcequota{{{quota},type="used"}})'
        f' / (max by (resource) (kube_resourcequota{{{quota},type="hard"}}) > 0)'
    )


def _crash_looping(team: Team, app: BaseApp, alerts: RunningAlerts) -> _Found:
    alert = alerts.crash_looping
    return _Found(
        "AppCrashLooping",
        "app-crash-looping",
        alert,
        f"{restarts(team, app, '30m')} >= {alert.restarts}",
        f"{app.name}: the container {{{{ $labels.container }}}} of {{{{ $labels.pod }}}} restarted "
        "{{ $value }} times within 30 minutes",
    )


def _memory_near_limit(team: Team, app: BaseApp) -> _Found:
    container = f'namespace="{team.name}",container="{app.name}"'
    alert = app.default_alerts.memory_near_limit
    return _Found(
        "AppMemoryNearLimit",
        "app-memory-near-limit",
        alert,
        f"100 * max by (pod) (container_memory_working_set_bytes{{{container}}})"
        f' / max by (pod) (kube_pod_container_resource_limits{{{container},resource="memory"}})'
        f" > {alert.percent}",
        f"{app.name}: {{{{ $labels.pod }}}} uses {{{{ $value | humanize }}}}% of its memory limit",
    )


def _certificate_expires(team: Team, app: BaseApp, alerts: RunningAlerts) -> _Found:
    job = app.metrics_service or app.name
    alert = alerts.certificate_expires
    return _Found(
        "AppCertificateExpires",
        "app-certificate-expires",
        alert,
        "min by (pod) (istio_agent_cert_expiry_seconds"
        f'{{namespace="{team.name}",job="{job}",resource_name="default"}})'
        f" < {alert.hours * _HOUR}",
        f"{app.name}: the certificate of {{{{ $labels.pod }}}} expires in "
        "{{ $value | humanizeDuration }}",
    )


def _exception_ends(app: BaseApp) -> _Found:
    alert = app.default_alerts.exception_ends
    return _Found(
        "AppExceptionEnds",
        "app-exception-ends",
        alert,
        " or ".join(_ending(each, alert) for each in app.exceptions),
        f"{app.name}: the exception {{{{ $labels.exception }}}} ends in "
        "{{ $value | humanizeDuration }}",
    )


def _ending(exception: HardeningException, alert: ExceptionEnds) -> str:
    """The seconds until it ends, with the last second of its last day."""
    last_day = datetime.combine(exception.until, time(), UTC)
    end = int(last_day.timestamp()) + _DAY
    seconds = f"{end} - vector(time()) < {alert.days * _DAY}"
    return f'label_replace({seconds}, "exception", "{exception.allow}", "", "")'


def _job_failed(team: Team, app: CronJob) -> _Found:
    namespace = f'namespace="{team.name}"'
    owner = f'{namespace},owner_kind="CronJob",owner_name="{app.name}"'
    alert = app.default_alerts.job_failed
    return _Found(
        "JobFailed",
        "job-failed",
        alert,
        # A later run that succeeds ends the alert, although the failed one is still kept.
        f"max(kube_job_status_start_time{{{namespace}}}"
        f" and on (job_name) kube_job_owner{{{owner}}}"
        f' and on (job_name) kube_job_failed{{{namespace},condition="true"}} == 1)'
        f' > (max(kube_cronjob_status_last_successful_time{{{namespace},cronjob="{app.name}"}})'
        " or vector(0))",
        f"{app.name}: the run that started at {{{{ $value | humanizeTimestamp }}}} failed",
    )


def _job_missed(team: Team, app: CronJob) -> _Found:
    late = (
        "time() - max(kube_cronjob_next_schedule_time"
        f'{{namespace="{team.name}",cronjob="{app.name}"}})'
    )
    alert = app.default_alerts.job_missed
    return _Found(
        "JobMissed",
        "job-missed",
        alert,
        # The next time is that after the last run: after a suspension it is long past.
        f"{late} > {alert.minutes * 60} < {_DAY}",
        f"{app.name}: a run is {{{{ $value | humanizeDuration }}}} late",
    )


def _quota_nearly_used(team: Team) -> _Found:
    alert = team.default_alerts.quota_nearly_used
    return _Found(
        "QuotaNearlyUsed",
        "quota-nearly-used",
        alert,
        f"{quota_used(team)} > {alert.percent}",
        f"{team.name}: {{{{ $value | humanize }}}}% of the quota for {{{{ $labels.resource }}}} "
        "is used",
    )
