"""Rendering with Helm: a chart for each archetype that creates the same objects as `App`."""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from bench.measure import FailedError, run
from binaries import pinned
from specs.readers import Dumper

CHARTS = Path(__file__).parent / "charts"
COMMON = CHARTS / "_common.tpl"
ARCHETYPES = ("web-app", "worker", "cronjob")


def seconds_an_app(work: Path, tenants: Path, rendered: Path, apps: int) -> float:
    """Seconds that `helm template` takes per app: the mean of the first `apps` of some teams.

    `rendered` is the output of `./sre render` for these teams. Raises FailedError if Helm creates
    other objects for an app than those.
    """
    helm = pinned.find(pinned.HELM, pinned.HELM_PUBLISHED)["helm"]
    charts = _charts(work / "charts")
    values = work / "values.yaml"
    took = 0.0
    for app in islice(_apps(tenants), apps):
        name, team = app["app"]["name"], app["app"]["team"]
        values.write_text(yaml.dump(app, Dumper=Dumper), encoding="utf-8")
        chart = charts / app["archetype"]
        cost, printed = run(helm, "template", name, chart, "--namespace", team, "--values", values)
        took += cost.wall
        _check(app, printed, rendered / "kubernetes" / team)
    return took / apps


def _charts(folder: Path) -> Path:
    """The charts, each with their shared part."""
    for archetype in ARCHETYPES:
        shutil.copytree(CHARTS / archetype, folder / archetype)
        shutil.copy(COMMON, folder / archetype / "templates")
    return folder


def _apps(tenants: Path) -> Iterator[dict[str, Any]]:
    """The apps of all teams as values of their charts."""
    for file in sorted(tenants.glob("*.yaml")):
        team = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for app in team["apps"]:
            yield {**app, "app": {**app["app"], "team": team["team"]}}


def _check(app: dict[str, Any], printed: str, rendered: Path) -> None:
    """Raise FailedError unless Helm created the same objects for an app as `./sre render`."""
    made = {_name(document) for document in yaml.load_all(printed, yaml.CSafeLoader) if document}
    secrets = {variable.get("secretRef") for variable in app["app"].get("env", ())}
    ours = set()
    for file in rendered.glob("*.yaml"):
        document = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        kind, name = _name(document)
        of_app = document["metadata"]["labels"]["app.kubernetes.io/name"] == app["app"]["name"]
        if of_app or (kind == "ExternalSecret" and name in secrets):
            ours.add((kind, name))
    if made != ours:
        differing = ", ".join(" ".join(each) for each in sorted(made ^ ours))
        raise FailedError(
            f"Helm and render create different objects for {app['app']['name']}: {differing}"
        )


def _name(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]
