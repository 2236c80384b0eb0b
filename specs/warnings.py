"""What is allowed in a team's file and seldom what its author means."""

from collections.abc import Iterator

from specs.app import Worker
from specs.problem import Finding, Loc
from specs.process_match import finds_itself
from specs.team import Team


def check_warnings(team: Team) -> Iterator[Finding]:
    """What to warn of in a team in which nothing is wrong."""
    for index, app in enumerate(team.apps):
        at: Loc = ("apps", index)
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
