"""Values that are allowed in a team's file but seldom intended."""

from collections.abc import Iterator

from specs.app import AnyApp, CronJob, WebApp
from specs.autoscaling import check_target
from specs.call_checks import warn_of_calls
from specs.exception_checks import warn_of_exceptions
from specs.ingress_checks import warn_of_retries
from specs.network import NetworkPolicyPort
from specs.port_checks import warn_of_ports
from specs.probe_checks import warn_of_probes
from specs.problem import Finding, Loc
from specs.promql import needs
from specs.references import check_references
from specs.retention import warn_of_retention
from specs.settings import Settings
from specs.steps import odd_steps
from specs.team import Quota, Team


def check_warnings(team: Team, settings: Settings) -> Iterator[Finding]:
    """Warnings about a team without problems."""
    yield from _check_quota(team.quota)
    yield from warn_of_retention(team)
    yield from warn_of_calls(team, settings)
    for index, app in enumerate(team.apps):
        at: Loc = ("apps", index)
        yield from check_target(app, team.limit_range, at)
        if isinstance(app, CronJob):
            yield from (((*at, "schedule", "cron"), said) for said in odd_steps(app.schedule.cron))
        yield from warn_of_probes(app, (*at, "app", "probes"))
        yield from check_references(app.app, (*at, "app"))
        if isinstance(app, WebApp):
            yield from warn_of_retries(app.ingress, (*at, "ingress", "retries"))
        yield from warn_of_ports(app, at)
        yield from warn_of_exceptions(app, (*at, "exceptions"))
        for number, alert in enumerate(app.alerts):
            yield from _check_functions(alert.expr, (*at, "alerts", number, "expr"))
        yield from _check_port_names(app, (*at, "networkPolicy", "additionalIngress"))


def _check_quota(quota: Quota) -> Iterator[Finding]:
    """Warn about requests over limits; the API server warns about them too."""
    for resource in ("cpu", "memory"):
        request, limit = getattr(quota.requests, resource), getattr(quota.limits, resource)
        if request is None or limit is None or request.units <= limit.units:
            continue
        own = resource in quota.requests.model_fields_set
        if own:
            said = (
                f"{request} is more than quota.limits.{resource} {limit}, "
                "so it can never be fully used"
            )
            yield ("quota", "requests", resource), f"{said}; lower it, or raise the limit"
        else:
            said = f"{limit} is less than quota.requests.{resource} {request}"
            yield ("quota", "limits", resource), f"{said}; raise it, or lower the requests"


def _check_functions(expression: str, loc: Loc) -> Iterator[Finding]:
    flagged, recent = needs(expression)
    if flagged:
        yield (
            loc,
            f"{', '.join(flagged)} is experimental, and Prometheus refuses the rule unless its "
            "feature flag promql-experimental-functions is on; use another function, or ask the "
            "platform team",
        )
    for what, version in recent.items():
        yield (
            loc,
            f"{what} needs Prometheus {version}; an older one, or an operator that was built with "
            "an older one, leaves out all alerts of the app; use another expression, or ask the "
            "platform team",
        )


def _check_port_names(app: AnyApp, at: Loc) -> Iterator[Finding]:
    """Warn about rules on a named port that the app's pods do not have: they open nothing."""
    if not app.network_policy.enabled:
        return
    for index, rule in enumerate(app.network_policy.additional_ingress):
        for number, port in enumerate(rule.ports):
            if isinstance(port.port, str) and not _matches(app, port):
                yield (
                    (*at, index, "ports", number, "port"),
                    f"'{port.port}' is not the name of a {port.protocol} port of this app, so it "
                    f"opens nothing; {_instead(app)}",
                )


def _matches(app: AnyApp, port: NetworkPolicyPort) -> bool:
    return port.protocol == "TCP" and port.port in app.ports


def _instead(app: AnyApp) -> str:
    named = " or ".join(f"{name} ({number}, TCP)" for name, number in app.ports.items())
    return f"use {named}, or the port's number" if named else "write the port's number"
