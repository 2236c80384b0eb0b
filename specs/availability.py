"""How many pods of an app run, and how many must stay (guide: autoscaling)."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from specs.base import Positive, Spec

_PERCENTAGE = r"([0-9]{1,2}|0[0-9]{2}|100)%"


def _check_min_available(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} is below 0; write a number of pods, such as 1")
    if isinstance(value, str) and not re.fullmatch(_PERCENTAGE, value):
        raise ValueError(f"'{value}' is not a number or a percentage; write one such as 1 or 50%")
    return value


class Autoscaling(Spec):
    """HorizontalPodAutoscaler by CPU (guide: autoscaling)."""

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


class WorkerAutoscaling(Autoscaling):
    """The same for a worker, where it is off unless asked for."""

    enabled: bool = Field(False, description="Creates the HorizontalPodAutoscaler `<app.name>`.")


class PodDisruptionBudget(Spec):
    """Keeps the app available while nodes are drained (guide: podDisruptionBudget)."""

    enabled: bool = Field(True, description="Creates the PodDisruptionBudget `<app.name>`.")
    min_available: Annotated[
        int | str,
        AfterValidator(_check_min_available),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "string", "pattern": f"^({_PERCENTAGE})$"},
                ]
            }
        ),
    ] = Field(1, description="Pods that must keep running: a number, or a percentage such as 50%.")

    def lets_go(self, replicas: int) -> bool:
        """Whether one of this many pods may be evicted, so that nodes can be drained."""
        least = self.min_available
        if isinstance(least, str):  # Kubernetes rounds up to whole pods
            least = -(-int(least.removesuffix("%")) * replicas // 100)
        return not self.enabled or least < replicas
