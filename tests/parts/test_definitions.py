"""The copies in `sandbox/crds/` say what their projects publish, but for what their page names."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from binaries import istio, operators, prometheus_operator
from tests.optional import available
from tests.program import ROOT

pytestmark = pytest.mark.parts

COPIES = ROOT / "sandbox" / "crds"
MONITORING = ("PrometheusRule", "ServiceMonitor")
MESH = ("AuthorizationPolicy", "Gateway", "ServiceEntry", "VirtualService")


def documents(file: Path) -> list[Any]:
    return [each for each in yaml.load_all(file.read_text("utf-8"), yaml.CSafeLoader) if each]


@cache
def published() -> Mapping[str, Any]:
    """The definitions of both projects' pinned modules, by kind."""
    monitoring = operators.sources(prometheus_operator.RELEASE, prometheus_operator.MODULE)
    mesh = operators.sources(istio.RELEASE, "istio.io/api")
    files = [
        *(
            monitoring
            / prometheus_operator.DEFINITIONS
            / f"monitoring.coreos.com_{kind.lower()}s.yaml"
            for kind in MONITORING
        ),
        mesh / "kubernetes" / "customresourcedefinitions.gen.yaml",
    ]
    return {each["spec"]["names"]["kind"]: each for file in files for each in documents(file)}


def cut(definition: Mapping[str, Any]) -> Any:
    """Without what the page says is left out."""
    spec = definition["spec"]
    versions = []
    for version in spec["versions"]:
        schema = without_descriptions(version["schema"]["openAPIV3Schema"])
        for key in ("apiVersion", "kind", "metadata", "status"):
            schema["properties"].pop(key, None)
        schema["required"] = [each for each in schema.get("required", ()) if each != "status"]
        kept = {key: version[key] for key in ("name", "served", "storage")}
        versions.append({**kept, "schema": schema})
    return {"name": definition["metadata"]["name"], **spec, "versions": versions}


def without_descriptions(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_descriptions(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_descriptions(value)
        for key, value in schema.items()
        if not (key == "description" and isinstance(value, str))
    }


@pytest.mark.parametrize("kind", [*MONITORING, *MESH])
def test_a_copy_says_what_its_project_publishes(kind: str) -> None:
    (copy,) = documents(COPIES / f"{kind}.yaml")
    assert cut(copy) == cut(available(published)[kind])
