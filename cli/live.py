"""What the cluster says of a stack's teams, as `./sre page --live` shows it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cli.kubeconfig_cluster import SINCE, cluster
from cli.stack_options import StackFiles
from clients.kubernetes import Object
from specs.fleet import SUFFIX
from specs.load import load_team
from specs.team import Team
from tools.page.live import Live, LiveApp, LiveCause, LiveQuota, LiveTeam
from tools.status.as_text import cells, unread_lines
from tools.status.cause import Weight
from tools.status.cluster_state import ClusterState
from tools.status.fleet_state import QUOTAS, read_fleet
from tools.status.report import NOT_AS_WANTED, AppReport, Placed, Status, report

_ORDER = [Weight.BROKEN, Weight.DIFFERS, Weight.WARNING]


def live(stack: StackFiles, teams: Sequence[Team]) -> Live:
    """Read the cluster; the files of the teams have no problems.

    Raises KubeconfigError, UnreachableError, and RefusedError (401).
    """
    asked, now = cluster(stack), datetime.now(UTC)
    state = read_fleet(asked, teams, stack.settings, now - SINCE, now)
    made = {team.name: _team(stack, team, state.teams[team.name]) for team in teams}
    return Live(asked.context or "", now, sorted(state.by_namespace), NOT_AS_WANTED, made)


def _team(stack: StackFiles, team: Team, state: ClusterState) -> LiveTeam:
    path = stack.folder.path / f"{team.name}{SUFFIX}"
    file = load_team(path, stack.folder.shown_as(path), stack.settings)
    reasons = {*state.unread.values()}
    unread = {plural: why for plural, why in state.unread.items() if plural != QUOTAS}
    made = report(file, stack.settings, replace(state, unread=unread))
    worst = [app.status for app in made.apps if app.status is made.status]
    return LiveTeam(
        worst[0] if worst else Status.SUSPENDED,
        [_app(app) for app in made.apps],
        [*_quota(state.named(QUOTAS, team.quota_name))],
        [*unread_lines(made)],
        ", ".join(sorted(reasons)) if not state.listed else "",
    )


def _app(app: AppReport) -> LiveApp:
    causes = sorted(app.causes, key=lambda each: _ORDER.index(each.cause.weight))
    return LiveApp(*cells(app), [_cause(each) for each in causes])


def _cause(placed: Placed) -> LiveCause:
    key = placed.place.path if placed.place else ""
    return LiveCause(placed.said, key, placed.cause.weight is Weight.DIFFERS)


def _quota(quota: Object | None) -> list[LiveQuota]:
    status = quota.get("status", {}) if quota else {}
    used = status.get("used", {})
    return [
        LiveQuota(resource, hard, used.get(resource, "0"))
        for resource, hard in status.get("hard", {}).items()
    ]
