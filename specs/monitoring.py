"""An app's metrics and alerts (guide: serviceMonitor, Alerts)."""

import re
from typing import Annotated

from pydantic import Field

from specs.base import Duration, Port, Spec, checked, matching
from specs.default_alerts import Severity
from specs.probes import UrlPath
from specs.promql import check_expression

# Fields of the alert that its summary may contain (Prometheus: template reference), between other
# text.
_HUMANIZE = "humanize(1024|Duration|Percentage|Timestamp)?"
_TEMPLATE_VALUE = rf"\{{\{{ *\$(labels\.[A-Za-z_][A-Za-z0-9_]*|value)( *\| *{_HUMANIZE})? *\}}\}}"
_SUMMARY = rf"({_TEMPLATE_VALUE}|\{{(?!\{{)|[^{{])*"


def _check_summary(value: str) -> None:
    # Prometheus runs it as a template, which can query other teams' metrics.
    if not re.fullmatch(_SUMMARY, value):
        raise ValueError("contains a template; write only {{ $labels.NAME }} and {{ $value }}")


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
        "10m", alias="for", description="How long the condition must hold before the alert fires."
    )
    severity: Severity = Field("warning", description="Urgency; determines who is notified.")
    summary: Annotated[str, checked(_check_summary, _SUMMARY)] = Field(
        "",
        description="Summary that is shown first; may contain `{{ $labels.NAME }}` and "
        "`{{ $value }}`.",
    )
