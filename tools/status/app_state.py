"""One app: what its file wants, and the objects that the cluster has of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clients.kubernetes import Object
from specs.app import AnyApp, CronJob
from specs.labels import INSTANCE, NAME
from specs.problem import Loc
from specs.settings import Settings
from specs.team import Team
from tools.status.cluster_state import (
    CRON_JOBS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    ClusterState,
    Event,
)

SIDECAR = "istio-proxy"
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class ContainerState:
    """A container of a pod: what it should be, and how it is."""

    pod: Object
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the container."""
        return str(self.spec["name"])

    @property
    def key(self) -> tuple[str, str]:
        """The names of its pod and of itself."""
        return self.pod["metadata"]["name"], self.name

    @property
    def waiting(self) -> Mapping[str, Any]:
        """Why it waits; empty if it does not."""
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def ended(self) -> Mapping[str, Any]:
        """How it ended, now or the last time; empty if it never did."""
        now, before = self.status.get("state") or {}, self.status.get("lastState") or {}
        return now.get("terminated") or before.get("terminated") or {}

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return int(self.status.get("restartCount") or 0)


@dataclass(frozen=True)
class AppState:
    """An app of a team's file, and what the cluster has of it."""

    app: AnyApp
    team: Team
    settings: Settings
    state: ClusterState

    @property
    def runs_on_schedule(self) -> bool:
        """Whether it is a cronjob."""
        return isinstance(self.app, CronJob)

    @cached_property
    def workload(self) -> Object | None:
        """Its Deployment or CronJob."""
        plural = CRON_JOBS if self.runs_on_schedule else DEPLOYMENTS
        return self.state.named(plural, self.app.name)

    @property
    def template(self) -> Mapping[str, Any]:
        """The pod that its workload asks for."""
        spec = self.workload["spec"] if self.workload else {}
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
        template: Mapping[str, Any] = spec.get("template", {})
        return template

    @property
    def unread(self) -> bool:
        """Whether its workload cannot be read."""
        return (CRON_JOBS if self.runs_on_schedule else DEPLOYMENTS) in self.state.unread

    @cached_property
    def replica_set(self) -> Object | None:
        """That of the Deployment's present version."""
        if self.workload is None or self.runs_on_schedule:
            return None
        owned = self.state.owned(REPLICA_SETS, self.workload)
        return max(owned, key=_revision, default=None)

    @cached_property
    def jobs(self) -> Sequence[Object]:
        """Those of its runs that are kept, the newest first."""
        if self.workload is None or not self.runs_on_schedule:
            return ()
        return sorted(self.state.owned(JOBS, self.workload), key=_created, reverse=True)

    @cached_property
    def all_pods(self) -> Sequence[Object]:
        """All of its pods but those that are being deleted."""
        return [
            pod
            for pod in self.state.of(PODS)
            if self.owns(pod) and "deletionTimestamp" not in pod["metadata"]
        ]

    def owns(self, pod: Object) -> bool:
        """Whether a pod has the app's labels."""
        labels = pod["metadata"].get("labels") or {}
        return labels.get(NAME) == labels.get(INSTANCE) == self.app.name

    @cached_property
    def pods(self) -> Sequence[Object]:
        """The pods of the present version, or those of the last run."""
        owner = self.jobs[0] if self.jobs else self.replica_set
        if owner is None:
            return self.all_pods
        owned = {pod["metadata"]["name"] for pod in self.state.owned(PODS, owner)}
        return [pod for pod in self.all_pods if pod["metadata"]["name"] in owned]

    @property
    def starting(self) -> bool:
        """Whether a pod has not started yet."""
        return any(pod.get("status", {}).get("phase", "Pending") == "Pending" for pod in self.pods)

    @property
    def wanted(self) -> int:
        """How many pods the cluster should run of a Deployment."""
        return int(self.workload["spec"].get("replicas", 1)) if self.workload else 0

    @property
    def available(self) -> int:
        """How many pods serve, of any version."""
        status = self.workload.get("status", {}) if self.workload else {}
        return int(status.get("availableReplicas") or 0)

    @property
    def complete(self) -> bool:
        """Whether the Deployment's present version runs in full, and no other."""
        if self.workload is None:
            return False
        status = self.workload.get("status", {})
        seen = status.get("observedGeneration", 0) >= self.workload["metadata"]["generation"]
        updated, total = status.get("updatedReplicas") or 0, status.get("replicas") or 0
        return bool(seen and updated == total == self.available == self.wanted)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition of the workload; empty if it has none of that type."""
        conditions = (self.workload or {}).get("status", {}).get("conditions") or ()
        return next((each for each in conditions if each["type"] == kind), {})

    @cached_property
    def containers(self) -> Sequence[ContainerState]:
        """The containers of its pods."""
        return [each for pod in self.pods for each in containers(pod)]

    def events(self, *reasons: str) -> Iterator[Event]:
        """What happened to its pods for these reasons."""
        yield from (e for e in self.state.events_of(*self.pods) if e.reason in reasons)

    def process(self, container: ContainerState) -> Loc | None:
        """The place of a container's block in the app's entry; None for the sidecar."""
        if container.name == self.app.name:
            return ("app",)
        for index, step in enumerate(self.app.app.init):
            if step.name == container.name:
                return ("app", "init", index)
        return None


def containers(pod: Object) -> Iterator[ContainerState]:
    """A pod's containers, those before the app first."""
    for specs, statuses in (
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ):
        known = {each["name"]: each for each in pod.get("status", {}).get(statuses) or ()}
        for spec in pod["spec"].get(specs) or ():
            yield ContainerState(pod, spec, known.get(spec["name"], {}))


def _revision(replica_set: Object) -> int:
    annotations = replica_set["metadata"].get("annotations") or {}
    return int(annotations.get(_REVISION, 0))


def _created(each: Object) -> str:
    return str(each["metadata"].get("creationTimestamp", ""))
