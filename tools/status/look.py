"""Looks at a team once: lists, logs of what ended, report."""

from datetime import UTC, datetime, timedelta

from clients.kubernetes import Cluster
from specs.load import TeamFile
from specs.settings import Settings
from tools.status.cluster_state import REQUESTS, paths, read
from tools.status.logs import with_logs
from tools.status.report import TeamReport, app_states, report


def look(
    cluster: Cluster, file: TeamFile, settings: Settings, only: str | None, since: timedelta
) -> TeamReport:
    """The report on a team, or on one of its apps, in at most REQUESTS requests.

    Raises UnreachableError, and RefusedError (401) if the API server does not know the caller.
    """
    assert file.team, "a file without problems has a team"
    listed, now = paths(file.team, settings), datetime.now(UTC)
    state = read(cluster, listed, now - since, now)
    if apps := [app for _, app in app_states(file.team, settings, state, only)]:
        state = with_logs(cluster, apps, REQUESTS - len(listed))
    return report(file, settings, state, only)
