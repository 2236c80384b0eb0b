"""An app's container, the block `app` of an entry: image, variables, resources, probes.

Source: guide, Configuration Reference.
"""

from collections.abc import Iterator

from pydantic import Field

from specs.base import Count, Cpu, Label, Memory, Port, Positive, Spec
from specs.env_vars import EnvFrom, EnvVar
from specs.image import Image
from specs.mounts import File, SecretFiles, WritablePath
from specs.ports import AppPort, Protocol
from specs.probes import WebAppProbes, WorkerProbes
from specs.problem import Loc
from specs.process import GRACE_SECONDS, InitStep, PreStop, RunAs
from specs.volumes import Volume


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


_PROBES = "Health checks; a worker has only those that it names."
_PRE_STOP = (
    "What happens before the app gets the signal to end (SIGTERM). Default of a web-app: "
    "`sleepSeconds: 5`, in which it serves on while gateways and sidecars learn of its end."
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
    command: tuple[str, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[str, ...] = Field((), description="Arguments of the command.")
    run_as: RunAs = Field(RunAs(), description="User and groups that the app runs as.")
    termination_grace_period_seconds: Positive = Field(
        GRACE_SECONDS,
        description="Seconds in which a pod must end, `preStop` included; then it is killed.",
    )
    pre_stop: PreStop | None = Field(None, description=_PRE_STOP)
    init: tuple[InitStep, ...] = Field(
        (),
        description="Steps that run one after another before the app starts, in every pod; "
        "hardened like the app, with its variables, mounts and resources.",
    )
    env: tuple[EnvVar, ...] = Field((), description="Environment variables.")
    env_from: tuple[EnvFrom, ...] = Field(
        (),
        description="Secrets of which every key is an environment variable; `env` overrides them, "
        "and a later one an earlier one.",
    )
    resources: Resources = Field(Resources(), description="CPU and memory.")
    writable_paths: tuple[WritablePath, ...] = Field(
        (), description="Paths the app may write to, each an emptyDir."
    )
    secret_files: tuple[SecretFiles, ...] = Field(
        (), description="Secrets as files, which only a group of the app's process can read."
    )
    files: tuple[File, ...] = Field(
        (),
        description="Files with settings, in the ConfigMap `<app.name>-files`. A change restarts "
        "the pods.",
    )
    volumes: tuple[Volume, ...] = Field(
        (), description="Volumes that outlive the app's pods, each a PersistentVolumeClaim."
    )

    def processes(self, at: Loc) -> Iterator[tuple[Loc, "Container | InitStep"]]:
        """The app's own process, which is at `at`, and the steps before it, each with its place."""
        yield at, self
        for index, step in enumerate(self.init):
            yield (*at, "init", index), step

    @property
    def images(self) -> tuple[Image, ...]:
        """The app's image and those of the steps before it."""
        return (self.image, *(step.image for step in self.init if step.image))


class WebAppContainer(Container):
    """`app` of a web-app."""

    port: Port = Field(8080, description="Port that the app and its Service listen on.")
    protocol: Protocol = Field(
        "http",
        description="What is spoken on `port`, as Istio has to know it: WebSockets are `http`, "
        "HTTPS is `tls`. `tcp` and `tls` have no `ingress`.",
    )
    service_port: Port | None = Field(
        None,
        description="Port of the Service, if it is another than the app's; default: `port`.",
        examples=["80"],
    )
    ports: tuple[AppPort, ...] = Field(
        (), description="Further ports, open to the team's namespace but not to the gateway."
    )
    replicas: Count = Field(
        2, description="Number of pods when `autoscaling` is off; ignored when it is on."
    )
    pre_stop: PreStop = Field(PreStop(sleepSeconds=5), description=_PRE_STOP)
    probes: WebAppProbes = Field(WebAppProbes(), description=_PROBES)


class WorkerContainer(Container):
    """`app` of a worker."""

    replicas: Count = Field(
        2, description="Number of pods when `autoscaling` is off; ignored when it is on."
    )
    probes: WorkerProbes = Field(WorkerProbes(), description=_PROBES)
