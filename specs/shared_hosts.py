"""Apps of a team that share a host: which of them serves which requests."""

from collections.abc import Iterator

from specs.app import BaseApp, WebApp
from specs.ingress import ALL, IngressPath
from specs.settings import Settings
from specs.team import Team


def gateway(app: BaseApp, settings: Settings) -> str | None:
    """The gateway ("namespace/name") for traffic to the app from outside, if any."""
    if not isinstance(app, WebApp) or not app.ingress.enabled:
        return None
    return app.ingress.gateway or settings.istio.gateways[0]


def is_below(path: str, prefix: str) -> bool:
    """Whether each request for `path` is one for `prefix`, which stands for whole segments."""
    return prefix == ALL or path == prefix or path.startswith(f"{prefix}/")


def sharers(team: Team, app: WebApp, settings: Settings) -> list[WebApp]:
    """Other apps of the team that have one of the app's hosts at the same gateway."""
    at = gateway(app, settings)
    return [
        other
        for other in team.deployed
        if isinstance(other, WebApp)
        and other is not app
        and at
        and gateway(other, settings) == at
        and not set(other.ingress.every_host).isdisjoint(app.ingress.every_host)
    ]


def carved_out(team: Team, app: WebApp, settings: Settings) -> Iterator[tuple[WebApp, IngressPath]]:
    """Paths of other apps below the app's own, where requests to its hosts go to these.

    Istio merges the VirtualServices of a host in no certain order, so each of them must say for
    itself that the longer prefix wins. Only a route for the whole host always comes last (Istio:
    Traffic Management Best Practices, "Split large virtual services").
    """
    own = [path.prefix for path in app.ingress.every_path if path.prefix != ALL]
    for other in sharers(team, app, settings):
        for path in other.ingress.every_path:
            if any(is_below(path.prefix, prefix) for prefix in own):
                yield other, path
