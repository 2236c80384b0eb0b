"""How many pods run and how many must stay: HorizontalPodAutoscaler, PodDisruptionBudget."""

import pulumi
from pulumi_kubernetes.autoscaling.v2 import (
    ContainerResourceMetricSourceArgs,
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.metadata import Place, app_labels, app_selector, object_meta
from specs.app import WebApp, Worker
from specs.team import Team


def autoscaler(
    team: Team, app: WebApp | Worker, place: Place, deployment: pulumi.Input[str]
) -> HorizontalPodAutoscaler:
    """`<app.name>`, by the CPU of the app's container (guide: autoscaling).

    Not by the pods' CPU: averaged with an idle sidecar, an app at its limit may look half idle.
    """
    scaling = app.autoscaling
    return HorizontalPodAutoscaler(
        place.name(app.name),
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec=HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=CrossVersionObjectReferenceArgs(
                api_version="apps/v1", kind="Deployment", name=deployment
            ),
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            metrics=[
                MetricSpecArgs(
                    type="ContainerResource",
                    container_resource=ContainerResourceMetricSourceArgs(
                        name="cpu",
                        container=app.name,
                        target=MetricTargetArgs(
                            type="Utilization",
                            average_utilization=scaling.target_cpu_utilization,
                        ),
                    ),
                )
            ],
        ),
        opts=place.options,
    )


def disruption_budget(team: Team, app: WebApp | Worker, place: Place) -> PodDisruptionBudget:
    """`<app.name>` (guide: podDisruptionBudget)."""
    budget = app.pod_disruption_budget
    return PodDisruptionBudget(
        place.name(app.name),
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec=PodDisruptionBudgetSpecArgs(
            min_available=budget.min_available if budget.max_unavailable is None else None,
            max_unavailable=budget.max_unavailable,
            selector=LabelSelectorArgs(match_labels=app_selector(app)),
        ),
        opts=place.options,
    )
