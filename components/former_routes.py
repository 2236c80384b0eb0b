"""Existing VirtualServices for an app's hosts: which app each of their routes is for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clients.kubernetes import Object
from components.http_routes import redirected
from components.routing import destination, host
from specs.app import WebApp
from specs.ingress import ALL, REDIRECT_CODES
from specs.shared_hosts import is_below
from specs.team import Team

# The plain beginning of a regular expression for paths.
_PLAIN = re.compile(r"\^?(/[A-Za-z0-9/_-]*)")


@dataclass(frozen=True)
class FormerRoute:
    """An entry of a VirtualService's `http`, `tls` or `tcp`.

    `at` is its JSON pointer; `owner` is an app to which the team's file gives its `path`.
    """

    at: str
    entry: Any
    path: str
    owner: WebApp

    def destinations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where its requests and copies of them go, by JSON pointer."""
        for key in ("route", "mirrors"):
            for index, to in enumerate(self.entry.get(key) or ()):
                if "destination" in to:
                    yield f"{self.at}/{key}/{index}/destination", to["destination"]
        if "mirror" in self.entry:
            yield f"{self.at}/mirror", self.entry["mirror"]

    def leads_there(self, team: Team) -> bool:
        """Whether its requests go to the owner's Service, or are redirected as the file says."""
        if "redirect" in self.entry:
            here = {"redirectCode": REDIRECT_CODES[0], **self.entry["redirect"]}
            paths = [path for path in self.owner.ingress.every_path if path.prefix == self.path]
            return any(path.redirect and redirected(path.redirect) == here for path in paths)
        found = [names_service(team, self.owner, to) for _, to in self.destinations()]
        return bool(found) and all(found)


def former_routes(route: Object, apps: Sequence[WebApp]) -> Iterator[FormerRoute]:
    """The entries of a VirtualService whose path one of these apps serves."""
    spec = route["spec"]
    apps = [
        app for app in apps if not set(app.ingress.every_host).isdisjoint(spec.get("hosts") or ())
    ]
    for protocol in ("http", "tls", "tcp"):
        for number, entry in enumerate(spec.get(protocol) or ()):
            for path in dict.fromkeys(_paths(entry)):
                for owner in _owners(path, apps):
                    yield FormerRoute(f"/spec/{protocol}/{number}", entry, path, owner)


def names_service(team: Team, app: WebApp, to: Any) -> bool:
    """Whether a VirtualService's destination is the app's own Service."""
    labels, own = host(team, app).split("."), destination(team, app)
    names = {".".join(labels[:length]) for length in (1, 2, 3, 5)}
    port = (to.get("port") or own["port"]).get("number")
    return to.get("host") in names and port == own["port"]["number"]


def _paths(entry: Any) -> Iterator[str]:
    """The prefixes that an entry matches; `/` where it does not look at the path."""
    for match in entry.get("match") or [{}]:
        uri = match.get("uri") or {}
        regex = _PLAIN.match(uri.get("regex") or "")
        path = uri.get("exact") or uri.get("prefix") or (regex[1] if regex else ALL)
        yield path.rstrip("/") or ALL


def _owners(path: str, apps: Sequence[WebApp]) -> Iterator[WebApp]:
    """The app with the longest prefix of the path; without one, those with a path below it."""
    prefixes = {each.prefix: app for app in apps for each in app.ingress.every_path}
    around = [prefix for prefix in prefixes if is_below(path, prefix)]
    if around:
        yield prefixes[max(around, key=len)]
    else:
        below = (app for prefix, app in prefixes.items() if is_below(prefix, path))
        yield from {app.name: app for app in below}.values()
