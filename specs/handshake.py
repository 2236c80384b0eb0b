"""What teams' apps promise each other: each call, and the entry in `callers` that answers it."""

from collections.abc import Iterable, Iterator, Mapping

from specs.app import AnyApp, WebApp
from specs.load import TeamFile
from specs.partners import Partner, Partners
from specs.team import Team

# Files by the names of their teams.
FilesByTeam = Mapping[str, TeamFile]


def named_apps(team: Team) -> Iterator[tuple[str, str]]:
    """Team and app of every other team's app that the calls and callers of a team name."""
    for app in team.deployed:
        for call in app.calls:
            if call.app and call.team and call.team != team.name:
                yield call.team, call.app
        if isinstance(app, WebApp):
            yield from ((each.team, each.app) for each in app.callers if each.team != team.name)


def partners(files: Iterable[TeamFile], known: FilesByTeam) -> Partners:
    """What the known files promise about the apps that `files` name.

    Apps of a team that is offboarding are gone, so they promise nothing.
    """
    named = {each for file in files if file.team for each in named_apps(file.team)}
    return {
        (team, name): Partner(app.account, app.app.port if isinstance(app, WebApp) else None)
        for team, name in sorted(named)
        if (app := deployed(known, team, name))
    }


def deployed(known: FilesByTeam, team: str, name: str) -> AnyApp | None:
    """The app of that team and name, if the team has one that the program creates."""
    file = known.get(team)
    apps = file.team.deployed if file and file.team else ()
    return next((app for app in apps if app.name == name), None)
