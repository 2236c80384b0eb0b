"""A team's page: its apps, its quota, its exceptions, and who may reach whom."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from plain.markup import element
from specs.app import AnyApp, CronJob, WebApp
from specs.capacity import RESOURCES, UNLIMITED, AppDemand, shown
from specs.secret_paths import team_secrets_path
from tools.page.connections import Connections, connections
from tools.page.controls_page import own_objects
from tools.page.exceptions_page import own_exceptions
from tools.page.facts import FleetFacts, TeamFacts
from tools.page.live import per_cent
from tools.page.live_parts import differences, live_quota, status_of_apps
from tools.page.parts import (
    Cell,
    Part,
    app_id,
    app_link,
    bar,
    code,
    facts,
    listed,
    none,
    page,
    picture_path,
    quiet,
    section,
    state,
    table,
    team_path,
)
from tools.reach.drawn import KINDS
from tools.reach.edges import Node

_APP_HEADS = ("App", "Archetype", "Version", "Image", "Pods", "Reached at")
_QUOTA_HEADS = ("Resource", "Quota", "Used", "Left", "Rollout", "Run", "Full scale")
_REACH_HEADS = ("Direction", "With", "Ports", "Kind")
_QUOTA_EXPLAINED = (
    "Used and left: with all apps at rest. Rollout: while the app with the largest rollout is "
    "replaced. Run: during the largest run of a cronjob. Full scale: with all replicas that "
    "autoscaling may start."
)
_NO_APPS = {
    "active": "The team has no apps.",
    "suspended": "The team has no apps.",
    "offboarding": "The team is leaving: its apps are gone, and its data is no longer protected.",
}


def team_page(fleet: FleetFacts, about: TeamFacts) -> str:
    """The page."""
    team = about.team
    path = team_path(team.name)
    title = element("h1", team.name, " ", state(team.lifecycle))
    content = [
        title,
        _where(fleet, about),
        *_in_cluster(fleet, about),
        section("apps", "Apps", *_apps(about)),
        section("quota", "Quota", *_quota(about), *live_quota(about)),
        section("exceptions", "Exceptions", _exceptions(about, path)),
        section("connections", "Connections", *_connections(fleet, about, path)),
        section("objects", "Objects and controls", own_objects(about)),
    ]
    return page(path, fleet.stack, team.name, content)


def _in_cluster(fleet: FleetFacts, about: TeamFacts) -> Iterator[Element]:
    if fleet.live and about.live:
        yield section("live", "In the cluster", *status_of_apps(fleet.live, about.live))
        yield section("differences", "Differs from its file", differences(about.live))


def _where(fleet: FleetFacts, about: TeamFacts) -> Element:
    team, settings = about.team, fleet.settings
    roles = (
        (f"Groups with role {role}", listed(map(code, groups)))
        for role, groups in team.roles.items()
    )
    return facts(
        [
            ("Namespace", code(team.name)),
            ("Registry", code(f"{settings.harbor.host}/{team.name}")),
            ("Secrets in OpenBao", code(team_secrets_path(team.name))),
            ("Developers", listed(map(code, team.developers))),
            ("Viewers", listed(map(code, team.viewers))),
            *roles,
        ]
    )


def _apps(about: TeamFacts) -> Iterator[Element]:
    demands = about.capacity.apps
    if not demands:
        yield element("p", _NO_APPS[about.team.lifecycle], class_="empty")
        return
    rows = (_app_row(demand, about.team.running) for demand in demands)
    yield table("apps", "Apps of the team", _APP_HEADS, rows, noun="app")


def _app_row(demand: AppDemand, running: bool) -> list[Cell]:
    app = demand.app
    image = app.app.image
    version: list[Part] = [code(image.tag)]
    if image.digest:
        version += [" ", quiet(code(image.digest))]
    return [
        element("a", app.name, href=f"#{app_id(app.name)}"),
        app.archetype,
        tuple(version),
        code(image.repository),
        _pods(demand) if running else none(),
        _hosts(app),
    ]


def _pods(demand: AppDemand) -> Cell:
    app = demand.app
    if isinstance(app, CronJob):
        schedule = app.schedule
        cron = element("code", schedule.cron, class_="ids")
        when = quiet(" at ", cron, " ", schedule.timezone)
        return none("suspended") if schedule.suspend else (f"{schedule.pods_at_once} per run", when)
    return str(demand.rest) if demand.rest == demand.full else f"{demand.rest} to {demand.full}"


def _hosts(app: AnyApp) -> Cell:
    if not isinstance(app, WebApp) or not app.ingress.enabled:
        return none()
    return listed(
        code(host if path.prefix == "/" else f"{host}{path.prefix}")
        for host in app.ingress.every_host
        for path in app.ingress.every_path
    )


def _quota(about: TeamFacts) -> Iterator[Element]:
    yield element("p", _QUOTA_EXPLAINED, class_="about")
    rows = (
        _quota_row(about, number)
        for number, resource in enumerate(RESOURCES)
        if resource not in UNLIMITED
        or about.capacity.quota[number] is not None
        or about.capacity.rest[number]
    )
    yield table("quota", "Quota and use", _QUOTA_HEADS, rows)


def _quota_row(about: TeamFacts, number: int) -> list[Cell]:
    resource, taken = RESOURCES[number], about.capacity
    quota, rest, full = taken.quota[number], taken.rest[number], taken.full[number]

    def amount(of: int) -> Cell:
        text = shown(resource, of)
        return element("strong", text) if quota is not None and of > quota else text

    used: Cell = amount(rest)
    if quota is not None:
        share = per_cent(rest, quota)
        used = (
            bar(share, per_cent(full, quota)),
            f" {shown(resource, rest)} ",
            quiet(f"{share} %"),
        )
    return [
        code(resource),
        none("no limit") if quota is None else shown(resource, quota),
        used,
        none("no limit") if quota is None else shown(resource, quota - rest),
        amount(taken.rollout[number]),
        amount(taken.run[number]),
        amount(full),
    ]


def _exceptions(about: TeamFacts, path: str) -> Element:
    if not about.exceptions:
        return element("p", "No app has an exception.", class_="empty")
    return own_exceptions(about.exceptions, path)


def _connections(fleet: FleetFacts, about: TeamFacts, path: str) -> Iterator[Element]:
    team = about.team
    if not team.deployed:
        yield element("p", "Without apps, there are no connections.", class_="empty")
        return
    yield element(
        "p",
        "What network policies and the mesh allow, in both directions. ",
        element("a", "Picture and reasons", href=f"../{picture_path(team.name)}"),
        class_="about",
    )
    for app in team.deployed:
        found = connections(about.edges, Node("app", team.name, app.name))
        rows = (_connection_row(fleet, each, path) for each in found)
        yield element("h3", app.name, id=app_id(app.name))
        yield table("connections", f"Connections of {app.name}", _REACH_HEADS, rows)


def _connection_row(fleet: FleetFacts, found: Connections, path: str) -> list[Cell]:
    own = path == team_path(found.others[0].team)
    return [
        "reached by" if found.incoming else "may reach",
        listed(
            app_link(node.team, node.app, path, node.app if own else node.shown)
            if node.kind == "app" and node.team in fleet.names
            else code(node.shown)
            for node in found.others
        ),
        found.ports,
        element("span", KINDS[found.kind], class_=f"kind {found.kind}"),
    ]
