"""Autoscalers that cannot work, and budgets that block a drain."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from specs.app import CronJob
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import AUTOSCALERS, BUDGETS, moment
from tools.status.words import RESTORE, short

_PATIENCE = timedelta(minutes=1)  # until a new pod's metrics are there


def causes(app: AppState) -> Iterator[Cause]:
    """What is wrong with the app's autoscaler or budget; its pods may run all the same."""
    if isinstance(app.app, CronJob) or app.workload is None:
        return
    if app.app.autoscaling.enabled and app.wanted:
        yield from _autoscaler(app)
    if app.app.pod_disruption_budget.enabled and app.complete and app.wanted:
        yield from _budget(app)


def _autoscaler(app: AppState) -> Iterator[Cause]:
    if AUTOSCALERS in app.state.unread:
        return
    autoscaler = app.state.named(AUTOSCALERS, app.app.name)
    if autoscaler is None:
        yield Cause(
            "autoscaler-missing",
            f"the namespace has no HorizontalPodAutoscaler {app.app.name}",
            RESTORE,
            ("autoscaling",),
            weight=Weight.DIFFERS,
        )
        return
    listed = autoscaler.get("status", {}).get("conditions") or ()
    conditions = {each["type"]: each for each in listed}
    active, able = conditions.get("ScalingActive", {}), conditions.get("AbleToScale", {})
    limited = conditions.get("ScalingLimited", {})
    if active.get("status") == "False" and app.complete:
        since = moment(active.get("lastTransitionTime"))
        if not since or app.state.now - since > _PATIENCE:
            yield _blind(active)
    elif able.get("status") == "False":
        yield Cause(
            "autoscaler",
            f"the autoscaler cannot scale ({short(str(able.get('message')))})",
            "ask the platform team",
            ("autoscaling",),
            weight=Weight.WARNING,
        )
    elif limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        yield Cause(
            "autoscaler-limit",
            f"the autoscaler wants more than {autoscaler['spec'].get('maxReplicas')} pods, its "
            "maximum",
            "raise it, if the quota has room (`./sre capacity`)",
            ("autoscaling", "maxReplicas"),
            weight=Weight.WARNING,
        )


def _blind(active: Mapping[str, Any]) -> Cause:
    message = str(active.get("message") or "")
    if "missing request" in message:
        resource = "memory" if "missing request for memory" in message else "cpu"
        return Cause(
            "autoscaler-metrics",
            f"the autoscaler cannot tell how busy the pods are: a container has no {resource} "
            "request",
            "set it",
            ("app", "resources", "requests", resource),
            weight=Weight.WARNING,
        )
    return Cause(
        "autoscaler-metrics",
        f"the autoscaler cannot read metrics, so the number of pods stays ({short(message)})",
        "ask the platform team whether metrics-server runs",
        ("autoscaling",),
        weight=Weight.WARNING,
    )


def _budget(app: AppState) -> Iterator[Cause]:
    """All pods are healthy, and still none may go: no node of theirs can be drained."""
    budget = app.state.named(BUDGETS, app.app.name)
    if budget is None or isinstance(app.app, CronJob):
        return
    status = budget.get("status", {})
    expected, allowed = status.get("expectedPods") or 0, status.get("disruptionsAllowed") or 0
    healthy = status.get("currentHealthy") or 0
    # Until the controller has looked, and while pods are missing, this says nothing about the file.
    if not expected or allowed or healthy < expected:
        return
    spec = budget["spec"]
    key = "maxUnavailable" if "maxUnavailable" in spec else "minAvailable"
    yield Cause(
        "drain-blocked",
        f"no node with its pods can be drained: {key} {spec.get(key)} lets none of {expected} go",
        "allow one pod to be missing, or run one more",
        ("podDisruptionBudget", key),
        weight=Weight.WARNING,
    )
