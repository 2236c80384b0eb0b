"""Who may newly connect to whom after a change, and who no longer may."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.reach.around import around
from tools.reach.edges import Edge, EdgeKind, Node, Reason
from tools.reach.matrix import edges
from tools.reach.world import KINDS, Object, world
from tools.review.rendered_objects import OPTIONS, RenderedObject, Side
from tools.review.rules.workload import TEMPLATES

EdgeAction = Literal["appears", "other-ports", "vanishes"]

# A release changes it on all pods. Edges depend on it only if something selects pods by it.
_VERSION = "app.kubernetes.io/version"
# In the keys of annotations that say how a pod takes part in the mesh.
_MESH = "istio.io/"


@dataclass(frozen=True)
class EdgeChange:
    """Ports on which `source` may connect to `target`, before and after, with what lets it."""

    source: Node
    target: Node
    kind: EdgeKind
    before: tuple[str, ...]
    after: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def action(self) -> EdgeAction:
        """What happens to it."""
        if not self.before:
            return "appears"
        return "other-ports" if self.after else "vanishes"


def edge_changes(base: Side, head: Side, teams: Collection[str]) -> list[EdgeChange]:
    """Every edge that differs, by its ends.

    Only edges with an end in a namespace of which something differs that they depend on are
    computed, from the objects of namespaces with which that has any: they depend on nothing else.
    `teams` are all that have files, on either side.
    """
    touched = _touched(base, head)
    if not touched:
        return []
    # What belongs to no team, such as a policy of the mesh as a whole, may concern all.
    known = {*teams, *base.teams, *head.teams}
    within = touched if touched <= known else None
    sides = [[each.fields for each in _objects(side)] for side in (base, head)]
    if within is not None:
        sides = around(sides, within)
    before, after = (_edges(objects, within, known) for objects in sides)
    found = []
    for source, target in sorted(before.keys() | after.keys()):
        was, now = (each.get((source, target), []) for each in (before, after))
        former, ports = (tuple(edge.port for edge in each) for each in (was, now))
        if former != ports:
            shown = now or was
            reasons = tuple(dict.fromkeys(reason for edge in shown for reason in edge.reasons))
            found.append(EdgeChange(source, target, shown[0].kind, former, ports, reasons))
    return found


def _edges(
    objects: Iterable[Object], within: Collection[str] | None, teams: Collection[str]
) -> dict[tuple[Node, Node], list[Edge]]:
    """The edges by their ends; only those with one in the namespaces `within`."""

    def wanted(source: Node, target: Node) -> bool:
        return within is None or source.team in within or target.team in within

    found: dict[tuple[Node, Node], list[Edge]] = defaultdict(list)
    for edge in edges(world(objects, teams), wanted):
        found[edge.source, edge.target].append(edge)
    return found


def _objects(side: Side) -> Iterator[RenderedObject]:
    for each in side.objects.values():
        if each.kind in KINDS and each.key.startswith("kubernetes/"):
            yield each


def _touched(base: Side, head: Side) -> set[str]:
    """The namespaces of which something differs that edges depend on; "" if all may be."""
    before, after = ({each.key: each for each in _objects(side)} for side in (base, head))
    touched, released = set[str](), set[str]()
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was and now:
            if was.fields == now.fields or _part(was) == _part(now):
                continue
            only_version = _without_version(_part(was)) == _without_version(_part(now))
            (released if only_version else touched).update(map(_namespace, (was, now)))
        else:
            touched.update(_namespace(each) for each in (was, now) if each)
    if not released <= touched and any(_selects_version(side) for side in (base, head)):
        touched |= released
    return touched


def _namespace(one: RenderedObject) -> str:
    if one.kind == "Namespace":
        return one.name
    # Its host is also one for other namespaces.
    if one.kind == "ServiceEntry" and one.get("spec.exportTo") != ["."]:
        return ""
    return str(one.get("metadata.namespace"))


def _part(one: RenderedObject) -> Mapping[str, Any]:
    """The part of an object that edges depend on: of pods and namespaces, little."""
    if one.kind == "Namespace":
        return {"labels": one.get("metadata.labels")}
    template = TEMPLATES.get(one.kind)
    if template is None:
        return {key: value for key, value in one.fields.items() if key != OPTIONS}
    annotations: Mapping[str, str] = one.get(f"{template}.metadata.annotations") or {}
    pod = one.get(f"{template}.spec") or {}
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    return {
        "labels": one.get(f"{template}.metadata.labels") or {},
        "annotations": {key: value for key, value in annotations.items() if _MESH in key},
        "account": pod.get("serviceAccountName"),
        "ports": [(each.get("restartPolicy"), each.get("ports")) for each in containers],
    }


def _without_version(part: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = {key: value for key, value in (part.get("labels") or {}).items() if key != _VERSION}
    return {**part, "labels": labels}


def _selects_version(side: Side) -> bool:
    return any(
        _VERSION in str(each.get("spec"))
        for each in _objects(side)
        if each.kind != "Namespace" and each.kind not in TEMPLATES
    )
