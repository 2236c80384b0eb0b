"""Whether the webhooks answer that the API server asks about what a stack creates.

Where one says `failurePolicy: Fail` and nothing answers, the API server refuses each object.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from clients.http import RefusedError
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
_AT_ONCE = 8  # a webhook may take ten seconds not to answer
_failed = re.compile(r'failed calling webhook "([a-z0-9.-]+)"')


class _Asked(NamedTuple):
    """What a webhook may be asked about: `labels` are its own, `around` its namespace's."""

    group: str
    resource: str
    kind: str
    labels: Mapping[str, str]
    around: Mapping[str, str] | None
    made: Mapping[str, Any] | None = None  # none for pods


class Webhooks:
    """The check. `objects` are those that the stack creates in the cluster."""

    def __init__(self, cluster: Cluster, objects: Sequence[Mapping[str, Any]]) -> None:
        self._cluster = cluster
        self._objects = objects

    def answers(self) -> Iterator[Outcome]:
        """Whether a pod is ready behind each Service.

        What is reached by a URL may be anywhere, so the API server itself is asked, in a dry run.
        """
        asked, hooks = list(self._asked()), list(self._hooks())
        behind = self._behind(hooks, asked)
        silent = [place for place in behind if not self._has_pods(*place)]
        for namespace, name in silent:
            kinds, certain = behind[namespace, name]
            finding, may = (fail, "refuses") if certain else (warn, "may refuse")
            yield finding(
                f"nothing is ready behind Service {namespace}/{name}, so the API server {may} "
                f"every {_named(sorted(kinds))}",
                f"start its server; {pods.see(namespace)}",
            )
        elsewhere = self._elsewhere(hooks, asked)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failed = set(pool.map(self._failed, elsewhere.values())) & elsewhere.keys()
        for hook in hooks:
            if hook["name"] in failed:
                kinds = {each.kind for each in asked if _asks(hook, each)}
                yield fail(
                    f"{hook['name']} at {urlsplit(hook['clientConfig']['url']).netloc} does not "
                    f"answer, so the API server refuses every {_named(sorted(kinds))}",
                    "start its server",
                )
        number = len(behind) + len(elsewhere)
        if not silent and not failed:
            yield ok(f"{number} answer" if number else "none is asked about this stack's objects")

    def _elsewhere(
        self, hooks: Sequence[Object], asked: Sequence[_Asked]
    ) -> dict[str, Mapping[str, Any]]:
        """Names of those with a URL, and an object that each is asked about.

        Its namespace must be there, or the API server would refuse it before asking.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for hook in hooks:
            if "url" not in hook["clientConfig"] or hook.get("failurePolicy") == "Ignore":
                continue
            for each in asked:
                if each.made and _asks(hook, each) and self._is_there(each.made):
                    found[hook["name"]] = each.made
                    break
        return found

    def _is_there(self, made: Mapping[str, Any]) -> bool:
        namespace = made["metadata"].get("namespace")
        if namespace is None:
            return True
        return self._cluster.get("v1", "Namespace", None, namespace) is not None

    def _failed(self, made: Mapping[str, Any]) -> str:
        """The webhook for which the API server waits in vain; empty if there is none."""
        try:
            self._cluster.create({**made}, dry_run=True)
        except RefusedError as refusal:
            failed = _failed.search(refusal.reason)
            return failed[1] if failed else ""
        return ""

    def _behind(
        self, hooks: Sequence[Object], asked: Sequence[_Asked]
    ) -> dict[tuple[str, str], tuple[set[str], bool]]:
        """Kinds by the Service that must answer about them, and whether it is asked for certain."""
        behind: dict[tuple[str, str], tuple[set[str], bool]] = {}
        for hook in hooks:
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
            yield _Asked(group, served.plural, made["kind"], labels, around, made)
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
