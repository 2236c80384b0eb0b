"""What is mounted in an app's container, and the volumes of its pods behind it."""

from pulumi_kubernetes.core.v1 import (
    EmptyDirVolumeSourceArgs,
    KeyToPathArgs,
    SecretVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from components import volumes
from specs.app import BaseApp

# For the group that owns the files, as some clients accept no key that others may read.
_GROUP_READS = 0o440


def in_pod(app: BaseApp) -> list[VolumeArgs] | None:
    """The volumes of an app's pods."""
    container = app.app
    return [
        *(
            VolumeArgs(
                name=_writable(index),
                empty_dir=EmptyDirVolumeSourceArgs(size_limit=path.size_limit.text),
            )
            for index, path in enumerate(container.writable_paths)
        ),
        *volumes.in_pod(app),
        *(
            VolumeArgs(
                name=_secret(index),
                secret=SecretVolumeSourceArgs(
                    secret_name=files.secret_ref,
                    items=[KeyToPathArgs(key=key, path=key) for key in files.keys],
                    default_mode=_GROUP_READS,
                ),
            )
            for index, files in enumerate(container.secret_files)
        ),
    ] or None


def in_container(app: BaseApp) -> list[VolumeMountArgs] | None:
    """Where they are in the app's container."""
    container = app.app
    return [
        *(
            VolumeMountArgs(name=_writable(index), mount_path=path.path)
            for index, path in enumerate(container.writable_paths)
        ),
        *volumes.mounts(app),
        *(
            VolumeMountArgs(name=_secret(index), mount_path=files.path, read_only=True)
            for index, files in enumerate(container.secret_files)
        ),
    ] or None


def _writable(index: int) -> str:
    return f"writable-{index}"


def _secret(index: int) -> str:
    return f"secret-{index}"
