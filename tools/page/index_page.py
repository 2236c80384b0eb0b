"""The first page: all teams, a row each."""

from collections import Counter
from xml.etree.ElementTree import Element

from plain.markup import element
from tools.page.facts import FleetFacts, TeamFacts
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
    table,
    team_path,
)

_HEADS = (
    "Team", "Lifecycle", "Apps", "Quota used", "Full scale", "Reaches", "Reached by", "Exceptions",
)  # fmt: skip
_EXPLAINED = (
    "Quota used is the largest share of any resource that a team's apps take at rest, and full "
    "scale their share of that resource with all replicas that autoscaling may start. Reaches and "
    "reached by count other teams."
)


def index_page(fleet: FleetFacts) -> str:
    """The page."""
    content = [element("h1", "Teams"), _summary(fleet)]
    if fleet.teams:
        rows = (_row(each) for each in fleet.teams)
        content += [
            element("p", _EXPLAINED, class_="about"),
            table("teams", "All teams", _HEADS, rows, noun="team"),
        ]
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
    return facts(
        [
            ("Teams", (f"{len(fleet.teams):,}", quiet(" ", _lifecycles(lifecycles)))),
            ("Apps", f"{apps:,}"),
            ("Exceptions", ends),
            ("Pairs of teams with a connection", f"{crossing:,}"),
        ],
        "figures",
    )


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
    ]


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
