"""The chart of a release: by its name, its folder, its address or another object."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from specs.problem import Loc
from tools.migration.documents import Manifest
from tools.migration.kustomization import CHART_FILE
from tools.migration.repository import ancestors
from tools.migration.tree import Tree

ARCHETYPES = {"sre-web-app": "web-app", "sre-worker": "worker", "sre-cronjob": "cronjob"}

_GROUP = "source.toolkit.fluxcd.io"
_FOLDERS = ("GitRepository", "Bucket")  # sources that contain a chart as a folder
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Chart:
    """A release's chart, and its place in the release; `unknown` says why a name is missing."""

    name: str | None
    loc: Loc
    unknown: str = ""


@dataclass(frozen=True)
class Charts:
    """The objects from which releases may take their charts, by kind, namespace and name."""

    sources: Mapping[tuple[str, str, str], Manifest]

    def of(self, release: Manifest) -> Chart:
        """The chart of a release."""
        at: Loc = ("spec", "chart", "spec")
        if release.get("spec", "chart", "spec", "chart") is not None:
            return self._of_template(release, release, at)
        loc: Loc = ("spec", "chartRef", "name")
        reference = release.mapping("spec", "chartRef")
        kind, name = str(reference.get("kind")), str(reference.get("name") or "")
        home = str(reference.get("namespace") or release.get("metadata", "namespace"))
        found = self._find(kind, home, name)
        if found is None:
            # Without the object, only its name is known.
            message = f"{kind} '{name}' is not in the imported files; import it with the release"
            return Chart(name if name in ARCHETYPES else None, loc, message)
        if found.kind == "HelmChart":
            return Chart(self._of_template(release, found, ("spec",)).name, loc)
        return Chart(_last(str(found.get("spec", "url"))), loc)

    def _find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        for home in (namespace, "None"):
            if found := self.sources.get((kind, home, name)):
                return found
        return None

    def _of_template(self, release: Manifest, home: Manifest, at: Loc) -> Chart:
        """The chart that a release or a HelmChart names at `at`, from its source."""
        spec: Any = home.mapping(*map(str, at))
        named, loc = str(spec.get("chart")), (*at, "chart")
        source = spec.get("sourceRef")
        kind = source.get("kind") if isinstance(source, dict) else None
        if kind not in _FOLDERS and not named.startswith(("./", "../", "/")):
            return Chart(_last(named), loc)
        for root in ancestors(release.source.file.resolve()):
            folder = Path(os.path.normpath(root / named.lstrip("/")))
            is_here = os.path.isfile(folder / CHART_FILE)  # noqa: PTH113 (see flux)
            if is_here and folder.is_relative_to(root):
                return Chart(_name_in(folder / CHART_FILE), loc)
        name = _last(named)
        message = (
            f"the chart's folder '{named}' is not in the tree, so its name is not known; import "
            "from a checkout that has it"
        )
        return Chart(name if name in ARCHETYPES else None, loc, message)


def read_charts(tree: Tree) -> Charts:
    """The charts' sources in the tree."""
    return Charts(
        {
            (each.kind, str(tree.namespace(each)), each.name): each
            for each in tree.objects
            if each.group == _GROUP and each.kind in ("OCIRepository", "HelmChart")
        }
    )


def _last(named: str) -> str:
    """The last part of a path or address, without a tag or digest."""
    return PurePosixPath(named.rstrip("/")).name.partition("@")[0].partition(":")[0]


def _name_in(file: Path) -> str | None:
    """The name that a Chart.yaml gives its chart."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8", errors="replace")[:_MOST_BYTES])
    except (OSError, yaml.YAMLError):
        return None
    return str(data.get("name")) if isinstance(data, dict) else None
