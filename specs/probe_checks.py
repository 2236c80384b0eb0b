"""Checks and warnings about an app's probes."""

from collections.abc import Iterator

from specs.app import AnyApp, WebApp, Worker
from specs.credentials import credential_form
from specs.ingress_checks import check_port
from specs.probes import CHECKS, IMPLIED, LIVENESS, READINESS, STARTUP, Probe, StartupProbe, given
from specs.problem import Finding, Loc
from specs.process_match import finds_itself
from specs.settings import Settings

# A rollout without progress for this long counts as failed (Kubernetes: progressDeadlineSeconds).
_ROLLOUT_DEADLINE = 600

# A container that restarts sooner than this after its start hardly had time to start.
_SHORTEST_START = 10


def check_probes(app: WebApp | Worker, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Report probes without a check or with several, off without a reason, or required."""
    probes = app.app.probes
    found = given(probes)
    if STARTUP in probes.model_fields_set and probes.startup is None:
        yield (*at, STARTUP), "is empty; write {} for the check of `liveness`, or remove it"
    for name, probe in found.items():
        loc: Loc = (*at, name)
        yield from _check_switch(probe, loc)
        yield from _check_kinds(probe, loc, app)
        yield from _check_ports(probe, loc, app)
        yield from _check_texts(probe, loc)
        if probe.enabled and name not in app.probes:
            yield loc, "has no check; add one of `path`, `tcp`, `grpc` and `exec`"
    if settings.kubernetes.require_probes:
        for name in (LIVENESS, READINESS):
            if (probe := found.get(name)) and probe.enabled:
                continue
            required = "is required on this cluster (sre-platform:kubernetes.requireProbes)"
            if probe:
                yield (*at, name, "enabled"), f"is false, but the probe {required}; remove it"
            else:
                yield (*at, name), f"{required}; add `{name}: {{exec: {{command: [...]}}}}`"


def _check_switch(probe: Probe, at: Loc) -> Iterator[Finding]:
    if not probe.enabled and not (probe.reason or "").strip():
        yield (*at, "enabled"), "is false without a reason; add `reason`, or turn it on"
    elif probe.enabled and probe.reason is not None:
        yield (*at, "reason"), "applies only to `enabled: false`; remove it"


def _check_kinds(probe: Probe, at: Loc, app: WebApp | Worker) -> Iterator[Finding]:
    first, *others = probe.written or [""]
    if not first and isinstance(app, WebApp):
        # YAML reads a key without a value as null: another check than this would be made.
        for kind in filter(probe.model_fields_set.__contains__, CHECKS[1:]):
            do = "give it a `command`" if kind == "exec" else "write {} for `app.port`"
            yield (*at, kind), f"is empty; {do}, or remove it"
    for other in others:
        yield (*at, other), f"is a second check beside `{first}`; keep one of the two"
    if probe.port is None:
        return
    if first in CHECKS[1:]:
        do = "remove it" if first == "exec" else f"write it under `{first}`"
        yield (*at, "port"), f"applies only to `path`; {do}"
    elif not first and not (probe.path and isinstance(app, WebApp) and _is_http(app)):
        yield (*at, "port"), "applies only to `path`; add that"


def _is_http(app: WebApp) -> bool:
    return IMPLIED[app.app.protocol] == "path"


def _check_ports(probe: Probe, at: Loc, app: WebApp | Worker) -> Iterator[Finding]:
    """Report ports that are missing or the sidecar's, which answers whatever the app does.

    Any other port will do: the kubelet and the sidecar connect to the pod whether or not its
    container names the port, and naming one in `ports` would open it to others.
    """
    for kind in probe.written:
        loc, check = (at, probe) if kind == "path" else ((*at, kind), getattr(probe, kind))
        if kind == "exec":
            continue
        if check.port is not None:
            yield from check_port(check.port, (*loc, "port"))
        elif isinstance(app, Worker):
            yield loc, "has no port, and a worker has no `app.port`; add `port`"


def _check_texts(probe: Probe, at: Loc) -> Iterator[Finding]:
    """Report credentials; `check_words` reports those in commands."""
    texts: dict[Loc, str | None] = {("reason",): probe.reason, ("path",): probe.path}
    if probe.grpc:
        texts["grpc", "service"] = probe.grpc.service
    for key, text in texts.items():
        if form := credential_form(text or ""):
            yield (
                (*at, *key),
                f"contains {form}, which everyone who may view the app can read; remove it",
            )


def warn_of_probes(app: AnyApp, at: Loc) -> Iterator[Finding]:
    """Warn about probes that cannot fail, and about those that fail before the app has started."""
    for name, probe in app.probes.items():
        if probe.exec and (found := finds_itself(probe.exec.command)):
            word, pattern, better = found
            yield (
                (*at, name, "exec", "command", word),
                f"'{pattern}' is on the probe's own command line too, so the probe finds itself "
                f"when the process is gone; write '{better}'",
            )
    yield from _warn_of_restarts(app.probes, at)


def _warn_of_restarts(probes: dict[str, Probe], at: Loc) -> Iterator[Finding]:
    """Warn where the container restarts while the app may still be starting.

    How long the app takes is what the file says elsewhere: other probes wait for it.
    """
    startup, liveness = probes.get(STARTUP), probes.get(LIVENESS)
    name, first = (STARTUP, startup) if startup else (LIVENESS, liveness)
    if not first:
        return
    if first.patience >= _ROLLOUT_DEADLINE:
        yield (
            (*at, name),
            f"gives the app {first.patience} s to start, but a rollout counts as failed after "
            f"{_ROLLOUT_DEADLINE} s; shorten `periodSeconds` or lower `failureThreshold`",
        )
    waits = {
        other: probe.initial_delay_seconds
        for other, probe in probes.items()
        if other != name and other != STARTUP
    }
    slowest = max(waits, key=lambda other: waits[other], default="")
    fails = (
        f"after {first.failures} failed checks (`initialDelaySeconds` "
        f"{first.initial_delay_seconds}, `periodSeconds` {first.period_seconds}), "
        f"{first.patience} s after its start, the container restarts"
    )
    if slowest and first.patience < waits[slowest]:
        yield (
            (*at, name),
            f"{fails}, but {slowest} waits {waits[slowest]} s for the app; raise "
            f"`{name}.failureThreshold`{_or_startup(first)}",
        )
    elif first.patience < _SHORTEST_START:
        yield (
            (*at, name),
            f"{fails}, which an app that is still starting does not survive; raise "
            f"`{name}.failureThreshold`{_or_startup(first)}",
        )


def _or_startup(first: Probe) -> str:
    return "" if isinstance(first, StartupProbe) else ", or add a `startup` probe"
