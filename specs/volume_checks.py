"""Checks of an app's volumes: their names, and how many pods may use them."""

from collections.abc import Iterator

from specs.app import AnyApp, CronJob
from specs.problem import Finding, Loc, listed_twice


def check_volumes(app: AnyApp, at: Loc) -> Iterator[Finding]:
    """Report volumes of the same name, and more pods than a volume allows."""
    container, volumes = app.app, (*at, "app", "volumes")
    names = (((*volumes, index, "name"), each.name) for index, each in enumerate(container.volumes))
    yield from listed_twice(names, "rename one")
    alone = next((index for index, each in enumerate(container.volumes) if not each.shared), None)
    if alone is not None and (fixes := list(_too_many(app))):
        mode = container.volumes[alone].access_mode
        yield (
            (*volumes, alone, "accessMode"),
            f"{mode} allows one pod at a time; set {_listed(fixes)}, or write ReadWriteMany if "
            "the storage class has it",
        )


def _too_many(app: AnyApp) -> Iterator[str]:
    """What to set so that one pod of the app runs at a time, and its node can be drained."""
    if isinstance(app, CronJob):
        if app.schedule.concurrency_policy == "Allow":
            yield "schedule.concurrencyPolicy to Forbid"
        if app.schedule.pods_at_once > 1:
            yield "schedule.parallelism to 1"
        return
    if app.autoscaling.enabled and app.autoscaling.max_replicas > 1:
        yield "autoscaling.enabled to false"
    if app.app.replicas > 1 and not (app.autoscaling.enabled and app.autoscaling.max_replicas == 1):
        yield "app.replicas to 1"
    if app.strategy.model_fields_set and app.strategy.type != "Recreate":
        yield "strategy.type to Recreate"
    if not app.pod_disruption_budget.lets_go(1):
        yield "podDisruptionBudget.enabled to false"


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
