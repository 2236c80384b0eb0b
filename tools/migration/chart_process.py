"""Values that common charts write otherwise than a team's file."""

from collections.abc import Mapping
from typing import Any

from specs.problem import Loc
from tools.migration.value import Value

# Where values may say as whom containers run and how they are hardened; the last one counts. The
# charts' defaults are what the program does.
CONTEXTS: tuple[Loc, ...] = tuple(
    (*above, name)
    for name in ("podSecurityContext", "securityContext", "containerSecurityContext")
    for above in ((), ("app",))
)
_RUN_AS = {"runAsUser": "user", "runAsGroup": "group", "fsGroup": "fsGroup"}

# What the program sets anyway, or Kubernetes does.
_SET_ANYWAY: Mapping[str, Any] = {
    "enabled": True,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_HOOKS: tuple[Loc, ...] = tuple(
    (*above, name) for name in ("lifecycle", "lifecycleHooks") for above in ((), ("app",))
)

EMPTY: tuple[Any, ...] = ({}, (), "")


def respell_process(entry: Value) -> None:
    """Write such values as a team's file has them; what has no counterpart stays, and is lost."""
    _split_digest(entry)
    _name_user(entry)
    _end(entry)


def _end(entry: Value) -> None:
    """How a pod ends, which charts have beside the app."""
    app = entry.mapping(("app",))
    if app is None:
        return
    grace = "terminationGracePeriodSeconds"
    if grace in entry.data and grace not in app.data:
        app.data[grace] = entry.data.pop(grace)
    for loc in _HOOKS:
        hooks = entry.mapping(loc)
        if hooks is None:
            continue
        if "preStop" in hooks.data and "preStop" not in app.data:
            app.data["preStop"] = hooks.data.pop("preStop")
        if not hooks.data:
            entry.remove(loc)
    sleep, missing = entry.find(("app", "preStop", "sleep", "seconds"))
    if not missing:
        entry.remove(("app", "preStop", "sleep"))
        app.data["preStop"].data["sleepSeconds"] = sleep


def _name_user(entry: Value) -> None:
    """Security contexts: the user and groups become `app.runAs`, the rest is the program's."""
    app = entry.mapping(("app",))
    if app is None:
        return
    for loc in CONTEXTS:
        context = entry.mapping(loc)
        if context is None or _is_off(context):
            continue
        if ids := _taken(context):
            run_as = app.data.setdefault("runAs", Value(context.source, context.loc, {}))
            if isinstance(run_as.data, dict):
                run_as.data |= ids
        if not context.data:
            entry.remove(loc)


def _is_off(context: Value) -> bool:
    enabled = context.data.get("enabled")
    return enabled is not None and enabled.data is False


def _taken(context: Value) -> dict[str, Value]:
    """The user and groups, taken from a security context with all that the program sets anyway."""
    ids = {name: context.data.pop(key) for key, name in _RUN_AS.items() if key in context.data}
    for key, value in list(context.data.items()):
        if is_set_anyway(key, value.plain):
            context.data.pop(key)
    return ids


def is_set_anyway(key: str, value: Any) -> bool:
    """Whether a field of a security context is what each container gets here."""
    if value in EMPTY or key == "fsGroupChangePolicy":  # it only says how often
        return True
    if key == "capabilities" and isinstance(value, dict):
        return not value.get("add")  # the program drops all
    return key in _SET_ANYWAY and value == _SET_ANYWAY[key]


def _split_digest(entry: Value) -> None:
    """`tag: v1@sha256:...`, as it is read by whoever puts a `:` before it."""
    image = entry.mapping(("app", "image"))
    if image is None:
        return
    tag, digest = image.data.get("tag"), image.data.get("digest")
    if tag is None or not isinstance(tag.data, str) or (digest and digest.data):
        return
    name, at, pinned = tag.data.partition("@")
    if at:
        image.data["tag"] = Value(tag.source, tag.loc, name)
        image.data["digest"] = Value(tag.source, tag.loc, pinned)
