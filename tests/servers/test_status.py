"""`./sre status` on a real API server: what its controllers say of a team's apps."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.__main__ import main
from clients.http import Http
from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, record_of, settle, until

pytestmark = pytest.mark.servers

TEAM = "team-alpha"
RBAC = "rbac.authorization.k8s.io"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
LONG = 180  # seconds: the operator tries again after a while what failed at first


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    """All teams, without a secret in OpenBao."""
    servers.up()
    settle(cluster_of(servers))
    return servers


@dataclass
class Reader:
    """Someone who runs the command, and what their runs printed."""

    checkout: Checkout
    capsys: pytest.CaptureFixture[str]
    requests: list[str]

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code and what was printed."""
        self.capsys.readouterr()
        self.requests.clear()
        code = main(["status", "--tenants", str(self.checkout.folder / "tenants"), *words])
        return code, self.capsys.readouterr().out

    def apps(self, *words: str) -> dict[str, Any]:
        """The reports on the apps, by name."""
        _, out = self.run(*words, "--format", "json")
        return {each["app"]: each for each in json.loads(out)["apps"]}

    def cause(self, app: str, kind: str) -> dict[str, Any]:
        """Wait until there is such a cause."""
        seen: list[dict[str, Any]] = []

        def is_there() -> bool:
            seen[:] = self.apps(TEAM, app)[app]["causes"]
            return kind in [cause["kind"] for cause in seen]

        until(is_there, LONG)
        return next(cause for cause in seen if cause["kind"] == kind)


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


def identity(cluster: Cluster, name: str, role: Object) -> str:
    """A token of someone who has that role in the team's namespace."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    cluster.apply({**account, "metadata": {"name": name, "namespace": "default"}}, "test")
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": TEAM},
        "roleRef": {"apiGroup": RBAC, **role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
    }
    cluster.apply(binding, "test")
    return cluster.token("default", name)


def kubeconfig(checkout: Checkout, token: str, file: Path) -> Path:
    document = yaml.safe_load(record_of(checkout).kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that is sent."""
    sent: list[str] = []
    send = Http._send

    def counted(self: Http, method: str, path: str, *rest: Any, **keys: Any) -> Any:
        sent.append(f"{method} {path}")
        return send(self, method, path, *rest, **keys)

    monkeypatch.setattr(Http, "_send", counted)
    return sent


@pytest.fixture
def viewer(
    provisioned: Checkout,
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    requests: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Reader:
    """Someone with the built-in role `view` in the team's namespace, and nothing else."""
    token = identity(cluster, "status-viewer", {"kind": "ClusterRole", "name": "view"})
    file = kubeconfig(provisioned, token, tmp_path / "viewer")
    monkeypatch.setenv("KUBECONFIG", str(file))
    return Reader(provisioned, capsys, requests)


def patch(cluster: Cluster, path: str, change: Object, content_type: str = MERGE) -> Object:
    changed: Object = cluster.call("PATCH", path, change, None, content_type)
    return changed


def deployment(app: str) -> str:
    return f"apis/apps/v1/namespaces/{TEAM}/deployments/{app}"


@pytest.fixture
def changed(cluster: Cluster) -> Iterator[Any]:
    """`changed(app, pod={...}, container={...})` changes its pods; undone at the end."""
    before: dict[str, Object] = {}

    def change(app: str, pod: Object | None = None, **container: Any) -> None:
        before.setdefault(app, cluster.call("GET", deployment(app))["spec"]["template"])
        spec = {**(pod or {}), "containers": [{"name": app, **container}]}
        patch(cluster, deployment(app), {"spec": {"template": {"spec": spec}}}, STRATEGIC)

    yield change
    for app, template in before.items():
        change_back = [{"op": "replace", "path": "/spec/template", "value": template}]
        cluster.call("PATCH", deployment(app), change_back, None, "application/json-patch+json")
    settle(cluster)


def test_a_viewer_learns_how_the_team_s_apps_are_doing(viewer: Reader) -> None:
    code, out = viewer.run(TEAM)
    assert code == 0, out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "my-api running as wanted 2/2 v1.0.0" in lines
    assert "frontend running as wanted 2/2 v2.1.0" in lines
    assert len(viewer.requests) <= 15
    # No right of a viewer's is missing in the team's namespace.
    assert not [line for line in out.splitlines() if line.startswith(("events:", "pods:"))]


def test_an_autoscaler_without_metrics_is_named(viewer: Reader) -> None:
    cause = viewer.cause("my-api", "autoscaler-metrics")
    assert (cause["key"], cause["weight"]) == ("apps[0].autoscaling", "warning")


def test_a_limit_beyond_the_limit_range_is_refused(viewer: Reader, changed: Any) -> None:
    changed("frontend", resources={"limits": {"cpu": "3"}})
    cause = viewer.cause("frontend", "limit-range")
    assert cause["key"] == "apps[1].app.resources.limits.cpu"
    assert (
        "is 3, more than the LimitRange team-alpha-limits allows (2, limitRange.max.cpu)"
        in (cause["what"])
    )


def test_a_pod_that_is_not_hardened_is_refused(viewer: Reader, changed: Any) -> None:
    changed("frontend", securityContext={"allowPrivilegeEscalation": True})
    cause = viewer.cause("frontend", "pod-security")
    assert cause["key"] == "apps[1].exceptions"
    assert "Pod Security (restricted) refuses its pods" in cause["what"]


def test_a_pod_for_which_there_is_no_node_waits(viewer: Reader, changed: Any) -> None:
    changed("frontend", {"nodeSelector": {"disk": "none"}})
    cause = viewer.cause("frontend", "no-node")
    assert "didn't match Pod's node affinity/selector" in cause["what"]


def as_kubelet(cluster: Cluster, app: str, **status: Any) -> Object:
    """What a node would report of the app's container; the pod is not ready any more."""
    (pod, *_) = [
        each
        for each in cluster.list("v1", "Pod", TEAM)
        if each["metadata"]["labels"]["app.kubernetes.io/name"] == app
    ]
    own = {"name": app, "image": "x", "imageID": "", "ready": False, "restartCount": 0, **status}
    change = {
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [own],
        }
    }
    name = pod["metadata"]["name"]
    patch(cluster, f"api/v1/namespaces/{TEAM}/pods/{name}/status", change, STRATEGIC)
    return pod


@pytest.fixture
def restarted(cluster: Cluster) -> Iterator[None]:
    """Pods that a test changed are replaced at its end."""
    yield
    for pod in cluster.list("v1", "Pod", TEAM):
        cluster.delete("v1", "Pod", TEAM, pod["metadata"]["name"])
    settle(cluster)


def test_what_a_node_reports_is_explained(
    viewer: Reader, cluster: Cluster, restarted: None
) -> None:
    image = "harbor.sre.internal/team-alpha/frontend:v2.1.0"
    waiting = {"reason": "ImagePullBackOff", "message": f"{image}: not found"}
    as_kubelet(cluster, "frontend", state={"waiting": waiting})
    cause = viewer.cause("frontend", "image-missing")
    assert cause["key"] == "apps[1].app.image.tag"
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}
    loop = {"waiting": {"reason": "CrashLoopBackOff"}}
    as_kubelet(
        cluster, "frontend", state=loop, lastState={"terminated": ended}, restartCount=2
    )  # fmt: skip
    cause = viewer.cause("frontend", "out-of-memory")
    assert "its limit of 1Gi" in cause["what"]


def test_a_budget_that_blocks_a_drain_is_named(viewer: Reader, cluster: Cluster) -> None:
    path = f"apis/policy/v1/namespaces/{TEAM}/poddisruptionbudgets/my-api"
    patch(cluster, path, {"spec": {"minAvailable": 2}})
    try:
        cause = viewer.cause("my-api", "drain-blocked")
        assert cause["key"] == "apps[0].podDisruptionBudget.minAvailable"
    finally:
        patch(cluster, path, {"spec": {"minAvailable": 1}})


def test_what_was_changed_by_hand_differs_from_the_file(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    path = f"apis/networking.istio.io/v1/namespaces/{TEAM}/virtualservices/frontend"
    route = cluster.call("GET", path)
    cluster.call("DELETE", path)
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    try:
        settle(cluster)
        frontend = viewer.apps(TEAM)["frontend"]
        assert frontend["status"] == "differs from its file"
        keys = {cause["key"] for cause in frontend["causes"]}
        assert {"apps[1].app.image.tag", "apps[1].ingress.host"} <= keys
        assert viewer.run(TEAM)[0] == 3
    finally:
        kept = ("name", "namespace", "labels", "annotations")
        metadata = {key: route["metadata"][key] for key in kept if key in route["metadata"]}
        cluster.create({**route, "metadata": metadata})


def test_a_rollout_is_followed_to_its_end(viewer: Reader, cluster: Cluster, changed: Any) -> None:
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    settle(cluster)
    codes: list[int] = []
    words = ["--tenants", str(viewer.checkout.folder / "tenants"), "--watch", "--timeout", "60s"]
    viewer.capsys.readouterr()
    run = threading.Thread(target=lambda: codes.append(main(["status", TEAM, "frontend", *words])))
    run.start()
    until(lambda: sum(each.endswith("/pods") for each in viewer.requests) == 2)  # list and watch
    assert run.is_alive()
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.1.0")
    run.join(120)
    out = viewer.capsys.readouterr().out
    assert codes == [0], out
    assert "frontend  differs from its file" in out


def test_a_rollout_that_cannot_succeed_ends_with_its_cause(viewer: Reader, changed: Any) -> None:
    changed("frontend", resources={"limits": {"cpu": "3"}})
    code, out = viewer.run(TEAM, "frontend", "--watch", "--timeout", "60s")
    assert code == 1, out
    assert "limitRange.max.cpu" in out


def test_a_rollout_that_does_not_end_in_time_is_not_a_success(viewer: Reader, changed: Any) -> None:
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    code, out = viewer.run(TEAM, "frontend", "--watch", "--timeout", "1s")
    assert code == 3, out
