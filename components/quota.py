"""ResourceQuota and LimitRange: how much a namespace, and each container in it, may use.

NIST 800-53 SC-5, SC-6.
"""

from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    ResourceQuota,
    ResourceQuotaSpecArgs,
)

from components.metadata import Place, object_meta, team_labels
from specs.base import Quantity
from specs.team import Team


def resource_quota(team: Team, place: Place) -> ResourceQuota:
    """`<team>-quota` (guide: app.resources)."""
    name, quota = team.quota_name, team.quota
    hard = {
        "requests.cpu": quota.requests.cpu,
        "requests.memory": quota.requests.memory,
        "limits.cpu": quota.limits.cpu,
        "limits.memory": quota.limits.memory,
        # Without it, anyone with `edit` could restart what is suspended.
        "pods": quota.pods if team.running else 0,
        "services": quota.services,
        "persistentvolumeclaims": quota.persistentvolumeclaims,
        "requests.storage": quota.requests.storage,
    }
    return ResourceQuota(
        place.name(name),
        metadata=object_meta(place, name, team_labels(team)),
        spec=ResourceQuotaSpecArgs(
            hard={
                resource: bound.text if isinstance(bound, Quantity) else str(bound)
                for resource, bound in hard.items()
                if bound is not None
            }
        ),
        opts=place.options,
    )


def limit_range(team: Team, place: Place) -> LimitRange:
    """`<team>-limits`: defaults and bounds of each container."""
    name, limits = f"{team.name}-limits", team.limit_range
    return LimitRange(
        place.name(name),
        metadata=object_meta(place, name, team_labels(team)),
        spec=LimitRangeSpecArgs(
            limits=[
                LimitRangeItemArgs(
                    type="Container",
                    default=amounts(limits.default.cpu, limits.default.memory),
                    default_request=amounts(
                        limits.default_request.cpu, limits.default_request.memory
                    ),
                    max=amounts(limits.max.cpu, limits.max.memory),
                    min=amounts(limits.min.cpu, limits.min.memory) or None,
                )
            ]
        ),
        opts=place.options,
    )


def amounts(cpu: Quantity | None, memory: Quantity | None) -> dict[str, str]:
    """CPU and memory in Kubernetes' form; missing values are left out."""
    given = {"cpu": cpu, "memory": memory}
    return {key: quantity.text for key, quantity in given.items() if quantity is not None}
