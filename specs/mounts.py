"""What is mounted in an app's container."""

from typing import Annotated

from pydantic import Field

from specs.base import NOT_EMPTY, Memory, Spec, checked, memory
from specs.env_vars import SecretKey, SecretName

_MOUNT_PATH = r"(?!/(proc|sys|dev)(?![^/]))(/(?!\.{1,2}(?![^/]))[^/:]+)+"


def _check_mount_path(value: str) -> None:
    if value == "/":
        raise ValueError("'/' stays read-only; write a path below it such as /tmp")
    parts = value.split("/")[1:]
    if not value.startswith("/") or any(part in ("", ".", "..") for part in parts) or ":" in value:
        raise ValueError(f"'{value}' is not a plain absolute path; write one such as /tmp")
    if parts[0] in ("proc", "sys", "dev"):
        raise ValueError(f"'{value}' belongs to the kernel; mount another path such as /tmp")


MountPath = Annotated[str, checked(_check_mount_path, _MOUNT_PATH)]


class WritablePath(Spec):
    """A place the app may write to: an emptyDir mount; the root file system stays read-only."""

    path: MountPath = Field(description="Absolute path in the container.", examples=["/tmp"])
    size_limit: Memory = Field(
        memory("64Mi"), description="Maximum size; a pod that exceeds it is evicted."
    )


class SecretFiles(Spec):
    """Keys of a secret as read-only files in a folder of their own."""

    path: MountPath = Field(
        description="Absolute path of the folder in the container; it has nothing else in it.",
        examples=["/etc/shop/tls"],
    )
    secret_ref: SecretName = Field(
        description="Name of the team's secret in OpenBao (`sre/<team>/<name>`).",
        examples=["shop-tls"],
    )
    keys: Annotated[tuple[SecretKey, ...], NOT_EMPTY] = Field(
        description="Keys of the secret, each the name of a file. Files are updated in place when "
        "the secret changes.",
        examples=["[tls.crt, tls.key]"],
    )
