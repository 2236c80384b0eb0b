"""How many pods run and how many must stay: HorizontalPodAutoscaler, PodDisruptionBudget."""

import pulumi
from pulumi_kubernetes.autoscaling.v2 import (
    ContainerResourceMetricSourceArgs,
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehaviorArgs,
    HorizontalPodAutoscalerSpecArgs,
    HPAScalingPolicyArgs,
    HPAScalingRulesArgs,
    MetricSpecArgs,
    MetricTargetArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.metadata import Place, app_labels, app_selector, object_meta
from specs.app import WebApp, Worker
from specs.availability import ScalingBehavior, ScalingRules
from specs.team import Team


def autoscaler(
    team: Team, app: WebApp | Worker, place: Place, deployment: pulumi.Input[str]
) -> HorizontalPodAutoscaler:
    """`<app.name>`, by what the app's container uses (guide: autoscaling).

    Not by what the pods use: averaged with an idle sidecar, an app at its limit may look half idle.
    """
    scaling = app.autoscaling
    targets = {"cpu": scaling.target_cpu_utilization, "memory": scaling.target_memory_utilization}
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
                        name=resource,
                        container=app.name,
                        target=MetricTargetArgs(type="Utilization", average_utilization=target),
                    ),
                )
                for resource, target in targets.items()
                if target is not None
            ],
            behavior=_behavior(scaling.behavior),
        ),
        opts=place.options,
    )


def _behavior(behavior: ScalingBehavior) -> HorizontalPodAutoscalerBehaviorArgs | None:
    if behavior == ScalingBehavior():
        return None  # as Kubernetes does it by default
    return HorizontalPodAutoscalerBehaviorArgs(
        scale_up=_rules(behavior.scale_up), scale_down=_rules(behavior.scale_down)
    )


def _rules(rules: ScalingRules) -> HPAScalingRulesArgs | None:
    if rules == ScalingRules():
        return None
    return HPAScalingRulesArgs(
        stabilization_window_seconds=rules.stabilization_window_seconds,
        select_policy=rules.select_policy,
        policies=[
            HPAScalingPolicyArgs(
                type=policy.type, value=policy.value, period_seconds=policy.period_seconds
            )
            for policy in rules.policies
        ]
        or None,
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
