"""How many pods of an app run, and how many must stay (guide: autoscaling)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from specs.base import INT32_MAX, TOO_MANY, Positive, Spec, within

_PERCENTAGE = r"([0-9]{1,2}|0[0-9]{2}|100)%"


def _check_pods(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} is below 0; write a number of pods, such as 1")
    if isinstance(value, int) and value > INT32_MAX:
        raise ValueError(f"{value} {TOO_MANY}")
    if isinstance(value, str) and not re.fullmatch(_PERCENTAGE, value):
        raise ValueError(f"'{value}' is not a number or a percentage; write one such as 1 or 50%")
    return value


# A number of pods, or a percentage of all pods of the app.
Pods = Annotated[
    int | str,
    AfterValidator(_check_pods),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": INT32_MAX},
                {"type": "string", "pattern": f"^({_PERCENTAGE})$"},
            ]
        }
    ),
]


def _share(pods: int | str, replicas: int) -> int:
    """How many pods it is of this many; Kubernetes rounds up to whole ones."""
    return pods if isinstance(pods, int) else -(-int(pods.removesuffix("%")) * replicas // 100)


class Strategy(Spec):
    """How the pods of one version replace those of another (Kubernetes: Deployment)."""

    type: Literal["RollingUpdate", "Recreate"] = Field(
        "RollingUpdate",
        description="`RollingUpdate` replaces pods a few at a time. `Recreate` stops all pods "
        "before it starts new ones: for an app of which two versions must not run at once.",
    )
    max_surge: Pods = Field(
        "25%",
        description="Pods that a rolling update may add: a number, or a percentage, rounded up.",
    )
    max_unavailable: Pods = Field(
        "25%",
        description="Pods that may be missing during a rolling update: a number, or a percentage, "
        "rounded down.",
    )

    def surge(self, replicas: int) -> int:
        """How many pods a rollout adds to so many; never more than it replaces."""
        if self.type == "Recreate":
            return 0
        return min(_share(self.max_surge, replicas), replicas)


class ScalingPolicy(Spec):
    """How many pods an autoscaler may add or remove within a time."""

    type: Literal["Pods", "Percent"] = Field(description="What `value` counts.", examples=["Pods"])
    value: Positive = Field(description="Pods, or per cent of the pods.", examples=["4"])
    period_seconds: Annotated[
        int, within(1, 1800, "is below 1; write 1 or more", "is over 1800; lower it")
    ] = Field(description="Seconds that the change is counted over.", examples=["60"])


class ScalingRules(Spec):
    """How fast an autoscaler adds pods, or removes them."""

    stabilization_window_seconds: (
        Annotated[int, within(0, 3600, "is below 0; write 0 or more", "is over 3600; lower it")]
        | None
    ) = Field(
        None,
        description="Seconds for which a change must have been right before it is made. "
        "Kubernetes' default is 0 for adding pods, 300 for removing them.",
        examples=["300"],
    )
    policies: tuple[ScalingPolicy, ...] = Field(
        (),
        description="Limits on the change. By default, the number of pods may double every 15 "
        "seconds or grow by 4, and all that are not needed may be removed.",
    )
    select_policy: Literal["Max", "Min", "Disabled"] = Field(
        "Max",
        description="Which of several policies counts: the one that allows most or least; "
        "`Disabled` makes no change in this direction.",
    )


class ScalingBehavior(Spec):
    """How fast an autoscaler changes the number of pods (Kubernetes: HorizontalPodAutoscaler)."""

    scale_up: ScalingRules = Field(ScalingRules(), description="When pods are added.")
    scale_down: ScalingRules = Field(ScalingRules(), description="When pods are removed.")


class Autoscaling(Spec):
    """HorizontalPodAutoscaler by CPU and memory (guide: autoscaling)."""

    enabled: bool = Field(True, description="Creates the HorizontalPodAutoscaler `<app.name>`.")
    min_replicas: Positive = Field(
        2, description="Minimum number of pods; 2 or more keeps the app available."
    )
    max_replicas: Positive = Field(10, description="Maximum number of pods.")
    target_cpu_utilization: Positive = Field(
        80,
        alias="targetCPUUtilization",
        description="Target CPU utilization, as a percentage of the app container's CPU request "
        "(without the sidecar). Pods are added above 1.1 times this value, so the CPU limit "
        "must be higher than that.",
    )
    target_memory_utilization: Positive | None = Field(
        None,
        description="The same for memory: pods are added if either target asks for it. An app that "
        "never returns memory stays at its largest scale.",
        examples=["80"],
    )
    behavior: ScalingBehavior = Field(
        ScalingBehavior(), description="How fast the number of pods changes."
    )


class WorkerAutoscaling(Autoscaling):
    """The same for a worker, where it is off unless asked for."""

    enabled: bool = Field(False, description="Creates the HorizontalPodAutoscaler `<app.name>`.")


class PodDisruptionBudget(Spec):
    """Keeps the app available while nodes are drained (guide: podDisruptionBudget)."""

    enabled: bool = Field(True, description="Creates the PodDisruptionBudget `<app.name>`.")
    min_available: Pods = Field(
        1,
        description="Pods that must keep running: a number, or a percentage such as 50%.",
    )
    max_unavailable: Pods | None = Field(
        None,
        description="Pods that may be missing, instead of `minAvailable`: a number, or a "
        "percentage, rounded up.",
        examples=["1"],
    )

    def lets_go(self, replicas: int) -> bool:
        """Whether one of this many pods may be evicted, so that nodes can be drained."""
        if not self.enabled:
            return True
        if self.max_unavailable is not None:
            return _share(self.max_unavailable, replicas) > 0
        return _share(self.min_available, replicas) < replicas
