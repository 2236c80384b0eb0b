"""The last lines of containers that ended, without what the team's Secrets contain."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tools.status import crashes
from tools.status.app_state import SIDECAR, AppState, ContainerState
from tools.status.cluster_state import ClusterState, Log, moment
from tools.status.masking import hidden, masked

_LINES = 10
_BYTES = 16_384
_AT_ONCE = 8
# What a kubelet answers, as if it were the log, for a container that it has removed since.
_GONE = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
_UNKNOWN = (
    " (not shown here, because it may repeat values of the app's Secrets, which you may not read "
    "and which therefore cannot be hidden)"
)
_CHANGED = (
    " (not shown here, because it may repeat a former value of the app's Secrets, which have "
    "changed since the pod started)"
)


def with_logs(cluster: Cluster, apps: Sequence[AppState], requests: int) -> ClusterState:
    """The apps' state with the logs of what ended, one a container, in at most so many requests."""
    state = apps[0].state
    # An app that is ready again comes last: there may not be enough requests for all.
    needed = sorted(_needed(apps), key=lambda each: not crashes.crashed(each[1]))
    if any(app.app.secret_refs for app, _ in needed):
        requests -= 1
    needed = needed[: max(0, requests)]
    if not needed:
        return state
    secrets: Sequence[Object] | None = ()
    if any(app.app.secret_refs for app, _ in needed):
        secrets = _secrets(cluster, state, apps[0].team.name)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        texts = pool.map(partial(_text, cluster), needed)
    logs = {
        container.key: _log(app, container, text, secrets)
        for (app, container), text in zip(needed, texts, strict=True)
        if text
    }
    return replace(state, logs=logs)


def _needed(apps: Iterable[AppState]) -> Iterator[tuple[AppState, ContainerState]]:
    """One container of each name in an app that ended by itself."""
    for app in apps:
        seen = {SIDECAR}
        for container in app.containers:
            ended = crashes.crashed(container) or crashes.recovered(app, container)
            if container.name not in seen and ended:
                seen.add(container.name)
                yield app, container


def _text(cluster: Cluster, needed: tuple[AppState, ContainerState]) -> str:
    """What a container wrote last; nothing if that may not be read, or is gone."""
    app, container = needed
    pod, name = container.key
    terminated = (container.status.get("state") or {}).get("terminated")
    query = {
        "container": name,
        "tailLines": str(_LINES),
        "limitBytes": str(_BYTES),
        # Of the run that ended, not of the one after it.
        "previous": str(bool(container.restarts and not terminated)).lower(),
    }
    try:
        text = cluster.text(f"api/v1/namespaces/{app.team.name}/pods/{pod}/log", query)
    except RefusedError as refusal:
        if refusal.status == 401:
            raise
        return ""
    return "" if text.startswith(_GONE) else text


def _secrets(cluster: Cluster, state: ClusterState, team: str) -> Sequence[Object] | None:
    """The namespace's Secrets; None if they may not be read."""
    try:
        listed: Sequence[Object] = cluster.call("GET", f"api/v1/namespaces/{team}/secrets")["items"]
    except RefusedError as refusal:
        if refusal.status == 401:
            raise
        return None
    return listed


def _log(
    app: AppState, container: ContainerState, text: str, secrets: Sequence[Object] | None
) -> Log:
    written = tuple(text.splitlines()[-_LINES:])
    names = app.app.secret_refs
    if not names:
        return Log(tuple(masked(line, ()) for line in written), "", written)
    if secrets is None:
        return Log((), _UNKNOWN, written)
    used = [each for each in secrets if each["metadata"]["name"] in names]
    started = moment(container.pod["metadata"].get("creationTimestamp"))
    if len(used) < len(names) or any(_changed(each, started) for each in used):
        return Log((), _CHANGED, written)
    values = hidden(each.get("data") or {} for each in used)
    return Log(tuple(masked(text, values).splitlines()[-_LINES:]), "", written)


def _changed(secret: Object, since: datetime | None) -> bool:
    """Whether its content may have changed after that time."""
    entries = secret["metadata"].get("managedFields") or ()
    times = [moment(each.get("time")) for each in entries if "f:data" in each.get("fieldsV1", {})]
    return since is None or any(time and time > since for time in times)
