"""What is allowed in a team's file and seldom what its author means."""

from collections.abc import Iterator

from specs.app import CronJob, Worker
from specs.autoscaling import check_target
from specs.problem import Finding, Loc
from specs.process_match import finds_itself
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
        if isinstance(app, Worker):
            yield from _check_own_process(app, (*at, "app", "probes"))


def _check_own_process(app: Worker, at: Loc) -> Iterator[Finding]:
    """Probes that find the shell that runs them."""
    probes = {"liveness": app.app.probes.liveness, "readiness": app.app.probes.readiness}
    for key, probe in probes.items():
        if found := finds_itself(probe.exec.command) if probe else None:
            word, pattern, better = found
            yield (
                (*at, key, "exec", "command", word),
                f"'{pattern}' is on the probe's own command line too, so that the probe finds "
                f"itself when the process is gone; write '{better}'",
            )
