"""Containers that a node cannot create, and pods that it ends."""

import re
from collections.abc import Iterator

from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.crashes import crashed
from tools.status.words import RESTORE, short

_BY_ROOT = re.compile(r"image will run as root")
_BY_NAME = re.compile(r"non-numeric user \((?P<user>[^)]*)\)")
_OF_SECRETS = re.compile(r'secrets? "|couldn\'t find key|non-existent secret key')
_CONFIG_MAP = re.compile(r'configmap "(?P<name>[^"]+)" not found', re.I)
_EMPTY_DIR = re.compile(r'EmptyDir volume "(?P<name>[^"]+)" exceeds the limit "(?P<limit>[^"]+)"')
_CREATE_ERRORS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


def causes(app: AppState) -> Iterator[Cause]:
    """Why containers are not created, or pods ended from outside."""
    for container in app.containers:
        if container.waiting.get("reason") in _CREATE_ERRORS and not crashed(container):
            yield from _not_created(app, str(container.waiting.get("message") or ""))
    if app.starting:
        yield from _not_prepared(app)
    yield from _evicted(app)


def _not_created(app: AppState, message: str) -> Iterator[Cause]:
    if _OF_SECRETS.search(message):
        return  # a cause of its own
    user = _BY_NAME.search(message)
    if user or _BY_ROOT.search(message):
        who = f"the user `{user['user']}`, which may be root" if user else "root, or names no user"
        yield Cause(
            "runs-as-root",
            f"the image runs as {who}; the platform runs no container as root",
            "set the number of a user, or build the image with such a number as its `USER`",
            ("app", "runAs", "user"),
            lasting=True,
        )
    elif found := _CONFIG_MAP.search(message):
        yield Cause(
            "config-map",
            f"the namespace has no ConfigMap {found['name']}",
            RESTORE,
            ("app", "files"),
        )
    else:
        yield Cause(
            "not-created",
            f"a container cannot be created ({short(message)})",
            "correct what it names, or ask the platform team",
        )


def _not_prepared(app: AppState) -> Iterator[Cause]:
    """Mounts and networks, of which only events tell."""
    for event in app.events("FailedMount", "FailedAttachVolume"):
        if found := _CONFIG_MAP.search(event.message):
            yield Cause(
                "config-map",
                f"the namespace has no ConfigMap {found['name']}",
                RESTORE,
                ("app", "files"),
            )
        elif not _OF_SECRETS.search(event.message):
            yield Cause(
                "mount",
                f"a volume cannot be mounted ({short(event.message)})",
                "ask the platform team",
                ("app", "volumes"),
            )
    for event in app.events("FailedCreatePodSandBox"):
        yield Cause(
            "network",
            f"the node cannot give the pod a network ({short(event.message)})",
            "ask the platform team",
        )


def _evicted(app: AppState) -> Iterator[Cause]:
    for pod in app.pods:
        status = pod.get("status", {})
        if status.get("reason") != "Evicted":
            continue
        message = str(status.get("message") or "")
        weight = Weight.WARNING if app.complete else Weight.BROKEN
        if found := _EMPTY_DIR.search(message):
            yield Cause(
                "evicted",
                f"a pod was ended because it wrote more than {found['limit']} to one of its "
                "writable paths",
                "raise its `sizeLimit`, or write less",
                ("app", "writablePaths"),
                weight=weight,
            )
        else:
            yield Cause(
                "evicted",
                f"the node ended a pod ({short(message)})",
                "request what the app needs, or ask the platform team",
                ("app", "resources", "requests"),
                weight=weight,
            )
