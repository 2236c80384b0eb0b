"""Whether a running object is the one that the program creates, and what of it would be lost."""

from collections.abc import Iterator, Mapping
from typing import Any

from specs.idle_labels import is_idle_label
from specs.problem import Finding, Loc
from tools.migration import policies
from tools.migration.documents import Manifest
from tools.migration.import_findings import ACCEPT

# Written by servers, not by anyone on purpose.
_SERVERS = {
    "creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
}  # fmt: skip
POD_SECURITY = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")

# Values that the servers fill in, which the program therefore omits.
_DEFAULTS: dict[str, Mapping[Loc, Any]] = {
    "ExternalSecret": {
        ("spec", "target", "creationPolicy"): "Owner",
        ("spec", "target", "deletionPolicy"): "Retain",
        ("spec", "refreshPolicy"): "Periodic",
        **{
            ("spec", *source, key): value
            for source in (("data", "remoteRef"), ("dataFrom", "extract"))
            for key, value in (
                ("conversionStrategy", "Default"),
                ("decodingStrategy", "None"),
                ("metadataPolicy", "None"),
            )
        },
    },
    "Namespace": {("spec", "finalizers"): ("kubernetes",)},
}

_NOT_OBJECT = {"apiVersion", "kind", "metadata", "status"}


def differences(manifest: Manifest, made: Mapping[str, Any]) -> Iterator[Finding]:
    """What the object contains and the created one does not."""
    yield from metadata_differences(manifest, made)
    if manifest.kind == "NetworkPolicy":
        if not policies.same(manifest.data, made):
            if policies.is_covered(manifest.data, [made]):
                yield ("spec",), f"allows less than the program's, {policies.WIDER}"
            else:
                yield (
                    ("spec",),
                    f"differs from what the program creates under this name; {policies.HINT}",
                )
        return
    for key, value in manifest.data.items():
        if key not in _NOT_OBJECT:
            here = made.get(key)
            if manifest.kind == "HorizontalPodAutoscaler":
                value, here = _of_pods(value), _of_pods(here)
            yield from _missing(value, here, (key,), manifest.kind)


def metadata_differences(manifest: Manifest, made: Mapping[str, Any]) -> Iterator[Finding]:
    """What its labels, annotations and the like contain and those of the created one do not."""
    for key, value in manifest.mapping("metadata").items():
        if key in ("name", "namespace") or key in _SERVERS or not value:
            continue
        if key not in ("labels", "annotations") or not isinstance(value, dict):
            yield ("metadata", key), f"is not set by the program; {ACCEPT}"
            continue
        here = made["metadata"].get(key) or {}
        for name, text in value.items():
            loc: Loc = ("metadata", key, name)
            if is_idle_label(name) or here.get(name) == text:
                continue
            if name.startswith(POD_SECURITY):
                yield from _pod_security(loc, name, text, here)
            elif name in here:
                yield loc, f"the program sets it to '{here[name]}'; accept that (--partial)"
            else:
                yield loc, f"is not set by the program; {ACCEPT}"


def _pod_security(loc: Loc, name: str, level: Any, here: Mapping[str, str]) -> Iterator[Finding]:
    """The stack sets the levels: one that it enforces covers any that is as strict or less."""
    enforced = here.get(f"{POD_SECURITY}enforce")
    if name.endswith("-version"):
        if level != "latest":
            yield loc, "the stack enforces the latest version; set it to `latest`"
    elif level not in LEVELS or LEVELS.index(level) > LEVELS.index(enforced or "privileged"):
        yield (
            loc,
            f"the stack enforces {enforced or 'no level'}; set its kubernetes.podSecurity to this",
        )


def _of_pods(spec: Any) -> Any:
    """An autoscaler's `spec` with each metric of one container as one of the whole pod."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("metrics"), (tuple, list)):
        return spec
    metrics = []
    for metric in spec["metrics"]:
        inner = metric.get("containerResource") if isinstance(metric, Mapping) else None
        if isinstance(inner, Mapping):
            rest = {key: value for key, value in inner.items() if key != "container"}
            metrics.append({"type": "Resource", "resource": rest})
        else:
            metrics.append(metric)
    return {**spec, "metrics": type(spec["metrics"])(metrics)}


def _missing(value: Any, made: Any, loc: Loc, kind: str) -> Iterator[Finding]:
    if isinstance(value, dict) and isinstance(made, Mapping):
        for key, inner in value.items():
            yield from _missing(inner, made.get(key), (*loc, key), kind)
    elif isinstance(value, tuple) and isinstance(made, list) and len(value) == len(made):
        for index, (inner, other) in enumerate(zip(value, made, strict=True)):
            yield from _missing(inner, other, (*loc, index), kind)
    elif not _is_default(value, loc, kind) and not _equal(value, made):
        yield loc, f"differs from what the program creates here; {ACCEPT}"


def _is_default(value: Any, loc: Loc, kind: str) -> bool:
    named = tuple(step for step in loc if isinstance(step, str))
    return value in (None, {}, ()) or _DEFAULTS.get(kind, {}).get(named) == value


def _equal(value: Any, made: Any) -> bool:
    return value == (tuple(made) if isinstance(made, list) else made)
