"""Pods of an app run on different nodes and in different zones, as far as that is possible."""

import copy
from typing import Any

import pytest

from components.differences import differences
from specs.settings import KubernetesSettings
from tests.conftest import Program
from tests.program import CRON_JOB, DEPLOYMENT, Made, cronjob, web_app, worker

NODE, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def constraints(made: Made, name: str) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] | None
    found = made.one(DEPLOYMENT, f"team-alpha/{name}").pod.get("topologySpreadConstraints")
    return found


@pytest.mark.parametrize(("file", "name"), [(web_app(), "my-api"), (worker(), "consumer")])
def test_pods_are_spread_but_never_wait_for_it(program: Program, file: str, name: str) -> None:
    made = program(file)
    found = constraints(made, name)
    assert found
    assert [each["topologyKey"] for each in found] == [NODE, ZONE]
    for each in found:
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["maxSkew"] == 1
        assert each["labelSelector"] == made.one(DEPLOYMENT, f"team-alpha/{name}").spec["selector"]
        assert each["matchLabelKeys"] == ["pod-template-hash"]


def test_a_cronjob_s_pods_are_placed_anywhere(program: Program) -> None:
    pod = program(cronjob()).one(CRON_JOB, "team-alpha/report").pod
    assert "topologySpreadConstraints" not in pod


def test_a_stack_says_which_labels_its_nodes_have(program: Program) -> None:
    def spread_over(*labels: str) -> list[dict[str, Any]] | None:
        kubernetes = {"clusterIdentifier": "test", "spreadOver": list(labels)}
        return constraints(program(web_app(), kubernetes=kubernetes), "my-api")

    found = spread_over(NODE)
    assert found
    assert [each["topologyKey"] for each in found] == [NODE]
    assert spread_over() is None


def test_a_label_that_no_node_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a label key"):
        KubernetesSettings.model_validate({"clusterIdentifier": "test", "spreadOver": ("a b",)})


def test_a_label_is_listed_once() -> None:
    """The API server takes one constraint for each label."""
    with pytest.raises(ValueError, match=f"lists '{NODE}' twice"):
        KubernetesSettings.model_validate({"clusterIdentifier": "test", "spreadOver": (NODE, NODE)})


def test_a_takeover_names_the_restart_that_this_means(program: Program) -> None:
    settled = program(worker()).one(DEPLOYMENT, "team-alpha/consumer").inputs
    live = copy.deepcopy(settled)
    del live["spec"]["template"]["spec"]["topologySpreadConstraints"]
    (line,) = differences(live, settled)
    assert line.startswith("spec.template.spec.topologySpreadConstraints: added ")
    assert differences(settled, settled) == []
