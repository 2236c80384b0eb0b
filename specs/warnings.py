"""What is allowed in a team's file and seldom what its author means."""

from collections.abc import Iterator

from specs.app import CronJob
from specs.autoscaling import check_target
from specs.problem import Finding, Loc
from specs.retention import warn_of_retention
from specs.steps import odd_steps
from specs.team import Team


def check_warnings(team: Team) -> Iterator[Finding]:
    """What to warn of in a team in which nothing is wrong."""
    yield from warn_of_retention(team)
    for index, app in enumerate(team.apps):
        at: Loc = ("apps", index)
        yield from check_target(app, team.limit_range, at)
        if isinstance(app, CronJob):
            yield from (((*at, "schedule", "cron"), said) for said in odd_steps(app.schedule.cron))
