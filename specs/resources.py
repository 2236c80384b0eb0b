"""A container's resources: its own requests and limits, and the LimitRange's defaults."""

from dataclasses import dataclass

from specs.base import Quantity
from specs.container import Resources
from specs.team import LimitRange


@dataclass(frozen=True)
class Figures:
    """CPU in cores, memory in bytes."""

    cpu: Quantity
    memory: Quantity


@dataclass(frozen=True)
class ContainerResources:
    """Requests and limits, both complete."""

    requests: Figures
    limits: Figures


def resolve(resources: Resources, limit_range: LimitRange) -> ContainerResources:
    """Fill in what `resources` omits, as the LimitRange would at admission."""
    requests, limits = resources.requests, resources.limits
    default_request, default = limit_range.default_request, limit_range.default
    return ContainerResources(
        Figures(requests.cpu or default_request.cpu, requests.memory or default_request.memory),
        Figures(limits.cpu or default.cpu, limits.memory or default.memory),
    )
