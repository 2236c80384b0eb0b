"""Probes in charts' spellings, as `./sre import` writes them."""

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


KUBERNETES = {"initialDelaySeconds": 0, "periodSeconds": 10}
SPELLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "Kubernetes' own, beside the app": (
        """
        livenessProbe: {httpGet: {path: /up, port: http, scheme: HTTP}, timeoutSeconds: 4}
        readinessProbe: {tcpSocket: {port: 9000}, initialDelaySeconds: 3}
        startupProbe: {exec: {command: [/up]}, periodSeconds: 2}
        """,
        {
            "startup": {
                "exec": {"command": ["/up"]},
                "periodSeconds": 2,
                "initialDelaySeconds": 0,
                "failureThreshold": 3,
            },
            "liveness": {"path": "/up", "timeoutSeconds": 4, **KUBERNETES},
            "readiness": {"tcp": {"port": 9000}, "initialDelaySeconds": 3, "periodSeconds": 10},
        },
    ),
    "Kubernetes' own, in the app": (
        """
          livenessProbe: {grpc: {port: 9000, service: ""}, initialDelaySeconds: 1, periodSeconds: 2}
          readinessProbe: {httpGet: {path: /up, port: 9001}}
        """,
        {
            "liveness": {"grpc": {"port": 9000}, "initialDelaySeconds": 1, "periodSeconds": 2},
            "readiness": {"path": "/up", "port": 9001, **KUBERNETES},
        },
    ),
    "the charts' own": (
        """
          probes:
            liveness: {type: tcp, path: /, failureThreshold: 4}
            readiness: {type: grpc}
        startupProbe: {enabled: true, path: /up, failureThreshold: 60}
        """,
        {
            "startup": {
                "path": "/up",
                "failureThreshold": 60,
                "initialDelaySeconds": 5,
                "periodSeconds": 5,
            },
            "liveness": {"tcp": {}, "failureThreshold": 4},
            "readiness": {"grpc": {}},
        },
    ),
    "the charts' own without anything": (
        """
        startupProbe: {enabled: true}
        """,
        {
            "startup": {
                "path": "/",
                "initialDelaySeconds": 5,
                "periodSeconds": 5,
                "failureThreshold": 30,
            }
        },
    ),
    "a startup probe that is off": (
        """
        startupProbe: {enabled: false, path: /up}
        livenessProbe: {httpGet: {path: /up, port: http}, enabled: true}
        """,
        {"liveness": {"path": "/up", **KUBERNETES}},
    ),
    "another probe that is off": (
        """
        livenessProbe: {enabled: false, httpGet: {path: /up, port: http}}
        """,
        {"liveness": {"enabled": False, "reason": "off in the values that were imported"}},
    ),
}


@pytest.mark.parametrize(("values", "probes"), SPELLINGS.values(), ids=SPELLINGS)
def test_probes_are_carried_over_as_they_run(
    trees: Trees, values: str, probes: dict[str, Any]
) -> None:
    lines = [line[8:] for line in values.split("\n") if line.strip()]
    run = trees.run(release(VALUES + "\n".join(lines) + "\n"))
    assert (run.code, run.lost) == (0, [])
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert app["app"]["probes"] == probes
    trees.team()


def test_what_a_probe_cannot_express_is_lost_at_its_place(trees: Trees) -> None:
    values = "livenessProbe: {httpGet: {path: /up, port: http, scheme: HTTPS}}\n"
    run = trees.run(release(VALUES + values))
    (lost,) = run.lost
    assert lost.startswith("apps/a.yaml:")
    assert "livenessProbe.httpGet.scheme: is not supported here; a probe is sent over" in lost
