"""Rollouts, budgets and autoscaling in charts' spellings, as `./sre import` writes them."""

from pathlib import Path
from typing import Any

import pytest

from tests.flux_tree import VALUES, Trees, release
from tests.program import read_yaml

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


SPELLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "a rollout of Kubernetes": (
        "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}",
        {"strategy": {"type": "RollingUpdate", "maxSurge": 1, "maxUnavailable": 0}},
    ),
    "a rollout of a chart": (
        "updateStrategy: {type: Recreate, rollingUpdate: null}",
        {"strategy": {"type": "Recreate"}},
    ),
    "a budget": (
        "pdb: {create: true, minAvailable: '', maxUnavailable: 1}",
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": 1}},
    ),
    "the guide's budget": (
        "podDisruptionBudget: {enabled: true, maxUnavailable: 25%}",
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": "25%"}},
    ),
    "an autoscaler": (
        "autoscaling: {enabled: true, maxReplicas: 3, targetCPUUtilizationPercentage: 70, "
        "targetMemoryUtilizationPercentage: 90, "
        "behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}",
        {
            "autoscaling": {
                "enabled": True,
                "maxReplicas": 3,
                "targetCPUUtilization": 70,
                "targetMemoryUtilization": 90,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            }
        },
    ),
}


@pytest.mark.parametrize(("values", "written"), SPELLINGS.values(), ids=SPELLINGS)
def test_it_is_carried_over_as_it_runs(trees: Trees, values: str, written: dict[str, Any]) -> None:
    run = trees.run(release(f"{VALUES}{values}\n"))
    assert (run.code, run.lost) == (0, [])
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert {key: app[key] for key in written} == written
    trees.team()


def test_a_name_that_is_taken_is_left_to_its_author(trees: Trees) -> None:
    values = "autoscaling: {targetCPUUtilization: 80, targetCPUUtilizationPercentage: 70}\n"
    run = trees.run(release(VALUES + values))
    (lost,) = run.lost
    assert "autoscaling.targetCPUUtilizationPercentage: is not supported here" in lost
