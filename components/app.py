"""One app of a team, in one of three archetypes."""

import pulumi

from components import (
    authorization,
    dashboards,
    files,
    monitoring,
    network,
    pod,
    routing,
    scaling,
    service_entries,
    workload,
)
from components.metadata import Place
from components.tenant import Tenant
from specs.app import AnyApp, CronJob, WebApp
from specs.partners import Partners
from specs.settings import Settings
from specs.shared_hosts import gateway

# An app's output: kinds of its objects that the last run held back.
HELD = "held"


class App(pulumi.ComponentResource):
    """`sre:platform:App`: the objects in the guide for the app's archetype (guide: App Templates).

    `held`: kinds that must not be created yet, because the app still runs under other names.
    `partners`: apps of other teams that it calls or that call it, and others' besides.

    `service_account`: name of the ServiceAccount of its pods. `address`: a web-app's Service in the
    cluster, `<host>:<port>`. `urls`: addresses from outside of a web-app with ingress; as outputs,
    `url` is the first of them, and `urls` are all if there are several.
    """

    def __init__(
        self,
        app: AnyApp,
        tenant: Tenant,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
        held: frozenset[str] = frozenset(),
        *,
        partners: Partners,
    ) -> None:
        super().__init__("sre:platform:App", f"{tenant.team.name}/{app.name}", {}, opts)
        self.app = app
        self.service_account = pulumi.Output.from_input(app.account)
        self.address: pulumi.Output[str] | None = None
        self.urls: list[str] = []
        if isinstance(app, WebApp):
            self.address = pulumi.Output.from_input(routing.address(tenant.team, app))
            self.urls = routing.urls(app)
        self._held = held
        self._partners = partners
        if tenant.place is not None:
            self._objects(app, tenant, tenant.place.under(self), settings)
        outputs = {
            "serviceAccount": self.service_account,
            "address": self.address,
            **routing.outside(self.urls),
            HELD: sorted(held) or None,
        }
        self.register_outputs({key: value for key, value in outputs.items() if value is not None})

    def _objects(self, app: AnyApp, tenant: Tenant, place: Place, settings: Settings) -> None:
        team = tenant.team
        at = gateway(app, settings)
        account = None
        if app.service_account.create:
            account = workload.service_account(team, app, place, settings)
            self.service_account = account.metadata["name"]
        guards = [*tenant.guardrails, *tenant.secrets_of(app), *tenant.claims_of(app)]
        if app.app.files:
            guards.append(files.config_map(team, app, place))
        if app.network_policy.enabled:
            guards.append(network.app_policy(team, app, place, settings, self._partners, at))
        if admits := authorization.app_policy(team, app, place, settings, self._partners):
            guards.append(admits)
        guards += service_entries.service_entries(team, app, place, settings)

        if isinstance(app, CronJob):
            template = pod.pod_template(team, app, settings, account, app.schedule.restart_policy)
            if "CronJob" not in self._held:
                workload.cron_job(team, app, place, template, guards)
        else:
            template = pod.pod_template(team, app, settings, account)
            running = workload.deployment(team, app, place, template, guards)
            if app.autoscaling.enabled and "HorizontalPodAutoscaler" not in self._held:
                scaling.autoscaler(team, app, place, running.metadata["name"])
            if app.pod_disruption_budget.enabled and "PodDisruptionBudget" not in self._held:
                scaling.disruption_budget(team, app, place)

        if isinstance(app, WebApp):
            service = routing.web_service(team, app, place)
            address = routing.address(team, app)
            self.address = service.urn.apply(lambda _: address)
            if at and "VirtualService" not in self._held:
                routing.virtual_service(team, app, place, settings, [service])
        elif app.metrics_port:
            routing.metrics_service(team, app, place, app.metrics_port)
        if app.monitored and "ServiceMonitor" not in self._held:
            monitoring.service_monitor(team, app, place, settings)
        monitoring.app_alerts(team, app, place, settings)
        dashboards.app_dashboard(team, app, place, settings)
