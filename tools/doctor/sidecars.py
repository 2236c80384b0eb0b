"""Whether pods get a sidecar, are admitted with it, and reach istiod and what apps call."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from specs.quantity import parse
from specs.selectors import matches
from specs.settings import Proxy, Settings
from tools.doctor import pods
from tools.doctor.examination import Outcome, fail, ok, warn

# How the names of Istio's webhooks for pods end, in each of its revisions.
_INJECTOR = "sidecar-injector.istio.io"
_SIDECAR = "istio-proxy"
_POD = "sre-doctor"
# Istio's ConfigMaps, one for each revision, and the modes of their `outboundTrafficPolicy`.
_MESH = "istio"
_OPEN, _DECLARED = "ALLOW_ANY", "REGISTRY_ONLY"

# Words with which the API server says what refuses a pod; what was found, and what to do.
_REFUSALS = {
    "failed calling webhook": (
        "a webhook that the API server asks about pods does not answer",
        "start its server (istiod for Istio's); until then, no pod starts",
    ),
    "violates PodSecurity": (
        "Pod Security refuses its pod, or the sidecar's containers in it",
        "run istio-cni, or lower sre-platform:kubernetes.podSecurity",
    ),
    "per Container is": (
        "the LimitRange refuses the sidecar's CPU or memory",
        "set sre-platform:istio.proxy, or limitRange in the team's file",
    ),
}


class Sidecars:
    """The checks. `objects` are those that the stack creates in the cluster."""

    def __init__(
        self, cluster: Cluster, settings: Settings, objects: Sequence[Mapping[str, Any]]
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._objects = objects

    def injection(self) -> Iterator[Outcome]:
        """Whether Istio's webhook selects each of the namespaces."""
        injectors = self._injectors()
        if not injectors:
            yield warn(
                "no Istio webhook for pods, so apps start without a sidecar",
                "install Istio, or set sre-platform:istio.controlPlane to null",
            )
            return
        namespaces = [one for one in self._objects if one["kind"] == "Namespace"]
        missed = [
            one["metadata"]["name"]
            for one in namespaces
            if not any(_selects(hook, one["metadata"]) for hook in injectors)
        ]
        if missed:
            yield warn(
                f"no Istio webhook selects {', '.join(missed)}, so apps there start without a "
                "sidecar",
                "tag a revision as the default: `istioctl tag set default --revision NAME`",
            )
        else:
            yield ok(f"injected in {len(namespaces)} namespaces")

    def control_plane(self) -> Iterator[Outcome]:
        """Whether network policies let sidecars reach the istiod that runs."""
        plane = self._settings.istio.control_plane
        if plane is None:
            return
        labels = ", ".join(f"{key}={value}" for key, value in plane.pod_labels.items())
        its = [
            pod
            for pod in self._cluster.list("v1", "Pod", plane.namespace)
            if pods.labelled(pod, plane.pod_labels)
        ]
        if any(map(pods.is_ready, its)):
            yield ok(f"{labels} in {plane.namespace}")
        elif its:
            yield fail(
                f"no pod with {labels} in {plane.namespace} is ready",
                pods.see(plane.namespace),
            )
        elif injectors := self._injectors():
            # One outside may be reached by other means.
            inside = any("service" in hook["clientConfig"] for hook in injectors)
            yield (fail if inside else warn)(
                f"no pod with {labels} in {plane.namespace}: network policies let sidecars reach "
                "no other",
                "set sre-platform:istio.controlPlane to where istiod runs, or to null if that is "
                "outside the cluster",
            )

    def outbound(self) -> Iterator[Outcome]:
        """Whether sidecars connect to what the stack leaves open, and refuse what it does not."""
        plane = self._settings.istio.control_plane
        if plane is None:
            return
        modes = {
            each["metadata"]["name"]: _outbound_mode(each["data"]["mesh"])
            for each in self._cluster.list("v1", "ConfigMap", plane.namespace)
            if each["metadata"]["name"].partition("-")[0] == _MESH
            and "mesh" in (each.get("data") or {})
        }
        declared = self._settings.network.https_egress == "declared"
        wanted = _DECLARED if declared else _OPEN
        other = sorted(name for name, mode in modes.items() if mode != wanted)
        if not other:
            if modes:
                yield ok(f"{wanted}, which goes with network.httpsEgress")
            return
        found = (
            f"ConfigMap {plane.namespace}/{other[0]} has outboundTrafficPolicy {modes[other[0]]}"
        )
        if declared:
            yield warn(
                f"{found}: an app that calls one host may connect to all hosts on its port",
                f"set meshConfig.outboundTrafficPolicy.mode to {_DECLARED}",
            )
        else:
            yield warn(
                f"{found}: sidecars refuse hosts and addresses that no app calls, which the stack "
                "leaves open on port 443",
                "set sre-platform:network.httpsEgress to declared",
            )

    def pods(self) -> Iterator[Outcome]:
        """Whether webhooks and policies admit a pod of each team's first app, in a dry run."""
        for name, pod in self._pods().items():
            namespace = pod["metadata"]["namespace"]
            if self._cluster.get("v1", "Namespace", None, namespace) is None:
                continue
            try:
                made = self._cluster.create(pod, dry_run=True)
            except RefusedError as refusal:
                yield _refused(name, refusal)
            else:
                yield self._as_made(name, made)

    def _as_made(self, name: str, made: Object) -> Outcome:
        spec = made["spec"]
        native = _container(spec.get("initContainers") or ())
        sidecar = native or _container(spec["containers"])
        if sidecar is None and self._injectors():
            return warn(f"{name}: no sidecar is injected", "see `kubectl logs` of istiod")
        if sidecar is None:
            return ok(f"{name} without a sidecar")
        if native is None:
            return warn(
                f"{name}: its sidecar is not native, so a Job beside it never ends",
                "upgrade Istio, or Kubernetes",
            )
        # The guardrail judges the pods of controllers, and perhaps not those of this identity.
        image = sidecar.get("image", "")
        allowed = [each + end for each in self._settings.istio.proxy_images for end in ":@"]
        if not image.startswith(tuple(allowed)):
            return fail(
                f"{name}: its sidecar comes from {image}, which the guardrail sre-images refuses",
                "set sre-platform:istio.proxyImage in the platform's stack to that repository",
            )
        counted = self._settings.istio.sidecar
        if differing := _differing(sidecar.get("resources") or {}, counted):
            return warn(
                f"{name}: its sidecar has {differing}, but the stack counts other amounts",
                "set sre-platform:istio.proxy to these, so that quotas are checked with them",
            )
        return ok(f"{name} with a sidecar")

    def _pods(self) -> Mapping[str, Object]:
        """A pod of the first Deployment of each namespace, by `namespace/app`."""
        pods: dict[str, Object] = {}
        seen: set[str] = set()
        for made in self._objects:
            metadata = made["metadata"]
            if made["kind"] != "Deployment" or metadata["namespace"] in seen:
                continue
            seen.add(metadata["namespace"])
            template = made["spec"]["template"]
            own = {"name": _POD, "namespace": metadata["namespace"]}
            pods[f"{metadata['namespace']}/{metadata['name']}"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**template["metadata"], **own},
                "spec": template["spec"],
            }
        return pods

    def _injectors(self) -> list[Mapping[str, Any]]:
        kind = "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"
        return [
            hook
            for configuration in self._cluster.list(*kind)
            for hook in configuration.get("webhooks") or ()
            if hook["name"].endswith(_INJECTOR)
        ]


def _refused(name: str, refusal: RefusedError) -> Outcome:
    if "exceeded quota" in refusal.reason:  # asked last, when everything else has agreed
        return ok(f"{name} would be admitted, but the quota is used up")
    for words, (found, do) in _REFUSALS.items():
        if words in refusal.reason:
            return fail(f"{name}: {found}", do)
    if refusal.status == 403 and "cannot create resource" in refusal.reason:
        return warn(f"{name}: not tried, without the right to create pods", "check it yourself")
    return fail(
        f"{name}: the API server refuses its pod ({refusal.status})",
        "see `kubectl describe replicaset` in the namespace for the reason",
    )


def _differing(resources: Mapping[str, Any], counted: Proxy) -> str:
    """The amounts that differ from those counted."""
    return ", ".join(
        f"{kind}.{resource} {has or 'unset'}"
        for kind in ("requests", "limits")
        for resource in ("cpu", "memory")
        for has in [(resources.get(kind) or {}).get(resource)]
        if not has or parse(has) != parse(getattr(getattr(counted, kind), resource).text)
    )


def _outbound_mode(mesh: str) -> str:
    """The mode in a MeshConfig; Istio's default is to let everything out."""
    try:
        found = yaml.safe_load(mesh)
    except yaml.YAMLError:
        return _OPEN
    policy = found.get("outboundTrafficPolicy") if isinstance(found, dict) else None
    return str((policy or {}).get("mode") or _OPEN)


def _container(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one for one in containers if one["name"] == _SIDECAR), None)


def _selects(hook: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
    labels = {
        **namespace.get("labels", {}),
        "kubernetes.io/metadata.name": namespace["name"],  # Kubernetes' own
    }
    # Pods of apps have no labels by which Istio selects.
    return matches(hook.get("namespaceSelector") or {}, labels) and matches(
        hook.get("objectSelector") or {}, {}
    )
