"""Whether what runs is what the cluster was asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from clients.kubernetes import Object
from tools.status.app_state import AppState
from tools.status.cause import Cause
from tools.status.words import RESTORE


def causes(app: AppState) -> Iterator[Cause]:
    """The workload is not there, or gave up waiting for its pods."""
    if app.unread:
        return
    if app.workload is None:
        kind = "CronJob" if app.runs_on_schedule else "Deployment"
        yield Cause(
            "not-deployed",
            f"the namespace {app.team.name} has no {kind} {app.app.name}",
            f"merge the file; if it is, {RESTORE}",
            (),
        )


def overdue(app: AppState) -> Iterator[Cause]:
    """The Deployment gave up, and nothing says why."""
    progress = app.condition("Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded" and not app.complete:
        yield Cause(
            "overdue",
            f"its pods are not available ({app.available} of {app.wanted}), and the Deployment no "
            "longer waits for them",
            f"see `kubectl describe pods -l app.kubernetes.io/name={app.app.name} -n "
            f"{app.team.name}`",
            lasting=True,
        )


def done(app: AppState) -> bool:
    """Whether nothing is under way."""
    return app.runs_on_schedule or app.complete


def suspended(app: AppState) -> bool:
    """Whether nothing runs, as the file wants it."""
    if app.runs_on_schedule:
        return bool(app.workload and app.workload["spec"].get("suspend"))
    return not app.team.running and app.wanted == 0


def pods(app: AppState) -> tuple[int, int]:
    """How many pods are ready, and how many should be; of a cronjob, those of the last run."""
    if app.runs_on_schedule:
        phases = [pod.get("status", {}).get("phase") for pod in app.pods]
        return sum(phase in ("Running", "Succeeded") for phase in phases), len(phases)
    return sum(_is_ready(pod) for pod in app.all_pods), app.wanted


def version(app: AppState) -> str:
    """The version that runs, or `old -> new` during a rollout."""
    new = _tag(app.template.get("spec", {}), app)
    running = dict.fromkeys(_tag(pod["spec"], app) for pod in app.all_pods)
    old = [each for each in running if each not in ("", new)]
    if app.runs_on_schedule or not old:
        return new
    return f"{', '.join(old)} -> {new}"


def _tag(spec: Mapping[str, Any], app: AppState) -> str:
    """The tag of the app's image, or what identifies it if it has none."""
    for container in spec.get("containers", ()):
        if container["name"] == app.app.name:
            image, _, digest = str(container["image"]).partition("@")
            return image.rpartition("/")[2].partition(":")[2] or digest[:19]
    return ""


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
