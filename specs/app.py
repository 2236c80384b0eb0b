"""One app of a team, an entry under `apps`, in one of three archetypes.

Source: guide, Configuration Reference.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from specs import names
from specs.base import (
    Duration,
    OrEmpty,
    Port,
    Spec,
    checked,
    matching,
    within,
)
from specs.container import (
    INT32_MAX,
    TOO_MANY,
    Container,
    Count,
    CronJobContainer,
    Positive,
    UrlPath,
    WebAppContainer,
    WorkerContainer,
)
from specs.cron import SCHEDULE, TIMEZONE, check_schedule, check_timezone
from specs.network import NetworkPolicy
from specs.promql import check_expression

# In seconds: with a shorter deadline a run may end before it is noticed (Kubernetes: CronJob,
# "Deadline for delayed Job start").
_CONTROLLER_LOOKS_EVERY = 10

METRICS_SUFFIX = "-metrics"

# Names of container ports: Services, probes, ServiceMonitors and network rules refer to them.
HTTP, METRICS = "http", "metrics"

# Fields of the alert that its summary may contain (Prometheus: template reference), between other
# text.
_HUMANIZE = "humanize(1024|Duration|Percentage|Timestamp)?"
_TEMPLATE_VALUE = rf"\{{\{{ *\$(labels\.[A-Za-z_][A-Za-z0-9_]*|value)( *\| *{_HUMANIZE})? *\}}\}}"
_SUMMARY = rf"({_TEMPLATE_VALUE}|\{{(?!\{{)|[^{{])*"
_PERCENTAGE = r"([0-9]{1,2}|0[0-9]{2}|100)%"


def _check_summary(value: str) -> None:
    # Prometheus runs it as a template, which can query other teams' metrics.
    if not re.fullmatch(_SUMMARY, value):
        raise ValueError("contains a template; write only {{ $labels.NAME }} and {{ $value }}")


def _check_min_available(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} is below 0; write a number of pods, such as 1")
    if isinstance(value, str) and not re.fullmatch(_PERCENTAGE, value):
        raise ValueError(f"'{value}' is not a number or a percentage; write one such as 1 or 50%")
    return value


def _utc_if_empty(value: object) -> object:
    return "Etc/UTC" if value == "" else value


# An empty string means none: see OrEmpty.
Host = Annotated[str, checked(names.check_host, f"({names.HOST})?", maxLength=names.DNS_NAME_MAX)]


class Ingress(Spec):
    """Access from outside the cluster (guide: ingress)."""

    enabled: bool = Field(False, description="Creates the VirtualService `<app.name>`.")
    host: Annotated[Host | None, OrEmpty] = Field(
        None,
        description="Host name; only one app of one team may use it. Required when enabled.",
        examples=["my-api.apps.sre.example.com"],
    )
    gateway: str | None = Field(
        None,
        description="Istio gateway, one of the stack's; default: the stack's first, "
        "`istio-system/sre-gateway`.",
        examples=["istio-system/sre-gateway"],
    )


class Autoscaling(Spec):
    """HorizontalPodAutoscaler by CPU (guide: autoscaling)."""

    enabled: bool = Field(True, description="Creates the HorizontalPodAutoscaler `<app.name>`.")
    min_replicas: Positive = Field(
        2, description="Minimum number of pods; 2 or more keeps the app available."
    )
    max_replicas: Positive = Field(10, description="Maximum number of pods.")
    target_cpu_utilization: Positive = Field(
        80,
        alias="targetCPUUtilization",
        description="Target CPU utilization, as a percentage of the app container's CPU request "
        "(without the sidecar). Pods are added above 1.1 times this value, so the CPU limit "
        "must be higher than that.",
    )


class WorkerAutoscaling(Autoscaling):
    """The same for a worker, where it is off unless asked for."""

    enabled: bool = Field(False, description="Creates the HorizontalPodAutoscaler `<app.name>`.")


class ServiceMonitor(Spec):
    """Prometheus scraping of the app's own port (guide: serviceMonitor)."""

    enabled: bool = Field(True, description="Creates the ServiceMonitor `<app.name>`.")
    interval: Duration = Field("30s", description="Time between scrapes.")
    path: UrlPath = Field("/metrics", description="Path of the metrics endpoint.")


class WorkerServiceMonitor(ServiceMonitor):
    """Prometheus scraping of a port of its own."""

    enabled: bool = Field(
        True,
        description="Creates the ServiceMonitor `<app.name>` and the Service `<app.name>-metrics`.",
    )
    port: Port = Field(9090, description="Port of the metrics endpoint.")


class CronJobServiceMonitor(WorkerServiceMonitor):
    """The same for a cronjob, where it is off unless asked for."""

    enabled: bool = Field(
        False,
        description="Creates the ServiceMonitor `<app.name>` and the Service `<app.name>-metrics`.",
    )


class PodDisruptionBudget(Spec):
    """Keeps the app available while nodes are drained (guide: podDisruptionBudget)."""

    enabled: bool = Field(True, description="Creates the PodDisruptionBudget `<app.name>`.")
    min_available: Annotated[
        int | str,
        AfterValidator(_check_min_available),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "string", "pattern": f"^({_PERCENTAGE})$"},
                ]
            }
        ),
    ] = Field(1, description="Pods that must keep running: a number, or a percentage such as 50%.")

    def lets_go(self, replicas: int) -> bool:
        """Whether one of this many pods may be evicted, so that nodes can be drained."""
        least = self.min_available
        if isinstance(least, str):  # Kubernetes rounds up to whole pods
            least = -(-int(least.removesuffix("%")) * replicas // 100)
        return not self.enabled or least < replicas


class ServiceAccount(Spec):
    """The identity the app's pods run as."""

    create: bool = Field(
        True,
        description="Creates the ServiceAccount `<app.name>`; otherwise pods run as the "
        "namespace's "
        "`default`.",
    )


class Alert(Spec):
    """One Prometheus alert on the app's metrics."""

    name: Annotated[
        str,
        matching(
            r"[A-Za-z_][A-Za-z0-9_]*", "is not an alert's name; write one such as HighErrorRate"
        ),
    ] = Field(description="Name of the alert.", examples=["HighErrorRate"])
    expr: Annotated[str, checked(check_expression)] = Field(
        min_length=1,
        description="PromQL expression that is true while something is wrong. Metrics have the "
        "label `job`: `<app.name>` of a web-app, `<app.name>-metrics` of others.",
        examples=["'rate(http_errors_total[5m]) > 0.05'"],
    )
    for_: Duration = Field(
        "10m", alias="for", description="How long it must be true before the alert fires."
    )
    severity: Literal["info", "warning", "critical"] = Field(
        "warning", description="Urgency; determines who is notified."
    )
    summary: Annotated[str, checked(_check_summary, _SUMMARY)] = Field(
        "",
        description="Summary that is shown first; may contain `{{ $labels.NAME }}` and "
        "`{{ $value }}`.",
    )


class Schedule(Spec):
    """When a cronjob runs and how (guide: sre-cronjob)."""

    cron: Annotated[str, checked(check_schedule, SCHEDULE)] = Field(
        description="Five fields: minute, hour, day of month, month, day of week.",
        examples=['"0 2 * * *"'],
    )
    timezone: Annotated[
        str, checked(check_timezone, f"({TIMEZONE})?"), BeforeValidator(_utc_if_empty)
    ] = Field(
        "Etc/UTC",
        description="IANA time zone of the schedule.",
        examples=['"America/New_York"'],
    )
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        "Forbid", description="What happens if the previous run is still going."
    )
    starting_deadline_seconds: Annotated[
        int,
        within(
            _CONTROLLER_LOOKS_EVERY,
            INT32_MAX,
            f"is below {_CONTROLLER_LOOKS_EVERY}, so runs would be skipped; "
            f"write {_CONTROLLER_LOOKS_EVERY} or more",
            TOO_MANY,
        ),
    ] = Field(
        300,
        description="Seconds after the scheduled time within which a run may still start. A run "
        "that cannot start in time, because the previous one is still going or the cluster "
        "is down, is skipped.",
    )
    active_deadline_seconds: Positive = Field(
        3600, description="Seconds after which a run is stopped."
    )
    backoff_limit: Count = Field(3, description="Retries before a run counts as failed.")
    restart_policy: Literal["Never", "OnFailure"] = Field(
        "Never", description="Whether a failed container restarts in its pod."
    )
    successful_jobs_history_limit: Count = Field(
        3, description="Number of successful runs to keep."
    )
    failed_jobs_history_limit: Count = Field(3, description="Number of failed runs to keep.")


class BaseApp(Spec):
    """What the three archetypes have in common."""

    archetype: Literal["web-app", "worker", "cronjob"]
    app: Container
    service_monitor: ServiceMonitor
    network_policy: NetworkPolicy = Field(NetworkPolicy(), description="Network access.")
    service_account: ServiceAccount = Field(ServiceAccount(), description="The pods' identity.")
    alerts: tuple[Alert, ...] = Field(
        (), description="Prometheus alerts, created as the PrometheusRule `<app.name>`."
    )

    @property
    def name(self) -> str:
        """Name of the app and of every object created for it."""
        return self.app.name

    @property
    def metrics_port(self) -> int | None:
        """The separate port on which a worker or cronjob serves its metrics, if any."""
        monitor = self.service_monitor
        if not isinstance(monitor, WorkerServiceMonitor) or not monitor.enabled:
            return None
        return monitor.port

    @property
    def ports(self) -> dict[str, int]:
        """Its container's ports by name; all of them are TCP."""
        return {METRICS: self.metrics_port} if self.metrics_port else {}

    @property
    def metrics_service(self) -> str | None:
        """Name of the Service by which Prometheus finds a worker's or cronjob's metrics, if any."""
        return self.name + METRICS_SUFFIX if self.metrics_port else None

    @property
    def secret_refs(self) -> tuple[str, ...]:
        """Names of the secrets that its variables use, each once."""
        return tuple(sorted({env.secret_ref for env in self.app.env if env.secret_ref}))


class WebApp(BaseApp):
    """HTTP services that serve users or other services (guide: sre-web-app)."""

    archetype: Literal["web-app"] = Field(description="The archetype.")
    app: WebAppContainer = Field(description="The app itself.")
    ingress: Ingress = Field(Ingress(), description="Access from outside the cluster.")
    autoscaling: Autoscaling = Field(
        Autoscaling(),
        description="Scales the number of pods by the CPU use of the app's container.",
    )
    service_monitor: ServiceMonitor = Field(ServiceMonitor(), description="Prometheus scraping.")
    pod_disruption_budget: PodDisruptionBudget = Field(
        PodDisruptionBudget(), description="Availability while nodes are drained."
    )

    @property
    def ports(self) -> dict[str, int]:
        """Its container's ports by name; all of them are TCP."""
        return {HTTP: self.app.port}


class Worker(BaseApp):
    """Background processors without inbound traffic (guide: sre-worker)."""

    archetype: Literal["worker"] = Field(description="The archetype.")
    app: WorkerContainer = Field(description="The app itself.")
    autoscaling: WorkerAutoscaling = Field(
        WorkerAutoscaling(),
        description="Scales the number of pods by the CPU use of the app's container.",
    )
    service_monitor: WorkerServiceMonitor = Field(
        WorkerServiceMonitor(), description="Prometheus scraping of a metrics port."
    )
    pod_disruption_budget: PodDisruptionBudget = Field(
        PodDisruptionBudget(), description="Availability while nodes are drained."
    )


class CronJob(BaseApp):
    """Tasks on a schedule (guide: sre-cronjob)."""

    archetype: Literal["cronjob"] = Field(description="The archetype.")
    app: CronJobContainer = Field(description="The app itself.")
    schedule: Schedule = Field(description="When and how it runs.")
    service_monitor: CronJobServiceMonitor = Field(
        CronJobServiceMonitor(), description="Prometheus scraping of a metrics port."
    )


AnyApp = Annotated[WebApp | Worker | CronJob, Field(discriminator="archetype")]
