"""The client of an API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, past_conflicts
from sandbox.servers.keys import ADMIN, Keys
from tests.fake_server import FakeServer, serving


@pytest.fixture
def server(keys: Keys) -> Iterator[FakeServer]:
    with serving(keys) as fake:
        yield fake


@pytest.fixture
def kubeconfig(keys: Keys, server: FakeServer, tmp_path: Path) -> Path:
    keys.write_kubeconfig(tmp_path / "kubeconfig", ADMIN, server.address)
    return tmp_path / "kubeconfig"


@pytest.mark.parametrize("kinds", [[], [{"name": "gateways", "kind": "Gateway", "namespaced": 1}]])
def test_deleting_what_is_gone_or_of_an_unserved_kind_is_not_an_error(
    server: FakeServer, kubeconfig: Path, kinds: list[object]
) -> None:
    server.answers["GET /apis/networking.istio.io/v1"] = (200, {"resources": kinds})
    cluster = Cluster(kubeconfig=kubeconfig)
    cluster.delete("networking.istio.io/v1", "Gateway", "default", "gone")
    asked = "DELETE /apis/networking.istio.io/v1/namespaces/default/gateways/gone" in server.asked
    assert asked == bool(kinds)


def test_another_bearer_asks_as_often(server: FakeServer, kubeconfig: Path) -> None:
    server.answers["GET /version"] = (503, {})
    with pytest.raises(RefusedError):
        Cluster(kubeconfig=kubeconfig, retries=1).with_token("other").call("GET", "version")
    assert server.asked == ["GET /version"] * 2


def test_a_write_that_another_has_overtaken_is_retried(
    server: FakeServer, kubeconfig: Path
) -> None:
    answers = iter([(409, {"message": "the object has been modified"})] * 3 + [(200, {"n": 1})])
    server.answers["PUT /x"] = lambda _: next(answers)
    cluster = Cluster(kubeconfig=kubeconfig)
    assert past_conflicts(lambda: cluster.call("PUT", "x", {})) == {"n": 1}


@pytest.mark.parametrize(
    "refusal", [(422, "is invalid"), (409, "Apply failed with 1 conflict: conflict with x")]
)
def test_what_another_try_would_not_change_is_reported_at_once(
    server: FakeServer, kubeconfig: Path, refusal: tuple[int, str]
) -> None:
    status, message = refusal
    server.answers["PUT /x"] = (status, {"message": message})
    cluster = Cluster(kubeconfig=kubeconfig)
    with pytest.raises(RefusedError, match=message):
        past_conflicts(lambda: cluster.call("PUT", "x", {}))
    assert server.asked == ["PUT /x"]
