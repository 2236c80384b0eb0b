"""What the cluster has otherwise than the team's file says."""

from collections.abc import Iterator
from typing import Any

from specs.app import CronJob
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.words import RESTORE

_DO = f"merge the file; if it is, {RESTORE}"


def causes(app: AppState) -> Iterator[Cause]:
    """Image, number of pods and schedule that differ."""
    if app.workload is None:
        return
    yield from _image(app)
    if isinstance(app.app, CronJob):
        yield from _schedule(app, app.app)
    elif app.team.running and not app.app.autoscaling.enabled:
        yield from _differs(app.wanted, app.app.app.replicas, "pods", ("app", "replicas"))
    elif not app.team.running:
        yield from _differs(app.wanted, 0, "pods", ("lifecycle",), of_team=True)
    elif app.wanted == 0:
        yield _cause("the cluster runs 0 pods, so the autoscaler does nothing", ("autoscaling",))
    if app.workload["spec"].get("paused"):
        yield _cause("the rollout is paused", (), f"run `kubectl rollout resume deployment/"
                     f"{app.app.name} -n {app.team.name}`")  # fmt: skip


def _image(app: AppState) -> Iterator[Cause]:
    for container in app.template.get("spec", {}).get("containers", ()):
        if container["name"] != app.app.name:
            continue
        image, wanted = app.app.app.image, container["image"]
        # A policy may add the digest to a tag.
        plain = wanted if image.digest else wanted.partition("@")[0]
        if plain != image.reference:
            yield _cause(
                f"the cluster runs {wanted}, the file says {image.reference}",
                ("app", "image", "tag"),
            )


def _schedule(app: AppState, cronjob: CronJob) -> Iterator[Cause]:
    assert app.workload
    spec, schedule = app.workload["spec"], cronjob.schedule
    yield from _differs(spec.get("schedule"), schedule.cron, "the schedule", ("schedule", "cron"))
    suspended = bool(spec.get("suspend"))
    if app.team.running and suspended != schedule.suspend:
        said = "starts no runs" if suspended else "starts runs"
        yield _cause(f"the cluster {said}, which the file does not say", ("schedule", "suspend"))


def _differs(
    live: Any, wanted: Any, what: str, loc: tuple[str, ...], *, of_team: bool = False
) -> Iterator[Cause]:
    if live != wanted:
        said = f"runs {live} {what}" if what == "pods" else f"has {what} '{live}'"
        yield _cause(f"the cluster {said}, the file says {wanted}", loc, of_team=of_team)


def _cause(what: str, loc: tuple[str, ...], do: str = _DO, *, of_team: bool = False) -> Cause:
    return Cause("drift", what, do, loc, of_team, Weight.DIFFERS)
