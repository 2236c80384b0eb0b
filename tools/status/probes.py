"""Probes that fail: what they ask, what they got, and how long they wait."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from specs.probes import DEFAULT_FAILURES, DEFAULT_TIMEOUT, LIVENESS, READINESS, STARTUP
from tools.status.app_state import AppState, ContainerState
from tools.status.cause import Cause, Kind, Weight
from tools.status.cluster_state import moment
from tools.status.crashes import again, probe_that_killed, recovered
from tools.status.words import short

_SLOW_START = timedelta(minutes=2)

_STATUS = re.compile(r"statuscode: (\d+)")
_CLOSED = re.compile(r"connection refused", re.I)
_SLOW = re.compile(r"deadline exceeded|Client\.Timeout|timed out|timeout", re.I)
_UNSERVED = re.compile(r"NOT_SERVING|service unhealthy|unknown service", re.I)
_FIELDS = {LIVENESS: "livenessProbe", READINESS: "readinessProbe", STARTUP: "startupProbe"}


def causes(app: AppState) -> Iterator[Cause]:
    """Which probe ends the app's container, or keeps its pod from serving."""
    for container in app.containers:
        if container.name != app.app.name:
            continue
        if killer := probe_that_killed(app, container):
            if not container.status.get("ready"):
                yield _kill(app, container, killer)
            elif recovered(app, container):
                yield replace(_kill(app, container, killer), weight=Weight.WARNING)
        elif _is_late(app, container):
            yield _unready(app, container)


def _kill(app: AppState, container: ContainerState, name: str) -> Cause:
    """The container was ended; as long as it does not become ready, it never had enough time."""
    probe = _probe(container, name)
    answer = _answer(app, container, name)
    had = _until_failure(probe)
    kind: Kind = "liveness-probe"
    if name == STARTUP:
        kind = "startup-probe"
        loc, do = ("app", "probes", STARTUP, "failureThreshold"), "give it more checks"
    elif _probe(container, STARTUP):
        loc, do = ("app", "probes", LIVENESS), "correct the check, or have the app answer it"
    else:
        loc = ("app", "probes", LIVENESS)
        do = "if the app needs longer to start, add probes.startup; otherwise correct the check"
    return Cause(
        kind,
        f"the {name} probe ends the app{again(app, container)}: {_asks(container, probe)} "
        f"{answer}, and it has {had} from its start to the last check",
        do,
        loc,
    )


def _unready(app: AppState, container: ContainerState) -> Cause:
    probe = _probe(container, READINESS)
    return Cause(
        "readiness-probe",
        f"the app runs, but its readiness probe fails: {_asks(container, probe)} "
        f"{_answer(app, container, READINESS)}",
        "correct the check, or have the app answer it once it can serve",
        ("app", "probes", READINESS),
        weight=Weight.WARNING if _may_still_start(app, container) else Weight.BROKEN,
    )


def _is_late(app: AppState, container: ContainerState) -> bool:
    """Whether it has run for longer than its readiness probe takes to fail."""
    started, probe = _started(container), _probe(container, READINESS)
    if not started or not probe or container.status.get("ready"):
        return False
    if container.status.get("started") is False and _probe(container, STARTUP):
        return False  # it still has time
    return app.state.now - started > timedelta(seconds=_seconds(probe))


def _may_still_start(app: AppState, container: ContainerState) -> bool:
    """Whether it was never ready, and other apps take as long to start."""
    started = _started(container)
    if not started or app.state.now - started > _SLOW_START:
        return False
    conditions = container.pod.get("status", {}).get("conditions") or ()
    unready = (moment(c.get("lastTransitionTime")) for c in conditions if c["type"] == "Ready")
    return not any(since and since > started for since in unready)


def _started(container: ContainerState) -> datetime | None:
    """When it did, if it runs."""
    running = (container.status.get("state") or {}).get("running") or {}
    return moment(running.get("startedAt"))


def _probe(container: ContainerState, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = container.spec.get(_FIELDS[name]) or {}
    return found


def _seconds(probe: Mapping[str, Any]) -> int:
    """From the container's start to the last of the checks that make the probe fail."""
    failures = int(probe.get("failureThreshold", DEFAULT_FAILURES))
    period = int(probe.get("periodSeconds", 10))
    return int(probe.get("initialDelaySeconds", 0)) + (failures - 1) * period


def _until_failure(probe: Mapping[str, Any]) -> str:
    if not probe:
        return "too little time"
    failures = probe.get("failureThreshold", DEFAULT_FAILURES)
    period, delay = probe.get("periodSeconds", 10), probe.get("initialDelaySeconds", 0)
    parts = f"initialDelaySeconds {delay}, failureThreshold {failures}, periodSeconds {period}"
    return f"{_seconds(probe)}s ({parts})"


def _asks(container: ContainerState, probe: Mapping[str, Any]) -> str:
    """What the probe does; Istio has its sidecar do it, and keeps the path to itself."""
    numbers = {p.get("name"): p["containerPort"] for p in container.spec.get("ports") or ()}
    if http := probe.get("httpGet"):
        port = numbers.get(http.get("port"), http.get("port"))
        return f"GET {http.get('path', '/')} on port {port}"
    if tcp := probe.get("tcpSocket"):
        return f"a connection to port {numbers.get(tcp.get('port'), tcp.get('port'))}"
    if grpc := probe.get("grpc"):
        return f"the gRPC health service on port {grpc.get('port')}"
    return "its command" if probe else "its check"


def _answer(app: AppState, container: ContainerState, name: str) -> str:
    """What came of it, in words of our own: a command's output may repeat a secret."""
    timeout = _probe(container, name).get("timeoutSeconds", DEFAULT_TIMEOUT)
    for event in app.state.events_of(container.pod):
        if event.reason != "Unhealthy" or not event.message.lower().startswith(name):
            continue
        if status := _STATUS.search(event.message):
            return f"answers {status[1]}"
        if _CLOSED.search(event.message):
            return "finds nothing that listens there"
        if _SLOW.search(event.message):
            return f"gets no answer within {timeout}s"
        if _UNSERVED.search(event.message):
            return "says that the app does not serve"
        return "fails" if "exec" in _probe(container, name) else f"fails ({short(event.message)})"
    return "fails"
