"""One app of a team, an entry under `apps`, in one of three archetypes.

Source: guide, Configuration Reference.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from specs import names
from specs.base import (
    Cpu,
    Duration,
    Label,
    Memory,
    OrEmpty,
    Port,
    Spec,
    checked,
    matching,
    memory,
    within,
)
from specs.credentials import credential_form
from specs.cron import SCHEDULE, TIMEZONE, check_schedule, check_timezone
from specs.network import NetworkPolicy
from specs.promql import check_expression

# Secrets that the platform itself keeps under a team's path; no app reads them by secretRef.
PULL_SECRET = "harbor-pull"
PUSH_SECRET = "harbor-push"

_INT32_MAX = 2**31 - 1  # replicas, seconds and limits are int32 in Kubernetes' API

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

# One part of a repository's path (OCI distribution specification, "Pulling manifests").
_PATH_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"[^/@:]*|[^/@]*(/{_PATH_COMPONENT})+"

_SECRET_NAME = rf"(?!({PULL_SECRET}|{PUSH_SECRET})$){names.DNS_NAME}"
_URL_PATH = r"/[\s\S]*"
_MOUNT_PATH = r"(?!/(proc|sys|dev)(?![^/]))(/(?!\.{1,2}(?![^/]))[^/:]+)+"
_PERCENTAGE = r"([0-9]{1,2}|0[0-9]{2}|100)%"


def _check_secret_ref(value: str) -> None:
    # Shown only if it is clearly a name: it may be the secret itself.
    if credential_form(value):
        raise ValueError("holds a secret itself; store it in OpenBao and write its name here")
    if "/" in value or ".." in value:
        raise ValueError(
            "is a path, and secrets come from the team's own path only; write the name alone, "
            "such as my-api-db-credentials"
        )
    if value in (PULL_SECRET, PUSH_SECRET):
        raise ValueError(f"'{value}' is the platform's own secret; choose another name")
    try:
        names.check_dns_name(value)
    except ValueError:
        raise ValueError(
            "is not a secret's name; use lower-case letters, digits and '-', "
            "such as my-api-db-credentials"
        ) from None


def _check_repository(value: str) -> None:
    if "@" in value:
        raise ValueError("holds a digest; write the repository alone and the version in `tag`")
    if ":" in value.rpartition("/")[2]:
        raise ValueError("holds a tag; write the version in `tag`")
    if not all(re.fullmatch(_PATH_COMPONENT, part) for part in value.split("/")[1:]):
        raise ValueError(f"'{value}' is not a repository; write host/project/name in lower case")


def _check_summary(value: str) -> None:
    # Prometheus runs it as a template, which can query other teams' metrics.
    if not re.fullmatch(_SUMMARY, value):
        raise ValueError("holds a template; write only {{ $labels.NAME }} and {{ $value }}")


def _check_path(value: str) -> None:
    if not value.startswith("/"):
        raise ValueError(f"'{value}' does not begin with '/'; write a path such as /healthz")


def _check_mount_path(value: str) -> None:
    if value == "/":
        raise ValueError("'/' stays read-only; write a path below it such as /tmp")
    parts = value.split("/")[1:]
    if not value.startswith("/") or any(part in ("", ".", "..") for part in parts) or ":" in value:
        raise ValueError(f"'{value}' is not a plain absolute path; write one such as /tmp")
    if parts[0] in ("proc", "sys", "dev"):
        raise ValueError(f"'{value}' belongs to the kernel; mount another path such as /tmp")


def _check_min_available(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} is below 0; write a number of pods, such as 1")
    if isinstance(value, str) and not re.fullmatch(_PERCENTAGE, value):
        raise ValueError(f"'{value}' is not a share; write a number, or a percentage such as 50%")
    return value


def _utc_if_empty(value: object) -> object:
    return "Etc/UTC" if value == "" else value


_TOO_MANY = "is more than Kubernetes can count; lower it"
Count = Annotated[int, within(0, _INT32_MAX, "is below 0; write 0 or more", _TOO_MANY)]
Positive = Annotated[int, within(1, _INT32_MAX, "is below 1; write 1 or more", _TOO_MANY)]
SecretName = Annotated[str, checked(_check_secret_ref, _SECRET_NAME, maxLength=names.DNS_NAME_MAX)]
UrlPath = Annotated[str, checked(_check_path, _URL_PATH)]


class Image(Spec):
    """The container image (guide: app.image)."""

    repository: Annotated[str, checked(_check_repository, _REPOSITORY)] = Field(
        description="Repository in the platform's registry, in the team's project or a shared one.",
        examples=["harbor.sre.internal/team-alpha/my-api"],
    )
    tag: Annotated[str, checked(names.check_tag, names.TAG)] = Field(
        description="A version, quoted; never `latest`, no digest.", examples=['"v1.0.0"']
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )

    @property
    def reference(self) -> str:
        """The image as a container names it."""
        return f"{self.repository}:{self.tag}"


# A wrong name is shown only if it is clearly a name: it may be the secret itself.
_PLAIN_ENV_NAME = re.compile(r"(?=.*[A-Z])[A-Z0-9_. -]+")


def _check_env_name(value: str) -> None:
    if "=" in value:  # not shown: a secret may follow it
        raise ValueError("holds a '='; write the name alone, and what it is set to under `value`")
    if credential_form(value):
        raise ValueError("holds a secret itself; write a name here, and use secretRef")
    try:
        names.check_env_name(value)
    except ValueError:
        if not value or _PLAIN_ENV_NAME.fullmatch(value):
            raise
        raise ValueError(
            "is not a variable's name; use letters, digits and '_', such as LOG_LEVEL"
        ) from None


class EnvVar(Spec):
    """One environment variable: a plain `value`, or a secret by `secretRef` (guide: app.env)."""

    name: Annotated[str, checked(_check_env_name, names.ENV_NAME)] = Field(
        description="Name of the variable.", examples=["LOG_LEVEL"]
    )
    value: str | None = Field(
        None, description="Plain value, quoted; nothing secret.", examples=['"info"']
    )
    secret_ref: SecretName | None = Field(
        None,
        description="Name of the team's secret in OpenBao (`sre/<team>/<name>`): makes the "
        "ExternalSecret and the Secret of that name.",
        examples=["my-api-db-credentials"],
    )
    plain: bool = Field(
        False, description="Says that `value` is no credential where its name or form suggests one."
    )


class ResourceRequests(Spec):
    """What the scheduler sets aside for a pod."""

    cpu: Cpu | None = Field(
        None, description="Cores; default: `limitRange.defaultRequest.cpu`.", examples=["100m"]
    )
    memory: Memory | None = Field(
        None, description="Bytes; default: `limitRange.defaultRequest.memory`.", examples=["128Mi"]
    )


class ResourceLimits(Spec):
    """What a pod may use at most."""

    cpu: Cpu | None = Field(
        None, description="Cores; default: `limitRange.default.cpu`.", examples=["500m"]
    )
    memory: Memory | None = Field(
        None, description="Bytes; default: `limitRange.default.memory`.", examples=["512Mi"]
    )


class Resources(Spec):
    """CPU and memory of the container (guide: app.resources)."""

    requests: ResourceRequests = Field(
        ResourceRequests(), description="What is set aside for each pod."
    )
    limits: ResourceLimits = Field(ResourceLimits(), description="What each pod may use at most.")


class WritablePath(Spec):
    """A place the app may write to: an emptyDir mount; the root file system stays read-only."""

    path: Annotated[str, checked(_check_mount_path, _MOUNT_PATH)] = Field(
        description="Absolute path in the container.", examples=["/tmp"]
    )
    size_limit: Memory = Field(
        memory("64Mi"), description="Most that may be written before the pod is evicted."
    )


class LivenessProbe(Spec):
    """HTTP check that restarts the container when it fails."""

    path: UrlPath = Field("/healthz", description="Path that must answer 200 to 399 on `app.port`.")
    initial_delay_seconds: Count = Field(
        10, description="Seconds from the start to the first probe."
    )
    period_seconds: Positive = Field(10, description="Seconds between probes.")


class ReadinessProbe(Spec):
    """HTTP check that takes the pod out of the Service while it fails."""

    path: UrlPath = Field("/readyz", description="Path that must answer 200 to 399 on `app.port`.")
    initial_delay_seconds: Count = Field(
        5, description="Seconds from the start to the first probe."
    )
    period_seconds: Positive = Field(5, description="Seconds between probes.")


class HttpProbes(Spec):
    """Health checks of a web-app."""

    liveness: LivenessProbe = Field(
        LivenessProbe(), description="Restarts the container on failure."
    )
    readiness: ReadinessProbe = Field(
        ReadinessProbe(), description="Takes the pod out of the Service on failure."
    )


class ExecAction(Spec):
    """A command run in the container."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="Program and arguments; exit code 0 is healthy. A shell that runs `pgrep -f`, "
        "or `ps` into `grep`, has the pattern on its own command line and finds itself: put a "
        "letter of the pattern in brackets.",
        examples=["""["/bin/sh", "-c", "pgrep -f '[w]orker' || exit 1"]"""],
    )


class ExecLivenessProbe(Spec):
    """Command that restarts the container when it fails."""

    exec: ExecAction = Field(description="The command.")
    initial_delay_seconds: Count = Field(
        10, description="Seconds from the start to the first probe."
    )
    period_seconds: Positive = Field(30, description="Seconds between probes.")


class ExecReadinessProbe(Spec):
    """Command that marks the pod as not ready while it fails."""

    exec: ExecAction = Field(description="The command.")
    initial_delay_seconds: Count = Field(
        5, description="Seconds from the start to the first probe."
    )
    period_seconds: Positive = Field(10, description="Seconds between probes.")


class ExecProbes(Spec):
    """Health checks of a worker; without them Kubernetes watches the process alone."""

    liveness: ExecLivenessProbe | None = Field(
        None, description="Restarts the container on failure."
    )
    readiness: ExecReadinessProbe | None = Field(
        None, description="Marks the pod as not ready on failure."
    )


class Container(Spec):
    """What the apps of all archetypes say about their container: the block `app`."""

    name: Label = Field(
        description="Name of the app and of every object made for it; unique in the team.",
        examples=["my-api"],
    )
    team: str | None = Field(
        None, description="The team; if given, the file's own.", examples=["team-alpha"]
    )
    image: Image = Field(description="The container image.")
    env: tuple[EnvVar, ...] = Field((), description="Environment variables.")
    resources: Resources = Field(Resources(), description="CPU and memory.")
    writable_paths: tuple[WritablePath, ...] = Field(
        (), description="Paths the app may write to, each an emptyDir."
    )


class WebAppContainer(Container):
    """`app` of a web-app."""

    port: Port = Field(8080, description="Port the app listens on, and of its Service.")
    replicas: Count = Field(2, description="Pods when `autoscaling` is off; ignored when it is on.")
    probes: HttpProbes = Field(HttpProbes(), description="HTTP health checks.")


class WorkerContainer(Container):
    """`app` of a worker."""

    replicas: Count = Field(2, description="Pods when `autoscaling` is off; ignored when it is on.")
    command: tuple[str, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[str, ...] = Field((), description="Arguments of the command.")
    probes: ExecProbes = Field(ExecProbes(), description="Health checks by command.")


class CronJobContainer(Container):
    """`app` of a cronjob."""

    command: tuple[str, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[str, ...] = Field((), description="Arguments of the command.")


# An empty string means none: see OrEmpty.
Host = Annotated[str, checked(names.check_host, f"({names.HOST})?", maxLength=names.DNS_NAME_MAX)]


class Ingress(Spec):
    """Access from outside the cluster (guide: ingress)."""

    enabled: bool = Field(False, description="Makes the VirtualService `<app.name>`.")
    host: Annotated[Host | None, OrEmpty] = Field(
        None,
        description="Host name; belongs to one app of one team. Required when enabled.",
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

    enabled: bool = Field(True, description="Makes the HorizontalPodAutoscaler `<app.name>`.")
    min_replicas: Positive = Field(2, description="Fewest pods; 2 or more keeps the app available.")
    max_replicas: Positive = Field(10, description="Most pods.")
    target_cpu_utilization: Positive = Field(
        80,
        alias="targetCPUUtilization",
        description="Per cent of the CPU request of the app's container; the sidecar does not "
        "count. Pods are added above 1.1 times this, so the CPU limit must be higher still.",
    )


class WorkerAutoscaling(Autoscaling):
    """The same for a worker, where it is off unless asked for."""

    enabled: bool = Field(False, description="Makes the HorizontalPodAutoscaler `<app.name>`.")


class ServiceMonitor(Spec):
    """Prometheus scraping of the app's own port (guide: serviceMonitor)."""

    enabled: bool = Field(True, description="Makes the ServiceMonitor `<app.name>`.")
    interval: Duration = Field("30s", description="Time between scrapes.")
    path: UrlPath = Field("/metrics", description="Path of the metrics.")


class WorkerServiceMonitor(ServiceMonitor):
    """Prometheus scraping of a port of its own."""

    enabled: bool = Field(
        True,
        description="Makes the ServiceMonitor `<app.name>` and the Service `<app.name>-metrics`.",
    )
    port: Port = Field(9090, description="Port of the metrics.")


class CronJobServiceMonitor(WorkerServiceMonitor):
    """The same for a cronjob, where it is off unless asked for."""

    enabled: bool = Field(
        False,
        description="Makes the ServiceMonitor `<app.name>` and the Service `<app.name>-metrics`.",
    )


class PodDisruptionBudget(Spec):
    """Keeps the app available while nodes are drained (guide: podDisruptionBudget)."""

    enabled: bool = Field(True, description="Makes the PodDisruptionBudget `<app.name>`.")
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
        description="Makes the ServiceAccount `<app.name>`; otherwise pods run as the namespace's "
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
        description="PromQL expression that is true while something is wrong.",
        examples=["'rate(http_errors_total[5m]) > 0.05'"],
    )
    for_: Duration = Field(
        "10m", alias="for", description="How long it must be true before the alert fires."
    )
    severity: Literal["info", "warning", "critical"] = Field(
        "warning", description="How urgent it is; decides who is told."
    )
    summary: Annotated[str, checked(_check_summary, _SUMMARY)] = Field(
        "",
        description="What a person reads first; may hold `{{ $labels.NAME }}` and `{{ $value }}`.",
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
        "Forbid", description="What happens when the last run is still going."
    )
    starting_deadline_seconds: Annotated[
        int,
        within(
            _CONTROLLER_LOOKS_EVERY,
            _INT32_MAX,
            f"is below {_CONTROLLER_LOOKS_EVERY}, so that runs would be skipped; "
            f"write {_CONTROLLER_LOOKS_EVERY} or more",
            _TOO_MANY,
        ),
    ] = Field(
        300,
        description="Seconds after its time in which a run may still start. A run that could not, "
        "because the last one was still going or the cluster was down, is skipped.",
    )
    active_deadline_seconds: Positive = Field(
        3600, description="Seconds after which a run is stopped."
    )
    backoff_limit: Count = Field(3, description="Retries before a run counts as failed.")
    restart_policy: Literal["Never", "OnFailure"] = Field(
        "Never", description="Whether a failed container restarts in its pod."
    )
    successful_jobs_history_limit: Count = Field(3, description="Finished runs that are kept.")
    failed_jobs_history_limit: Count = Field(3, description="Failed runs that are kept.")


class BaseApp(Spec):
    """What the three archetypes have in common."""

    archetype: Literal["web-app", "worker", "cronjob"]
    app: Container
    service_monitor: ServiceMonitor
    network_policy: NetworkPolicy = Field(NetworkPolicy(), description="Network access.")
    service_account: ServiceAccount = Field(ServiceAccount(), description="The pods' identity.")
    alerts: tuple[Alert, ...] = Field(
        (), description="Prometheus alerts; any make the PrometheusRule `<app.name>`."
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
        Autoscaling(), description="Number of pods by the CPU of the app's container."
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
        WorkerAutoscaling(), description="Number of pods by the CPU of the app's container."
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
    schedule: Schedule = Field(description="When it runs and how.")
    service_monitor: CronJobServiceMonitor = Field(
        CronJobServiceMonitor(), description="Prometheus scraping of a metrics port."
    )


AnyApp = Annotated[WebApp | Worker | CronJob, Field(discriminator="archetype")]
