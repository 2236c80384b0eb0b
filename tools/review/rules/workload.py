"""Workloads: images, identity and hardening (NIST 800-53 AC-6, CM-7, SI-7)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from specs.labels import DASHBOARD_LABEL, probe_off
from specs.probes import PROBES
from specs.retention import is_older
from tools.review.masking import conceal
from tools.review.pair import Hit, Pair, listed
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules
from tools.review.rules.exceptions import exceptions
from tools.review.rules.limits import rollout
from tools.review.rules.secrets import in_variables, in_volumes, new_reads

_KINDS = ("Deployment", "CronJob")
_CONTAINERS = ("containers", "initContainers")
_Spec = Mapping[str, Any]

# Fields that harden a pod and a container, and whether their value is the strong one.
_Check = tuple[str, Callable[[Any], bool]]
_ON: Callable[[Any], bool] = lambda value: value is True  # noqa: E731
_OFF: Callable[[Any], bool] = lambda value: value is False  # noqa: E731
_NOT_ON: Callable[[Any], bool] = lambda value: value is not True  # noqa: E731
_NOT_ROOT: Callable[[Any], bool] = lambda value: value != 0  # noqa: E731
_POD_CHECKS: tuple[_Check, ...] = (
    ("securityContext.runAsNonRoot", _ON),
    (
        "securityContext.seccompProfile.type",
        lambda value: value in ("RuntimeDefault", "Localhost"),
    ),
    ("securityContext.runAsUser", _NOT_ROOT),
    ("securityContext.runAsGroup", _NOT_ROOT),
    ("securityContext.fsGroup", _NOT_ROOT),
    ("hostNetwork", _NOT_ON),
    ("hostPID", _NOT_ON),
    ("hostIPC", _NOT_ON),
    ("shareProcessNamespace", _NOT_ON),
)
_CONTAINER_CHECKS: tuple[_Check, ...] = (
    ("securityContext.runAsNonRoot", _ON),
    ("securityContext.readOnlyRootFilesystem", _ON),
    ("securityContext.allowPrivilegeEscalation", _OFF),
    ("securityContext.privileged", _NOT_ON),
    ("securityContext.runAsUser", _NOT_ROOT),
    ("securityContext.runAsGroup", _NOT_ROOT),
    ("securityContext.capabilities.drop", lambda value: "ALL" in (value or ())),
    ("securityContext.capabilities.add", lambda value: not value),
    ("securityContext.procMount", lambda value: value in (None, "Default")),
    # None means the pod's own.
    (
        "securityContext.seccompProfile.type",
        lambda value: value in (None, "RuntimeDefault", "Localhost"),
    ),
)

_SYSCTLS = "securityContext.sysctls"
_DASHBOARD = f"metadata.labels.{DASHBOARD_LABEL}"

# Kinds of volumes that weaken nothing; secrets are judged by what is read of them.
_PLAIN_VOLUMES = {"name", "emptyDir", "persistentVolumeClaim", "secret", "configMap"}

# Fields that these rules judge, below the pod's spec, which is at `TEMPLATE`.
JUDGED = (
    *(f"spec.{field}" for field, _ in _POD_CHECKS),
    *(f"spec.{group}[*].{field}" for group in _CONTAINERS for field, _ in _CONTAINER_CHECKS),
    *(
        f"spec.{group}[*].{field}"
        for group in _CONTAINERS
        for field in (
            "name", "image", "env", "envFrom", "volumeMounts", "command", "args", "ports",
            "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
        )
    ),
    f"spec.{_SYSCTLS}",
    "spec.automountServiceAccountToken",
    "spec.serviceAccountName",
    "spec.volumes",
)  # fmt: skip

# The pod template in each kind of workload.
TEMPLATES = {"Deployment": "spec.template", "CronJob": "spec.jobTemplate.spec.template"}

_INJECT = "sidecar.istio.io/inject"


def workload(pair: Pair) -> Iterator[Hit]:
    """A Deployment or a CronJob."""
    yield from exceptions(pair)
    before, after = (_template(each) for each in (pair.before, pair.after))
    pod, former = after.get("spec") or {}, before.get("spec") or {}
    known = pair.before is not None
    yield from _weaker(_POD_CHECKS, former, pod, known, "the pod")
    yield from _sysctls(former, pod)
    yield from _identity(former, pod, known)
    yield from _ids(former, pod, known)
    yield from _volumes(former, pod)
    if _injected(before) and not _injected(after):
        yield Hit(Rules.MESH, "the pod gets no sidecar")
    had, has = _containers(former), _containers(pod)
    for name, container in has.items():
        yield from _image(container, had, pair)
        yield from _container(name, container, had.get(name), _twin(container, pod))
        if container in (pod.get("containers") or ()):
            yield from _probes(name, container, had.get(name), pair)
    if known and (gone := [name for name in had if name not in has]):
        yield Hit(Rules.BEHAVIOUR, f"container {listed(gone)} of {pair.object.name} is removed")
    yield from rollout(pair)
    if known and pair.now("spec.suspend") and not pair.was("spec.suspend"):
        yield Hit(Rules.BEHAVIOUR, f"{pair.object.shown} is suspended: no more runs start")
    replicas, had_replicas = pair.now("spec.replicas"), pair.was("spec.replicas")
    numbers = isinstance(replicas, int) and isinstance(had_replicas, int)
    if numbers and replicas < had_replicas:
        yield Hit(Rules.LESS_SPARE, f"{pair.object.shown}: {had_replicas} -> {replicas} pods")


def files(pair: Pair) -> Iterator[Hit]:
    """The ConfigMap of an app's files: what they say. A dashboard only shows something."""
    if pair.now(_DASHBOARD) or pair.was(_DASHBOARD):
        return
    before, after = pair.was("data") or {}, pair.now("data") or {}
    changed = sorted(
        key for key in after.keys() | before.keys() if after.get(key) != before.get(key)
    )
    if changed:
        yield Hit(Rules.BEHAVIOUR, f"{listed(changed)} of {pair.object.shown}")


def repositories(side: Side, team: str) -> set[str]:
    """The repositories of all images that a team's workloads run."""
    return {
        _repository(container)
        for each in side.of(*_KINDS)
        if each.team == team
        for container in _containers(_template(each).get("spec") or {}).values()
    }


def _template(workload: RenderedObject | None) -> _Spec:
    return (workload.get(TEMPLATES[workload.kind]) if workload else None) or {}


def _containers(pod: _Spec) -> dict[str, _Spec]:
    return {each["name"]: each for group in _CONTAINERS for each in pod.get(group) or ()}


def _twin(container: _Spec, pod: _Spec) -> _Spec | None:
    """For a step before the app, the app's container, if its image is the same.

    What that one sees is reported there, and to the same image it is nothing new.
    """
    if container not in (pod.get("initContainers") or ()):
        return None
    image = container.get("image")
    return next((each for each in pod.get("containers") or () if each.get("image") == image), None)


def _value(spec: _Spec, path: str) -> Any:
    value: Any = spec
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _weaker(
    checks: tuple[_Check, ...], before: _Spec, after: _Spec, known: bool, what: str
) -> Iterator[Hit]:
    for field, strong in checks:
        if not strong(_value(after, field)) and (not known or strong(_value(before, field))):
            yield Hit(Rules.POD, f"{field} of {what}")


def _sysctls(before: _Spec, after: _Spec) -> Iterator[Hit]:
    had = _value(before, _SYSCTLS) or ()
    for sysctl in _value(after, _SYSCTLS) or ():
        if sysctl not in had:
            yield Hit(Rules.POD, f"{sysctl.get('name')} {sysctl.get('value')} of the pod")


def _identity(before: _Spec, after: _Spec, known: bool) -> Iterator[Hit]:
    field = "automountServiceAccountToken"
    if after.get(field) is not False and (not known or before.get(field) is False):
        yield Hit(Rules.TOKEN, "a token of the ServiceAccount is mounted")
    account, former = after.get("serviceAccountName"), before.get("serviceAccountName")
    if known and account != former:
        yield Hit(Rules.TOKEN, f"ServiceAccount {account} instead of {former}")


def _ids(before: _Spec, after: _Spec, known: bool) -> Iterator[Hit]:
    """Another user or group, which may own other files; root is reported as weaker."""
    changed = [
        f"{field} {now}" if now else f"no {field}"
        for field in ("runAsUser", "runAsGroup", "fsGroup")
        if (now := _value(after, f"securityContext.{field}")) != 0
        and now != _value(before, f"securityContext.{field}")
    ]
    if known and changed:
        yield Hit(Rules.BEHAVIOUR, f"the pod runs with {listed(changed)}")


def _volumes(before: _Spec, after: _Spec) -> Iterator[Hit]:
    had = [*(before.get("volumes") or ())]
    for volume in after.get("volumes") or ():
        kinds = sorted(volume.keys() - _PLAIN_VOLUMES)
        if kinds and volume not in had:
            yield Hit(Rules.POD, f"a volume of the kind {listed(kinds)}")
            if {"projected", "csi"} & set(kinds):
                yield Hit(Rules.SECRET_READ, f"as volume {volume.get('name')}")
    for what in new_reads(in_volumes(before), in_volumes(after)):
        yield Hit(Rules.SECRET_READ, f"{what}, as files")


def _injected(template: _Spec) -> bool:
    metadata = template.get("metadata") or {}
    return all(
        (metadata.get(where) or {}).get(_INJECT, "true") == "true"
        for where in ("labels", "annotations")
    )


def _image(container: _Spec, had: Mapping[str, _Spec], pair: Pair) -> Iterator[Hit]:
    """The image of one container; `had` are all that the pod had."""
    before, repository = had.get(container["name"]), _repository(container)
    known = {_repository(before)} if before else repositories(pair.base, pair.object.team)
    if repository not in known:
        yield Hit(Rules.IMAGE, repository)
    # A step under another name is a new one, but its image is not.
    former = [before] if before else had.values()
    pinned = {_repository(each) for each in former if _is_pinned(each)}
    if repository in pinned and not _is_pinned(container):
        yield Hit(Rules.IMAGE, f"{repository} is no longer pinned by its digest", ("SI-7",))
    tag, was = _tag(container), _tag(before or {})
    if repository in known and is_older(tag, was):
        yield Hit(Rules.OLDER, f"{repository}: {was} -> {tag}")


def _is_pinned(container: _Spec) -> bool:
    return "@" in str(container.get("image"))


def _tag(container: _Spec) -> str:
    image = str(container.get("image", "")).partition("@")[0]
    return image.rpartition("/")[2].partition(":")[2]


def _repository(container: _Spec) -> str:
    image = str(container.get("image", "")).partition("@")[0]
    path, slash, name = image.rpartition("/")
    return path + slash + name.partition(":")[0]


def _container(name: str, after: _Spec, before: _Spec | None, twin: _Spec | None) -> Iterator[Hit]:
    former = before or {}
    seen = twin or former
    yield from _weaker(_CONTAINER_CHECKS, former, after, before is not None, f"container {name}")
    yield from _added_capabilities(name, former, after)
    yield from _variables(seen, after, before is not None)
    had = {each.get("mountPath"): each for each in seen.get("volumeMounts") or ()}
    for mount in after.get("volumeMounts") or ():
        if mount == had.get(path := mount.get("mountPath")):
            continue
        if mount.get("readOnly"):
            yield Hit(Rules.BEHAVIOUR, f"what is at {path} of container {name}")
        else:
            yield Hit(Rules.WRITABLE, f"{path} of container {name}")
    for port in after.get("ports") or ():
        if port.get("hostPort") and port not in (former.get("ports") or ()):
            yield Hit(
                Rules.POD, f"port {port['hostPort']} of the node is mapped to container {name}"
            )
    if before is None:
        command = [*(after.get("command") or ()), *(after.get("args") or ())]
        runs = " ".join([str(after.get("image")), *conceal(command, "args", "")])
        yield Hit(Rules.BEHAVIOUR, f"container {name} is new and runs {runs}")
    else:
        fields = ("command", "args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
        changed = [field for field in fields if after.get(field) != before.get(field)]
        if changed:
            yield Hit(Rules.BEHAVIOUR, f"{listed(changed)} of container {name}")
        yield from _gone(name, before, after)


def _gone(name: str, before: _Spec, after: _Spec) -> Iterator[Hit]:
    """Variables and mounts that a container has no longer."""
    for field, key, what in (("env", "name", "variable"), ("volumeMounts", "mountPath", "mount")):
        had, has = ([each.get(key) for each in of.get(field) or ()] for of in (before, after))
        if gone := [each for each in had if each not in has]:
            yield Hit(Rules.BEHAVIOUR, f"{what} {listed(gone)} of container {name} is removed")


def _probes(name: str, after: _Spec, before: _Spec | None, pair: Pair) -> Iterator[Hit]:
    """Probes that are gone, or off on purpose since this change."""
    now, was = (get("metadata.annotations") or {} for get in (pair.now, pair.was))
    for probe in PROBES:
        field, key = f"{probe}Probe", probe_off(probe)
        reason = now.get(key)
        gone = bool(before and field in before and field not in after)
        if gone or (reason != was.get(key) and reason is not None):
            why = f": {reason}" if reason else ""
            yield Hit(Rules.PROBE_OFF, f"{probe} of container {name}{why}")


def _added_capabilities(name: str, before: _Spec, after: _Spec) -> Iterator[Hit]:
    path = "securityContext.capabilities.add"
    had = _value(before, path)
    # Adding the first one is reported as a hardening check that no longer holds.
    if had and (new := sorted(set(_value(after, path) or ()) - set(had))):
        yield Hit(Rules.POD, f"capability {listed(new)} of container {name}")


def _variables(before: _Spec, after: _Spec, known: bool) -> Iterator[Hit]:
    had = {each.get("name"): each for each in before.get("env") or ()}
    secrets, plain = in_variables(before), list[str]()
    for variable in after.get("env") or ():
        name, source = variable.get("name"), variable.get("valueFrom") or {}
        if variable == had.get(name):
            continue
        secret = source.get("secretKeyRef")
        if secret:
            for what in new_reads(secrets, in_variables({"env": [variable]})):
                yield Hit(Rules.SECRET_READ, f"{name} from {what}")
        elif source and not secret:
            yield Hit(Rules.UNKNOWN, f"{name} from {listed(sorted(source))}")
        elif not source and "valueFrom" in had.get(name, {}):
            yield Hit(Rules.SECRET_PLAIN, f"the variable {name} was read from a secret")
        elif not source and known:
            plain.append(name)
    if plain:
        yield Hit(Rules.BEHAVIOUR, f"plain value of {listed(plain)}")
    for source in after.get("envFrom") or ():
        if "secretRef" in source:
            for what in new_reads(secrets, in_variables({"envFrom": [source]})):
                yield Hit(Rules.SECRET_READ, f"variables from {what}")
        elif source not in (before.get("envFrom") or ()):
            yield Hit(Rules.UNKNOWN, f"all variables of {listed(sorted(source))}")
    if known and after.get("envFrom") != before.get("envFrom"):
        yield Hit(Rules.BEHAVIOUR, "variables from whole secrets")
