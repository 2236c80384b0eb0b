"""The ConfigMaps from which Grafana's sidecar takes dashboards (guide: Grafana dashboards)."""

from pulumi_kubernetes.core.v1 import ConfigMap

from components.metadata import Labels, Place, app_labels, object_meta, team_labels
from components.panels import Section, app_sections, team_sections
from specs.app import AnyApp
from specs.labels import DASHBOARD_LABEL
from specs.settings import Settings
from specs.team import Team


def app_dashboard(team: Team, app: AnyApp, place: Place, settings: Settings) -> None:
    """`<app.name>-dashboard`, unless the stack has none."""
    if settings.monitoring.dashboards:
        name = f"{app.name}-dashboard"
        text = _json(team, app.name, list(app_sections(team, app)))
        _config_map(
            name, f"{team.name}.{app.name}.json", text, app_labels(team, app), place, settings
        )


def team_dashboard(team: Team, place: Place, settings: Settings) -> None:
    """`<team>-dashboards`, which no app's can be called, unless the stack has none."""
    if settings.monitoring.dashboards:
        name = f"{team.name}-dashboards"
        text = _json(team, None, list(team_sections(team)))
        _config_map(name, f"{team.name}.json", text, team_labels(team), place, settings)


def _json(team: Team, app: str | None, sections: list[Section]) -> str:
    from components.grafana import dashboard  # with the SDK, which a stack without them spares

    return dashboard(team.name, app, sections)


def _config_map(
    name: str, file: str, text: str, labels: Labels, place: Place, settings: Settings
) -> None:
    """The sidecar writes all of them into one folder, so each file has a name of its own."""
    folder = settings.monitoring.folder_annotation
    ConfigMap(
        place.name(name),
        metadata=object_meta(place, name, {**labels, DASHBOARD_LABEL: "1"}, {folder: place.team}),
        data={file: text},
        opts=place.options,
    )
