"""Whether an autoscaler can ever add a pod: the warnings, and whether their advice helps."""

from pathlib import Path

import pytest

from tests.written import app, place, warned

CPU = "resources: {requests: {cpu: %s, memory: 128Mi}, limits: {cpu: %s, memory: 128Mi}}"


def scaled(request: str, limit: str, target: str, replicas: str = "maxReplicas: 4") -> str:
    keys = f"autoscaling: {{{replicas}, targetCPUUtilization: {target}}}"
    return app(CPU % (request, limit), keys)


@pytest.mark.parametrize(
    ("request_", "limit", "target", "said"),
    [
        (
            "100m",
            "100m",
            "«91",
            "the CPU limit 100m is 100 % of the request 100m, but pods are added only above 100.1 %"
            ", so none is ever added; lower the target to 90, or raise resources.limits.cpu "
            "to 101m",
        ),
        (
            "100m",
            "110m",
            "«100",
            "the CPU limit 110m is 110 % of the request 100m, but pods are added only above 110 %"
            ", so none is ever added; lower the target to 99, or raise resources.limits.cpu "
            "to 111m",
        ),
        (
            "300m",
            "400m",
            "«200",
            "the CPU limit 400m is 133 % of the request 300m, but pods are added only above 220 %"
            ", so none is ever added; lower the target to 120, or raise "
            "resources.limits.cpu to 663m",
        ),
        (
            "500m",
            "1",
            "«500",
            "the CPU limit 1 is 200 % of the request 500m, but pods are added only above 550 %"
            ", so none is ever added; lower the target to 181",
        ),
    ],
)
def test_a_target_that_the_limit_keeps_out_of_reach_causes_a_warning(
    tmp_path: Path, request_: str, limit: str, target: str, said: str
) -> None:
    text, where = place(scaled(request_, limit, target))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].autoscaling.targetCPUUtilization: "
        f"warning: {said}"
    ]


@pytest.mark.parametrize(
    ("request_", "limit", "target"),
    [
        ("100m", "100m", "80"),  # the sidecar, which is idle, does not count
        ("100m", "100m", "90"),
        ("100m", "101m", "91"),
        ("100m", "111m", "100"),
        ("300m", "400m", "120"),
        ("300m", "663m", "200"),
        ("500m", "1", "181"),
    ],
)
def test_a_target_that_can_be_exceeded_does_not(
    tmp_path: Path, request_: str, limit: str, target: str
) -> None:
    assert warned(tmp_path, scaled(request_, limit, target)) == []


def test_an_autoscaler_that_has_no_pod_to_add_causes_no_warning(tmp_path: Path) -> None:
    fixed = "minReplicas: 3, maxReplicas: 3"
    assert warned(tmp_path, scaled("100m", "100m", "200", fixed)) == []
    off = "enabled: false, maxReplicas: 4"
    assert warned(tmp_path, scaled("100m", "100m", "200", off)) == []


def test_what_the_app_leaves_out_comes_from_the_limit_range(tmp_path: Path) -> None:
    text = app(beside="autoscaling: {maxReplicas: 4, targetCPUUtilization: «95}")
    text, where = place(text + "limitRange: {default: {cpu: 100m}}\n")
    (warning,) = warned(tmp_path, text)
    assert warning.startswith(f"tenants/team-alpha.yaml:{where}: apps[0].autoscaling.targetCPU")
    assert warning.endswith("lower the target to 90, or raise resources.limits.cpu to 105m")


def test_a_worker_s_autoscaler_is_checked_too(tmp_path: Path) -> None:
    keys = "autoscaling: {enabled: true, maxReplicas: 4, targetCPUUtilization: 95}"
    text = app(CPU % ("100m", "100m"), keys, archetype="worker")
    assert len(warned(tmp_path, text)) == 1
