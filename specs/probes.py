"""An app's health checks (guide: app.probes).

A probe is one check (`path`, `tcp`, `grpc` or `exec`) and its times. `in_force` has
what applies, whether written or implied.
"""

from typing import Annotated, Any

from pydantic import Field

from specs.base import Count, Port, Positive, Spec, checked, within
from specs.ports import Protocol

_URL_PATH = r"/[\s\S]*"


def _check_path(value: str) -> None:
    if not value.startswith("/"):
        raise ValueError(f"'{value}' does not begin with '/'; write a path such as /healthz")


UrlPath = Annotated[str, checked(_check_path, _URL_PATH)]

# The kinds of checks, of which a probe has one, and the probes in the order of a container's life.
CHECKS = ("path", "tcp", "grpc", "exec")
STARTUP, LIVENESS, READINESS = PROBES = ("startup", "liveness", "readiness")

# The check of a web-app's probe that has none, by the app's protocol.
IMPLIED: dict[Protocol, str] = {
    "http": "path",
    "http2": "path",
    "grpc": "grpc",
    "tcp": "tcp",
    "tls": "tcp",
}

# Kubernetes' own, for what a file leaves out.
DEFAULT_FAILURES, DEFAULT_TIMEOUT = 3, 1

_ONE = "is not possible here, because Kubernetes takes one success as enough; remove it"


class TcpAction(Spec):
    """A connection that the app must accept."""

    port: Port | None = Field(
        None, description="Port; default, for a web-app: `app.port`.", examples=["8080"]
    )


class GrpcAction(Spec):
    """A call of gRPC's own health service (`grpc.health.v1.Health`)."""

    port: Port | None = Field(
        None, description="Port; default, for a web-app: `app.port`.", examples=["9000"]
    )
    service: str = Field("", description="Name that the call asks about; empty: the whole server.")


class ExecAction(Spec):
    """A command run in the container."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="Program and arguments; exit code 0 is healthy. A shell that runs `pgrep -f`, "
        "or `ps` into `grep`, matches its own command line: put one letter of the pattern in "
        "brackets.",
        examples=["""["/bin/sh", "-c", "pgrep -f '[w]orker' || exit 1"]"""],
    )


class Probe(Spec):
    """One check, `path`, `tcp`, `grpc` or `exec`, and how often it is made."""

    enabled: bool = Field(True, description="Makes the check; `false` needs a `reason`.")
    reason: str | None = Field(
        None,
        min_length=1,
        description="Why the probe is off; reviewers see it.",
        examples=["the app ends by itself when it cannot go on"],
    )
    path: UrlPath | None = Field(
        None, description="HTTP path that must return status 200 to 399.", examples=["/healthz"]
    )
    port: Port | None = Field(
        None, description="Port of `path`; default, for a web-app: `app.port`.", examples=["9000"]
    )
    tcp: TcpAction | None = Field(None, description="Port that must accept connections.")
    grpc: GrpcAction | None = Field(None, description="gRPC health service that must be serving.")
    exec: ExecAction | None = Field(None, description="Command that must succeed.")
    initial_delay_seconds: Count = Field(
        0, description="Seconds from the container's start to the first check."
    )
    period_seconds: Positive = Field(10, description="Seconds between checks.")
    timeout_seconds: Positive | None = Field(
        None, description="Seconds that a check may take; Kubernetes' default: 1.", examples=["2"]
    )
    failure_threshold: Positive | None = Field(
        None,
        description="Failed checks in a row that count as a failure; Kubernetes' default: 3.",
        examples=["5"],
    )
    success_threshold: Annotated[int, within(1, 1, "is below 1; remove it", _ONE)] | None = Field(
        None, description="Only readiness may have more than 1.", examples=["1"]
    )

    @property
    def written(self) -> list[str]:
        """The kinds of checks that the file has: one in a sound file, none where one is implied."""
        given = self.model_fields_set
        return [kind for kind in CHECKS if kind in given and getattr(self, kind) is not None]

    @property
    def failures(self) -> int:
        """How many failed checks in a row count as a failure."""
        return self.failure_threshold or DEFAULT_FAILURES

    @property
    def patience(self) -> int:
        """Seconds from the container's start to the last of the checks that make it fail."""
        return self.initial_delay_seconds + (self.failures - 1) * self.period_seconds

    def with_check(self, other: "Probe", kind: str) -> "Probe":
        """The same probe with only that check, taken from another one."""
        check: dict[str, Any] = dict.fromkeys(CHECKS) | {"port": None}
        check[kind] = getattr(other, kind)
        if kind == "path":
            check["port"] = other.port
        return self.model_copy(update=check)


class StartupProbe(Probe):
    """Holds back the other probes until it succeeds; restarts the container if it never does.

    Without a check of its own it makes that of `liveness`.
    """

    period_seconds: Positive = Field(5, description="Seconds between checks.")
    failure_threshold: Positive = Field(
        30,
        description="Failed checks in a row after which the container restarts: the app has "
        "`periodSeconds` times as many seconds to start.",
    )


class LivenessProbe(Probe):
    """Restarts the container when it fails."""

    path: UrlPath = Field(
        "/healthz",
        description="HTTP path that must return status 200 to 399. This check is the default if "
        "`protocol` is http or http2; for grpc it is `grpc`, for tcp and tls it is `tcp`.",
    )
    initial_delay_seconds: Count = Field(
        10, description="Seconds from the container's start to the first check."
    )


class ReadinessProbe(Probe):
    """Takes the pod out of the Service while it fails."""

    path: UrlPath = Field(
        "/readyz",
        description="HTTP path that must return status 200 to 399. This check is the default if "
        "`protocol` is http or http2; for grpc it is `grpc`, for tcp and tls it is `tcp`.",
    )
    initial_delay_seconds: Count = Field(
        5, description="Seconds from the container's start to the first check."
    )
    period_seconds: Positive = Field(5, description="Seconds between checks.")
    success_threshold: Positive | None = Field(
        None,
        description="Successful checks in a row that count as a success; Kubernetes' default: 1.",
        examples=["2"],
    )


class WorkerLivenessProbe(Probe):
    """Restarts the container when it fails."""

    initial_delay_seconds: Count = Field(
        10, description="Seconds from the container's start to the first check."
    )
    period_seconds: Positive = Field(30, description="Seconds between checks.")


class WorkerReadinessProbe(Probe):
    """Marks the pod as not ready while it fails."""

    initial_delay_seconds: Count = Field(
        5, description="Seconds from the container's start to the first check."
    )
    success_threshold: Positive | None = Field(
        None,
        description="Successful checks in a row that count as a success; Kubernetes' default: 1.",
        examples=["2"],
    )


class WebAppProbes(Spec):
    """Health checks of a web-app."""

    startup: StartupProbe | None = Field(
        None, description="Gives a slow app time to start, before `liveness` counts."
    )
    liveness: LivenessProbe = Field(
        LivenessProbe(), description="Restarts the container on failure."
    )
    readiness: ReadinessProbe = Field(
        ReadinessProbe(), description="Removes the pod from the Service on failure."
    )


class WorkerProbes(Spec):
    """Health checks of a worker; without them Kubernetes watches the process alone."""

    startup: StartupProbe | None = Field(
        None, description="Gives a slow app time to start, before `liveness` counts."
    )
    liveness: WorkerLivenessProbe | None = Field(
        None, description="Restarts the container on failure."
    )
    readiness: WorkerReadinessProbe | None = Field(
        None, description="Marks the pod as not ready on failure."
    )


Probes = WebAppProbes | WorkerProbes


def given(probes: Probes) -> dict[str, Probe]:
    """The probes that a file has or implies, on or off, by name."""
    all_: dict[str, Probe | None] = {name: getattr(probes, name) for name in PROBES}
    return {name: probe for name, probe in all_.items() if probe}


def in_force(probes: Probes, protocol: Protocol | None = None) -> dict[str, Probe]:
    """The probes that are on, by name, each with exactly one check; `protocol` is a web-app's.

    A worker's probe without a check, which its file's own checks report, is left out.
    """
    found = given(probes)
    complete = {
        name: _complete(probe, found.get(LIVENESS), protocol)
        for name, probe in found.items()
        if probe.enabled
    }
    return {name: probe for name, probe in complete.items() if probe}


def _complete(probe: Probe, liveness: Probe | None, protocol: Protocol | None) -> Probe | None:
    sources = [probe, liveness] if isinstance(probe, StartupProbe) and liveness else [probe]
    for source in sources:
        if source.written:
            return probe.with_check(source, source.written[0])
    if protocol is None:
        return None
    kind = IMPLIED[protocol]
    if kind != "path":
        action = GrpcAction() if kind == "grpc" else TcpAction()
        return probe.with_check(probe.model_copy(update={kind: action}), kind)
    return probe.with_check(sources[-1], "path")  # the default of `liveness` or `readiness`
