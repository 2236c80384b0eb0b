"""Init containers as charts have them, in the spelling of a team's file."""

from collections.abc import Iterator
from typing import Any

from specs.problem import Loc, Problem
from tools.migration.chart_process import EMPTY, is_set_anyway
from tools.migration.value import Value

_LISTS: tuple[Loc, ...] = tuple(
    (*above, name) for name in ("initContainers", "extraInitContainers") for above in ((), ("app",))
)


def respell_init(entry: Value) -> Iterator[Problem]:
    """Make them steps of `app.init`; report what they get of the app's instead of their own.

    What has no counterpart stays, and its step is lost.
    """
    app = entry.mapping(("app",))
    if app is None:
        return
    for loc in _LISTS:
        found, missing = entry.find(loc)
        if missing or not isinstance(found.data, (list, dict)):
            continue
        entry.remove(loc)
        steps = app.data.setdefault("init", Value(found.source, found.loc, []))
        for step in _named(found):
            yield from _respelled(step, app)
            if isinstance(steps.data, list):
                steps.data.append(step)
        if not steps.data:
            del app.data["init"]


def _named(found: Value) -> list[Value]:
    """The containers of a list, or of a mapping by name."""
    if isinstance(found.data, list):
        return found.data
    for name, step in found.data.items():
        if isinstance(step.data, dict):
            step.data.setdefault("name", Value(step.source, step.loc, name))
    return list(found.data.values())


def _respelled(step: Value, app: Value) -> Iterator[Problem]:
    if not isinstance(step.data, dict):
        return
    keys: dict[str, Value] = step.data
    own = {key: value.plain for key, value in app.data.items()}
    _name_image(keys, own.get("image"))
    policy, image = keys.pop("imagePullPolicy", None), keys.get("image")
    if policy and image and isinstance(image.data, dict):
        image.data.setdefault("pullPolicy", policy)
    if (resources := keys.pop("resources", None)) and resources.plain:
        yield resources.problem("a step gets the CPU and memory of the app", at_key=True)
    for key, value in list(keys.items()):
        if value.plain in EMPTY or (key == "env" and _are_among(value.plain, own.get("env"))):
            del keys[key]
    _drop_context(keys, own.get("runAs"))


def _are_among(variables: Any, own: Any) -> bool:
    return (
        isinstance(variables, tuple)
        and isinstance(own, tuple)
        and {*map(repr, variables)} <= {*map(repr, own)}
    )


def _name_image(keys: dict[str, Value], own: Any) -> None:
    """`host/name:tag@digest` in its parts; the app's own image is left out."""
    image = keys.get("image")
    if image is None or not isinstance(image.data, str):
        return
    name, _, digest = image.data.partition("@")
    path, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    parts = {"repository": path + slash + last, "tag": tag, "digest": digest}
    if isinstance(own, dict) and all((own.get(key) or "") == part for key, part in parts.items()):
        del keys["image"]
        return
    given = {key: Value(image.source, image.loc, part) for key, part in parts.items() if part}
    keys["image"] = Value(image.source, image.loc, given)


def _drop_context(keys: dict[str, Value], run_as: Any) -> None:
    """A security context that says what holds for the app too."""
    context = keys.get("securityContext")
    if context is None or not isinstance(context.data, dict):
        return
    same = run_as if isinstance(run_as, dict) else {}
    ids = {"runAsUser": same.get("user"), "runAsGroup": same.get("group")}
    if all(
        is_set_anyway(key, value.plain) or value.plain == ids.get(key, ())
        for key, value in context.data.items()
    ):
        del keys["securityContext"]
