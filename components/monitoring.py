"""Monitoring: a ServiceMonitor to scrape an app, PrometheusRules for alerts."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_kubernetes.apiextensions import CustomResource

from components import default_alerts
from components.metadata import (
    Labels,
    Place,
    app_labels,
    app_selector,
    object_meta,
    team_labels,
)
from components.routing import METRICS_SERVICE_PORT, service_port_name
from specs.app import BaseApp, WebApp
from specs.settings import MetricsSettings, Settings
from specs.team import Team

_API = "monitoring.coreos.com/v1"

# Where the sidecar's agent serves the app's metrics together with its own. The sidecar does not
# intercept the port, so mutual TLS does not apply (Istio: Prometheus, "Metrics merging").
_MERGED_PORT, _MERGED_PATH = 15020, "/stats/prometheus"

# Metrics of the proxy, which the platform scrapes by itself: twice, they would double its sums. The
# agent's own remain, because they count scrapes of the app that failed.
_PROXYS_METRICS = "envoy_.+|istio_(requests?|response|tcp)_.+|istio_build"


def scraped_port(app: BaseApp, settings: Settings) -> int | None:
    """The port of the app's pods to which Prometheus connects, if any."""
    own = _own_port(app)
    return _MERGED_PORT if own and settings.metrics.scrape == "merged" else own


def _own_port(app: BaseApp) -> int | None:
    if isinstance(app, WebApp):
        return app.ports[app.scraped] if app.scraped else None
    return app.metrics_port


def pod_annotations(app: BaseApp, settings: Settings) -> dict[str, str]:
    """Tell the sidecar's agent which metrics to merge, if Prometheus reads them from it.

    The last one decides even if the mesh has turned merging off.
    """
    if settings.metrics.scrape != "merged" or not app.monitored:
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(_own_port(app)),
        "prometheus.io/path": app.service_monitor.path,
        "prometheus.istio.io/merge-metrics": "true",
    }


def service_monitor(team: Team, app: BaseApp, place: Place, settings: Settings) -> CustomResource:
    """`<app.name>` (guide: serviceMonitor)."""
    return CustomResource(
        place.name(app.name),
        api_version=_API,
        kind="ServiceMonitor",
        metadata=object_meta(place, app.name, _labels(app_labels(team, app), settings)),
        spec={
            "selector": {"matchLabels": app_selector(app)},
            "endpoints": [_endpoint(app, settings.metrics)],
        },
        opts=place.options,
    )


def _endpoint(app: BaseApp, metrics: MetricsSettings) -> dict[str, Any]:
    monitor = app.service_monitor
    endpoint = {
        "port": _service_port(app),
        "path": monitor.path,
        "interval": monitor.interval,
    }
    match metrics.scrape:
        case "plain":
            return endpoint
        case "mesh":
            folder = metrics.certificates
            return endpoint | {
                "scheme": "https",
                "tlsConfig": {
                    "caFile": f"{folder}/root-cert.pem",
                    "certFile": f"{folder}/cert-chain.pem",
                    "keyFile": f"{folder}/key.pem",
                    # Certificates of the mesh name identities, not the hosts or addresses that
                    # Prometheus compares (Istio: Prometheus, "TLS settings").
                    "insecureSkipVerify": True,
                },
            }
        case "merged":
            # The port is no port of the Service, which would make the mesh route to it: the
            # Service only tells Prometheus the pods' addresses.
            return endpoint | {
                "path": _MERGED_PATH,
                "relabelings": [
                    {
                        "action": "replace",
                        "sourceLabels": ["__address__"],
                        "regex": r"(.+):\d+",
                        "replacement": f"${{1}}:{_MERGED_PORT}",
                        "targetLabel": "__address__",
                    }
                ],
                "metricRelabelings": [
                    {"action": "drop", "sourceLabels": ["__name__"], "regex": _PROXYS_METRICS}
                ],
            }


def _service_port(app: BaseApp) -> str:
    if isinstance(app, WebApp) and app.scraped:
        return service_port_name(app, app.scraped)
    return METRICS_SERVICE_PORT


def app_alerts(team: Team, app: BaseApp, place: Place, settings: Settings) -> None:
    """`<app.name>`: the app's own alerts and the default ones, if it has any (guide: Alerts)."""
    own = [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.for_,
            # These are set here so that an expression cannot pass the alert off as another team's.
            "labels": {
                "severity": alert.severity,
                "namespace": team.name,
                "team": team.name,
            },
            "annotations": {"summary": alert.summary or alert.name},
        }
        for alert in app.alerts
    ]
    group = f"{team.name}/{app.name}"
    groups = {group: own, f"{group}/defaults": default_alerts.app_rules(team, app, settings)}
    _prometheus_rule(app.name, groups, _labels(app_labels(team, app), settings), place)


def team_alerts(team: Team, place: Place, settings: Settings) -> None:
    """`<team>-quota`: the default alerts about the namespace as a whole, if it has any."""
    groups = {f"{team.name}/defaults": default_alerts.team_rules(team, settings)}
    _prometheus_rule(team.quota_name, groups, _labels(team_labels(team), settings), place)


def _prometheus_rule(
    name: str, groups: Mapping[str, Sequence[default_alerts.Rule]], labels: Labels, place: Place
) -> None:
    filled = [{"name": group, "rules": rules} for group, rules in groups.items() if rules]
    if filled:
        CustomResource(
            place.name(name),
            api_version=_API,
            kind="PrometheusRule",
            metadata=object_meta(place, name, labels),
            spec={"groups": filled},
            opts=place.options,
        )


def _labels(labels: Labels, settings: Settings) -> Labels:
    return {**labels, **settings.metrics.labels}
