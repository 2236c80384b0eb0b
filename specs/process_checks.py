"""Checks across the keys that say how an app's process runs and ends."""

from collections.abc import Iterator

from specs.container import Container
from specs.problem import Finding, Loc
from specs.process import SIDECAR_CONTAINERS, SIDECAR_ID


def check_process(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report an identity or a step that cannot be, and an end that would be cut short."""
    for key in ("user", "group"):
        if getattr(container.run_as, key) == SIDECAR_ID:
            yield (
                (*inner, "runAs", key),
                f"{SIDECAR_ID} is the sidecar's own, so what the app sends would bypass the mesh; "
                "choose another",
            )
    yield from _check_init(container, (*inner, "init"))
    yield from _check_pre_stop(container, inner)


def _check_init(container: Container, at: Loc) -> Iterator[Finding]:
    taken = {container.name}
    for index, step in enumerate(container.init):
        loc: Loc = (*at, index, "name")
        if step.name in SIDECAR_CONTAINERS:
            yield loc, f"'{step.name}' is the name of a container that Istio adds; rename it"
        elif step.name in taken:
            whose = "the app itself" if step.name == container.name else "another step"
            yield loc, f"'{step.name}' is also the name of {whose}; rename one"
        taken.add(step.name)
        if not (step.image or step.command or step.args):
            yield (
                (*at, index),
                "would run the app itself, which does not end; add command or args, or an image",
            )


def _check_pre_stop(container: Container, inner: Loc) -> Iterator[Finding]:
    pre_stop, grace = container.pre_stop, container.termination_grace_period_seconds
    at: Loc = (*inner, "preStop")
    if pre_stop is None:
        return
    if pre_stop.exec and pre_stop.sleep_seconds is not None:
        yield at, "has both exec and sleepSeconds; keep one of the two"
    elif pre_stop.exec is None and pre_stop.sleep_seconds is None:
        yield at, "has neither exec nor sleepSeconds; add one of the two"
    elif pre_stop.sleep_seconds and pre_stop.sleep_seconds >= grace:
        yield _no_time(container, inner, pre_stop.sleep_seconds, grace)


def _no_time(container: Container, inner: Loc, sleep: int, grace: int) -> Finding:
    """At the wait, or if that is the default, at the seconds in which the pod must end."""
    if "pre_stop" in container.model_fields_set:
        return (
            (*inner, "preStop", "sleepSeconds"),
            f"{sleep} leaves the app no time to end, as its pod is killed after {grace} seconds; "
            "lower it, or raise terminationGracePeriodSeconds",
        )
    return (
        (*inner, "terminationGracePeriodSeconds"),
        f"{grace} leaves the app no time to end, as it serves for {sleep} more seconds first; "
        "raise it, or lower preStop.sleepSeconds",
    )
