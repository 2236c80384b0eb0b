"""Compares a tree's objects with those that the program creates from the imported files."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dryrun.recording import record_stack
from specs.fleet import SUFFIX
from specs.settings import PREFIX
from tools.migration import policies
from tools.migration.access_draft import made_binding
from tools.migration.amounts import MADE
from tools.migration.documents import Manifest, note_other_name
from tools.migration.import_findings import Findings
from tools.migration.live_losses import differences, metadata_differences
from tools.migration.routes import KIND

# By kind and name.
Objects = Mapping[tuple[str, str], Mapping[str, Any]]

_POLICIES = "networking.k8s.io"
_STORE = "store its values in OpenBao and name it by secretRef"
_INGRESS = "write its hosts and paths under `ingress` of the app"
_HINTS = {
    KIND: _INGRESS,
    "Ingress": _INGRESS,
    "HTTPRoute": _INGRESS,
    "Secret": _STORE,
    "SealedSecret": _STORE,
}
_OTHERWISE = "create it by other means"


def made_objects(
    root: Path, stack: str, texts: Mapping[str, str], beside: Mapping[str, str]
) -> dict[str, Objects]:
    """The Kubernetes objects that the program creates for each team, from its file's text.

    `beside` has the files of other teams that these name.
    """
    changes = {"teams": sorted(texts), "platform": False, "manage": {"kubernetes": True}}
    with tempfile.TemporaryDirectory() as folder:
        for team, text in (*beside.items(), *texts.items()):
            (Path(folder) / f"{team}{SUFFIX}").write_text(text, encoding="utf-8")
        changed = {f"{PREFIX}{key}": value for key, value in changes.items()}
        recording = record_stack(root, stack, Path(folder), changed)
    found: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {team: {} for team in texts}
    for made in recording.registrations:
        if made.package == "kubernetes" and "metadata" in made.inputs:
            metadata = made.inputs["metadata"]
            team = metadata.get("namespace", metadata["name"])
            if team in found:
                found[team][made.inputs["kind"], metadata["name"]] = made.inputs
    return dict(found)


def hold_against(
    team: str,
    manifests: list[Manifest],
    made: Objects,
    routes: Mapping[str, str],
    findings: Findings,
) -> None:
    """Report what the team's objects contain and the created ones do not.

    `routes` are VirtualServices that became the ingress of an app: its name by theirs.
    """
    for manifest in manifests:
        findings.lost += (
            manifest.problem(loc, message, at_key=loc[:1] == ("metadata",))
            for loc, message in _held(team, manifest, made, routes, findings)
        )


def _held(
    team: str, manifest: Manifest, made: Objects, routes: Mapping[str, str], findings: Findings
) -> Iterator[tuple[Any, str]]:
    route = routes.get(manifest.name) if manifest.kind == KIND else None
    counterpart = made.get((manifest.kind, route or _made_name(team, manifest)))
    if counterpart is None or not _same_group(manifest, counterpart):
        if manifest.kind == "RoleBinding":
            return  # reported where access is read
        if manifest.kind == "NetworkPolicy" and manifest.group == _POLICIES:
            yield from _held_policy(manifest, made, findings)
            return
        hint = _HINTS.get(manifest.kind, _OTHERWISE)
        yield ("kind",), f"{manifest.title} is not created by the program; {hint}"
    elif manifest.kind == "NetworkPolicy" and policies.same(
        manifest.data, counterpart, is_ipv4=True
    ):
        if not policies.same(manifest.data, counterpart):
            findings.note(manifest.problem(("spec",), "the program allows IPv6 too"))
        yield from metadata_differences(manifest, counterpart)
    elif route:
        note_other_name(manifest, route, findings)
        yield from metadata_differences(manifest, counterpart)
    elif manifest.kind in (*MADE, "RoleBinding"):
        yield from metadata_differences(manifest, counterpart)
    else:
        if manifest.kind == "HorizontalPodAutoscaler":
            _note_metrics(manifest, findings)
        yield from differences(manifest, counterpart)


def _note_metrics(manifest: Manifest, findings: Findings) -> None:
    """CPU use of a pod, which is averaged with its sidecar, or of the app's container alone."""
    for index, metric in enumerate(manifest.entries("spec", "metrics")):
        if isinstance(metric, dict) and metric.get("type") == "Resource":
            message = (
                "averages over all of a pod's containers, including the sidecar; the "
                "program's autoscaler looks only at the app's container, and may keep more pods"
            )
            findings.note(manifest.problem(("spec", "metrics", index, "type"), message))


def _held_policy(
    manifest: Manifest, made: Objects, findings: Findings
) -> Iterator[tuple[Any, str]]:
    """A policy under another name: it equals another, or the others are wider, or neither."""
    others = {name: each for (kind, name), each in made.items() if kind == "NetworkPolicy"}
    if policies.denies_all(manifest.data):
        note_other_name(manifest, "default-deny-all", findings)
        return
    for name, other in others.items():
        if policies.same(manifest.data, other):
            note_other_name(manifest, name, findings)
            return
    if policies.is_covered(manifest.data, others.values()):
        said = f"{manifest.title} allows less than the program's combined, {policies.WIDER}"
    else:
        said = f"{manifest.title} is not created by the program; {policies.HINT}"
    yield ("kind",), said


def _same_group(manifest: Manifest, made: Mapping[str, Any]) -> bool:
    """Whether the kind is in one API group: other groups have a Service of their own."""
    return manifest.group == made["apiVersion"].rpartition("/")[0]


def _made_name(team: str, manifest: Manifest) -> str:
    """The name under which the program creates this object."""
    if manifest.kind == "RoleBinding":
        return made_binding(team, manifest)
    return MADE[manifest.kind].format(team) if manifest.kind in MADE else manifest.name
