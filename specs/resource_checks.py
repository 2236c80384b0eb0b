"""Checks of an app's CPU and memory against its team's LimitRange."""

from collections.abc import Iterator

from specs.container import Container
from specs.problem import Finding, Loc
from specs.resources import resolve
from specs.team import Team


def check_resources(team: Team, container: Container, at: Loc) -> Iterator[Finding]:
    """Report amounts outside the team's LimitRange, and requests over limits."""
    limits = team.limit_range
    resolved = resolve(container.resources, limits)
    for resource in ("cpu", "memory"):
        request = getattr(resolved.requests, resource)
        limit = getattr(resolved.limits, resource)
        own_request = getattr(container.resources.requests, resource) is not None
        own_limit = getattr(container.resources.limits, resource) is not None
        most = getattr(limits.max, resource)
        least = getattr(limits.min, resource)
        request_loc: Loc = (*at, "requests", resource)
        limit_loc: Loc = (*at, "limits", resource)
        if own_limit and limit.units > most.units:
            yield (
                limit_loc,
                f"{limit} is over limitRange.max.{resource} {most}; lower it, or raise "
                f"limitRange.max.{resource}",
            )
        if own_request and least is not None and request.units < least.units:
            yield (
                request_loc,
                f"{request} is under limitRange.min.{resource} {least}; raise it, or lower "
                f"limitRange.min.{resource}",
            )
        if request.units > limit.units and (own_request or own_limit):
            if own_request and own_limit:
                yield (
                    request_loc,
                    f"{request} is over the limit {limit}; lower it or raise the limit",
                )
            elif own_request:
                yield (
                    request_loc,
                    f"{request} is over the default limit {limit}; set limits.{resource} too",
                )
            else:
                yield (
                    limit_loc,
                    f"{limit} is under the default request {request}; set requests.{resource} too",
                )
