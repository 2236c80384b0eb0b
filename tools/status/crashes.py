"""Containers that end: what ended them, and the last lines that they wrote."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specs.resources import resolve
from tools.status.app_state import SIDECAR, AppState, ContainerState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import Log, moment
from tools.status.words import short, times

_KILLED_BY_PROBE = re.compile(r"failed (liveness|startup) probe")
_READ_ONLY = re.compile(r"read-only file ?system|EROFS", re.I)
# A path just before those words, or quoted anywhere in the line.
_PATH = re.compile(
    r"['\"`](/[^'\"`\s]+)['\"`]|(?:^|[\s=(])(/[\w.@+/-]+)(?:: | \()(?=read-only|EROFS)", re.I
)
_ENDED_BY_NODE = (137, 143)
_SIGNALS = {134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def crashed(container: ContainerState) -> bool:
    """Whether it ended although it should run, or ended with an error."""
    state = container.status.get("state") or {}
    reason = container.waiting.get("reason")
    if reason == "CrashLoopBackOff" or (reason == "RunContainerError" and container.ended):
        return True
    if terminated := state.get("terminated"):
        return terminated.get("exitCode") != 0
    # It runs again for now; once it is ready, it counts as recovered.
    return bool(container.restarts and container.ended and not container.status.get("ready"))


def recovered(app: AppState, container: ContainerState) -> bool:
    """Whether it is ready again after it ended in the time that counts."""
    runs = "running" in (container.status.get("state") or {}) and container.status.get("ready")
    if not (runs and container.restarts):
        return False
    ended = moment(container.ended.get("finishedAt"))
    return bool(ended and ended >= app.state.since)


def again(app: AppState, container: ContainerState) -> str:
    """How often it was restarted, and when for the last time if it is ready since."""
    if not container.restarts:
        return ""
    last = moment(container.ended.get("finishedAt"))
    when = f", last at {last:%Y-%m-%d %H:%M} UTC" if last and recovered(app, container) else ""
    return f", restarted {times(container.restarts)}{when}"


def probe_that_killed(app: AppState, container: ContainerState) -> str | None:
    """`liveness` or `startup`, if such a probe ended the container's last run.

    A node reports few of the events of a pod that restarts often. If a signal ended the run, the
    reason that it last gave counts.
    """
    ended = container.ended
    began = moment(ended.get("startedAt"))
    signal = ended.get("exitCode") in _ENDED_BY_NODE and ended.get("reason") != "OOMKilled"
    for event in app.state.events_of(container.pod):
        if began and event.last < began and not signal:
            return None
        found = _KILLED_BY_PROBE.search(event.message)
        if event.reason == "Killing" and found and f" {container.name} " in event.message:
            return found[1]
    return None


def causes(app: AppState) -> Iterator[Cause]:
    """Why containers end, or ended before they became ready again."""
    for container in app.containers:
        if probe_that_killed(app, container):
            continue
        if crashed(container):
            yield _cause(app, container)
        elif recovered(app, container):
            yield replace(_cause(app, container), weight=Weight.WARNING, lasting=False)


def _cause(app: AppState, container: ContainerState) -> Cause:
    ended = container.ended
    log = app.state.logs.get(container.key, Log())
    lines, said = log.lines, (*log.written, *str(ended.get("message") or "").splitlines())
    process = app.process(container)
    if ended.get("reason") == "OOMKilled":
        return _memory(app, container)
    if container.name == SIDECAR or process is None:
        return Cause(
            "sidecar-crash",
            f"the container {container.name} ends with exit code {ended.get('exitCode')}",
            f"see `kubectl logs {container.key[0]} -n {app.team.name} -c {container.name} "
            "--previous`, and ask the platform team",
        )
    if ended.get("reason") in ("StartError", "ContainerCannotRun", "RunContainerError"):
        return Cause(
            "cannot-start",
            f"{_what(app, container)} cannot be started ({short(_of_program(ended))})",
            "name a program that the image has",
            (*process, "command"),
            lasting=True,
        )
    if line := next((line for line in said if _READ_ONLY.search(line)), None):
        path = None if log.withheld else _PATH.search(line)
        where = next((found for found in path.groups() if found), "") if path else ""
        return Cause(
            "read-only",
            f"{_what(app, container)} writes to {where or 'its root file system'}, which is "
            "read-only",
            "list the folder that it writes to",
            ("app", "writablePaths"),
            lines=lines,
        )
    if any("exec format error" in line for line in said):
        return Cause(
            "image-platform",
            f"{_what(app, container)} is built for another processor than the node's",
            "build it for the platform's nodes, such as linux/amd64",
            ("app", "image", "tag"),
            lasting=True,
            lines=lines,
        )
    return Cause(
        "crash",
        f"{_what(app, container)} ends with {_exit(container)}{again(app, container)}",
        "see its last lines below" if lines else f"see `{_log(app, container)}`{log.withheld}",
        (*process, "command") if ended.get("exitCode") in (126, 127) else None,
        lines=lines,
    )


def _memory(app: AppState, container: ContainerState) -> Cause:
    limit = (container.spec.get("resources") or {}).get("limits", {}).get("memory", "none")
    if app.process(container) is None:
        return Cause(
            "sidecar-memory",
            f"the container {container.name} was killed, because it used more memory than its "
            f"limit of {limit}",
            "ask the platform team",
        )
    wanted = resolve(app.app.app.resources, app.team.limit_range).limits.memory
    differs = "" if wanted.text == limit else f" ({wanted} in the file)"
    return Cause(
        "out-of-memory",
        f"{_what(app, container)} was killed{again(app, container)}, because it used more memory "
        f"than its limit of {limit}{differs}",
        "raise the limit, or have the app use less",
        ("app", "resources", "limits", "memory"),
    )


def _of_program(ended: Mapping[str, Any]) -> str:
    """What the runtime says of the program, without the steps on its way there."""
    text = str(ended.get("message") or "").removesuffix(": unknown")
    return text.rpartition("exec: ")[2]


def _what(app: AppState, container: ContainerState) -> str:
    return "the app" if container.name == app.app.name else f"the step {container.name}"


def _exit(container: ContainerState) -> str:
    code = container.ended.get("exitCode")
    if code == 0:
        return "exit code 0 (success), but should keep running"
    signal = _SIGNALS.get(code) if isinstance(code, int) else None
    return f"exit code {code}" + (f" ({signal})" if signal else "")


def _log(app: AppState, container: ContainerState) -> str:
    pod, name = container.key
    previous = " --previous" if container.restarts else ""
    return f"kubectl logs {pod} -n {app.team.name} -c {name}{previous}"
