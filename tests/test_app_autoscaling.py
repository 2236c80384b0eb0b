"""How an autoscaler adds and removes pods: by memory too, and how fast."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import AUTOSCALER, web_app, worker
from tests.written import app, place, reported, rows, warned

IT = "team-alpha/my-api"
BEHAVIOR = """
autoscaling:
  behavior:
    scaleUp:
      policies:
        - {type: Pods, value: 4, periodSeconds: 60}
        - {type: Percent, value: 50, periodSeconds: 30}
      selectPolicy: Min
    scaleDown: {stabilizationWindowSeconds: 600}
"""


def utilization(resource: str, container: str, target: int) -> dict[str, Any]:
    return {
        "type": "ContainerResource",
        "containerResource": {
            "name": resource,
            "container": container,
            "target": {"type": "Utilization", "averageUtilization": target},
        },
    }


def test_memory_of_the_app_s_container_counts_beside_its_cpu(program: Program) -> None:
    made = program(worker("autoscaling: {enabled: true, targetMemoryUtilization: 75}"))
    assert made.one(AUTOSCALER, "team-alpha/consumer").spec["metrics"] == [
        utilization("cpu", "consumer", 80),
        utilization("memory", "consumer", 75),
    ]


def test_an_autoscaler_is_as_fast_as_asked(program: Program) -> None:
    assert program(web_app(BEHAVIOR)).one(AUTOSCALER, IT).spec["behavior"] == {
        "scaleUp": {
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 60},
                {"type": "Percent", "value": 50, "periodSeconds": 30},
            ],
            "selectPolicy": "Min",
        },
        "scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Max"},
    }


@pytest.mark.parametrize("behavior", ["", "behavior: {}", "behavior: {scaleUp: {policies: []}}"])
def test_without_behavior_kubernetes_decides(program: Program, behavior: str) -> None:
    spec = program(web_app(f"autoscaling: {{{behavior}}}")).one(AUTOSCALER, IT).spec
    assert [metric["containerResource"]["name"] for metric in spec["metrics"]] == ["cpu"]
    assert "behavior" not in spec


def rules(keys: str) -> str:
    return app(beside=f"autoscaling: {{behavior: {{scaleDown: {{{keys}}}}}}}")


POLICY = "policies: [{type: Pods, value: 1, periodSeconds: 60}]"
DOWN = "behavior.scaleDown."


@rows(
    {
        "a window over an hour": (
            rules("stabilizationWindowSeconds: «3601"),
            f"{DOWN}stabilizationWindowSeconds: 3601 is over 3600; lower it",
        ),
        "a policy without a change": (
            rules(POLICY.replace("value: 1", "value: «0")),
            f"{DOWN}policies[0].value: 0 is below 1; write 1 or more",
        ),
        "a policy over half an hour": (
            rules(POLICY.replace("60", "«1801")),
            f"{DOWN}policies[0].periodSeconds: 1801 is over 1800; lower it",
        ),
        "a policy of another type": (
            rules(POLICY.replace("Pods", "«pods")),
            f"{DOWN}policies[0].type: 'pods' is not one of Pods, Percent; did you mean Pods?",
        ),
        "a policy of no type": (
            rules("policies: [«{value: 1, periodSeconds: 60}]"),
            f"{DOWN}policies[0].type: is missing; add it, such as `type: Pods`",
        ),
        "another choice": (
            rules("selectPolicy: «Off"),
            f"{DOWN}selectPolicy: 'Off' is not one of Max, Min, Disabled; use Max, Min or Disabled",
        ),
        "a target of nothing": (
            app(beside="autoscaling: {targetMemoryUtilization: «0}"),
            "targetMemoryUtilization: 0 is below 1; write 1 or more",
        ),
    }
)
def test_what_kubernetes_would_refuse_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].autoscaling.{said}"
    ]


MEMORY = "resources: {requests: {memory: %s}, limits: {memory: %s}}"


@pytest.mark.parametrize(
    ("request_", "limit", "target", "said"),
    [
        (
            "128Mi",
            "140Mi",
            "«100",
            "the memory limit 140Mi is 109 % of the request 128Mi, but pods are added only above "
            "110 %, so none is ever added for memory; lower the target to 99, or raise "
            "resources.limits.memory to 143Mi",
        ),
        (
            "2Gi",
            "4Gi",
            "«200",
            "the memory limit 4Gi is 200 % of the request 2Gi, but pods are added only above "
            "220 %, so none is ever added for memory; lower the target to 181",
        ),
    ],
)
def test_a_target_that_memory_never_exceeds_causes_a_warning(
    tmp_path: Path, request_: str, limit: str, target: str, said: str
) -> None:
    keys = f"autoscaling: {{maxReplicas: 3, targetMemoryUtilization: {target}}}"
    text, where = place(app(MEMORY % (request_, limit), keys))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].autoscaling.targetMemoryUtilization: "
        f"warning: {said}"
    ]


def test_a_target_that_memory_can_exceed_does_not(tmp_path: Path) -> None:
    keys = "autoscaling: {maxReplicas: 3, targetMemoryUtilization: 100}"
    assert warned(tmp_path, app(MEMORY % ("128Mi", "143Mi"), keys)) == []


def test_an_autoscaler_that_must_not_add_pods_causes_a_warning(tmp_path: Path) -> None:
    keys = "{maxReplicas: 3, behavior: {scaleUp: {selectPolicy: «Disabled}}}"
    text, where = place(app(beside=f"autoscaling: {keys}"))
    (warning,) = warned(tmp_path, text)
    assert warning.startswith(f"tenants/team-alpha.yaml:{where}: ")
    assert "warning: Disabled never adds a pod, so maxReplicas has no effect; " in warning
    down = "{maxReplicas: 3, behavior: {scaleDown: {selectPolicy: Disabled}}}"
    assert warned(tmp_path, app(beside=f"autoscaling: {down}")) == []
