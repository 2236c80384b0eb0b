"""Images that a node cannot get: not there, not signed, or not for this caller."""

import re
from collections.abc import Iterator

from specs.env_vars import PULL_SECRET
from specs.problem import Loc
from specs.secret_paths import secret_path
from tools.status.app_state import AppState, ContainerState
from tools.status.cause import Cause
from tools.status.cluster_state import EXTERNAL_SECRETS
from tools.status.words import ready, short

_WAITING = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
    | {"ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
)
_LOCATION = ("image", "tag")

# In the words of containerd and of Harbor, which a registry's status codes end up in.
_UNREACHABLE = re.compile(
    r"no such host|connection refused|i/o timeout|deadline exceeded|network is unreachable|x509|"
    r"tls: |no route to host|server misbehaving|50[0234] ",
    re.I,
)
_VULNERABLE = re.compile(r"vulnerabilit", re.I)
_UNSIGNED = re.compile(r"cosign|notary|not signed|signature", re.I)
_PRECONDITION = re.compile(r"\b412\b|precondition failed", re.I)
_LIMITED = re.compile(r"\b429\b|too ?many ?requests", re.I)
_REFUSED = re.compile(
    r"\b40[13]\b|unauthorized|authentication required|access (?:is )?denied|forbidden|"
    r"authorization failed|insufficient_scope",
    re.I,
)
_MISSING = re.compile(r"not found|manifest unknown|name unknown|\b404\b", re.I)
_PLATFORM = re.compile(r"no match for platform|does not match the specified platform", re.I)


def causes(app: AppState) -> Iterator[Cause]:
    """Why containers wait for their images."""
    for container in app.containers:
        if container.waiting.get("reason") in _WAITING:
            yield _cause(app, container)


def _cause(app: AppState, container: ContainerState) -> Cause:
    image = str(container.spec["image"])
    loc = _place(app, container)
    reason, text = container.waiting["reason"], _text(app, container)
    if loc is None:
        return Cause(
            "sidecar-image",
            f"the sidecar's image {image} cannot be pulled ({short(text)})",
            "ask the platform team",
        )
    if reason == "InvalidImageName":
        return Cause("image-name", f"{image} is not an image", "correct it", loc, lasting=True)
    if reason == "ErrImageNeverPull":
        return Cause(
            "image-never-pulled",
            f"the node does not have {image}, and may not pull it",
            "write IfNotPresent",
            (*loc[:-1], "pullPolicy"),
            lasting=True,
        )
    return _refused(app, image, text, loc)


def _refused(app: AppState, image: str, text: str, loc: Loc) -> Cause:
    """By what the registry answered."""
    if _VULNERABLE.search(text):
        return Cause(
            "image-vulnerable",
            f"Harbor refuses to hand out {image}, because its scan found vulnerabilities",
            "see the scan in Harbor, then release a version without them",
            loc,
            lasting=True,
        )
    if _UNSIGNED.search(text):
        return _unsigned(image, loc)
    if _PRECONDITION.search(text):
        if app.team.registry.signatures.enforce:
            return _unsigned(image, loc, " or its scan found vulnerabilities")
        return Cause(
            "image-refused",
            f"Harbor refuses to hand out {image} (412), probably because of its scan",
            "see the image in Harbor",
            loc,
            lasting=True,
        )
    if _LIMITED.search(text):
        return Cause(
            "registry-limit",
            f"the registry limits how often {image} is pulled",
            "wait, or ask the platform team",
        )
    if _PLATFORM.search(text):
        return Cause(
            "image-platform",
            f"{image} has no variant for the node's processor",
            "build it for the platform's nodes, such as linux/amd64",
            loc,
            lasting=True,
        )
    if _REFUSED.search(text):
        return _login(app, image)
    if _MISSING.search(text):
        return Cause(
            "image-missing",
            f"the registry has no image {image}",
            "push it, or correct the repository or the tag",
            loc,
            lasting=True,
        )
    if _UNREACHABLE.search(text):
        return Cause(
            "registry-unreachable",
            f"the node cannot reach the registry for {image} ({short(text)})",
            "ask the platform team",
        )
    return Cause("image-pull", f"{image} cannot be pulled ({short(text)})", "correct it", loc)


def _unsigned(image: str, loc: Loc, otherwise: str = "") -> Cause:
    return Cause(
        "image-unsigned",
        f"the registry refuses to hand out {image}: it is not signed{otherwise}",
        "sign it with Cosign (`cosign sign`)",
        loc,
        lasting=True,
    )


def _login(app: AppState, image: str) -> Cause:
    """The registry does not accept the login: there is none, or it is an old one."""
    if not app.settings.harbor.image_pull_secret:
        return Cause(
            "pull-login",
            f"the registry refuses the login with which {image} is pulled",
            "ask the platform team",
        )
    rotate = f"`./sre secret rotate {app.team.name}`"
    secret = app.state.named(EXTERNAL_SECRETS, PULL_SECRET)
    missing = any(
        PULL_SECRET in event.message for event in app.events("FailedToRetrieveImagePullSecret")
    )
    if missing or (secret and ready(secret) != "True"):
        return Cause(
            "pull-secret-missing",
            f"the registry refuses to hand out {image} without a login, and the namespace has no "
            f"Secret {PULL_SECRET}",
            "ask the platform team to run `pulumi up`, which stores the robot's login in OpenBao "
            f"as {secret_path(app.team.name, PULL_SECRET)}, or if it was deleted there, {rotate}",
        )
    what = f"the registry refuses the login in Secret {PULL_SECRET} for {image}: the robot's "
    lasts = app.team.registry.robots.duration
    if lasts > 0:
        return Cause(
            "pull-secret-stale",
            f"{what}password was replaced, or the robot has expired (after {lasts} days)",
            f"ask the platform team: {rotate} renews the password, and more days let an expired "
            "robot in again",
            ("registry", "robots", "duration"),
            of_team=True,
        )
    return Cause(
        "pull-secret-stale",
        f"{what}password was replaced",
        f"ask the platform team to run {rotate}",
    )


def _text(app: AppState, container: ContainerState) -> str:
    """What the node says about this image, in any place."""
    image = str(container.spec["image"])
    events = app.state.events_of(container.pod)
    said = [e.message for e in events if e.reason in ("Failed", "BackOff") and image in e.message]
    text = "; ".join([str(container.waiting.get("message") or ""), *said])
    # The image's own name is no answer: a tag may be called `404`.
    repository = image.partition("@")[0].rpartition(":")[0] or image
    return text.replace(image, "").replace(repository, "")


def _place(app: AppState, container: ContainerState) -> Loc | None:
    process = app.process(container)
    if process is None:
        return None
    if "init" in process and app.app.app.init[int(process[-1])].image is None:
        process = ("app",)
    return (*process, *_LOCATION)
