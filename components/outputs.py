"""What a stack tells of its teams: where things are, for people and for other programs."""

from typing import Any

from components.routing import address
from specs.app import AnyApp, WebApp
from specs.settings import Settings
from specs.team import Team


def describe(team: Team, settings: Settings) -> dict[str, Any]:
    """`lifecycle`, `namespace`, `registry`, `openbao` (where images and secrets are), `apps`."""
    return {
        "lifecycle": team.lifecycle,
        "namespace": team.name,
        "registry": f"{settings.harbor.host}/{team.name}",
        "openbao": f"sre/{team.name}",
        "apps": {app.name: _describe_app(app, team) for app in team.deployed},
    }


def _describe_app(app: AnyApp, team: Team) -> dict[str, str]:
    """`archetype`; for a web-app its `address` in the cluster and, with ingress, its `url`."""
    about: dict[str, str] = {"archetype": app.archetype}
    if isinstance(app, WebApp):
        about["address"] = f"{address(team, app)}:{app.app.port}"
        if app.ingress.enabled:
            about["url"] = f"https://{app.ingress.host}"
    return about
