"""Dashboards in the form in which Grafana reads them, by Grafana's own models.

The models alone are imported: the SDK's builders load three versions of each, which takes three
times as long.
"""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator

from components.panels import Panel, Section

with warnings.catch_warnings():
    # It warns on import that this form is the old one. Grafana's provisioning reads it in every
    # version; the new form needs Grafana 12.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common, logs, loki, prometheus
    from grafana_foundation_sdk.models import dashboard as grafana

# Variables of the dashboard with the data sources, of which each Grafana has its own.
_PROMETHEUS = common.DataSourceRef("prometheus", "${metrics}")
_LOKI = common.DataSourceRef("loki", "${logs}")

_COLUMNS = 24
_HEIGHTS = {"stat": 4, "timeseries": 8, "logs": 12}
_TAG = "sre-platform"


def dashboard(team: str, app: str | None, sections: Iterable[Section]) -> str:
    """The JSON of an app's dashboard, or a team's; equal input gives equal bytes."""
    title = f"{team} / {app}" if app else team
    made = grafana.Dashboard(
        uid=uid(team, app),
        title=title,
        tags=[_TAG, team],
        timezone="utc",
        editable=False,
        time=grafana.DashboardDashboardTime("now-3h", "now"),
        refresh="1m",
        graph_tooltip=grafana.DashboardCursorSync.CROSSHAIR,
        templating=grafana.DashboardDashboardTemplating(
            [_source("metrics", "prometheus"), _source("logs", "loki")]
        ),
        links=[
            grafana.DashboardLink(
                title=f"All of {team}",
                type_val=grafana.DashboardLinkType.DASHBOARDS,
                tags=[_TAG, team],
                as_dropdown=True,
                keep_time=True,
            )
        ],
        panels=list(_panels(sections)),
    )
    # Twice in the stack's state, for each app: without spaces it is two thirds as long.
    return json.dumps(made, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))


def uid(team: str, app: str | None) -> str:
    """Names are too long for Grafana's 40 characters."""
    name = f"{team}/{app}" if app else team
    return f"sre-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _source(name: str, kind: str) -> grafana.VariableModel:
    return grafana.VariableModel(
        type_val=grafana.VariableType.DATASOURCE, name=name, label=kind.capitalize(), query=kind
    )


def _panels(sections: Iterable[Section]) -> Iterator[grafana.Panel | grafana.RowPanel]:
    """Each section's panels from left to right, below a row with its title."""
    number = y = 0
    for section in sections:
        number += 1
        at = grafana.GridPos(h=1, w=_COLUMNS, x=0, y=y)
        yield grafana.RowPanel(title=section.title, grid_pos=at, id_val=number)
        y, x, height = y + 1, 0, 0
        for panel in section.panels:
            if x + panel.width > _COLUMNS:
                y, x, height = y + height, 0, 0
            number += 1
            own = _HEIGHTS[panel.kind]
            yield _panel(panel, number, grafana.GridPos(h=own, w=panel.width, x=x, y=y))
            x, height = x + panel.width, max(height, own)
        y += height


def _panel(panel: Panel, number: int, at: grafana.GridPos) -> grafana.Panel:
    if panel.kind == "logs":
        return grafana.Panel(
            type_val="logs",
            id_val=number,
            title=panel.title,
            datasource=_LOKI,
            grid_pos=at,
            targets=[
                loki.Dataquery(expr=query.expr, query_type="range", ref_id=_letter(index))
                for index, query in enumerate(panel.queries)
            ],
            options=logs.Options(
                show_time=True,
                wrap_log_message=True,
                enable_log_details=True,
                sort_order=common.LogsSortOrder.DESCENDING,
            ),
        )
    steps = [grafana.Threshold(None, "green")]
    if panel.red is not None:
        steps.append(grafana.Threshold(panel.red, "red"))
    return grafana.Panel(
        type_val=panel.kind,
        id_val=number,
        title=panel.title,
        datasource=_PROMETHEUS,
        grid_pos=at,
        targets=[
            prometheus.Dataquery(
                expr=query.expr,
                legend_format=query.legend or None,
                range_val=True,
                ref_id=_letter(index),
            )
            for index, query in enumerate(panel.queries)
        ],
        field_config=grafana.FieldConfigSource(
            grafana.FieldConfig(
                unit=panel.unit,
                min_val=None if panel.kind == "stat" else 0,
                thresholds=grafana.ThresholdsConfig(grafana.ThresholdsMode.ABSOLUTE, steps),
            ),
            [],
        ),
    )


def _letter(index: int) -> str:
    return chr(ord("A") + index)
