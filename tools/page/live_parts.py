"""What a team's page shows of the cluster: how its apps do, what differs, the quota in use."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from plain.markup import element
from specs.capacity import shown
from specs.quantity import parse
from tools.page.facts import TeamFacts
from tools.page.live import Live, LiveApp, LiveCause, LiveQuota, LiveTeam
from tools.page.parts import Cell, Part, app_id, bar, code, none, quiet, status, table

_APP_HEADS = ("App", "Status", "Pods", "Version", "First cause")
_DIFFERENCE_HEADS = ("App", "Difference")
_QUOTA_HEADS = ("Resource", "Quota", "Used", "Left")


def when_read(live: Live) -> tuple[Part, ...]:
    """From where, when and how the cluster was read."""
    time = f"{live.read:%Y-%m-%d %H:%M} UTC"
    how = " by lists over all namespaces."
    if live.by_namespace:
        how = f" by lists in each namespace ({', '.join(live.by_namespace)})."
    return "Read from context ", code(live.context), f" at {time},", how


def status_of_apps(live: Live, about: LiveTeam) -> Iterator[Element]:
    """A line per app, and what could not be read."""
    yield element("p", *when_read(live), class_="about")
    if about.closed:
        yield element("p", f"This namespace cannot be read: {about.closed}.", class_="empty")
        return
    if about.apps:
        rows = (_app_row(app) for app in about.apps)
        yield table("live", "Apps in the cluster", _APP_HEADS, rows)
    else:
        yield element("p", "The team has no apps here.", class_="empty")
    for line in about.unread:
        yield element("p", "Not read: ", line, ".", class_="about")


def differences(about: LiveTeam) -> Element:
    """What the cluster has otherwise than the file says."""
    rows = [
        (element("a", app.app, href=f"#{app_id(app.app)}"), _cause(cause))
        for app in about.apps
        for cause in app.causes
        if cause.differs
    ]
    if rows:
        return table("differences", "Differences", _DIFFERENCE_HEADS, rows)
    unknown = about.closed or about.unread
    said = "Nothing that could be read differs." if unknown else "Nothing differs."
    return element("p", said, class_="empty")


def live_quota(about: TeamFacts) -> Iterator[Element]:
    """The use that the cluster counts."""
    if about.live is None:
        return
    yield element("h3", "In the cluster")
    if about.live.quota:
        rows = (_quota_row(each) for each in about.live.quota)
        yield table("live-quota", "Quota and use in the cluster", _QUOTA_HEADS, rows)
    else:
        said = f"No ResourceQuota {about.team.quota_name} could be read."
        yield element("p", said, class_="empty")


def _app_row(app: LiveApp) -> list[Cell]:
    return [
        element("a", app.app, href=f"#{app_id(app.app)}"),
        status(app.status),
        app.pods,
        code(app.version),
        _cause(app.causes[0]) if app.causes else none(),
    ]


def _cause(cause: LiveCause) -> Cell:
    return (f"{cause.said} ", quiet("key ", code(cause.key))) if cause.key else cause.said


def _quota_row(quota: LiveQuota) -> list[Cell]:
    unit = 1000 if quota.resource.endswith("cpu") else 1  # as `shown` counts
    left = int(unit * (parse(quota.hard) - parse(quota.used)))
    over = quota.share > 100
    used = element("strong", quota.used) if over else quota.used
    return [
        code(quota.resource),
        quota.hard,
        (bar(quota.share, quota.share), " ", used, " ", quiet(f"{quota.share} %")),
        shown(quota.resource, left),
    ]
