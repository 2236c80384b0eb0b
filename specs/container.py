"""An app's container, the block `app` of an entry: image, variables, resources, probes.

Source: guide, Configuration Reference.
"""

import re
from typing import Annotated, Literal

from pydantic import Field

from specs import names
from specs.base import (
    Cpu,
    Label,
    Memory,
    Port,
    Spec,
    checked,
    memory,
    within,
)
from specs.credentials import credential_form

# Secrets that the platform itself keeps under a team's path; no app reads them by secretRef.
PULL_SECRET = "harbor-pull"
PUSH_SECRET = "harbor-push"

INT32_MAX = 2**31 - 1  # replicas, seconds and limits are int32 in Kubernetes' API

# One part of a repository's path (OCI distribution specification, "Pulling manifests").
_PATH_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"[^/@:]*|[^/@]*(/{_PATH_COMPONENT})+"

_SECRET_NAME = rf"(?!({PULL_SECRET}|{PUSH_SECRET})$){names.DNS_NAME}"
_URL_PATH = r"/[\s\S]*"
_MOUNT_PATH = r"(?!/(proc|sys|dev)(?![^/]))(/(?!\.{1,2}(?![^/]))[^/:]+)+"


def _check_secret_ref(value: str) -> None:
    # Shown only if it is clearly a name: it may be the secret itself.
    if credential_form(value):
        raise ValueError("contains the secret itself; store it in OpenBao and write its name here")
    if "/" in value or ".." in value:
        raise ValueError(
            "must be a name, not a path; write only the name, such as my-api-db-credentials"
        )
    if value in (PULL_SECRET, PUSH_SECRET):
        raise ValueError(f"'{value}' is the platform's own secret; choose another name")
    try:
        names.check_dns_name(value)
    except ValueError:
        raise ValueError(
            "is not a secret's name; use lower-case letters, digits and '-', "
            "such as my-api-db-credentials"
        ) from None


def _check_repository(value: str) -> None:
    if "@" in value:
        raise ValueError("contains a digest; write only the repository, and the version in `tag`")
    if ":" in value.rpartition("/")[2]:
        raise ValueError("contains a tag; write the version in `tag`")
    if not all(re.fullmatch(_PATH_COMPONENT, part) for part in value.split("/")[1:]):
        raise ValueError(f"'{value}' is not a repository; write host/project/name in lower case")


def _check_path(value: str) -> None:
    if not value.startswith("/"):
        raise ValueError(f"'{value}' does not begin with '/'; write a path such as /healthz")


def _check_mount_path(value: str) -> None:
    if value == "/":
        raise ValueError("'/' stays read-only; write a path below it such as /tmp")
    parts = value.split("/")[1:]
    if not value.startswith("/") or any(part in ("", ".", "..") for part in parts) or ":" in value:
        raise ValueError(f"'{value}' is not a plain absolute path; write one such as /tmp")
    if parts[0] in ("proc", "sys", "dev"):
        raise ValueError(f"'{value}' belongs to the kernel; mount another path such as /tmp")


TOO_MANY = "is too large for Kubernetes; lower it"
Count = Annotated[int, within(0, INT32_MAX, "is below 0; write 0 or more", TOO_MANY)]
Positive = Annotated[int, within(1, INT32_MAX, "is below 1; write 1 or more", TOO_MANY)]
SecretName = Annotated[str, checked(_check_secret_ref, _SECRET_NAME, maxLength=names.DNS_NAME_MAX)]
UrlPath = Annotated[str, checked(_check_path, _URL_PATH)]


class Image(Spec):
    """The container image (guide: app.image)."""

    repository: Annotated[str, checked(_check_repository, _REPOSITORY)] = Field(
        description="Repository in the platform's registry, in the team's project or a shared one.",
        examples=["harbor.sre.internal/team-alpha/my-api"],
    )
    tag: Annotated[str, checked(names.check_tag, names.TAG)] = Field(
        description="A version, quoted; never `latest`, no digest.", examples=['"v1.0.0"']
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )

    @property
    def reference(self) -> str:
        """The image as a container names it."""
        return f"{self.repository}:{self.tag}"


# A wrong name is shown only if it is clearly a name: it may be the secret itself.
_PLAIN_ENV_NAME = re.compile(r"(?=.*[A-Z])[A-Z0-9_. -]+")


def _check_env_name(value: str) -> None:
    if "=" in value:  # not shown: a secret may follow it
        raise ValueError("contains a '='; write only the name, and its value in `value`")
    if credential_form(value):
        raise ValueError("contains the secret itself; write a name here, and use secretRef")
    try:
        names.check_env_name(value)
    except ValueError:
        if not value or _PLAIN_ENV_NAME.fullmatch(value):
            raise
        raise ValueError(
            "is not a variable's name; use letters, digits and '_', such as LOG_LEVEL"
        ) from None


class EnvVar(Spec):
    """One environment variable: a plain `value`, or a secret by `secretRef` (guide: app.env)."""

    name: Annotated[str, checked(_check_env_name, names.ENV_NAME)] = Field(
        description="Name of the variable.", examples=["LOG_LEVEL"]
    )
    value: str | None = Field(
        None, description="Plain value, quoted; nothing secret.", examples=['"info"']
    )
    secret_ref: SecretName | None = Field(
        None,
        description="Name of the team's secret in OpenBao (`sre/<team>/<name>`): creates "
        "the ExternalSecret and the Secret of that name.",
        examples=["my-api-db-credentials"],
    )
    plain: bool = Field(
        False,
        description="Confirms that `value` is not a credential although its name or "
        "form suggests one.",
    )


class ResourceRequests(Spec):
    """What the scheduler sets aside for a pod."""

    cpu: Cpu | None = Field(
        None, description="Cores; default: `limitRange.defaultRequest.cpu`.", examples=["100m"]
    )
    memory: Memory | None = Field(
        None, description="Bytes; default: `limitRange.defaultRequest.memory`.", examples=["128Mi"]
    )


class ResourceLimits(Spec):
    """What a pod may use at most."""

    cpu: Cpu | None = Field(
        None, description="Cores; default: `limitRange.default.cpu`.", examples=["500m"]
    )
    memory: Memory | None = Field(
        None, description="Bytes; default: `limitRange.default.memory`.", examples=["512Mi"]
    )


class Resources(Spec):
    """CPU and memory of the container (guide: app.resources)."""

    requests: ResourceRequests = Field(
        ResourceRequests(), description="Resources reserved for each pod."
    )
    limits: ResourceLimits = Field(ResourceLimits(), description="Maximum resources for each pod.")


class WritablePath(Spec):
    """A place the app may write to: an emptyDir mount; the root file system stays read-only."""

    path: Annotated[str, checked(_check_mount_path, _MOUNT_PATH)] = Field(
        description="Absolute path in the container.", examples=["/tmp"]
    )
    size_limit: Memory = Field(
        memory("64Mi"), description="Maximum size; a pod that exceeds it is evicted."
    )


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


class Container(Spec):
    """What the apps of all archetypes say about their container: the block `app`."""

    name: Label = Field(
        description="Name of the app and of its objects; unique within the team.",
        examples=["my-api"],
    )
    team: str | None = Field(
        None,
        description="Name of the team; optional, but must match the file's `team`.",
        examples=["team-alpha"],
    )
    image: Image = Field(description="The container image.")
    env: tuple[EnvVar, ...] = Field((), description="Environment variables.")
    resources: Resources = Field(Resources(), description="CPU and memory.")
    writable_paths: tuple[WritablePath, ...] = Field(
        (), description="Paths the app may write to, each an emptyDir."
    )


class WebAppContainer(Container):
    """`app` of a web-app."""

    port: Port = Field(8080, description="Port that the app and its Service listen on.")
    replicas: Count = Field(
        2, description="Number of pods when `autoscaling` is off; ignored when it is on."
    )
    probes: HttpProbes = Field(HttpProbes(), description="HTTP health checks.")


class WorkerContainer(Container):
    """`app` of a worker."""

    replicas: Count = Field(
        2, description="Number of pods when `autoscaling` is off; ignored when it is on."
    )
    command: tuple[str, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[str, ...] = Field((), description="Arguments of the command.")
    probes: ExecProbes = Field(ExecProbes(), description="Health checks that run a command.")


class CronJobContainer(Container):
    """`app` of a cronjob."""

    command: tuple[str, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[str, ...] = Field((), description="Arguments of the command.")
