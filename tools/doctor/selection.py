"""Whether a Prometheus selects what the stack makes; its operator silently leaves out the rest.

A missing selector selects nothing, and an empty one selects all. Without a selector of namespaces,
a reader selects only in its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from specs.openings import selector_shown
from specs.selectors import matches
from tools.doctor.examination import Outcome, ok, warn

Object = Mapping[str, Any]
# Labels by namespace.
LabelsOf = Mapping[str, Mapping[str, str]]

# The kinds whose objects select; the operator serves them all.
READERS = (
    ("monitoring.coreos.com/v1", "Prometheus"),
    ("monitoring.coreos.com/v1alpha1", "PrometheusAgent"),
    ("monitoring.coreos.com/v1", "ThanosRuler"),
)
# What is selected, and by which key.
SELECTORS = {"ServiceMonitor": "serviceMonitor", "PrometheusRule": "rule"}
_NAMED = 3  # objects named in a line


def by_namespace(readers: Iterable[Object]) -> bool:
    """Whether namespaces' labels matter to any of them."""
    return any(
        reader["spec"].get(f"{key}NamespaceSelector")
        for reader in readers
        for key in SELECTORS.values()
    )


def read(kind: str, made: Sequence[Object], readers: Sequence[Object], of: LabelsOf) -> Outcome:
    """Whether all of these objects of a kind are selected."""
    key = SELECTORS[kind]
    unread = [
        each for each in made if not any(_selects(reader, key, each, of) for reader in readers)
    ]
    if not unread:
        return ok(f"{kind}: {len(made)} selected")
    found = f"no Prometheus selects the {kind}{'s' if unread[1:] else ''} {_names(unread)}"
    if not readers:
        return warn(found, "create a Prometheus object that does")
    asked = "; ".join(f"{name_of(reader)} {_shown(reader['spec'], key)}" for reader in readers)
    return warn(
        f"{found} ({asked})",
        "set the labels that it selects by in sre-platform:metrics.labels, or change its "
        f"{key}Selector or {key}NamespaceSelector",
    )


def forbids_files(readers: Iterable[Object]) -> list[str]:
    """Names of readers that reject monitors which read files, as `metrics.scrape: mesh` needs."""
    return [
        name_of(reader)
        for reader in readers
        if (reader["spec"].get("arbitraryFSAccessThroughSMs") or {}).get("deny")
    ]


def _selects(reader: Object, key: str, each: Object, of: LabelsOf) -> bool:
    spec, metadata = reader["spec"], each["metadata"]
    namespace = metadata["namespace"]
    wanted = spec.get(f"{key}NamespaceSelector")
    if wanted is None:
        here = namespace == reader["metadata"]["namespace"]
    else:
        here = matches(wanted, of.get(namespace, {}))
    selector = spec.get(f"{key}Selector")
    return here and selector is not None and matches(selector, metadata.get("labels") or {})


def _shown(spec: Object, key: str) -> str:
    selector, namespaces = spec.get(f"{key}Selector"), spec.get(f"{key}NamespaceSelector")
    if selector is None:
        return "selects none"
    if namespaces is None:
        where = "its own namespace"
    else:
        where = selector_shown(namespaces, "all namespaces")
    return f"selects {selector_shown(selector, 'all')} in {where}"


def name_of(each: Object) -> str:
    """`namespace/name`."""
    return f"{each['metadata']['namespace']}/{each['metadata']['name']}"


def _names(objects: Iterable[Object]) -> str:
    names = sorted(name_of(each) for each in objects)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
