"""An app's monitoring: a ServiceMonitor to scrape it, a PrometheusRule for its alerts."""

from pulumi_kubernetes.apiextensions import CustomResource

from components.metadata import Place, app_labels, app_selector, object_meta
from components.routing import HTTP_SERVICE_PORT, METRICS_SERVICE_PORT
from specs.app import BaseApp, WebApp
from specs.team import Team

_API = "monitoring.coreos.com/v1"


def service_monitor(team: Team, app: BaseApp, place: Place) -> CustomResource:
    """`<app.name>` (guide: serviceMonitor)."""
    monitor = app.service_monitor
    return CustomResource(
        place.name(app.name),
        api_version=_API,
        kind="ServiceMonitor",
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec={
            "selector": {"matchLabels": app_selector(app)},
            "endpoints": [
                {
                    "port": (
                        HTTP_SERVICE_PORT if isinstance(app, WebApp) else METRICS_SERVICE_PORT
                    ),
                    "path": monitor.path,
                    "interval": monitor.interval,
                }
            ],
        },
        opts=place.options,
    )


def prometheus_rule(team: Team, app: BaseApp, place: Place) -> CustomResource:
    """`<app.name>`: the app's alerts (guide: Alerts)."""
    return CustomResource(
        place.name(app.name),
        api_version=_API,
        kind="PrometheusRule",
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec={
            "groups": [
                {
                    "name": f"{team.name}/{app.name}",
                    "rules": [
                        {
                            "alert": alert.name,
                            "expr": alert.expr,
                            "for": alert.for_,
                            # These are set here so that an expression cannot pass the alert off as
                            # another team's.
                            "labels": {
                                "severity": alert.severity,
                                "namespace": team.name,
                                "team": team.name,
                            },
                            "annotations": {"summary": alert.summary or alert.name},
                        }
                        for alert in app.alerts
                    ],
                }
            ]
        },
        opts=place.options,
    )
