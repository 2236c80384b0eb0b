"""One app of a team, an entry under `apps`, in one of three archetypes.

Source: guide, Configuration Reference.
"""

from typing import Annotated, Literal

from pydantic import Field

from specs.availability import Autoscaling, PodDisruptionBudget, Strategy, WorkerAutoscaling
from specs.base import Spec
from specs.calls import Call, Caller
from specs.container import Container, WebAppContainer, WorkerContainer
from specs.default_alerts import DefaultAlerts, JobAlerts, RunningAlerts
from specs.exceptions import CAPABILITIES, HardeningException
from specs.ingress import Ingress
from specs.monitoring import Alert, CronJobServiceMonitor, ServiceMonitor, WorkerServiceMonitor
from specs.network import NetworkPolicy
from specs.ports import HTTP_PROTOCOLS, MAIN, METRICS
from specs.probes import Probe, in_force
from specs.schedule import Schedule
from specs.secret_use import secret_keys
from specs.volumes import Volume

METRICS_SUFFIX = "-metrics"

_DEFAULT_ALERTS = "Alerts that the app has without asking for them; each can be switched off."


class ServiceAccount(Spec):
    """The identity the app's pods run as."""

    create: bool = Field(
        True,
        description="Creates the ServiceAccount `<app.name>`; otherwise pods run as the "
        "namespace's "
        "`default`.",
    )


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
    default_alerts: DefaultAlerts
    exceptions: tuple[HardeningException, ...] = Field(
        (),
        description="What the hardening of pods forbids and this app needs, each with its owner "
        "and its end.",
    )
    calls: tuple[Call, ...] = Field((), description="What the app connects to.")

    @property
    def name(self) -> str:
        """Name of the app and of every object created for it."""
        return self.app.name

    @property
    def account(self) -> str:
        """Name of the ServiceAccount of its pods, by which the mesh knows it."""
        return self.name if self.service_account.create else "default"

    @property
    def one_pod(self) -> bool:
        """Whether a volume allows one pod at a time, so that the next waits for it to end."""
        return not all(volume.shared for volume in self.app.volumes)

    def claim(self, volume: Volume) -> str:
        """Name of a volume's PersistentVolumeClaim; two labels and a hyphen are never too long."""
        return f"{self.name}-{volume.name}"

    @property
    def metrics_port(self) -> int | None:
        """The separate port on which a worker or cronjob serves its metrics, if any."""
        monitor = self.service_monitor
        if not isinstance(monitor, WorkerServiceMonitor) or not monitor.enabled:
            return None
        return monitor.port

    @property
    def monitored(self) -> bool:
        """Whether Prometheus reads its metrics."""
        return self.service_monitor.enabled

    @property
    def ports(self) -> dict[str, int]:
        """Its container's ports by name; all of them are TCP.

        Services, probes, ServiceMonitors and network rules refer to these names.
        """
        return {METRICS: self.metrics_port} if self.metrics_port else {}

    @property
    def probes(self) -> dict[str, Probe]:
        """Its container's probes by name, each with one check; a cronjob's has none."""
        container = self.app
        if isinstance(container, WebAppContainer):
            return in_force(container.probes, container.protocol)
        return in_force(container.probes) if isinstance(container, WorkerContainer) else {}

    @property
    def metrics_service(self) -> str | None:
        """Name of the Service by which Prometheus finds a worker's or cronjob's metrics, if any."""
        return self.name + METRICS_SUFFIX if self.metrics_port else None

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What its container may do beyond the hardening, as Linux names it."""
        allowed = {exception.allow for exception in self.exceptions}
        return tuple(sorted(allowed.intersection(CAPABILITIES)))

    @property
    def secret_refs(self) -> tuple[str, ...]:
        """Names of the secrets that it uses, each once."""
        return tuple(sorted(secret_keys([self.app])))


class WebApp(BaseApp):
    """HTTP services that serve users or other services (guide: sre-web-app)."""

    archetype: Literal["web-app"] = Field(description="The archetype.")
    app: WebAppContainer = Field(description="The app itself.")
    ingress: Ingress = Field(Ingress(), description="Access from outside the cluster.")
    callers: tuple[Caller, ...] = Field(
        (), description="Apps of other teams that may call this one."
    )
    strategy: Strategy = Field(Strategy(), description="How a new version replaces the old one.")
    autoscaling: Autoscaling = Field(
        Autoscaling(),
        description="Scales the number of pods by what the app's container uses.",
    )
    service_monitor: ServiceMonitor = Field(ServiceMonitor(), description="Prometheus scraping.")
    default_alerts: RunningAlerts = Field(RunningAlerts(), description=_DEFAULT_ALERTS)
    pod_disruption_budget: PodDisruptionBudget = Field(
        PodDisruptionBudget(), description="Availability while nodes are drained."
    )

    @property
    def ports(self) -> dict[str, int]:
        """Its container's ports by name; all of them are TCP."""
        return {MAIN: self.app.port} | {each.name: each.port for each in self.app.ports}

    @property
    def service_port(self) -> int:
        """The Service's port that leads to `app.port`."""
        return self.app.service_port or self.app.port

    @property
    def scraped(self) -> str | None:
        """Name of its container's port with the metrics; None if Prometheus cannot read any."""
        if METRICS in self.ports:
            return METRICS
        return MAIN if self.app.protocol in HTTP_PROTOCOLS else None

    @property
    def monitored(self) -> bool:
        """Whether Prometheus reads its metrics."""
        return self.service_monitor.enabled and self.scraped is not None


class Worker(BaseApp):
    """Background processors without inbound traffic (guide: sre-worker)."""

    archetype: Literal["worker"] = Field(description="The archetype.")
    app: WorkerContainer = Field(description="The app itself.")
    strategy: Strategy = Field(Strategy(), description="How a new version replaces the old one.")
    autoscaling: WorkerAutoscaling = Field(
        WorkerAutoscaling(),
        description="Scales the number of pods by what the app's container uses.",
    )
    service_monitor: WorkerServiceMonitor = Field(
        WorkerServiceMonitor(), description="Prometheus scraping of a metrics port."
    )
    default_alerts: RunningAlerts = Field(RunningAlerts(), description=_DEFAULT_ALERTS)
    pod_disruption_budget: PodDisruptionBudget = Field(
        PodDisruptionBudget(), description="Availability while nodes are drained."
    )


class CronJob(BaseApp):
    """Tasks on a schedule (guide: sre-cronjob)."""

    archetype: Literal["cronjob"] = Field(description="The archetype.")
    app: Container = Field(description="The app itself.")
    schedule: Schedule = Field(description="When and how it runs.")
    service_monitor: CronJobServiceMonitor = Field(
        CronJobServiceMonitor(), description="Prometheus scraping of a metrics port."
    )
    default_alerts: JobAlerts = Field(JobAlerts(), description=_DEFAULT_ALERTS)


AnyApp = Annotated[WebApp | Worker | CronJob, Field(discriminator="archetype")]


def rollout(app: WebApp | Worker) -> Strategy:
    """How a new version replaces the old one: where one pod may run at a time, it ends first."""
    return Strategy(type="Recreate") if app.one_pod else app.strategy
