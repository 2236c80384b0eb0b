"""What is mounted in an app's container."""

import re
from typing import Annotated

from pydantic import Field

from specs.base import NOT_EMPTY, Memory, Spec, checked, memory
from specs.env_vars import SecretKey, SecretName

_NO_DATA_KEY = re.compile(r"[^-._a-zA-Z0-9]|^\.(?=\.)")

# What Linux takes as a file's name and as a path, in bytes (limits.h: NAME_MAX, PATH_MAX).
_NAME_MAX, _PATH_MAX = 255, 4095

_MOUNT_PATH = r"(?!/(proc|sys|dev)(?![^/]))(/(?!\.{1,2}(?![^/]))[^/:]+)+"


def _check_mount_path(value: str) -> None:
    if value == "/":
        raise ValueError("'/' stays read-only; write a path below it such as /tmp")
    parts = value.split("/")[1:]
    if not value.startswith("/") or any(part in ("", ".", "..") for part in parts) or ":" in value:
        raise ValueError(f"'{value}' is not a plain absolute path; write one such as /tmp")
    if len(value.encode()) > _PATH_MAX or any(len(part.encode()) > _NAME_MAX for part in parts):
        raise ValueError(
            f"'{value[:40]}...' is too long for Linux; use at most {_NAME_MAX} bytes between "
            f"slashes, and {_PATH_MAX} in all"
        )
    if parts[0] in ("proc", "sys", "dev"):
        raise ValueError(f"'{value}' belongs to the kernel; mount another path such as /tmp")


MountPath = Annotated[str, checked(_check_mount_path, _MOUNT_PATH)]

_FROM = r"(?!/)(?![\s\S]*\\)((?!\.{1,2}(?![^/]))[^/]+)(/(?!\.{1,2}(?![^/]))[^/]+)*"


def _check_from(value: str) -> None:
    beside = "write a path below the folder of the team's file, such as files/shop.conf"
    if not value or value.startswith("/") or "\\" in value:
        raise ValueError(f"'{value}' is not a path within that folder; {beside}")
    if ".." in value.split("/"):
        raise ValueError(f"'{value}' leads out of its folder; {beside}")
    if any(part in ("", ".") for part in value.split("/")):
        raise ValueError(f"'{value}' is not a plain path; {beside}")
    if "/" not in value and value.endswith((".yaml", ".yml")):
        raise ValueError(
            f"'{value}' would be a team's file; put it into a folder, as in files/{value}"
        )


class WritablePath(Spec):
    """A place the app may write to: an emptyDir mount; the root file system stays read-only."""

    path: MountPath = Field(description="Absolute path in the container.", examples=["/tmp"])
    size_limit: Memory = Field(
        memory("64Mi"), description="Maximum size; a pod that exceeds it is evicted."
    )


class SecretFiles(Spec):
    """Keys of a secret as read-only files in a folder of their own."""

    path: MountPath = Field(
        description="Absolute path of the folder in the container; it contains nothing else.",
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


class File(Spec):
    """One read-only file with the text that is here, or in a file beside the team's."""

    path: MountPath = Field(
        description="Absolute path of the file in the container; what else the image has in its "
        "folder stays.",
        examples=["/etc/shop/app.yaml"],
    )
    content: str | None = Field(
        None, description="The text; it must contain nothing secret.", examples=['"level: info"']
    )
    from_: Annotated[str, checked(_check_from, _FROM)] | None = Field(
        None,
        alias="from",
        description="A text file instead, by its path relative to the team's file; within that "
        "folder, and no link.",
        examples=["files/shop.conf"],
    )
    plain: bool = Field(
        False,
        description="Confirms that the text contains no credential although some line suggests "
        "one.",
    )

    @property
    def key(self) -> str:
        """Its key in the ConfigMap."""
        return _NO_DATA_KEY.sub("_", self.path[1:])
