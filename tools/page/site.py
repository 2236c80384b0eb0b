"""The files of the site."""

from collections.abc import Iterator

from tools.page.controls_page import controls_page
from tools.page.exceptions_page import exceptions_page
from tools.page.facts import FleetFacts
from tools.page.index_page import index_page
from tools.page.parts import CONTROLS, EXCEPTIONS, INDEX, picture_path, team_path
from tools.page.team_page import team_page
from tools.reach.as_html import Around, html


def site(fleet: FleetFacts) -> Iterator[tuple[str, str]]:
    """The path and text of each file."""
    yield INDEX, index_page(fleet)
    yield EXCEPTIONS, exceptions_page(fleet)
    yield CONTROLS, controls_page(fleet)
    for each in fleet.teams:
        name = each.team.name
        yield team_path(name), team_page(fleet, each)
        around = Around(
            f"What {name} may reach, and what may reach it", name, f"../{team_path(name)}"
        )
        yield picture_path(name), html(each.edges, around)
