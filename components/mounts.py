"""What is mounted in an app's container, and the volumes of its pods behind it."""

from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    EmptyDirVolumeSourceArgs,
    KeyToPathArgs,
    SecretVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from components import files, volumes
from specs.app import BaseApp

# For the group that owns the files, as some clients accept no key that others may read.
_GROUP_READS = 0o440

# The volume of the files that the team's file has.
_FILES = "files"


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
                    secret_name=secret.secret_ref,
                    items=[KeyToPathArgs(key=key, path=key) for key in secret.keys],
                    default_mode=_GROUP_READS,
                ),
            )
            for index, secret in enumerate(container.secret_files)
        ),
        *([VolumeArgs(name=_FILES, config_map=_config_map(app))] if container.files else []),
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
            VolumeMountArgs(name=_secret(index), mount_path=secret.path, read_only=True)
            for index, secret in enumerate(container.secret_files)
        ),
        *(
            VolumeMountArgs(name=_FILES, mount_path=file.path, sub_path=file.key, read_only=True)
            for file in container.files
        ),
    ] or None


def _config_map(app: BaseApp) -> ConfigMapVolumeSourceArgs:
    return ConfigMapVolumeSourceArgs(name=files.name(app))


def _writable(index: int) -> str:
    return f"writable-{index}"


def _secret(index: int) -> str:
    return f"secret-{index}"
