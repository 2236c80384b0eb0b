"""People who run `./sre status` against a test's servers, and what they get."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.__main__ import main
from clients.http import Http
from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, record_of, until

RBAC = "rbac.authorization.k8s.io"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Reader:
    """Someone who runs the command, at first the administrator.

    `requests` are those of the last run.
    """

    def __init__(
        self,
        checkout: Checkout,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        kubeconfig: Path,
    ) -> None:
        self.checkout = checkout
        self.cluster = cluster_of(checkout)
        self.capsys = capsys
        self.requests: list[str] = []
        self._kubeconfig = kubeconfig
        kubeconfig.write_text(record_of(checkout).kubeconfig.read_text())
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        send = Http._send

        def counted(http: Http, method: str, path: str, *rest: Any, **keys: Any) -> Any:
            self.requests.append(f"{method} {path}")
            return send(http, method, path, *rest, **keys)

        monkeypatch.setattr(Http, "_send", counted)

    def log_in(self, token: str, **server: str) -> None:
        """Use that token, with changes of the kubeconfig's entry of the cluster."""
        document = yaml.safe_load(record_of(self.checkout).kubeconfig.read_text())
        document["users"][0]["user"] = {"token": token}
        document["clusters"][0]["cluster"].update(server)
        self._kubeconfig.write_text(yaml.safe_dump(document))

    def view(self, *teams: str) -> None:
        """Be a viewer of these teams."""
        self.log_in(identity(self.cluster, "viewer", viewers_role(self.cluster, teams[0]), *teams))

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code and what was printed, on either stream."""
        self.capsys.readouterr()
        self.requests.clear()
        code = main(["status", "--tenants", str(self.checkout.folder / "tenants"), *words])
        return code, "".join(self.capsys.readouterr())

    def app(self, team: str, app: str) -> dict[str, Any]:
        """The report on an app."""
        _, out = self.run(team, app, "--format", "json")
        (report,) = json.loads(out)["apps"]
        return dict(report)

    def causes(self, team: str, app: str, *kinds: str) -> dict[str, dict[str, Any]]:
        """All causes, by kind, once there are such."""
        seen: dict[str, dict[str, Any]] = {}

        def are_there() -> bool:
            seen.clear()
            seen.update({each["kind"]: each for each in self.app(team, app)["causes"]})
            return seen.keys() >= {*kinds}

        until(are_there)
        return seen

    def cause(self, team: str, app: str, kind: str) -> dict[str, Any]:
        """The cause of that kind, once there is one."""
        return self.causes(team, app, kind)[kind]


def identity(cluster: Cluster, name: str, role: Object, *teams: str) -> str:
    """A token of someone who has that role, which lists pods, in the teams' namespaces."""
    metadata = {"name": name, "namespace": "default"}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, "test")
    for team in teams:
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": team},
            "roleRef": {"apiGroup": RBAC, **role},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        }
        cluster.apply(binding, "test")
    token = cluster.token("default", name)
    for team in teams:
        until(lambda team=team: cluster.with_token(token).may("list", "", "pods", team))
    return token


def viewers_role(cluster: Cluster, team: str) -> Object:
    """The role that the program gives a team's viewers."""
    binding = cluster.get(f"{RBAC}/v1", "RoleBinding", team, f"{team}-viewers")
    assert binding
    role: Object = binding["roleRef"]
    return role


def patch(cluster: Cluster, path: str, change: Object, content_type: str = MERGE) -> Object:
    changed: Object = cluster.call("PATCH", path, change, None, content_type)
    return changed


def put_back(cluster: Cluster, path: str, place: str, value: Any) -> None:
    """What was in that place of an object, in full."""
    back = [{"op": "replace", "path": place, "value": value}]
    cluster.call("PATCH", path, back, None, JSON_PATCH)


@contextmanager
def altered(cluster: Cluster, path: str, spec: Object) -> Iterator[None]:
    """An object's spec with these changes, for a while."""
    before = cluster.call("GET", path)["spec"]
    patch(cluster, path, {"spec": spec})
    try:
        yield
    finally:
        put_back(cluster, path, "/spec", before)


@contextmanager
def removed(cluster: Cluster, path: str) -> Iterator[None]:
    """Without an object, for a while."""
    before = cluster.call("GET", path)
    cluster.call("DELETE", path)
    try:
        yield
    finally:
        kept = ("name", "namespace", "labels", "annotations")
        metadata = {key: before["metadata"][key] for key in kept if key in before["metadata"]}
        cluster.create({**before, "metadata": metadata})
