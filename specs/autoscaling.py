"""Whether an autoscaler can ever add a pod."""

from collections.abc import Iterator

from specs.app import AnyApp, CronJob
from specs.capacity import shown
from specs.problem import Finding, Loc
from specs.resources import resolve
from specs.team import LimitRange

# The autoscaler does not change the number of pods while use is at most 1.1 times the target
# (Kubernetes: --horizontal-pod-autoscaler-tolerance), in whole per cent of the request.
_TENTHS = 11

_MEBIBYTE = 2**20


def check_target(app: AnyApp, limits: LimitRange, at: Loc) -> Iterator[Finding]:
    """Report an autoscaler that adds no pod: use cannot exceed a target, or it must not."""
    if isinstance(app, CronJob) or not app.autoscaling.enabled:
        return
    scaling = app.autoscaling
    if scaling.min_replicas >= scaling.max_replicas:
        return
    if scaling.behavior.scale_up.select_policy == "Disabled":
        yield (
            (*at, "autoscaling", "behavior", "scaleUp", "selectPolicy"),
            "Disabled never adds a pod, so maxReplicas has no effect; remove it, or set "
            "autoscaling.enabled to false",
        )
        return
    targets = {
        "cpu": ("CPU", "targetCPUUtilization", scaling.target_cpu_utilization),
        "memory": ("memory", "targetMemoryUtilization", scaling.target_memory_utilization),
    }
    several = scaling.target_memory_utilization is not None
    for resource, (name, key, target) in targets.items():
        if target is not None and (said := _out_of_reach(app, limits, resource, name, target)):
            what, fix = said
            none = f"none is ever added for {name}" if several else "none is ever added"
            yield (*at, "autoscaling", key), f"{what}, so {none}; {fix}"


def _out_of_reach(
    app: AnyApp, limits: LimitRange, resource: str, name: str, target: int
) -> tuple[str, str] | None:
    """Why use never exceeds a target, and what to do; None if it can."""
    resources = resolve(app.app.resources, limits)
    own_request, own_limit = (
        getattr(amounts, resource) for amounts in (resources.requests, resources.limits)
    )
    request, limit = own_request.units, own_limit.units
    most = 100 * limit // request
    if 10 * most > _TENTHS * target:
        return None
    enough = -(-(_TENTHS * target // 10 + 1) * request // 100)
    if resource == "memory":
        enough = -(-enough // _MEBIBYTE) * _MEBIBYTE
    fix = f"lower the target to {(10 * most - 1) // _TENTHS}"
    if enough <= getattr(limits.max, resource).units:
        fix += f", or raise resources.limits.{resource} to {shown(f'limits.{resource}', enough)}"
    return (
        f"the {name} limit {own_limit} is {most} % of the request {own_request}, but pods are "
        f"added only above {_percent(target)} %",
        fix,
    )


def _percent(target: int) -> str:
    """1.1 times the target."""
    whole, tenth = divmod(_TENTHS * target, 10)
    return f"{whole}.{tenth}" if tenth else f"{whole}"
