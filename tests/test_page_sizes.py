"""The site of 1,000 teams stays usable: its pages are small, and its size grows with its teams."""

from specs.capacity import capacity
from specs.team import Team
from tests.markup import cells, tree
from tests.written import dev_settings
from tools.page.facts import FleetFacts, TeamFacts
from tools.page.index_page import index_page

SETTINGS = dev_settings()
TEAMS = 1_000


def fleet(teams: int) -> FleetFacts:
    """Teams with five apps, of which one has an exception."""
    return FleetFacts("dev", SETTINGS, [team(number) for number in range(teams)], ())


def team(number: int) -> TeamFacts:
    name = f"team-{number:04}"
    apps = [app(name, each) for each in range(5)]
    exception = {"allow": "CHOWN", "reason": "a", "ticket": "b", "approvedBy": "c"}
    apps[0]["exceptions"] = ({**exception, "until": "2027-03-31"},)
    made = Team.model_validate({"team": name, "apps": tuple(apps)})
    return TeamFacts(made, capacity(made, SETTINGS), (), ())


def app(team: str, number: int) -> dict[str, object]:
    image = {"repository": f"harbor.sre.internal/{team}/service-{number}", "tag": "v12.34.56"}
    return {"archetype": "web-app", "app": {"name": f"service-{number}", "image": image}}


def test_the_index_of_a_thousand_teams_is_light() -> None:
    page = index_page(fleet(TEAMS))
    root = tree(page)
    assert len(cells(root, "teams")) == TEAMS
    assert len(page.encode()) < 1_100 * TEAMS
    assert len([*root.iter()]) < 22 * TEAMS


def test_each_further_team_costs_the_index_the_same() -> None:
    few, more, most = (len(index_page(fleet(number))) for number in (10, 20, 40))
    assert abs((most - more) - 2 * (more - few)) < 100
