"""Dashboards of teams and apps: what is in them, for whom, and how Grafana finds them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser
import pytest

from binaries import pinned
from components.panels import RANGE
from specs.promql_grammar import nodes
from tests.conftest import Program
from tests.optional import reader
from tests.program import (
    ARCHETYPES,
    CONFIG_MAP,
    PROMETHEUS_RULE,
    ROOT,
    TENANT,
    Made,
    Resource,
    one_of_each,
    team_file,
    web_app,
    worker,
)

pytestmark = pytest.mark.commands

LABEL, FOLDER = "grafana_dashboard", "grafana_folder"
MOST = 2**20  # bytes of a ConfigMap (Kubernetes: ConfigMap)


def _dashboards(made: Made) -> list[Resource]:
    return [one for one in made.all(CONFIG_MAP) if LABEL in one.labels]


def _dashboard(made: Made, name: str) -> dict[str, Any]:
    (text,) = made.one(CONFIG_MAP, f"team-alpha/{name}").inputs["data"].values()
    return json.loads(text)


def _panels(dashboard: dict[str, Any], kind: str = "") -> list[dict[str, Any]]:
    """All but the rows, or those of a kind."""
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    return [panel for panel in panels if not kind or panel["type"] == kind]


def _rows(dashboard: dict[str, Any]) -> list[str]:
    return [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]


def _queries(made: Made) -> Iterator[str]:
    """PromQL of all panels."""
    for one in _dashboards(made):
        for text in one.inputs["data"].values():
            for panel in _panels(json.loads(text)):
                if panel["datasource"]["type"] == "prometheus":
                    yield from (target["expr"] for target in panel["targets"])


def _with_range(query: str) -> str:
    """As Grafana sends it."""
    return query.replace(RANGE, "2m")


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_each_app_has_one_that_the_sidecar_finds_in_the_team_s_folder(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each()).one(CONFIG_MAP, f"team-alpha/{archetype}-dashboard")
    assert made.parent == f"sre:platform:App team-alpha/{archetype}"
    assert made.metadata["namespace"] == "team-alpha"
    assert made.labels[LABEL] == "1"
    assert made.metadata["annotations"] == {FOLDER: "team-alpha"}
    assert list(made.inputs["data"]) == [f"team-alpha.{archetype}.json"]


def test_each_team_has_one(program: Program) -> None:
    made = program(one_of_each()).one(CONFIG_MAP, "team-alpha/team-alpha-dashboards")
    assert made.parent == f"{TENANT} team-alpha"
    assert made.labels[LABEL] == "1"
    assert list(made.inputs["data"]) == ["team-alpha.json"]


def test_no_two_of_them_meet_in_the_sidecar_s_folder_or_in_grafana(everything: Made) -> None:
    made = _dashboards(everything)
    files = [file for one in made for file in one.inputs["data"]]
    read = [json.loads(text) for one in made for text in one.inputs["data"].values()]
    for names in (files, [one["uid"] for one in read], [one["title"] for one in read]):
        assert len(set(names)) == len(names) == len(made)
    assert all(re.fullmatch("[a-zA-Z0-9_-]{8,40}", one["uid"]) for one in read)


def test_a_uid_stays_whatever_else_changes(program: Program) -> None:
    made = [program(worker(keys)) for keys in ("", "autoscaling: {enabled: true}")]
    assert len({_dashboard(one, "consumer-dashboard")["uid"] for one in made}) == 1
    assert _dashboard(made[0], "consumer-dashboard")["uid"] == (
        "sre-edf123d41147984542327c6141940001"
    )


def test_all_fit_into_a_config_map_many_times(everything: Made) -> None:
    sizes = [len(text) for one in _dashboards(everything) for text in one.inputs["data"].values()]
    assert max(sizes) < MOST / 32


def test_prometheus_parses_every_query(everything: Made, request: pytest.FixtureRequest) -> None:
    queries = sorted({_with_range(query) for query in _queries(everything)})
    rules = [
        {"record": "a", "expr": query, "labels": {"n": str(n)}} for n, query in enumerate(queries)
    ]
    with reader(request, pinned.PROMQL) as objection:
        assert objection(json.dumps({"groups": [{"name": "a", "rules": rules}]})) == ""
        rules[-1]["expr"] += ")"
        assert objection(json.dumps({"groups": [{"name": "a", "rules": rules}]})) != ""


def _selectors(expression: str) -> Iterator[Any]:
    for node in nodes(promql_parser.parse(expression)):
        if isinstance(node, promql_parser.VectorSelector):
            yield node


NAMESPACES = (
    "namespace",
    "exported_namespace",
    "destination_workload_namespace",
    "source_workload_namespace",
)


def test_every_query_is_about_one_namespace(everything: Made) -> None:
    for one in _dashboards(everything):
        team = one.metadata["annotations"][FOLDER]
        for text in one.inputs["data"].values():
            for panel in _panels(json.loads(text)):
                for target in panel["targets"]:
                    if panel["type"] == "logs":
                        assert target["expr"].startswith(f'{{namespace="{team}"')
                        continue
                    for selector in _selectors(_with_range(target["expr"])):
                        of = [m.value for m in selector.matchers.matchers if m.name in NAMESPACES]
                        assert of == [team], target["expr"]


def test_the_page_names_every_metric_that_alerts_and_dashboards_read(everything: Made) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    alerts = [
        rule["expr"]
        for made in everything.all(PROMETHEUS_RULE)
        for group in made.spec["groups"]
        if group["name"].endswith("/defaults")
        for rule in group["rules"]
    ]
    queries = [*alerts, *map(_with_range, _queries(everything))]
    read = {str(one.name) for query in queries for one in _selectors(query)}
    assert len(read) > 30
    assert sorted(name for name in read if f"`{name}`" not in page) == []


def test_panels_have_numbers_of_their_own_and_do_not_overlap(everything: Made) -> None:
    for one in _dashboards(everything):
        (text,) = one.inputs["data"].values()
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        at = [panel["gridPos"] for panel in panels]
        assert all(each["x"] + each["w"] <= 24 for each in at)
        for a, b in combinations(at, 2):
            apart = (
                a["x"] + a["w"] <= b["x"],
                b["x"] + b["w"] <= a["x"],
                a["y"] + a["h"] <= b["y"],
                b["y"] + b["h"] <= a["y"],
            )
            assert any(apart), (one, a, b)


def test_logs_are_found_by_the_guide_s_labels(program: Program) -> None:
    (panel,) = _panels(_dashboard(program(web_app()), "my-api-dashboard"), "logs")
    (target,) = panel["targets"]
    assert target["expr"] == '{namespace="team-alpha", app="my-api"}'
    assert panel["datasource"] == {"type": "loki", "uid": "${logs}"}


def test_data_sources_are_variables_because_each_grafana_has_its_own(program: Program) -> None:
    dashboard = _dashboard(program(web_app()), "my-api-dashboard")
    variables = {
        one["name"]: (one["type"], one["query"]) for one in dashboard["templating"]["list"]
    }
    assert variables == {
        "metrics": ("datasource", "prometheus"),
        "logs": ("datasource", "loki"),
    }
    used = {panel["datasource"]["uid"] for panel in _panels(dashboard)}
    assert used == {f"${{{name}}}" for name in variables}


EVERY = ["Calls to others", "Resources", "Logs"]
SHOWN = {
    "web-app": ["Pods", "Requests", *EVERY],
    "worker": ["Pods", *EVERY],
    "cronjob": ["Runs", *EVERY],
}


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_an_app_s_shows_what_its_archetype_has(program: Program, archetype: str) -> None:
    assert _rows(_dashboard(program(one_of_each()), f"{archetype}-dashboard")) == SHOWN[archetype]


@pytest.mark.parametrize(
    ("protocol", "row"),
    [("http2", "Requests"), ("grpc", "Requests"), ("tcp", "Connections"), ("tls", "Connections")],
)
def test_what_is_spoken_decides_between_requests_and_connections(
    program: Program, protocol: str, row: str
) -> None:
    keys = f"""
    app:
      protocol: {protocol}
      probes: {{liveness: {{tcp: {{}}}}, readiness: {{tcp: {{}}}}}}
    """
    assert _rows(_dashboard(program(web_app(keys)), "my-api-dashboard"))[1] == row


def test_secrets_and_volumes_are_shown_where_there_are_any(program: Program) -> None:
    keys = """
    app:
      env: [{name: A, secretRef: db}, {name: B, secretRef: mail}]
      volumes: [{name: data, path: /data, size: 1Gi, accessMode: ReadWriteMany}]
    """
    made = program(worker(keys))
    app, team = (_dashboard(made, name) for name in ("consumer-dashboard", "team-alpha-dashboards"))
    assert 'persistentvolumeclaim="consumer-data"' in json.dumps(app).replace('\\"', '"')
    for dashboard in (app, team):
        assert "Secrets" in _rows(dashboard)
        assert 'name=~"db|mail"' in json.dumps(dashboard).replace('\\"', '"')


def test_a_team_without_apps_has_one_too(program: Program) -> None:
    rows = _rows(_dashboard(program(team_file()), "team-alpha-dashboards"))
    assert rows == ["Alerts and quota", "Apps", "Resources", "Logs"]


def test_a_team_that_leaves_has_none(program: Program) -> None:
    assert program("lifecycle: offboarding\n" + one_of_each()).names(CONFIG_MAP) == []


def test_the_stack_can_do_without_them(program: Program) -> None:
    made = program(one_of_each(), monitoring={"dashboards": False})
    assert made.names(CONFIG_MAP) == []


def test_the_stack_names_the_annotation_with_the_folder(program: Program) -> None:
    made = program(web_app(), monitoring={"folderAnnotation": "k8s-sidecar-target-directory"})
    assert [one.metadata["annotations"] for one in _dashboards(made)] == [
        {"k8s-sidecar-target-directory": "team-alpha"}
    ] * 2


def test_grafana_s_models_are_loaded_only_for_a_dashboard() -> None:
    loaded = (
        "import sys, cli.validate, components.app, components.tenant; "
        "sys.exit('grafana_foundation_sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", loaded], cwd=ROOT).returncode == 0
