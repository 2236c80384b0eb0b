"""An app's PersistentVolumeClaims, and how its pods mount them.

NIST 800-53 CP-9, SI-12.
"""

import pulumi
from pulumi_kubernetes.core.v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpecArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeResourceRequirementsArgs,
)

from components.metadata import Place, app_labels, object_meta
from specs.app import BaseApp
from specs.team import Team
from specs.volumes import ON_REMOVAL, VOLUME_PREFIX, Volume

# A class may bind a claim only when a pod uses it, and the pods come after their claims
# (pulumi/pulumi-kubernetes #895, #4179).
_NOT_AWAITED = {"pulumi.com/skipAwait": "true"}

# Where the app names no group. Any but root's will do: the process gets it beside its own.
_GROUP = 65532


def claim(
    team: Team, app: BaseApp, volume: Volume, place: Place, quota: pulumi.Resource
) -> PersistentVolumeClaim:
    """`<app.name>-<volume>`; protected if its data is to stay, except in an offboarded team."""
    name = app.claim(volume)
    keep = volume.on_removal == "keep"
    return PersistentVolumeClaim(
        place.name(name),
        metadata=object_meta(
            place,
            name,
            app_labels(team, app),
            {**_NOT_AWAITED, ON_REMOVAL: volume.on_removal},
        ),
        spec=PersistentVolumeClaimSpecArgs(
            access_modes=[volume.access_mode],
            storage_class_name=volume.storage_class,
            resources=VolumeResourceRequirementsArgs(requests={"storage": volume.size.text}),
        ),
        opts=pulumi.ResourceOptions.merge(
            place.with_options(depends_on=[quota]),
            pulumi.ResourceOptions(
                protect=keep and not team.offboarding,
                # The provider would replace the claim, and its data with it. The program compares
                # them with the state before it gets here.
                ignore_changes=["spec.accessModes", "spec.storageClassName"],
            ),
        ),
    )


def kept_claim(team: Team, name: str, place: Place) -> PersistentVolumeClaim:
    """A claim that is no longer in the team's file: it stays as it is."""
    return PersistentVolumeClaim(
        place.name(name),
        metadata=object_meta(place, name, {}),
        opts=pulumi.ResourceOptions.merge(
            place.options,
            pulumi.ResourceOptions(
                protect=not team.offboarding,
                # The engine puts what the state has in their place.
                ignore_changes=["metadata.annotations", "metadata.labels", "spec"],
            ),
        ),
    )


def in_pod(app: BaseApp) -> list[VolumeArgs]:
    """The claims as volumes of the app's pods."""
    return [
        VolumeArgs(
            name=_name(volume),
            persistent_volume_claim=PersistentVolumeClaimVolumeSourceArgs(
                claim_name=app.claim(volume)
            ),
        )
        for volume in app.app.volumes
    ]


def mounts(app: BaseApp) -> list[VolumeMountArgs]:
    """The volumes' paths in the app's container."""
    return [
        VolumeMountArgs(name=_name(volume), mount_path=volume.path) for volume in app.app.volumes
    ]


def file_group(app: BaseApp) -> int | None:
    """The group that owns what is mounted: it would be root's, and no app runs as root."""
    container, given = app.app, app.app.run_as
    owned = container.volumes or container.secret_files
    return given.fs_group or ((given.group or _GROUP) if owned else None)


def _name(volume: Volume) -> str:
    return f"{VOLUME_PREFIX}{volume.name}"
