"""How a new version of an app replaces the old one: the keys, the Deployment and the quota."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.program import DEPLOYMENT, web_app, worker
from tests.written import app, place, reported, rows

ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}


@pytest.mark.parametrize(
    ("keys", "made"),
    [
        ("{type: Recreate}", {"type": "Recreate"}),
        (
            "{type: RollingUpdate, maxSurge: 25%, maxUnavailable: 0}",
            {"type": "RollingUpdate", "rollingUpdate": ROLLING | {"maxUnavailable": 0}},
        ),
        ("{maxSurge: 2}", {"type": "RollingUpdate", "rollingUpdate": ROLLING | {"maxSurge": 2}}),
    ],
)
def test_a_deployment_replaces_its_pods_as_asked(
    program: Program, keys: str, made: dict[str, object]
) -> None:
    for written, name in ((web_app, "my-api"), (worker, "consumer")):
        file = written(f"strategy: {keys}")
        assert program(file).one(DEPLOYMENT, f"team-alpha/{name}").spec["strategy"] == made


@pytest.mark.parametrize("keys", ["", "strategy: {}", "strategy: {type: RollingUpdate}"])
def test_the_default_of_kubernetes_is_written_out(program: Program, keys: str) -> None:
    # Left to the API server, it would be nobody's, and would stay when `Recreate` forbids it.
    spec = program(web_app(keys)).one(DEPLOYMENT, "team-alpha/my-api").spec
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": ROLLING}


RECREATE = "has no effect on Recreate, which stops all pods first; remove it, or set type to"


@rows(
    {
        "nothing may change": (
            app(beside="strategy: {maxSurge: 0, maxUnavailable: «0%}"),
            "maxUnavailable: 0% pods may be missing and maxSurge adds 0, so no pod can be "
            "replaced; raise one of the two to 1",
        ),
        "a surge of what is recreated": (
            app(beside="strategy: {type: Recreate, maxSurge: «1}"),
            f"maxSurge: {RECREATE} RollingUpdate",
        ),
        "pods that may be missing of what is recreated": (
            app(beside="strategy: {type: Recreate, maxUnavailable: «1}", archetype="worker"),
            f"maxUnavailable: {RECREATE} RollingUpdate",
        ),
        "another type": (
            app(beside="strategy: {type: «recreate}"),
            "type: 'recreate' is not one of RollingUpdate, Recreate; did you mean Recreate?",
        ),
        "fewer than none": (
            app(beside="strategy: {maxSurge: «-1}"),
            "maxSurge: -1 is below 0; write a number of pods, such as 1",
        ),
        "no number": (
            app(beside="strategy: {maxUnavailable: «half}"),
            "maxUnavailable: 'half' is not a number or a percentage; write one such as 1 or 50%",
        ),
        "more than Kubernetes counts": (
            app(beside="strategy: {maxSurge: «2147483648}"),
            "maxSurge: 2147483648 is too large for Kubernetes; lower it",
        ),
        "as a Deployment has it": (
            app(beside="strategy: {«rollingUpdate: {maxSurge: 1}}"),
            "rollingUpdate: is not supported here; write its keys here",
        ),
    }
)
def test_what_kubernetes_would_refuse_or_ignore_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: apps[0].strategy.{said}"]


def test_a_cronjob_has_no_rollout(tmp_path: Path) -> None:
    (problem,) = reported(tmp_path, app(beside="strategy: {}", archetype="cronjob"))
    assert "does not fit a cronjob" in problem


@pytest.mark.parametrize(
    ("replicas", "strategy", "most"),
    [
        (4, "{}", 5),
        (5, "{}", 7),  # a quarter, rounded up
        (4, "{maxSurge: 0}", 4),
        (4, "{maxSurge: 3}", 7),
        (2, "{maxSurge: 3}", 4),  # never more new pods than old ones
        (3, "{maxSurge: 34%}", 5),
        (4, "{type: Recreate}", 4),
    ],
)
def test_the_quota_holds_the_pods_that_a_rollout_adds(
    tmp_path: Path, replicas: int, strategy: str, most: int
) -> None:
    keys = f"autoscaling: {{enabled: false}}\nstrategy: {strategy}"
    text = app(f"replicas: {replicas}", keys)
    assert reported(tmp_path, text + f"quota: {{pods: {most}}}\n") == []
    (problem,) = reported(tmp_path, text + f"quota: {{pods: {most - 1}}}\n")
    assert f"raise quota.pods to {most}" in problem


def test_fewer_pods_are_advised_by_what_their_own_rollout_adds(tmp_path: Path) -> None:
    keys = "autoscaling: {enabled: false}\nstrategy: {maxSurge: 1}"
    text = app("replicas: 9", keys) + "quota: {pods: 6}\n"
    (problem,) = reported(tmp_path, text)
    assert "lower it to 5, or raise quota.pods to 10" in problem
