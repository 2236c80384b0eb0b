"""Which team each object belongs to, and what happens to Flux's own objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specs.names import check_team_name
from specs.problem import Finding, Loc
from tools.migration import release as helm
from tools.migration.documents import Manifest
from tools.migration.flux import KNOWN
from tools.migration.import_findings import (
    ACCEPT,
    SUBSTITUTED,
    Findings,
    is_substituted,
    texts,
)
from tools.migration.release import FLUX_NAMESPACE, is_release
from tools.migration.tree import Tree

_TOOLKIT = "toolkit.fluxcd.io"
_SOURCES = f"source.{_TOOLKIT}"

_TELL_A_TEAM = ("ResourceQuota", "LimitRange", "RoleBinding", "NetworkPolicy")


@dataclass
class TeamObjects:
    """A team's objects: releases of Helm, and all others unchanged."""

    releases: list[tuple[Manifest, str | None]] = field(default_factory=list)
    others: list[Manifest] = field(default_factory=list)

    @property
    def home(self) -> Manifest:
        """The object that names the team: its Namespace, or else the first object."""
        namespaces = [each for each in self.others if each.kind == "Namespace"]
        return [*namespaces, *(release for release, _ in self.releases), *self.others][0]


def sort_objects(tree: Tree, findings: Findings) -> dict[str, TeamObjects]:
    """The teams by name."""
    teams: dict[str, TeamObjects] = {}
    homeless: list[tuple[Manifest, str | None]] = []
    said = _said_below(tree)
    for manifest in tree.objects:
        if (manifest.kind == "ConfigMap" and not manifest.group) or _is_flux(manifest):
            continue
        _look_for_substitutions(manifest, findings)
        if is_release(manifest):
            namespace = _namespace(tree, manifest, said)
            if team := helm.team_of(manifest, namespace):
                teams.setdefault(team, TeamObjects()).releases.append((manifest, namespace))
            else:
                homeless.append((manifest, None))
        elif manifest.group.endswith(_TOOLKIT):
            found = _flux_object(manifest)
            findings.lost += (
                manifest.problem(loc, said, at_key=loc != ("kind",)) for loc, said in found
            )
        elif manifest.kind == "Namespace" and not manifest.group:
            teams.setdefault(manifest.name, TeamObjects()).others.append(manifest)
        else:
            homeless.append((manifest, _namespace(tree, manifest, said)))
    if not teams:
        tell = [home for each, home in homeless if home and each.kind in _TELL_A_TEAM]
        teams = {home: TeamObjects() for home in sorted(tell)}
    for manifest, home in homeless:
        if home in teams:
            teams[home].others.append(manifest)
        else:
            why = (
                f"is in namespace '{home}', whose team is not in the import; import it with "
                "its team"
                if home
                else "has no namespace, so it belongs to no team; add one if its kind has "
                f"namespaces, or {ACCEPT}"
            )
            message = f"{manifest.title} {why}"
            findings.lost.append(manifest.problem(("kind",), message))
    return {name: teams[name] for name in sorted(teams) if _is_named(teams[name], name, findings)}


def _is_flux(manifest: Manifest) -> bool:
    """Whether it is part of Flux itself, as `flux bootstrap` writes it."""
    part_of = manifest.mapping("metadata", "labels").get("app.kubernetes.io/part-of")
    home = manifest.get("metadata", "namespace") or FLUX_NAMESPACE
    return part_of == "flux" and home == FLUX_NAMESPACE


def _is_named(team: TeamObjects, name: str, findings: Findings) -> bool:
    """Whether a team can have the name, which is also a file's name."""
    try:
        check_team_name(name)
    except ValueError as error:
        loc = ("metadata", "name" if team.home.kind == "Namespace" else "namespace")
        findings.lost.append(team.home.problem(loc, str(error)))
        return False
    return True


def _said_below(tree: Tree) -> dict[Path, set[str]]:
    """For each folder, the namespaces that objects in it and below name."""
    said: dict[Path, set[str]] = {}
    for manifest in tree.objects:
        name = manifest.name if manifest.kind == "Namespace" else tree.namespace(manifest)
        if name and name != FLUX_NAMESPACE:
            for folder in manifest.source.file.resolve().parents:
                said.setdefault(folder, set()).add(name)
    return said


def _namespace(tree: Tree, manifest: Manifest, said: Mapping[Path, set[str]]) -> str | None:
    """An object's namespace; one that names none goes where its neighbours go."""
    if namespace := tree.namespace(manifest):
        return namespace
    file = manifest.source.file.resolve()
    for folder in file.parents:
        if found := said.get(folder):
            return next(iter(found)) if len(found) == 1 else None
    return _tenants_folder(file)


def _tenants_folder(file: Path) -> str | None:
    """The guide's layout: apps/tenants/<team>/."""
    parts = file.parent.parts
    if "tenants" in parts[:-1]:
        return parts[parts.index("tenants") + 1]
    return None


def _flux_object(manifest: Manifest) -> Iterator[Finding]:
    if manifest.group == _SOURCES:
        return
    if manifest.group != f"kustomize.{_TOOLKIT}":
        message = (
            f"{manifest.title} acts on objects that Flux applies, and Flux no longer applies any; "
            "replace it by other means"
        )
        yield ("kind",), message
        return
    for key, value in manifest.mapping("spec").items():
        loc: Loc = ("spec", key)
        if key == "suspend":
            if value:
                yield (
                    loc,
                    (
                        "Flux does not apply what it names; check what runs, then accept that "
                        "(--partial)"
                    ),
                )
        elif key == "kubeConfig":
            yield loc, "targets another cluster; import it with that cluster's stack"
        elif key not in KNOWN and value not in (None, (), {}, ""):
            yield loc, "changes what is applied; write the result into the objects"


def _look_for_substitutions(manifest: Manifest, findings: Findings) -> None:
    if manifest.kind == "Secret" or not manifest.substituted:
        return
    for loc, data in texts(dict(manifest.data)):
        if is_substituted(data):
            findings.lost.append(manifest.problem(loc, SUBSTITUTED))
