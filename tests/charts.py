"""An app's objects as the platform's charts make them: named `<release>-<app.name>`, by Helm."""

import copy
from typing import Any

from clients.kubernetes import Object

# Of all that the program makes for an app, what the charts name by the release.
KINDS = frozenset(
    {"CronJob", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"}
    | {"Service", "ServiceAccount", "ServiceMonitor", "VirtualService"}
)
_INSTANCE = "app.kubernetes.io/instance"


def charted(made: Object, app: str, release: str, full: str) -> Object:
    """`full` is the release's name for the app's objects."""
    object: Object = _renamed(copy.deepcopy(made), app, release, full)
    metadata = object["metadata"]
    helm = {"app.kubernetes.io/managed-by": "Helm"}
    metadata["labels"] |= helm
    if object["kind"] == "Deployment":
        object["spec"]["template"]["metadata"]["labels"] |= helm
    metadata["annotations"] = {
        "meta.helm.sh/release-name": release,
        "meta.helm.sh/release-namespace": metadata["namespace"],
    }
    if object["kind"] == "VirtualService":
        (route,) = object["spec"]["http"]
        route["match"] = [{"uri": {"prefix": "/"}}]
        route["route"][0]["destination"]["host"] = full
    return object


def _renamed(value: Any, app: str, release: str, full: str) -> Any:
    if isinstance(value, list):
        return [_renamed(item, app, release, full) for item in value]
    if not isinstance(value, dict):
        return value
    named = {key: _renamed(item, app, release, full) for key, item in value.items()}
    if named.get(_INSTANCE) == app:
        named[_INSTANCE] = release
    for key in ("name", "serviceAccountName"):
        # Containers and label values keep the app's name.
        if named.get(key) in (app, f"{app}-metrics") and "image" not in named:
            named[key] = full + named[key].removeprefix(app)
    return named
