"""The volumes of an app: data that outlives its pods."""

from typing import Annotated, Literal

from pydantic import Field

from specs import names
from specs.base import Spec, Storage, checked
from specs.mounts import MountPath

# A claim's annotation: `keep` or `delete`, for when it is no longer in the team's file.
ON_REMOVAL = "sre.io/on-removal"

# Of the name within the pod; Istio's and the platform's own begin otherwise.
VOLUME_PREFIX = "volume-"
_NAME_MAX = names.DNS_LABEL_MAX - len(VOLUME_PREFIX)


def _check_name(value: str) -> None:
    names.check_dns_label(value, _NAME_MAX)


_Name = Annotated[str, checked(_check_name, names.DNS_LABEL, maxLength=_NAME_MAX)]
_StorageClass = Annotated[
    str, checked(names.check_dns_name, names.DNS_NAME, maxLength=names.DNS_NAME_MAX)
]


class Volume(Spec):
    """A PersistentVolumeClaim `<app.name>-<name>`, mounted in the app's container."""

    name: _Name = Field(
        description="Name of the volume; unique within the app, and its claim "
        "`<app.name>-<name>` within the team.",
        examples=["data"],
    )
    path: MountPath = Field(
        description="Absolute path in the container. The app may write there; its files belong to "
        "a group of the app's process.",
        examples=["/data"],
    )
    size: Storage = Field(
        description="Size; it can grow if the class allows that, and never shrink.",
        examples=["10Gi"],
    )
    storage_class: _StorageClass | None = Field(
        None,
        description="StorageClass; default: the cluster's default. It cannot change.",
        examples=["fast"],
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = Field(
        "ReadWriteOnce",
        description="Which pods may use it: those of one node, one pod, or all. With the first two "
        "the app runs as one pod, which ends before the next version starts. It cannot change.",
    )
    on_removal: Literal["keep", "delete"] = Field(
        "keep",
        description="What happens to the data when the volume, or its app, is removed from the "
        "file.",
    )

    @property
    def shared(self) -> bool:
        """Whether pods on several nodes may use it at once."""
        return self.access_mode == "ReadWriteMany"
