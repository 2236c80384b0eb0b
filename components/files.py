"""The ConfigMap with an app's files."""

import hashlib
import json

from pulumi_kubernetes.core.v1 import ConfigMap

from components.metadata import Place, app_labels, object_meta
from specs.app import BaseApp
from specs.labels import FILES_ANNOTATION
from specs.team import Team


def name(app: BaseApp) -> str:
    """Name of the ConfigMap."""
    return f"{app.name}-files"


def config_map(team: Team, app: BaseApp, place: Place) -> ConfigMap:
    """`<app.name>-files`: each file under a key that its path makes."""
    return ConfigMap(
        place.name(name(app)),
        metadata=object_meta(place, name(app), app_labels(team, app)),
        data=_texts(app),
        opts=place.options,
    )


def checksum(app: BaseApp) -> dict[str, str]:
    """An annotation of the pods: what they mount does not change while they run."""
    if not app.app.files:
        return {}
    text = json.dumps(_texts(app), sort_keys=True)
    return {FILES_ANNOTATION: hashlib.sha256(text.encode()).hexdigest()}


def _texts(app: BaseApp) -> dict[str, str]:
    return {file.key: file.content or "" for file in app.app.files}
