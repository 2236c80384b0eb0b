"""A team's objects as an API server shows them, and what `./sre status` makes of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clients.kubernetes import Object
from specs.app import WebApp, Worker
from specs.load import load_team
from specs.settings import Settings
from specs.team import Team
from tests import written
from tools.status.cluster_state import (
    CRON_JOBS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    ClusterState,
    Log,
    gateways_in,
)
from tools.status.report import AppReport, TeamReport, report

TEAM, APP = "team-alpha", "my-api"
IMAGE = "harbor.sre.internal/team-alpha/my-api:v1.0.0"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)

_PLURALS = {
    "Pod": PODS,
    "Event": EVENTS,
    "Deployment": DEPLOYMENTS,
    "ReplicaSet": REPLICA_SETS,
    "CronJob": CRON_JOBS,
    "Job": JOBS,
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "ExternalSecret": "externalsecrets",
    "VirtualService": "virtualservices",
    "Gateway": gateways_in("istio-system"),
}


def at(minutes_ago: float = 1) -> str:
    """A time before now, as the API server writes it."""
    return (NOW - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def made(
    kind: str, name: str, spec: Any = None, status: Any = None, owner: Object | None = None
) -> Object:
    metadata: Object = {"name": name, "namespace": TEAM, "uid": f"{kind}/{name}", "generation": 1}
    metadata["creationTimestamp"] = at(60)
    if owner:
        metadata["ownerReferences"] = [{"uid": owner["metadata"]["uid"], "kind": owner["kind"]}]
    return {"kind": kind, "metadata": metadata, "spec": spec or {}, "status": status or {}}


def container(name: str = APP, image: str = IMAGE, **keys: Any) -> Object:
    return {"name": name, "image": image, **keys}


def deployment(
    *conditions: Object, name: str = APP, replicas: int = 1, ready: int = 0, image: str = IMAGE
) -> Object:
    status = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": ready,
        "conditions": list(conditions),
    }
    template = {"spec": {"containers": [container(name, image)]}}
    return made("Deployment", name, {"replicas": replicas, "template": template}, status)


def replica_set(owner: Object, revision: int = 1, replicas: int = 1) -> Object:
    name = f"{owner['metadata']['name']}-{revision}"
    owned = made("ReplicaSet", name, {"replicas": replicas}, {"replicas": 0}, owner)
    owned["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    return owned


def pod(
    owner: Object,
    number: int = 0,
    *,
    app: str = APP,
    containers: Sequence[Object] = (),
    init: Sequence[Object] = (),
    **status: Any,
) -> Object:
    """A pod of a ReplicaSet or Job; `status` may have `container` for that of the app's."""
    spec = {"containers": list(containers) or [container(app)], "initContainers": list(init)}
    if own := status.pop("own", None):
        status["containerStatuses"] = [{"name": app, "restartCount": 0, **own}]
    one = made("Pod", f"{owner['metadata']['name']}-{number}", spec, status, owner)
    one["metadata"]["labels"] = {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/instance": app,
    }
    return one


def running(owner: Object, number: int = 0, **keys: Any) -> Object:
    own = {"ready": True, "state": {"running": {}}}
    conditions = [{"type": "Ready", "status": "True"}]
    return pod(owner, number, phase="Running", conditions=conditions, own=own, **keys)


def waiting(reason: str, message: str = "") -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False}


def ended(code: int, reason: str = "Error", restarts: int = 3, **keys: Any) -> Object:
    """A container that ended and is started again and again."""
    last = {"exitCode": code, "reason": reason, "finishedAt": at(), **keys}
    loop = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container")
    return {**loop, "restartCount": restarts, "lastState": {"terminated": last}}


def event(about: Object, reason: str, message: str, minutes_ago: float = 1) -> Object:
    metadata = about["metadata"]
    return {
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{reason}", "namespace": TEAM},
        "involvedObject": {
            "kind": about["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "reason": reason,
        "message": message,
        "lastTimestamp": at(minutes_ago),
    }


def external_secret(name: str, message: str = "", reason: str = "", **status: Any) -> Object:
    """One that is fetched, or that fails with a message."""
    ready = {"type": "Ready", "status": "False" if message else "True", "message": message}
    conditions = [{**ready, "reason": reason or ("SecretSyncedError" if message else "Synced")}]
    spec = {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "openbao-backend"},
        "data": [
            {
                "secretKey": "value",
                "remoteRef": {"key": f"sre/{TEAM}/{name}", "property": "value"},
            }
        ],
    }
    return made("ExternalSecret", name, spec, {"conditions": conditions, **status})


def autoscaler(name: str = APP, **conditions: Object) -> Object:
    listed = [{"type": kind, **each} for kind, each in conditions.items()]
    return made("HorizontalPodAutoscaler", name, {"maxReplicas": 3}, {"conditions": listed})


def virtual_service(*hosts: str, name: str = APP) -> Object:
    return made("VirtualService", name, {"hosts": list(hosts)})


def _beside(team: Team, objects: Sequence[Object], without: Sequence[str]) -> Iterator[Object]:
    """What each app with a workload has, unless the test has it already."""
    known = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for app in team.apps:
        if not known & {("Deployment", app.name), ("CronJob", app.name)}:
            continue
        wanted = [external_secret(name) for name in app.secret_refs]
        if isinstance(app, WebApp | Worker) and app.autoscaling.enabled:
            wanted.append(autoscaler(app.name))
        if isinstance(app, WebApp) and app.ingress.enabled:
            wanted.append(virtual_service(*app.ingress.every_host, name=app.name))
        for each in wanted:
            kind, name = each["kind"], each["metadata"]["name"]
            if kind not in without and (kind, name) not in known:
                yield each


class Looked:
    """Reports on a team's file and a cluster's objects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def team(
        self,
        text: str,
        *objects: Object,
        unread: Mapping[str, str] | None = None,
        logs: Mapping[tuple[str, str], Log] | None = None,
        certificates: Mapping[str, bool] | None = None,
        hours: float = 24,
        without: Sequence[str] = (),
        **settings: Any,
    ) -> TeamReport:
        """The report; what a running app has beside its pods is added, but for kinds `without`."""
        file = self.folder / f"{TEAM}.yaml"
        file.write_text(text, encoding="utf-8")
        stack: Settings = written.settings(**settings)
        loaded = load_team(file, f"tenants/{TEAM}.yaml", stack)
        assert loaded.problems == ()
        assert loaded.team
        listed: dict[str, list[Object]] = {}
        for each in (*objects, *_beside(loaded.team, objects, without)):
            listed.setdefault(_PLURALS[each["kind"]], []).append(each)
        since = NOW - timedelta(hours=hours)
        state = ClusterState(listed, unread or {}, NOW, since, logs or {}, certificates or {})
        return report(loaded, stack, state)

    def app(self, text: str, *objects: Object, **keys: Any) -> AppReport:
        """The report on the only app of the file."""
        (one,) = self.team(text, *objects, **keys).apps
        return one


def said(report: AppReport) -> list[str]:
    """Each cause as a line."""
    return [str(placed) for placed in report.causes]


def kinds(report: AppReport) -> list[str]:
    return [placed.cause.kind for placed in report.causes]
