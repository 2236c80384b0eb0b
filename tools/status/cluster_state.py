"""What a cluster has of a team: every kind listed once, with the reader's own rights."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import NamedTuple

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from specs.app import CronJob, WebApp, Worker
from specs.settings import Settings
from specs.shared_hosts import gateway
from specs.team import Team

# The most that one report asks of the API server, logs included.
REQUESTS = 15
_AT_ONCE = 8
_GATEWAYS = 2  # namespaces whose gateways are read
_NETWORKING = "networking.istio.io/v1"

PODS, EVENTS = "pods", "events"
DEPLOYMENTS, REPLICA_SETS = "deployments", "replicasets"
CRON_JOBS, JOBS = "cronjobs", "jobs"
AUTOSCALERS, BUDGETS = "horizontalpodautoscalers", "poddisruptionbudgets"
EXTERNAL_SECRETS, VIRTUAL_SERVICES = "externalsecrets", "virtualservices"

FORBIDDEN = "forbidden"  # among the reasons in `unread`

# Why certificates could not be looked for, among `unread`.
CERTIFICATES = "certificates"

_GROUPS = {
    PODS: "api/v1",
    EVENTS: "api/v1",
    DEPLOYMENTS: "apis/apps/v1",
    REPLICA_SETS: "apis/apps/v1",
    CRON_JOBS: "apis/batch/v1",
    JOBS: "apis/batch/v1",
    AUTOSCALERS: "apis/autoscaling/v2",
    BUDGETS: "apis/policy/v1",
    VIRTUAL_SERVICES: f"apis/{_NETWORKING}",
}


@dataclass(frozen=True)
class Event:
    """What happened to an object, and when for the last time."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    last: datetime
    times: int


@dataclass(frozen=True)
class Log:
    """The end of a container's log: what may be shown of it, and why nothing may.

    `written` is what the container wrote, from which only its kind may be told.
    """

    lines: tuple[str, ...] = ()
    withheld: str = ""
    written: tuple[str, ...] = field(default=(), repr=False)


class Listing(NamedTuple):
    """Objects, and the version of the list, from which they can be watched."""

    items: Sequence[Object]
    version: str


@dataclass(frozen=True)
class ClusterState:
    """A team's objects by the plural of their kind, at one time.

    `unread`: why a kind could not be listed. `since`: what happened before does not count. `logs`:
    the ends of containers' logs, by pod and container. `certificates`: whether the Secret of a
    gateway exists, by `namespace/name`. `versions`: of the lists, to watch from.
    """

    listed: Mapping[str, Sequence[Object]]
    unread: Mapping[str, str]
    now: datetime
    since: datetime
    logs: Mapping[tuple[str, str], Log] = field(default_factory=dict)
    certificates: Mapping[str, bool] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def of(self, plural: str) -> Sequence[Object]:
        """The objects of a kind; none if it could not be listed."""
        return self.listed.get(plural, ())

    def named(self, plural: str, name: str) -> Object | None:
        """An object by its name."""
        return next((each for each in self.of(plural) if each["metadata"]["name"] == name), None)

    def owned(self, plural: str, owner: Object) -> list[Object]:
        """The objects of a kind that another one made."""
        uid = owner["metadata"].get("uid")
        return [each for each in self.of(plural) if uid in _owners(each)]

    def events_of(self, *objects: Object | None) -> Iterator[Event]:
        """What happened to the objects in the time that counts, the newest first."""
        found = [
            event
            for each in objects
            if each
            for event in self._events.get(each["metadata"].get("uid", ""), ())
        ]
        yield from sorted(found, key=lambda event: event.last, reverse=True)

    def about(self, kind: str, name: str, *reasons: str) -> Iterator[Event]:
        """What happened to an object that is not listed, the newest first."""
        found = [
            event
            for events in self._events.values()
            for event in events
            if (event.kind, event.name) == (kind, name) and event.reason in reasons
        ]
        yield from sorted(found, key=lambda event: event.last, reverse=True)

    @cached_property
    def _events(self) -> Mapping[str, Sequence[Event]]:
        found = defaultdict(list)
        for each in self.of(EVENTS):
            event = _event(each)
            if event.last >= self.since:
                found[event.uid].append(event)
        return found


def paths(team: Team, settings: Settings) -> Mapping[str, str]:
    """The path of each kind that the team's apps have, by its plural."""
    apps = team.deployed
    runs = any(isinstance(app, CronJob) for app in apps)
    serves = any(isinstance(app, WebApp | Worker) for app in apps)
    needed = {
        PODS: True,
        EVENTS: True,
        DEPLOYMENTS: serves,
        REPLICA_SETS: serves,
        CRON_JOBS: runs,
        JOBS: runs,
        AUTOSCALERS: any(isinstance(a, WebApp | Worker) and a.autoscaling.enabled for a in apps),
        BUDGETS: serves,
        VIRTUAL_SERVICES: any(isinstance(app, WebApp) and app.ingress.enabled for app in apps),
        EXTERNAL_SECRETS: settings.harbor.image_pull_secret or any(app.secret_refs for app in apps),
    }
    at = {gateway(app, settings) for app in apps if isinstance(app, WebApp)}
    namespaces = sorted({each.partition("/")[0] for each in at if each})[:_GATEWAYS]
    groups = _GROUPS | {
        EXTERNAL_SECRETS: f"apis/external-secrets.io/{settings.external_secrets.api_version}"
    }
    return {
        plural: f"{groups[plural]}/namespaces/{team.name}/{plural}"
        for plural, wanted in needed.items()
        if wanted
    } | {
        gateways_in(namespace): f"apis/{_NETWORKING}/namespaces/{namespace}/gateways"
        for namespace in namespaces
    }


def gateways_in(namespace: str) -> str:
    """The name of the list of a namespace's gateways."""
    return f"gateways in {namespace}"


def read(
    cluster: Cluster, paths: Mapping[str, str], since: datetime, now: datetime
) -> ClusterState:
    """List everything at once, one request for each kind.

    A kind that may not be listed, or is not served, is noted. Raises UnreachableError, and
    RefusedError (401) if the API server does not know the caller.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(paths, pool.map(partial(_list, cluster), paths.values()), strict=True))
    lists = {plural: each for plural, each in answers.items() if isinstance(each, Listing)}
    return ClusterState(
        {plural: each.items for plural, each in lists.items()},
        {plural: each for plural, each in answers.items() if isinstance(each, str)},
        now,
        since,
        versions={plural: each.version for plural, each in lists.items()},
    )


def listing(cluster: Cluster, path: str) -> Listing:
    """The objects at a path. Raises RefusedError and UnreachableError."""
    answer = cluster.call("GET", path)
    return Listing(answer["items"], str(answer.get("metadata", {}).get("resourceVersion", "")))


def _list(cluster: Cluster, path: str) -> Listing | str:
    """The objects, or why they cannot be listed."""
    try:
        return listing(cluster, path)
    except RefusedError as refusal:
        return why_unread(refusal)


def why_unread(refusal: RefusedError) -> str:
    """Why something cannot be read; raises the refusal (401) if the caller is not known."""
    if refusal.status == 401:
        raise refusal
    return {403: FORBIDDEN, 404: "not served"}.get(refusal.status, f"answered {refusal.status}")


def moment(text: str | None) -> datetime | None:
    """A time as the API server writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _event(each: Object) -> Event:
    series = each.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        each.get("lastTimestamp"),
        each.get("eventTime"),
        each["metadata"].get("creationTimestamp"),
    )
    last = next((time for each_time in times if (time := moment(each_time))), None)
    about = each["involvedObject"]
    return Event(
        about.get("kind", ""),
        about.get("name", ""),
        about.get("uid", ""),
        each.get("reason", ""),
        each.get("message", ""),
        last or datetime.min.replace(tzinfo=UTC),
        series.get("count") or each.get("count") or 1,
    )


def _owners(each: Object) -> Iterable[str]:
    return [owner["uid"] for owner in each["metadata"].get("ownerReferences") or ()]
