"""Ports in the charts' spelling, as `./sre import` writes them."""

from pathlib import Path

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


def test_protocols_and_ports_are_carried_over(trees: Trees) -> None:
    values = """\
appProtocol: grpc
extraPorts:
  - {name: http-admin, port: 9000, targetPort: 9000}
  - {name: ssh, port: 2222, targetPort: 2222, protocol: TCP}
"""
    run = trees.run(release(VALUES + values))
    assert (run.code, run.lost) == (0, [])
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert app["app"]["protocol"] == "grpc"
    assert app["app"]["ports"] == [
        {"name": "http-admin", "port": 9000, "protocol": "http"},
        {"name": "ssh", "port": 2222, "protocol": "tcp"},
    ]
    trees.team()


def test_empty_ones_leave_nothing(trees: Trees) -> None:
    run = trees.run(release(VALUES + 'appProtocol: ""\nextraPorts: []\n'))
    assert (run.code, run.lost) == (0, [])
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert {"protocol", "ports"}.isdisjoint(app["app"])


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("port: 80, targetPort: 8081", "ports[0].targetPort: is not supported here; "),
        ("port: 53, targetPort: 53, protocol: UDP", "'UDP' is not one of "),
    ],
)
def test_what_a_port_cannot_express_is_lost(trees: Trees, port: str, said: str) -> None:
    run = trees.run(release(VALUES + f"extraPorts: [{{name: x, {port}}}]\n"))
    (lost,) = run.lost
    assert said.removeprefix("ports") in lost
    assert "extraPorts[0]" in lost
