"""The first page: all teams, a row each."""

from collections import Counter
from xml.etree.ElementTree import Element

from plain.markup import element
from tools.page.facts import FleetFacts, TeamFacts
from tools.page.live import Live, LiveTeam
from tools.page.live_parts import when_read
from tools.page.parts import (
    EXCEPTIONS,
    INDEX,
    Cell,
    bar,
    day,
    facts,
    none,
    page,
    quiet,
    state,
    status,
    table,
    team_path,
)

_HEADS = (
    "Team", "Lifecycle", "Apps", "Quota used", "Full scale", "Reaches", "Reached by", "Exceptions",
)  # fmt: skip
_LIVE_HEADS = (*_HEADS, "Status", "In use")
_EXPLAINED = (
    "Quota used is the largest share of any resource that a team's apps take at rest, and full "
    "scale their share of that resource with all replicas that autoscaling may start. Reaches and "
    "reached by count other teams."
)
_LIVE_EXPLAINED = (
    "Status is that of the app that does worst in the cluster, and in use the largest share of its "
    "quota that a team uses there. "
)


def index_page(fleet: FleetFacts) -> str:
    """The page."""
    content = [element("h1", "Teams"), _summary(fleet)]
    if fleet.teams:
        rows = (_row(each) for each in fleet.teams)
        content.append(element("p", _EXPLAINED, class_="about"))
        name, heads = "teams", _HEADS
        if fleet.live:
            name, heads = "teams-live", _LIVE_HEADS
            content.append(element("p", _LIVE_EXPLAINED, *when_read(fleet.live), class_="about"))
        content.append(table(name, "All teams", heads, rows, noun="team"))
    else:
        content.append(element("p", "This stack has no teams.", class_="empty"))
    return page(INDEX, fleet.stack, "Teams", content)


def _summary(fleet: FleetFacts) -> Element:
    lifecycles = Counter[str](each.team.lifecycle for each in fleet.teams)
    apps = sum(len(each.team.apps) for each in fleet.teams)
    crossing = sum(len(each.reaches) for each in fleet.teams)
    ends: Cell = "none"
    if fleet.exceptions:
        link = element("a", f"{len(fleet.exceptions):,}", href=EXCEPTIONS)
        ends = (link, quiet(" the first ends ", day(fleet.exceptions[0].exception.until)))
    doing: list[tuple[str, Cell]] = []
    if fleet.live:
        doing.append(("Apps in the cluster", _doing(fleet.live)))
    return facts(
        [
            ("Teams", (f"{len(fleet.teams):,}", quiet(" ", _lifecycles(lifecycles)))),
            ("Apps", f"{apps:,}"),
            ("Exceptions", ends),
            ("Pairs of teams with a connection", f"{crossing:,}"),
            *doing,
        ],
        "figures",
    )


def _doing(live: Live) -> Cell:
    """How many apps are not as wanted."""
    counts = Counter(app.status for team in live.teams.values() for app in team.apps)
    wrong = [f"{counts[word]:,} {word}" for word in live.not_as_wanted if counts[word]]
    return f"{counts.total():,}", quiet(" ", ", ".join(wrong) or "none broken")


def _lifecycles(counts: Counter[str]) -> str:
    words = ("active", "suspended", "offboarding")
    return ", ".join(f"{counts[word]:,} {word}" for word in words if counts[word])


def _row(about: TeamFacts) -> list[Cell]:
    team = about.team
    used: Cell = none("no limit")
    full: Cell = none()
    if share := about.tightest:
        used = (bar(share.rest, share.full), f" {share.rest} % ", quiet(share.resource))
        over = share.full > 100
        full = element("strong", f"{share.full} %") if over else f"{share.full} %"
    return [
        element("a", team.name, href=team_path(team.name)),
        state(team.lifecycle),
        _apps(about),
        used,
        full,
        _number(len(about.reaches)),
        _number(len(about.reached_by)),
        _exceptions(about),
        *(_live(about.live) if about.live else ()),
    ]


def _live(about: LiveTeam) -> tuple[Cell, Cell]:
    """A team's status and the use of its quota in the cluster."""
    doing: Cell = none("no apps")
    if about.closed:
        doing = none("not read")
    elif about.apps:
        same = sum(app.status == about.status for app in about.apps)
        doing = status(about.status), quiet(f" {same} of {len(about.apps)}")
    most = about.tightest
    used: Cell = (f"{most.share} % ", quiet(most.resource)) if most else none("not read")
    return doing, used


def _apps(about: TeamFacts) -> Cell:
    apps = about.team.apps
    if not apps:
        return none()
    names = ", ".join(f"{app.name} {app.app.image.tag}" for app in apps)
    return f"{len(apps)} ", quiet(names)


def _exceptions(about: TeamFacts) -> Cell:
    if not about.exceptions:
        return none()
    first = about.exceptions[0].exception.until
    return f"{len(about.exceptions)} ", quiet("first ends ", day(first))


def _number(number: int) -> Cell:
    return str(number) if number else none("0")
