"""All exceptions from the hardening, the one that ends first at the top."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from plain.markup import element
from specs.exception_list import ListedException
from specs.exceptions import controls
from tools.page.facts import FleetFacts
from tools.page.parts import (
    EXCEPTIONS,
    Cell,
    app_link,
    code,
    control_ids,
    day,
    page,
    table,
    team_link,
)

_TEAM = "Team"
_HEADS = ("Last day", _TEAM, "App", "Allows", "Reason", "Ticket", "Approved by", "Controls")
_EXPLAINED = (
    "What apps may do that the hardening forbids. After the last day (UTC), the team's file is "
    "invalid until the exception is renewed or removed."
)


def exceptions_page(fleet: FleetFacts) -> str:
    """The page."""
    content = [element("h1", "Exceptions"), element("p", _EXPLAINED, class_="about")]
    if fleet.exceptions:
        rows = (_row(each, EXCEPTIONS) for each in fleet.exceptions)
        content.append(table("exceptions", "All exceptions", _HEADS, rows, noun="exception"))
    else:
        content.append(element("p", "No app has an exception.", class_="empty"))
    return page(EXCEPTIONS, fleet.stack, "Exceptions", content)


def own_exceptions(listed: Sequence[ListedException], path: str) -> Element:
    """Those of one team, on its page at this path."""
    heads = [head for head in _HEADS if head != _TEAM]
    rows = (
        [cell for head, cell in zip(_HEADS, _row(each, path), strict=True) if head != _TEAM]
        for each in listed
    )
    return table("own-exceptions", "Exceptions of the team's apps", heads, rows, noun="exception")


def _row(listed: ListedException, path: str) -> tuple[Cell, ...]:
    exception = listed.exception
    return (
        day(exception.until),
        team_link(listed.team, path),
        app_link(listed.team, listed.app, path),
        code(exception.allow),
        exception.reason,
        exception.ticket,
        exception.approved_by,
        control_ids(controls(exception.allow)),
    )
