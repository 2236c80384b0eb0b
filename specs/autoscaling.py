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


def check_target(app: AnyApp, limits: LimitRange, at: Loc) -> Iterator[Finding]:
    """Report a target that use can never exceed, because the container's CPU limit is too low."""
    if isinstance(app, CronJob) or not app.autoscaling.enabled:
        return
    scaling = app.autoscaling
    if scaling.min_replicas >= scaling.max_replicas:
        return
    resources = resolve(app.app.resources, limits)
    request, limit = resources.requests.cpu.units, resources.limits.cpu.units
    most = 100 * limit // request
    target = scaling.target_cpu_utilization
    if 10 * most > _TENTHS * target:
        return
    enough = -(-(_TENTHS * target // 10 + 1) * request // 100)
    fix = f"lower the target to {(10 * most - 1) // _TENTHS}"
    if enough <= limits.max.cpu.units:
        fix += f", or raise resources.limits.cpu to {shown('limits.cpu', enough)}"
    yield (
        (*at, "autoscaling", "targetCPUUtilization"),
        f"the CPU limit {resources.limits.cpu} is {most} % of the request {resources.requests.cpu},"
        f" but pods are added only above {_percent(target)} %, so none is ever added; {fix}",
    )


def _percent(target: int) -> str:
    """1.1 times the target."""
    whole, tenth = divmod(_TENTHS * target, 10)
    return f"{whole}.{tenth}" if tenth else f"{whole}"
