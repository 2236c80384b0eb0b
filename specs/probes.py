"""An app's health checks (guide: app.probes)."""

from typing import Annotated

from pydantic import Field

from specs.base import Count, Positive, Spec, checked

_URL_PATH = r"/[\s\S]*"


def _check_path(value: str) -> None:
    if not value.startswith("/"):
        raise ValueError(f"'{value}' does not begin with '/'; write a path such as /healthz")


UrlPath = Annotated[str, checked(_check_path, _URL_PATH)]


class LivenessProbe(Spec):
    """HTTP check that restarts the container when it fails."""

    path: UrlPath = Field(
        "/healthz", description="Path that must return status 200 to 399 on `app.port`."
    )
    initial_delay_seconds: Count = Field(
        10, description="Seconds from the container's start to the first probe."
    )
    period_seconds: Positive = Field(10, description="Seconds between probes.")


class ReadinessProbe(Spec):
    """HTTP check that takes the pod out of the Service while it fails."""

    path: UrlPath = Field(
        "/readyz", description="Path that must return status 200 to 399 on `app.port`."
    )
    initial_delay_seconds: Count = Field(
        5, description="Seconds from the container's start to the first probe."
    )
    period_seconds: Positive = Field(5, description="Seconds between probes.")


class HttpProbes(Spec):
    """Health checks of a web-app."""

    liveness: LivenessProbe = Field(
        LivenessProbe(), description="Restarts the container on failure."
    )
    readiness: ReadinessProbe = Field(
        ReadinessProbe(), description="Removes the pod from the Service on failure."
    )


class ExecAction(Spec):
    """A command run in the container."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="Program and arguments; exit code 0 is healthy. A shell that runs `pgrep -f`, "
        "or `ps` into `grep`, matches its own command line: put one letter of the pattern in "
        "brackets.",
        examples=["""["/bin/sh", "-c", "pgrep -f '[w]orker' || exit 1"]"""],
    )


class ExecLivenessProbe(Spec):
    """Command that restarts the container when it fails."""

    exec: ExecAction = Field(description="The command.")
    initial_delay_seconds: Count = Field(
        10, description="Seconds from the container's start to the first probe."
    )
    period_seconds: Positive = Field(30, description="Seconds between probes.")


class ExecReadinessProbe(Spec):
    """Command that marks the pod as not ready while it fails."""

    exec: ExecAction = Field(description="The command.")
    initial_delay_seconds: Count = Field(
        5, description="Seconds from the container's start to the first probe."
    )
    period_seconds: Positive = Field(10, description="Seconds between probes.")


class ExecProbes(Spec):
    """Health checks of a worker; without them Kubernetes watches the process alone."""

    liveness: ExecLivenessProbe | None = Field(
        None, description="Restarts the container on failure."
    )
    readiness: ExecReadinessProbe | None = Field(
        None, description="Marks the pod as not ready on failure."
    )
