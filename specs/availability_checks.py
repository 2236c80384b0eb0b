"""Checks of how many pods an app has, and how many may be evicted or replaced at once."""

from collections.abc import Iterator

from specs.app import WebApp, Worker
from specs.availability import Strategy
from specs.problem import Finding, Loc


def check_scaling(app: WebApp | Worker, at: Loc) -> Iterator[Finding]:
    """Report contradictions between the numbers of pods, and budgets that block drains."""
    scaling = app.autoscaling
    if scaling.enabled and scaling.min_replicas > scaling.max_replicas:
        yield (
            (*at, "autoscaling", "minReplicas"),
            f"{scaling.min_replicas} is over maxReplicas {scaling.max_replicas}; lower it",
        )
    yield from _check_budget(app, at)


def _check_budget(app: WebApp | Worker, at: Loc) -> Iterator[Finding]:
    scaling, budget = app.autoscaling, app.pod_disruption_budget
    if budget.max_unavailable is not None and "min_available" in budget.model_fields_set:
        yield (
            (*at, "podDisruptionBudget", "maxUnavailable"),
            "minAvailable is set too, but Kubernetes takes only one of them; remove one",
        )
        return
    if app.one_pod:
        return  # there is nothing to raise: check_volumes says what to do
    replicas = scaling.min_replicas if scaling.enabled else app.app.replicas
    if replicas and not budget.lets_go(replicas):
        pods = ("autoscaling", "minReplicas") if scaling.enabled else ("app", "replicas")
        source = ".".join(pods)
        if budget.max_unavailable is not None:
            yield (
                (*at, "podDisruptionBudget", "maxUnavailable"),
                f"{budget.max_unavailable} of {replicas} pods ({source}) may be missing, "
                "so no node can be drained; raise it to 1 or set podDisruptionBudget.enabled "
                "to false",
            )
            return
        if "min_available" not in budget.model_fields_set:
            yield (
                (*at, *pods),
                f"{replicas} pod, and podDisruptionBudget.minAvailable is {budget.min_available}, "
                "so no node can be drained; raise it to 2 or set podDisruptionBudget.enabled "
                "to false",
            )
            return
        fix = (
            f"raise {source} to 2 or set podDisruptionBudget.enabled to false"
            if replicas == 1
            else f"keep minAvailable below {source}"
        )
        yield (
            (*at, "podDisruptionBudget", "minAvailable"),
            f"{budget.min_available} of {replicas} pods ({source}) must keep "
            "running, "
            f"so no node can be drained; {fix}",
        )


def check_strategy(strategy: Strategy, at: Loc) -> Iterator[Finding]:
    """Report a rolling update that may neither add nor remove a pod, and keys without effect."""
    if strategy.type == "Recreate":
        for name, key in (("max_surge", "maxSurge"), ("max_unavailable", "maxUnavailable")):
            if name in strategy.model_fields_set:
                yield (
                    (*at, key),
                    "has no effect on Recreate, which stops all pods first; remove it, or set "
                    "type to RollingUpdate",
                )
    elif _is_zero(strategy.max_surge) and _is_zero(strategy.max_unavailable):
        yield (
            (*at, "maxUnavailable"),
            f"{strategy.max_unavailable} pods may be missing and maxSurge adds "
            f"{strategy.max_surge}, so no pod can be replaced; raise one of the two to 1",
        )


def _is_zero(pods: int | str) -> bool:
    return int(str(pods).removesuffix("%")) == 0
