"""How an app's process runs: as whom, after which steps, and how it ends."""

from typing import Annotated

from pydantic import Field

from specs.base import INT32_MAX, TOO_MANY, Count, Label, Spec, within
from specs.image import Image

# Istio's redirection leaves out what this user or group sends (Istio: Application Requirements,
# "Application UIDs"; istio/istio: tools/istio-iptables).
SIDECAR_ID = 1337

# Containers that Istio's injection adds to pods. It merges its own into one with the same name
# (istio/istio: pkg/kube/inject/inject.go, files/injection-template.yaml).
SIDECAR_CONTAINERS = frozenset(
    {"istio-proxy", "istio-init", "istio-validation", "enable-core-dump"}
)

# What Kubernetes gives a pod to end.
GRACE_SECONDS = 30

_NOT_ROOT = "is below 1, and no pod runs as root; write 1 or more, such as 10001"
_Id = Annotated[int, within(1, INT32_MAX, _NOT_ROOT, TOO_MANY)]


class RunAs(Spec):
    """User and groups of the app's containers, by number; never root."""

    user: _Id | None = Field(
        None,
        description="User; default: the image's, which must be a number other than 0.",
        examples=["10001"],
    )
    group: _Id | None = Field(
        None,
        description="Primary group; default: the user's in the image's `/etc/passwd`, or else 0.",
        examples=["10001"],
    )
    fs_group: _Id | None = Field(
        None,
        description="Additional group, which owns mounted files.",
        examples=["10001"],
    )


class PreStopExec(Spec):
    """A command run in the container."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="Program and arguments; the app gets SIGTERM once it has ended.",
        examples=["[/bin/drain, --wait]"],
    )


class PreStop(Spec):
    """What happens in the container before the app is told to end: one of the two."""

    exec: PreStopExec | None = Field(None, description="Runs a command.")
    sleep_seconds: Count | None = Field(
        None, description="Waits, in seconds; 0 for not at all.", examples=["15"]
    )


class InitStep(Spec):
    """A container that runs before the app, and must end with success."""

    name: Label = Field(
        description="Name of the step; unique in the app, and not the app's.", examples=["migrate"]
    )
    image: Image | None = Field(None, description="Its image; default: the app's.")
    command: tuple[str, ...] = Field(
        (),
        description="Replaces the image's entry point; this or `args` is required with the app's "
        "image.",
        examples=["[/bin/migrate]"],
    )
    args: tuple[str, ...] = Field((), description="Arguments of the command.", examples=["[up]"])
