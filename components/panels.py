"""What the dashboards of apps and teams show, as queries; `grafana` makes dashboards of them.

Metrics are those of the default alerts and, besides, Istio's standard metrics (`istio_*`), which
the platform collects from the sidecars, and those of the External Secrets Operator. Selectors name
the namespace and the workload exactly.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from components.default_alerts import quota_used, restarts
from specs.app import AnyApp, BaseApp, CronJob, WebApp
from specs.ports import ROUTED_PROTOCOLS
from specs.secret_use import secret_keys
from specs.team import Team

# Grafana's own: a range that holds at least four scrapes.
RANGE = "$__rate_interval"

# A request failed by its HTTP code, or by that of gRPC, whose HTTP code is 200.
_FAILED = ('response_code=~"5.."', 'grpc_response_status=~"2|4|8|12|13|14|15"')

_ALL, _THIRD, _HALF, _STAT = 24, 8, 12, 6


class Query(NamedTuple):
    """`legend` may contain labels of the result, such as `{{pod}}`."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """`width` is in 24ths of a row; from `red` on, a value is bad."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = _THIRD
    kind: Literal["timeseries", "stat", "logs"] = "timeseries"
    red: float | None = None


class Section(NamedTuple):
    """Panels under a title."""

    title: str
    panels: Sequence[Panel]


def app_sections(team: Team, app: AnyApp) -> Iterator[Section]:
    """What an app's dashboard shows."""
    if isinstance(app, CronJob):
        yield Section("Runs", _runs(team, app))
    else:
        yield Section("Pods", _pods(team, app))
    if isinstance(app, WebApp):
        into = (
            f'reporter="destination",destination_workload_namespace="{team.name}",'
            f'destination_workload="{app.name}"'
        )
        if app.app.protocol in ROUTED_PROTOCOLS:
            yield Section("Requests", _requests(into, "response_code"))
        else:
            yield Section("Connections", _connections(into))
    source = f'source_workload_namespace="{team.name}",source_workload="{app.name}"'
    yield Section(
        "Calls to others", _requests(f'reporter="source",{source}', "destination_service")
    )
    yield Section("Resources", list(_resources(team, app)))
    if app.secret_refs:
        yield Section("Secrets", [_secrets(team, app.secret_refs)])
    yield _logs(f'namespace="{team.name}", app="{app.name}"')


def team_sections(team: Team) -> Iterator[Section]:
    """What a team's dashboard shows: its quota, and its apps side by side."""
    namespace = f'namespace="{team.name}"'
    yield Section("Alerts and quota", _quota(team))
    yield Section("Apps", _apps(team))
    yield Section(
        "Resources",
        [
            Panel("CPU", [Query(_cpu(namespace, "container"), "{{container}}")], width=_HALF),
            Panel(
                "Memory",
                [Query(_memory(namespace, "container"), "{{container}}")],
                "bytes",
                width=_HALF,
            ),
        ],
    )
    if any(isinstance(app, CronJob) for app in team.apps):
        success = f"kube_cronjob_status_last_successful_time{{{namespace}}}"
        age = Query(f"time() - max by (cronjob) ({success})", "{{cronjob}}")
        yield Section("Runs", [Panel("Time since the last success", [age], "s", width=_ALL)])
    if secrets := sorted(secret_keys(app.app for app in team.apps)):
        yield Section("Secrets", [_secrets(team, secrets)])
    yield _logs(namespace)


def _pods(team: Team, app: BaseApp) -> list[Panel]:
    deployment = f'namespace="{team.name}",deployment="{app.name}"'
    container = f'namespace="{team.name}",container="{app.name}"'
    reasons = f"kube_pod_container_status_last_terminated_reason{{{container}}}"
    return [
        Panel(
            "Pods",
            [
                Query(f"max(kube_deployment_spec_replicas{{{deployment}}})", "wanted"),
                Query(
                    f"max(kube_deployment_status_replicas_available{{{deployment}}})", "available"
                ),
            ],
        ),
        Panel(
            "Restarts within an hour",
            [Query(restarts(team, app, "1h"), "{{pod}} {{container}}")],
            red=1,
        ),
        Panel("How containers ended", [Query(f"sum by (reason) ({reasons})", "{{reason}}")]),
    ]


def _runs(team: Team, app: BaseApp) -> list[Panel]:
    namespace = f'namespace="{team.name}"'
    cronjob = f'{namespace},cronjob="{app.name}"'
    owner = f'{namespace},owner_kind="CronJob",owner_name="{app.name}"'
    own = f" and on (job_name) kube_job_owner{{{owner}}}"

    def ended(how: str) -> str:
        return (
            f'count(max by (job_name) (kube_job_{how}{{{namespace},condition="true"}} == 1){own})'
        )

    duration = (
        f"(max by (job_name) (kube_job_status_completion_time{{{namespace}}})"
        f" - max by (job_name) (kube_job_status_start_time{{{namespace}}})){own}"
    )
    return [
        Panel(
            "Since the last success",
            [Query(f"time() - max(kube_cronjob_status_last_successful_time{{{cronjob}}})")],
            "s",
            _STAT,
            "stat",
        ),
        Panel(
            "Since the last start",
            [Query(f"time() - max(kube_cronjob_status_last_schedule_time{{{cronjob}}})")],
            "s",
            _STAT,
            "stat",
        ),
        Panel(
            "Until the next start",
            [Query(f"max(kube_cronjob_next_schedule_time{{{cronjob}}}) - time()")],
            "s",
            _STAT,
            "stat",
        ),
        Panel(
            "Runs going on",
            [Query(f"max(kube_cronjob_status_active{{{cronjob}}})")],
            "short",
            _STAT,
            "stat",
        ),
        Panel(
            "Runs that are kept",
            [Query(ended("complete"), "succeeded"), Query(ended("failed"), "failed")],
            width=_HALF,
        ),
        Panel("Duration", [Query(duration, "{{job_name}}")], "s", _HALF),
    ]


def _requests(selector: str, by: str) -> list[Panel]:
    """Istio's view of requests: how many, how many failed, and how long they took."""
    every = _rate("istio_requests_total", selector)
    buckets = _rate("istio_request_duration_milliseconds_bucket", selector)
    return [
        Panel("Requests", [Query(f"sum by ({by}) ({every})", f"{{{{{by}}}}}")], "reqps"),
        Panel("Errors", [Query(_errors(selector, "sum"), "failed")], "percent", red=1),
        Panel(
            "Latency",
            [
                Query(f"histogram_quantile({part}, sum by (le) ({buckets}))", f"p{part[2:]}")
                for part in ("0.50", "0.95", "0.99")
            ],
            "ms",
        ),
    ]


def _errors(selector: str, total: str) -> str:
    """The share of requests that failed, in per cent; `total` sums them up, by app or all."""
    every = _rate("istio_requests_total", selector)
    failed = " or ".join(_rate("istio_requests_total", f"{selector},{code}") for code in _FAILED)
    return f"100 * ({total}({failed}) or 0 * {total}({every})) / {total}({every})"


def _connections(selector: str) -> list[Panel]:
    def sums(metric: str) -> str:
        return f"sum({_rate(metric, selector)})"

    return [
        Panel(
            "Connections",
            [
                Query(sums("istio_tcp_connections_opened_total"), "opened"),
                Query(sums("istio_tcp_connections_closed_total"), "closed"),
            ],
            "cps",
            _HALF,
        ),
        Panel(
            "Traffic",
            [
                Query(sums("istio_tcp_received_bytes_total"), "received"),
                Query(sums("istio_tcp_sent_bytes_total"), "sent"),
            ],
            "Bps",
            _HALF,
        ),
    ]


def _resources(team: Team, app: AnyApp) -> Iterator[Panel]:
    selector = f'namespace="{team.name}",container="{app.name}"'

    def bounds(resource: str) -> list[Query]:
        return [
            Query(
                f'max(kube_pod_container_resource_{what}{{{selector},resource="{resource}"}})',
                legend,
            )
            for what, legend in (("requests", "request"), ("limits", "limit"))
        ]

    yield Panel("CPU", [Query(_cpu(selector, "pod"), "{{pod}}"), *bounds("cpu")])
    yield Panel("Memory", [Query(_memory(selector, "pod"), "{{pod}}"), *bounds("memory")], "bytes")
    throttled = (
        f"100 * sum by (pod) ({_rate('container_cpu_cfs_throttled_periods_total', selector)})"
        f" / sum by (pod) ({_rate('container_cpu_cfs_periods_total', selector)})"
    )
    yield Panel("CPU throttled", [Query(throttled, "{{pod}}")], "percent")
    for volume in app.app.volumes:
        claim = f'namespace="{team.name}",persistentvolumeclaim="{app.claim(volume)}"'
        used = (
            f"100 * max(kubelet_volume_stats_used_bytes{{{claim}}})"
            f" / max(kubelet_volume_stats_capacity_bytes{{{claim}}})"
        )
        yield Panel(f"Volume {volume.name}", [Query(used, "used")], "percent", red=90)


def _quota(team: Team) -> list[Panel]:
    firing = f'ALERTS{{namespace="{team.name}",team="{team.name}",alertstate="firing"}}'
    return [
        Panel(
            "Alerts that fire",
            [Query(f"count by (alertname, app) ({firing})", "{{alertname}} {{app}}")],
            width=_HALF,
            red=1,
        ),
        Panel("Quota used", [Query(quota_used(team), "{{resource}}")], "percent", _HALF, red=90),
    ]


def _apps(team: Team) -> list[Panel]:
    namespace = f'namespace="{team.name}"'
    into = f'reporter="destination",destination_workload_namespace="{team.name}"'
    every = _rate("istio_requests_total", into)
    by = "sum by (destination_workload) "
    buckets = _rate("istio_request_duration_milliseconds_bucket", into)
    per_app = f"sum by (le, destination_workload) ({buckets})"
    missing = (
        f"max by (deployment) (kube_deployment_spec_replicas{{{namespace}}})"
        f" - max by (deployment) (kube_deployment_status_replicas_available{{{namespace}}})"
    )
    again = f"changes(kube_pod_container_status_restarts_total{{{namespace}}}[1h])"
    app = "{{destination_workload}}"
    return [
        Panel("Requests", [Query(f"{by}({every})", app)], "reqps"),
        Panel("Errors", [Query(_errors(into, by), app)], "percent", red=1),
        Panel("Latency, p99", [Query(f"histogram_quantile(0.99, {per_app})", app)], "ms"),
        Panel("Pods that are missing", [Query(missing, "{{deployment}}")], width=_HALF, red=1),
        Panel(
            "Restarts within an hour",
            [Query(f"max by (pod, container) ({again}) > 0", "{{pod}} {{container}}")],
            width=_HALF,
            red=1,
        ),
    ]


def _secrets(team: Team, names: Iterable[str]) -> Panel:
    """Whether they are in step with OpenBao.

    A Prometheus that does not keep the operator's labels, which is its chart's default, has the
    namespace of a secret as `exported_namespace`.
    """
    named = f'name=~"{"|".join(names)}",condition="Ready",status="True"'
    synced = " or ".join(
        f'externalsecret_status_condition{{{label}="{team.name}",{named}}}'
        for label in ("namespace", "exported_namespace")
    )
    return Panel(
        "Synced from OpenBao (1: yes)",
        [Query(f"max by (name) ({synced})", "{{name}}")],
        width=_ALL,
    )


def _logs(selector: str) -> Section:
    """By the labels that the guide names."""
    return Section("Logs", [Panel("Logs", [Query(f"{{{selector}}}")], width=_ALL, kind="logs")])


def _rate(metric: str, selector: str) -> str:
    return f"rate({metric}{{{selector}}}[{RANGE}])"


def _cpu(selector: str, by: str) -> str:
    return f"sum by ({by}) ({_rate('container_cpu_usage_seconds_total', _containers(selector))})"


def _memory(selector: str, by: str) -> str:
    return f"sum by ({by}) (container_memory_working_set_bytes{{{_containers(selector)}}})"


def _containers(selector: str) -> str:
    """Without the sums of whole pods, which the kubelet gives too."""
    return selector if "container=" in selector else f'{selector},container!=""'
