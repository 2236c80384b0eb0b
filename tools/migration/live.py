"""The names under which a release's objects run today, which differ from the program's."""

import hashlib
from collections.abc import Iterator
from typing import Any

from specs.names import chart_name
from specs.problem import Problem
from tools.migration.documents import Manifest
from tools.migration.value import Value

# Helm's limit for a release name, and the length of the digest with which Flux ends a longer one.
_LONGEST_RELEASE = 53
_DIGEST = 12


def release_name(release: Manifest) -> str:
    """Helm's name for one of Flux's releases."""
    given, target = release.get("spec", "releaseName"), release.get("spec", "targetNamespace")
    name = str(given or (f"{target}-{release.name}" if target else release.name))
    if len(name) <= _LONGEST_RELEASE:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_RELEASE - _DIGEST - 1]}-{digest}"


def live_names(release: Manifest, team: str, archetype: str, entry: Value) -> Iterator[Problem]:
    """Report what runs under which name, and what that means for its callers."""
    found, missing = entry.find(("app", "name"))
    if missing or not isinstance(found.data, str):
        return
    app, live = found.data, chart_name(release_name(release), found.data)
    kinds = ", ".join(_kinds(archetype, entry.plain))
    message = (
        f"runs as '{live}' today ({kinds}), and will run as '{app}' once the program creates it"
    )
    if archetype == "web-app":
        message += f"; callers then use {app}.{team} instead of {live}.{team}"
    yield release.problem(("metadata", "name"), f"{message}; see docs/migration.md")


def _kinds(archetype: str, values: Any) -> Iterator[str]:
    """The kinds of objects that the charts name this way."""

    def is_on(key: str, default: bool) -> bool:
        block = values.get(key)
        given = block.get("enabled", default) if isinstance(block, dict) else default
        return given is True

    yield "CronJob" if archetype == "cronjob" else "Deployment"
    if archetype == "web-app":
        yield "Service"
    account = values.get("serviceAccount")
    if not isinstance(account, dict) or account.get("create", True) is True:
        yield "ServiceAccount"
    if archetype != "cronjob":
        if is_on("autoscaling", archetype == "web-app"):
            yield "HorizontalPodAutoscaler"
        if is_on("podDisruptionBudget", True):
            yield "PodDisruptionBudget"
    if is_on("networkPolicy", True):
        yield "NetworkPolicy"
    if is_on("serviceMonitor", archetype != "cronjob"):
        yield "ServiceMonitor"
        if archetype != "web-app":
            yield "metrics Service"
    if archetype == "web-app" and is_on("ingress", False):
        yield "VirtualService"
