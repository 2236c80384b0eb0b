"""Whether the webhooks answer that the API server asks about what a stack creates.

Where one says `failurePolicy: Fail` and nothing answers, the API server refuses each object.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from clients.kubernetes import Cluster, Object
from specs.network import NAMESPACE_NAME
from specs.selectors import matches
from tools.doctor import pods
from tools.doctor.examination import Outcome, fail, ok, warn

_ADMISSION = "admissionregistration.k8s.io/v1"
_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_WRITING = {"CREATE", "UPDATE", "*"}
# Whose controllers make pods, of which a webhook is asked too.
_MAKE_PODS = ("Deployment", "CronJob")
_NAMED = 3  # kinds named in a line


class _Asked(NamedTuple):
    """What a webhook may be asked about: `labels` are its own, `around` its namespace's."""

    group: str
    resource: str
    kind: str
    labels: Mapping[str, str]
    around: Mapping[str, str] | None


class Webhooks:
    """The check. `objects` are those that the stack creates in the cluster."""

    def __init__(self, cluster: Cluster, objects: Sequence[Mapping[str, Any]]) -> None:
        self._cluster = cluster
        self._objects = objects

    def answers(self) -> Iterator[Outcome]:
        """Whether a pod is ready behind each Service; what is reached by a URL may be anywhere."""
        behind = self._behind()
        silent = [place for place in behind if not self._has_pods(*place)]
        for namespace, name in silent:
            kinds, certain = behind[namespace, name]
            finding, may = (fail, "refuses") if certain else (warn, "may refuse")
            yield finding(
                f"nothing is ready behind Service {namespace}/{name}, so the API server {may} "
                f"every {_named(sorted(kinds))}",
                f"start its server; {pods.see(namespace)}",
            )
        if not silent:
            yield ok(
                f"{len(behind)} answer" if behind else "none is asked about this stack's objects"
            )

    def _behind(self) -> dict[tuple[str, str], tuple[set[str], bool]]:
        """Kinds by the Service that must answer about them, and whether it is asked for certain."""
        asked = list(self._asked())
        behind: dict[tuple[str, str], tuple[set[str], bool]] = {}
        for hook in self._hooks():
            kinds = {each.kind for each in asked if _asks(hook, each)}
            service = hook["clientConfig"].get("service")
            if hook.get("failurePolicy") == "Ignore" or not kinds or service is None:
                continue
            place = service["namespace"], service["name"]
            others, certain = behind.get(place, (set(), False))
            # Only the API server knows what a condition leaves out.
            behind[place] = others | kinds, certain or not hook.get("matchConditions")
        return behind

    def _hooks(self) -> Iterator[Object]:
        for kind in _KINDS:
            for configuration in self._cluster.list(_ADMISSION, kind):
                yield from configuration.get("webhooks") or ()

    def _asked(self) -> Iterator[_Asked]:
        """The objects, and the pods that controllers will create for them."""
        namespaces = {
            made["metadata"]["name"]: {
                **(made["metadata"].get("labels") or {}),
                NAMESPACE_NAME: made["metadata"]["name"],
            }
            for made in self._objects
            if made["kind"] == "Namespace"
        }
        for made in self._objects:
            metadata = made["metadata"]
            served = self._cluster.served(made["apiVersion"]).get(made["kind"])
            if served is None:  # reported elsewhere
                continue
            group = made["apiVersion"].rpartition("/")[0]
            place = metadata["name"] if made["kind"] == "Namespace" else metadata.get("namespace")
            around = namespaces.get(place, {NAMESPACE_NAME: place}) if place else None
            labels = metadata.get("labels") or {}
            yield _Asked(group, served.plural, made["kind"], labels, around)
            if made["kind"] in _MAKE_PODS:
                spec = made["spec"]
                template = spec.get("jobTemplate", made)["spec"]["template"]
                labels = template["metadata"].get("labels") or {}
                yield _Asked("", "pods", "Pod", labels, around)

    def _has_pods(self, namespace: str, name: str) -> bool:
        slices = self._cluster.list("discovery.k8s.io/v1", "EndpointSlice", namespace)
        return any(
            (endpoint.get("conditions") or {}).get("ready", True)
            for one in slices
            if pods.labelled(one, {"kubernetes.io/service-name": name})
            for endpoint in one.get("endpoints") or ()
        )


def _asks(hook: Mapping[str, Any], each: _Asked) -> bool:
    """Whether the API server asks it about this when the stack creates or changes it."""
    if each.around is not None and not matches(hook.get("namespaceSelector") or {}, each.around):
        return False
    if not matches(hook.get("objectSelector") or {}, each.labels):
        return False
    return any(_covers(rule, each) for rule in hook.get("rules") or ())


def _covers(rule: Mapping[str, Any], each: _Asked) -> bool:
    """By `matchPolicy: Equivalent` it is asked about other versions too, so none are compared."""
    scope = rule.get("scope", "*")
    namespaced = each.around is not None and each.kind != "Namespace"
    return (
        bool(_WRITING & set(rule.get("operations") or ()))
        and bool({each.group, "*"} & set(rule.get("apiGroups") or ()))
        and bool({each.resource, "*", "*/*"} & set(rule.get("resources") or ()))
        and (scope == "*" or (scope == "Namespaced") == namespaced)
    )


def _named(kinds: Sequence[str]) -> str:
    more = f" and {len(kinds) - _NAMED} more" if len(kinds) > _NAMED else ""
    return ", ".join(kinds[:_NAMED]) + more
