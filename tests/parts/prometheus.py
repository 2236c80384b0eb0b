"""The Prometheus of `make servers PARTS=prometheus`: what it reads, and what it makes of it."""

from typing import Any
from urllib.parse import urlsplit

from clients.http import Http
from clients.kubernetes import Object
from sandbox.servers import parts
from tests.checkouts import Checkout
from tests.servers.conftest import port_of

ALPHA = "team-alpha"


class Prometheus:
    """Its API."""

    def __init__(self, checkout: Checkout) -> None:
        self._http = Http(f"http://127.0.0.1:{port_of(checkout, parts.PROMETHEUS)}")

    def targets(self) -> dict[str, Object]:
        """Those of team-alpha, one per app."""
        found = self._ask("targets", state="active")["activeTargets"]
        return {each["labels"]["service"].removesuffix("-metrics"): each for each in found}

    def healthy(self) -> set[str]:
        """Apps whose metrics it has just read."""
        return {app for app, each in self.targets().items() if each["health"] == "up"}

    def reads(self) -> dict[str, tuple[str, int | None, str]]:
        """Scheme, port and path of each target that is up, by app."""
        healthy = (pair for pair in self.targets().items() if pair[1]["health"] == "up")
        urls = {app: urlsplit(each["scrapeUrl"]) for app, each in healthy}
        return {app: (url.scheme, url.port, url.path) for app, url in urls.items()}

    def names(self, app: str) -> set[str]:
        """The app's metrics that it stores, without those that Prometheus adds."""
        series = self._ask("series", **{"match[]": f'{{namespace="{ALPHA}",container="{app}"}}'})
        names = {each["__name__"] for each in series}
        return {name for name in names if name != "up" and not name.startswith("scrape_")}

    def alerts(self) -> list[Object]:
        return [each for each in self._ask("alerts")["alerts"] if each["state"] == "firing"]

    def rules(self) -> set[str]:
        """Those that the team's file has, without those that every app gets."""
        groups = self._ask("rules")["groups"]
        named = [(group["name"], rule["name"]) for group in groups for rule in group["rules"]]
        return {f"{group}: {rule}" for group, rule in named if rule == "QueueGrows"}

    def watched(self, group: str, alert: str) -> str:
        """What an alert compares with a limit; empty while there is no such rule."""
        for each in self._ask("rules")["groups"]:
            for rule in each["rules"]:
                if (each["name"], rule["name"]) == (group, alert):
                    return rule["query"].rpartition(" < ")[0]
        return ""

    def values(self, expression: str) -> dict[str, float]:
        """What it is now, by pod."""
        found = self._ask("query", query=expression)["result"]
        return {each["metric"]["pod"]: float(each["value"][1]) for each in found}

    def _ask(self, what: str, **query: str) -> Any:
        return self._http.call("GET", f"api/v1/{what}", {}, query=query)["data"]
