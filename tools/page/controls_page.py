"""The controls (NIST 800-53) that objects serve: of the whole stack, and of one team."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from plain.markup import element
from specs.controls import CONTROLS, POD, PURPOSES, WITH_PODS, Purpose
from tools.page.facts import FleetFacts, TeamFacts
from tools.page.parts import CONTROLS as PATH
from tools.page.parts import Cell, code, control_ids, listed, none, page, quiet, section, table
from tools.rendering.documents import MadeObject

_SERVERS = {"kubernetes": "Kubernetes", "harbor": "Harbor", "openbao": "OpenBao"}
_CONTROL_HEADS = ("Control", "Title", "Served by")
_KIND_HEADS = ("Kind", "In", "Objects", "What for", "Controls")
_OWN_HEADS = ("Kind", "In", "Objects", "Controls")
_EXPLAINED = (
    "What the stack's objects do for the controls of NIST 800-53 (revision 5). Objects alone meet "
    "no control: they are evidence for the part that the platform plays."
)
_PODS = "Pods"


def controls_page(fleet: FleetFacts) -> str:
    """The page."""
    counts = Counter[tuple[str, str]]()
    for each in _all(fleet):
        counts[each.server, each.kind] += 1
        if each.kind in WITH_PODS:
            counts[each.server, _PODS] += 1
    kinds = sorted(counts, key=_order)
    kind_rows = (_kind_row(*kind, counts[kind]) for kind in kinds)
    content = [
        element("h1", "Controls"),
        element("p", _EXPLAINED, class_="about"),
        section(
            "by-control",
            "By control",
            table("controls", "By control", _CONTROL_HEADS, _control_rows(kinds)),
        ),
        section(
            "by-kind",
            "By kind of object",
            table("kinds", "By kind of object", _KIND_HEADS, kind_rows),
        ),
    ]
    return page(PATH, fleet.stack, "Controls", content)


def own_objects(about: TeamFacts) -> Element:
    """The objects of a team, by kind."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in about.objects:
        found[each.server, each.kind].append(each.name)
        if each.kind in WITH_PODS:
            found[each.server, _PODS].append(each.name)
    rows = (
        (kind, _SERVERS[server], listed(map(code, sorted(names))), _controls(_purpose(kind)))
        for (server, kind), names in sorted(found.items(), key=lambda each: _order(each[0]))
    )
    return table("objects", "Objects of the team", _OWN_HEADS, rows)


def _all(fleet: FleetFacts) -> Iterator[MadeObject]:
    yield from fleet.shared
    for each in fleet.teams:
        yield from each.objects


def _order(kind: tuple[str, str]) -> tuple[int, str]:
    return [*_SERVERS].index(kind[0]), kind[1]


def _purpose(kind: str) -> Purpose | None:
    return POD if kind == _PODS else PURPOSES.get(kind)


def _controls(purpose: Purpose | None) -> Cell:
    return control_ids(purpose.controls) if purpose and purpose.controls else none()


def _control_rows(kinds: Iterable[tuple[str, str]]) -> Iterator[tuple[Cell, ...]]:
    serving: defaultdict[str, list[str]] = defaultdict(list)
    for server, kind in kinds:
        purpose = _purpose(kind)
        where = "" if server == "kubernetes" else f" ({_SERVERS[server]})"
        for control in purpose.controls if purpose else ():
            serving[control].append(f"{kind}{where}")
    for control, title in CONTROLS.items():
        if control in serving:
            yield control, title, ", ".join(serving[control])


def _kind_row(server: str, kind: str, count: int) -> tuple[Cell, ...]:
    purpose = _purpose(kind)
    number: Cell = quiet("as apps run") if kind == _PODS else f"{count:,}"
    return kind, _SERVERS[server], number, purpose.text if purpose else none(), _controls(purpose)
