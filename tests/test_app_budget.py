"""How many pods of an app may be missing while nodes are drained: the other bound of a budget."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.program import DISRUPTION_BUDGET, web_app
from tests.written import app, place, reported, rows


def test_a_budget_of_missing_pods(program: Program) -> None:
    made = program(web_app("podDisruptionBudget: {maxUnavailable: 10%}"))
    spec = made.one(DISRUPTION_BUDGET, "team-alpha/my-api").spec
    assert spec["maxUnavailable"] == "10%"
    assert "minAvailable" not in spec


BUDGET = "apps[0].podDisruptionBudget.maxUnavailable"
MISSING = (
    "may be missing, so no node can be drained; raise it to 1 or set podDisruptionBudget.enabled "
    "to false"
)


@rows(
    {
        "none": (
            app(beside="podDisruptionBudget: {maxUnavailable: «0}"),
            f"0 of 2 pods (autoscaling.minReplicas) {MISSING}",
        ),
        "a share that is none": (
            app("replicas: 3", "podDisruptionBudget: {maxUnavailable: «0%}", archetype="worker"),
            f"0% of 3 pods (app.replicas) {MISSING}",
        ),
        "both bounds": (
            app(beside="podDisruptionBudget: {minAvailable: 1, maxUnavailable: «1}"),
            "minAvailable is set too, but Kubernetes takes only one of them; remove one",
        ),
        "no number": (
            app(beside="podDisruptionBudget: {maxUnavailable: «one}"),
            "'one' is not a number or a percentage; write one such as 1 or 50%",
        ),
    }
)
def test_a_budget_that_blocks_drains_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {BUDGET}: {said}"]


@pytest.mark.parametrize(
    ("replicas", "bound"),
    [(1, "1"), (1, "1%"), (3, "1%"), (2, "5"), (0, "0"), (2, "0, enabled: false")],
)
def test_a_budget_that_lets_a_pod_go_is_fine(tmp_path: Path, replicas: int, bound: str) -> None:
    budget = f"podDisruptionBudget: {{maxUnavailable: {bound}}}"
    assert reported(tmp_path, app(f"replicas: {replicas}", budget, archetype="worker")) == []
