"""Whether an object that runs is the one that the program makes: what of it would be lost."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from migration.documents import Manifest
from specs.idle_labels import is_idle_label
from specs.problem import Finding, Loc

# Written by servers: nobody's intent.
_SERVERS = {
    "creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
}  # fmt: skip
_POD_SECURITY = "pod-security.kubernetes.io/"
_LEVELS = ("privileged", "baseline", "restricted")

# What the servers fill in, and the program therefore leaves out.
_DEFAULTS: dict[str, Mapping[Loc, Any]] = {
    "ExternalSecret": {
        ("spec", "target", "creationPolicy"): "Owner",
        ("spec", "target", "deletionPolicy"): "Retain",
        ("spec", "refreshPolicy"): "Periodic",
        ("spec", "data", "remoteRef", "conversionStrategy"): "Default",
        ("spec", "data", "remoteRef", "decodingStrategy"): "None",
        ("spec", "data", "remoteRef", "metadataPolicy"): "None",
    },
    "Namespace": {("spec", "finalizers"): ("kubernetes",)},
}

_NOT_OBJECT = {"apiVersion", "kind", "metadata", "status"}


def differences(manifest: Manifest, made: Mapping[str, Any]) -> Iterator[Finding]:
    """What the object says and the made one does not."""
    yield from metadata_differences(manifest, made)
    if manifest.kind == "NetworkPolicy":
        if not same_policy(manifest.data, made):
            yield ("spec",), "is not what the program makes under this name; " + POLICY_HINT
        return
    for key, value in manifest.data.items():
        if key not in _NOT_OBJECT:
            here = made.get(key)
            if manifest.kind == "HorizontalPodAutoscaler":
                value, here = _of_pods(value), _of_pods(here)
            yield from _missing(value, here, (key,), manifest.kind)


POLICY_HINT = "write its rules under `networkPolicy` of the apps that need them"


def metadata_differences(manifest: Manifest, made: Mapping[str, Any]) -> Iterator[Finding]:
    """What its labels, annotations and the like say and those of the made one do not."""
    for key, value in manifest.mapping("metadata").items():
        if key in ("name", "namespace") or key in _SERVERS or not value:
            continue
        if key not in ("labels", "annotations") or not isinstance(value, dict):
            yield ("metadata", key), "is nothing that the program sets; remove it"
            continue
        here = made["metadata"].get(key) or {}
        for name, text in value.items():
            loc: Loc = ("metadata", key, name)
            if is_idle_label(name) or here.get(name) == text:
                continue
            if name.startswith(_POD_SECURITY):
                yield from _pod_security(loc, name, text, here)
            elif name in here:
                yield loc, f"the program sets it to '{here[name]}'; set it to that, or remove it"
            else:
                yield loc, "is nothing that the program sets; remove it"


def _pod_security(loc: Loc, name: str, level: Any, here: Mapping[str, str]) -> Iterator[Finding]:
    """Levels are the stack's: one that it enforces covers any that is as strict or less."""
    enforced = here.get(f"{_POD_SECURITY}enforce")
    if name.endswith("-version"):
        if level != "latest":
            yield loc, "the stack enforces the latest version; set it to `latest`"
    elif level not in _LEVELS or _LEVELS.index(level) > _LEVELS.index(enforced or "privileged"):
        yield (
            loc,
            f"the stack enforces {enforced or 'no level'}; set its kubernetes.podSecurity to this",
        )


def _of_pods(spec: Any) -> Any:
    """An autoscaler's `spec` in which a metric of one container is that of the whole pod."""
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
        yield loc, "is not what the program makes here; make it so, or remove it"


def _is_default(value: Any, loc: Loc, kind: str) -> bool:
    named = tuple(step for step in loc if isinstance(step, str))
    return value in (None, {}, ()) or _DEFAULTS.get(kind, {}).get(named) == value


def _equal(value: Any, made: Any) -> bool:
    return value == (tuple(made) if isinstance(made, list) else made)


def same_policy(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two NetworkPolicies let the same through, however they are written."""
    try:
        return _policy(one.get("spec")) == _policy(other.get("spec"))
    except (AttributeError, TypeError):  # what the API server would refuse
        return False


def _policy(spec: Any) -> Any:
    spec = spec if isinstance(spec, Mapping) else {}
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    rules = {
        kind: frozenset(
            each for rule in spec.get(kind.lower()) or () for each in _allowed(rule, peers)
        )
        for kind, peers in (("Ingress", "from"), ("Egress", "to"))
        if kind in types
    }
    return _selector(spec.get("podSelector") or {}), rules, frozenset(spec.keys() - _POLICY_KEYS)


_POLICY_KEYS = {"podSelector", "policyTypes", "ingress", "egress"}


def _allowed(rule: Any, peers: str) -> Iterator[tuple[Any, Any]]:
    """Each peer with each port; None stands for everybody, and for all ports."""
    for peer in [_peer(each) for each in rule.get(peers) or ()] or [None]:
        for port in [_port(each) for each in rule.get("ports") or ()] or [None]:
            yield peer, port


def _peer(peer: Mapping[str, Any]) -> Any:
    known = {
        key: _selector(value) if key.endswith("Selector") else _frozen(value)
        for key, value in peer.items()
    }
    return frozenset(known.items())


def _port(port: Mapping[str, Any]) -> Any:
    return frozenset({"protocol": "TCP", **port}.items())


def _selector(selector: Mapping[str, Any] | None) -> Any:
    """Labels that must be equal are one way to write it, `In` with one value is another."""
    if selector is None:
        return None
    labels: set[Any] = {
        (key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()
    }
    for each in selector.get("matchExpressions") or ():
        labels.add((each.get("key"), each.get("operator"), tuple(sorted(each.get("values") or ()))))
    return frozenset(labels)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(inner)) for key, inner in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return frozenset(_frozen(inner) for inner in value)
    return value
