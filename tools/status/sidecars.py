"""Sidecars that do not work: without configuration, or not there."""

from collections.abc import Iterator
from datetime import timedelta

from clients.kubernetes import Object
from specs.labels import NAME
from tools.status.app_state import SIDECAR, AppState, ContainerState, containers
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import PODS, moment

_PATIENCE = timedelta(seconds=30)


def causes(app: AppState) -> Iterator[Cause]:
    """Why a sidecar keeps the app from serving."""
    for container in app.containers:
        if container.name == SIDECAR and _without_configuration(app, container):
            plane = app.settings.istio.control_plane
            where = f"istiod in {plane.namespace}" if plane else "istiod"
            yield Cause(
                "sidecar-configuration",
                f"the sidecar has no configuration: it does not reach {where}, or istiod refuses "
                "it",
                "ask the platform team to run `./sre doctor`; see "
                f"`kubectl logs {container.key[0]} -n {app.team.name} -c {SIDECAR}`",
            )
    yield from _left_out(app)


def _without_configuration(app: AppState, container: ContainerState) -> bool:
    """It runs and is not ready; its own probe fails until istiod has configured it."""
    running = (container.status.get("state") or {}).get("running")
    if not running or container.status.get("ready"):
        return False
    started = moment(running.get("startedAt"))
    return bool(started and app.state.now - started > _PATIENCE)


def _left_out(app: AppState) -> Iterator[Cause]:
    """Pods without a sidecar beside others of the team that have one."""
    bare = [pod for pod in app.pods if not _has_sidecar(pod)]
    others = (pod for pod in app.state.of(PODS) if NAME in (pod["metadata"].get("labels") or {}))
    if app.settings.istio.control_plane and bare and any(map(_has_sidecar, others)):
        yield Cause(
            "sidecar-missing",
            f"{len(bare)} of its pods have no sidecar, so nothing that demands mutual TLS answers "
            "them",
            "ask the platform team whether istiod runs; then "
            + (
                "the next run has one"
                if app.runs_on_schedule
                else f"`kubectl rollout restart deployment/{app.app.name} -n {app.team.name}`"
            ),
            weight=Weight.WARNING,
        )


def _has_sidecar(pod: Object) -> bool:
    return any(container.name == SIDECAR for container in containers(pod))
