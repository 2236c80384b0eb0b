"""Whether a team's apps fit its quota and its LimitRange, and messages if they do not."""

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter

from specs.app import CronJob, rollout
from specs.capacity import RESOURCES, Amounts, AppDemand, Capacity, shown
from specs.problem import Finding, Loc
from specs.resources import resolve
from specs.settings import Proxy
from specs.team import LimitRange

_MEBIBYTE = 2**20

_OF_VOLUMES = frozenset({"persistentvolumeclaims", "requests.storage"})


def check_sidecar(limits: LimitRange, sidecar: Proxy) -> Iterator[Finding]:
    """Report a LimitRange that refuses every pod because of its sidecar."""
    for resource in ("cpu", "memory"):
        request, limit = getattr(sidecar.requests, resource), getattr(sidecar.limits, resource)
        least, most = getattr(limits.min, resource), getattr(limits.max, resource)
        if limit.units > most.units:
            yield (
                ("limitRange", "max", resource),
                f"{most} is under the limit of each pod's sidecar, {limit}, so no pod can start; "
                f"raise it to {limit}",
            )
        if least is not None and request.units < least.units:
            yield (
                ("limitRange", "min", resource),
                f"{least} is over the request of each pod's sidecar, {request}, so no pod can "
                f"start; lower it to {request}",
            )


def check_quota(capacity: Capacity) -> Iterator[Finding]:
    """Report each resource that is too small to run or roll out, at the app that asks for most.

    The message recommends the smallest change after which the resource is sufficient.
    """
    for number in capacity.over(capacity.needed):
        resource, needed = RESOURCES[number], capacity.needed[number]
        asking = max(
            capacity.apps,
            key=lambda demand: (demand.with_pods(demand.rest + demand.extra)[number], demand.index),
        )
        less = _less(capacity, asking, number)
        fix = f"{less}, or " if less else ""
        yield (
            _place(asking, resource),
            f"{_too_much(capacity, asking, number)}; {fix}raise quota.{resource} to "
            f"{shown(resource, needed)}",
        )


def _too_much(capacity: Capacity, asking: AppDemand, number: int) -> str:
    resource = RESOURCES[number]
    quota = attrgetter(resource)(capacity.team.quota)  # as the file writes it
    if resource == "requests.storage":
        size = shown(resource, capacity.needed[number])
        return f"the team's volumes request {size}, over quota.{resource} {quota}"
    rest, needed, pod = (
        shown(resource, amounts[number]) for amounts in (capacity.rest, capacity.needed, asking.pod)
    )
    noun = resource.removesuffix("s") if rest == "1" else resource
    things = "" if "." in resource else f" {noun}"
    text = f"the team's apps request {rest}{things} at rest"
    if needed != rest:
        moving = max(capacity.apps, key=lambda demand: demand.extra * demand.pod[number])
        does = "runs" if isinstance(moving.app, CronJob) else "rolls out"
        text += f" and {needed} while {moving.app.name} {does}"
    text += f", over quota.{resource} {quota}"
    if "." in resource:
        text += f" (a pod of {asking.app.name} takes {pod}, including its sidecar)"
    return text


def _less(capacity: Capacity, asking: AppDemand, number: int) -> str | None:
    """What to lower in an app so that everything fits; None if that cannot be enough."""
    resource, pod = RESOURCES[number], asking.pod[number]
    others = [demand for demand in capacity.apps if demand is not asking]
    beside = max((demand.extra * demand.pod[number] for demand in others), default=0)
    quota = capacity.quota[number]
    assert quota is not None  # the apps exceed it
    free = quota - capacity.rest[number] + asking.rest * pod
    if not pod or beside > free:
        return None
    if resource != "pods":
        each = free // (asking.rest + asking.extra)
        if asking.rest:
            each = min(each, (free - beside) // asking.rest)
        if amount := _own_share(capacity.team.limit_range, asking, number, each):
            verb = "lower" if _own(asking, resource) else "set"
            return f"{verb} it to {shown(resource, amount)}"
    if isinstance(asking.app, CronJob):
        key = "it" if resource == "pods" else "schedule.parallelism"
        return f"lower {key} to {free // pod}" if free // pod else None
    surge, most = rollout(asking.app).surge, (free - beside) // pod
    # The most pods that roll out within the whole.
    fewer = bisect_right(range(most + 1), free // pod, key=lambda pods: pods + surge(pods)) - 1
    if fewer < 1 or not asking.app.pod_disruption_budget.lets_go(fewer):
        return None
    key = "it" if resource == "pods" else ".".join(map(str, _replicas(asking)[2:]))
    return f"lower {key} to {fewer}"


def _own_share(limits: LimitRange, asking: AppDemand, number: int, each: int) -> int | None:
    """What `each` pod may use and its sidecar leaves to the app's container; None if too little."""
    kind, _, name = RESOURCES[number].partition(".")
    given = resolve(asking.app.app.resources, limits)
    own, request = getattr(getattr(given, kind), name), getattr(given.requests, name)
    share = each - (asking.pod[number] - own.units)
    if name == "memory":
        share -= share % _MEBIBYTE
    bound = getattr(limits.min, name)
    least = request.units if kind == "limits" else bound.units if bound else 1
    return share if share >= least else None


def _own(demand: AppDemand, resource: str) -> bool:
    """Whether the app's own entry sets it, rather than a default."""
    kind, _, name = resource.partition(".")
    return getattr(getattr(demand.app.app.resources, kind), name) is not None


def full_scale(capacity: Capacity) -> Iterator[Finding]:
    """Report the part of the apps' full scale that is out of reach, and how much is not."""
    over = [
        f"quota.{RESOURCES[number]} to {shown(RESOURCES[number], capacity.full[number])}"
        for number in capacity.over(capacity.full)
    ]
    if not over:
        return
    more = f"raise {' and '.join(over)}, the full scale of all apps"
    found = False
    for demand in capacity.apps:
        fitting = _fitting(capacity, capacity.rest, demand, demand.rest)
        if fitting < demand.full:
            found = True
            yield (
                _scale(demand),
                f"only {fitting} of {_at_full_scale(demand)} fit beside the other apps at rest; "
                f"{_scaled_down(demand, fitting)}, or {more}",
            )
    if not found:
        yield _too_much_together(capacity, more)


def _too_much_together(capacity: Capacity, more: str) -> Finding:
    """Each app alone reaches its full scale: reported at one that makes room for all, if any."""
    short = next(capacity.over(capacity.full))

    def fitting(demand: AppDemand) -> int:
        return max(0, _fitting(capacity, capacity.full, demand, demand.full))

    def room(demand: AppDemand) -> tuple[bool, int]:
        return fitting(demand) >= _least(demand), (demand.full - _least(demand)) * demand.pod[short]

    demand = max((demand for demand in capacity.apps if demand.full > demand.rest), key=room)
    fits, least = fitting(demand), _least(demand)
    beside = "fit beside the other apps at full scale"
    if demand.full == least:
        return _scale(demand), f"its run does not {beside}; {more}"
    less = _scaled_down(demand, max(fits, least))
    if fits < least:
        less += " and lower theirs"
    return _scale(demand), f"only {fits} of {_at_full_scale(demand)} {beside}; {less}, or {more}"


def _least(demand: AppDemand) -> int:
    """The lowest number of pods that it can have at full scale."""
    return demand.rest + demand.run


def _scaled_down(demand: AppDemand, pods: int) -> str:
    return "set it to Forbid" if isinstance(demand.app, CronJob) else f"lower it to {pods}"


def _fitting(capacity: Capacity, taken: Amounts, demand: AppDemand, pods: int) -> int:
    """How many of the app's pods fit, if `pods` of them are in `taken`."""
    return min(
        pods + (quota - amount) // pod
        for quota, amount, pod in zip(capacity.quota, taken, demand.pod, strict=True)
        if pod and quota is not None
    )


def _at_full_scale(demand: AppDemand) -> str:
    if not isinstance(demand.app, CronJob):
        return f"{demand.full} replicas"
    return f"{demand.full} {'runs at once' if demand.run == 1 else 'pods of its runs'}"


def _place(demand: AppDemand, resource: str) -> Loc:
    """The place in an app's entry that sets how much of the resource it uses."""
    at: Loc = ("apps", demand.index)
    kind, _, name = resource.partition(".")
    if resource in _OF_VOLUMES:
        return _largest_volume(demand, resource)
    if name:
        return (*at, "app", "resources", kind, name)
    if resource != "pods":
        return (*at, "app", "name")
    if not isinstance(demand.app, CronJob):
        return _replicas(demand)
    return (*at, "schedule", "parallelism") if demand.run > 1 else (*at, "schedule")


def _largest_volume(demand: AppDemand, resource: str) -> Loc:
    """The place of the app's volumes, or of the size that asks for most."""
    at: Loc = ("apps", demand.index, "app", "volumes")
    if resource != "requests.storage":
        return at
    volumes = demand.app.app.volumes
    return (*at, max(range(len(volumes)), key=lambda index: volumes[index].size.units), "size")


def _replicas(demand: AppDemand) -> Loc:
    at: Loc = ("apps", demand.index)
    if not isinstance(demand.app, CronJob) and demand.app.autoscaling.enabled:
        return (*at, "autoscaling", "minReplicas")
    return (*at, "app", "replicas")


def _scale(demand: AppDemand) -> Loc:
    """The place in an app's entry that sets the number of its pods."""
    at: Loc = ("apps", demand.index)
    if not isinstance(demand.app, CronJob):
        return (*at, "autoscaling", "maxReplicas")
    several = demand.full > demand.run
    return (*at, "schedule", "concurrencyPolicy") if several else (*at, "schedule")
