"""How much of its quota a team's apps use: at rest, while one rolls out, at full scale.

Counted like Kubernetes' quota controller: over all pods that have not ended, the sum of their
containers' amounts, including Istio's sidecar. NIST 800-53 SC-5, SC-6; guide: app.resources.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from specs.app import AnyApp, CronJob, WebApp, rollout
from specs.base import Quantity
from specs.overlap import most_at_once
from specs.quantity import in_binary_units
from specs.resources import resolve
from specs.settings import Proxy, Settings
from specs.team import Team

# Resources that a team's ResourceQuota limits, by Kubernetes' names; `quota` in the file uses the
# same.
RESOURCES = (
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "pods",
    "services",
    "persistentvolumeclaims",
    "requests.storage",
)

# Limited only if a file says so: the guide gives no figure.
UNLIMITED = frozenset({"requests.storage"})

# An amount of each of RESOURCES: thousandths of a core, bytes, or a number of objects.
Amounts = tuple[int, ...]

# A limit on each of RESOURCES; None if there is deliberately none.
Bounds = tuple[int | None, ...]

_NOTHING: Amounts = (0,) * len(RESOURCES)


@dataclass(frozen=True)
class AppDemand:
    """What an app uses.

    `pod` is what one of its pods uses, `always` what the app uses even without pods. `rest` is the
    number of its pods at rest (0 for a cronjob), `surge` how many a rollout adds, `run` how many
    one run of a cronjob has, `full` their number at full scale (for a cronjob, the pods of all runs
    that may be active at once).
    """

    index: int
    app: AnyApp
    pod: Amounts
    always: Amounts
    rest: int
    surge: int
    run: int
    full: int

    @property
    def extra(self) -> int:
        """Pods that must be able to start beside all pods at rest: a rollout's, or a run's."""
        return self.surge + self.run

    def with_pods(self, pods: int) -> Amounts:
        """What it uses while this many of its pods run."""
        return tuple(always + pods * pod for always, pod in zip(self.always, self.pod, strict=True))


@dataclass(frozen=True)
class Capacity:
    """A team's quota and the use of its apps.

    `rollout` is the most that the rollout of any one app uses while the others are at rest, `run`
    the same for one run of a cronjob. A suspended team has no pods, and an offboarded team no apps.
    """

    team: Team
    quota: Bounds
    apps: tuple[AppDemand, ...]
    rest: Amounts
    rollout: Amounts
    run: Amounts
    full: Amounts

    def over(self, amounts: Amounts) -> Iterator[int]:
        """The indices in RESOURCES of these amounts that exceed the quota."""
        for number, (amount, bound) in enumerate(zip(amounts, self.quota, strict=True)):
            if bound is not None and amount > bound:
                yield number

    @property
    def needed(self) -> Amounts:
        """What the quota must cover: each app can roll out, or run."""
        return tuple(map(max, self.rollout, self.run))


def capacity(team: Team, settings: Settings) -> Capacity:
    """What the team's file asks for, in a stack with these settings."""
    apps = tuple(
        _demand(team, index, app, settings.istio.sidecar) for index, app in enumerate(team.deployed)
    )
    rest = total(demand.with_pods(demand.rest) for demand in apps)
    rollout = _most_beside(rest, [(demand.surge, demand.pod) for demand in apps])
    run = _most_beside(rest, [(demand.run, demand.pod) for demand in apps])
    full = total(demand.with_pods(demand.full) for demand in apps)
    return Capacity(team, _quota(team), apps, rest, rollout, run, full)


def total(takes: Iterable[Amounts]) -> Amounts:
    """The sums, by resource."""
    return tuple(map(sum, zip(_NOTHING, *takes, strict=True)))


def shown(resource: str, amount: int) -> str:
    """An amount as people write it in a team's file: `1500m`, `640Mi`, `12`."""
    if resource.endswith("cpu"):
        return f"{amount}m" if amount % 1000 else f"{amount // 1000}"
    if resource.endswith(("memory", "storage")):
        return in_binary_units(amount)
    return str(amount)


def _most_beside(rest: Amounts, added: Sequence[tuple[int, Amounts]]) -> Amounts:
    """The most that is used if this many pods of one app run beside those at rest."""
    takes = [tuple(pods * amount for amount in pod) for pods, pod in added]
    return tuple(
        resting + max(amounts) for resting, *amounts in zip(rest, _NOTHING, *takes, strict=True)
    )


def _quota(team: Team) -> Bounds:
    bounds = (attrgetter(resource)(team.quota) for resource in RESOURCES)
    return tuple(bound.units if isinstance(bound, Quantity) else bound for bound in bounds)


def _demand(team: Team, index: int, app: AnyApp, sidecar: Proxy) -> AppDemand:
    own = resolve(app.app.resources, team.limit_range)
    pod = (
        own.requests.cpu.units + sidecar.requests.cpu.units,
        own.requests.memory.units + sidecar.requests.memory.units,
        own.limits.cpu.units + sidecar.limits.cpu.units,
        own.limits.memory.units + sidecar.limits.memory.units,
        1,
        0,
        0,
        0,
    )
    services = 1 if isinstance(app, WebApp) or app.metrics_service else 0
    volumes = app.app.volumes
    sizes = sum(volume.size.units for volume in volumes)
    always = (0, 0, 0, 0, 0, services, len(volumes), sizes)
    pods = _pods(app) if team.running else (0, 0, 0, 0)
    return AppDemand(index, app, pod, always, *pods)


def _pods(app: AnyApp) -> tuple[int, int, int, int]:
    """An app's `rest`, `surge`, `run` and `full`."""
    if isinstance(app, CronJob):
        schedule, runs = app.schedule, 1
        if schedule.suspend:
            return 0, 0, 0, 0
        if schedule.concurrency_policy == "Allow":
            runs = most_at_once(schedule.cron, schedule.active_deadline_seconds)
        return 0, 0, schedule.pods_at_once, runs * schedule.pods_at_once
    scaling = app.autoscaling
    rest = scaling.min_replicas if scaling.enabled else app.app.replicas
    most = scaling.max_replicas if scaling.enabled else rest
    return rest, rollout(app).surge(rest), 0, most
