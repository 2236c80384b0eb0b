"""Looks at a team once: lists, certificates, logs of what ended, report."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from clients.http import RefusedError
from clients.kubernetes import Cluster
from specs.load import TeamFile
from specs.settings import Settings
from specs.team import Team
from tools.status import routes
from tools.status.cluster_state import (
    CERTIFICATES,
    CRON_JOBS,
    DEPLOYMENTS,
    FORBIDDEN,
    REQUESTS,
    ClusterState,
    paths,
    read,
    why_unread,
)
from tools.status.logs import with_logs
from tools.status.report import TeamReport, app_states, report

_CERTIFICATES = 2  # that are looked for, so that logs can be read too


class NothingSeenError(Exception):
    """The cluster does not have the team's namespace, or the reader may read nothing there."""


def look(
    cluster: Cluster, file: TeamFile, settings: Settings, only: str | None, since: timedelta
) -> TeamReport:
    """The report on a team, or on one of its apps, in at most REQUESTS requests.

    Raises NothingSeenError, UnreachableError, and RefusedError (401) if the API server does not
    know the caller.
    """
    assert file.team, "a file without problems has a team"
    listed, now = paths(file.team, settings), datetime.now(UTC)
    state = read(cluster, listed, now - since, now)
    _check_seen(cluster, file.team.name, state)
    return report(file, settings, completed(cluster, file.team, settings, state, only), only)


def _check_seen(cluster: Cluster, namespace: str, state: ClusterState) -> None:
    if all(why == FORBIDDEN for why in state.unread.values()) and not state.listed:
        raise NothingSeenError(
            f"you may read nothing of the namespace {namespace} on {cluster.address}; "
            "set KUBECONFIG to the file for your cluster, or ask the platform team for access"
        )
    if state.of(DEPLOYMENTS) or state.of(CRON_JOBS) or {DEPLOYMENTS, CRON_JOBS} & {*state.unread}:
        return
    if cluster.metadata(f"api/v1/namespaces/{namespace}") is None:
        raise NothingSeenError(
            f"{cluster.address} has no namespace {namespace}; set KUBECONFIG to the file for your "
            "cluster, or if the team is new, see whether the stack's last `pulumi up` created it"
        )


def completed(
    cluster: Cluster, team: Team, settings: Settings, state: ClusterState, only: str | None
) -> ClusterState:
    """The state with what no list has: certificates, and the logs of what ended."""
    left = REQUESTS - len(state.listed) - len(state.unread)
    needed = routes.certificates(team, settings, state)[:_CERTIFICATES]
    found: dict[str, bool] = {}
    unread: Mapping[str, str] = state.unread
    for namespace, name in needed:
        try:
            path = f"api/v1/namespaces/{namespace}/secrets/{name}"
            found[f"{namespace}/{name}"] = cluster.metadata(path) is not None
        except RefusedError as refusal:
            unread = {**unread, CERTIFICATES: why_unread(refusal)}
    state = replace(state, certificates=found, unread=unread)
    apps = [app for _, app in app_states(team, settings, state, only)]
    return with_logs(cluster, apps, left - len(needed)) if apps else state
