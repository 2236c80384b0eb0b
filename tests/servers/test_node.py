"""Containers that really run: the shipped teams' pods, and what the API shows of failures."""

import base64
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.kubernetes import Cluster, Object
from clients.local_servers import FOLDER
from sandbox.ready import held_up
from sandbox.servers import parts
from sandbox.servers.container_node import ContainerNode
from sandbox.servers.images import Image
from sandbox.servers.keys import REAL_NODE, SIMULATED_NODE
from sandbox.servers.node_process import NodeSettings
from sandbox.servers.parts import Parts
from sandbox.servers.processes import Process
from sandbox.servers.registry_server import USER
from sandbox.servers.stand_ins import stand_in
from tests.checkouts import Checkout, finished
from tests.servers.conftest import cluster_of, left_running, machine, record_of, start, until
from tools.doctor.pods import is_ready

pytestmark = pytest.mark.servers

HOST = "harbor.sre.internal"
MET = "met"  # namespace of pods that fail
NAMES = ("my-api-db-credentials", "my-api-external-key")
SECRETS = {"team-alpha": NAMES, "team-beta": ("order-queue-credentials", "report-db-credentials")}


def pull_secret(checkout: Checkout, namespace: str) -> Object:
    """The Secrets that the operator creates from the team's credentials in OpenBao."""
    password = (record_of(checkout).folder / "keys" / "registry-password").read_text("utf-8")
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    logins = {"auths": {HOST: {"username": USER, "password": password, "auth": auth}}}
    content = {".dockerconfigjson": json.dumps(logins)}
    made = secret(namespace, "harbor-pull", content)
    return made | {"type": "kubernetes.io/dockerconfigjson"}


def secret(namespace: str, name: str, content: dict[str, str]) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


def hardened(metadata: Object, pull: str, **container: Any) -> Object:
    """A pod as hardened as the teams' own, which ends at once when it is deleted."""
    main = {
        "name": "main",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **container,
    }
    spec = {
        "automountServiceAccountToken": False,
        "containers": [main],
        "imagePullSecrets": [{"name": pull}],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def push(checkout: Checkout, image: Image, repository: str, tag: str = "v1") -> None:
    servers = Parts(record_of(checkout).folder)
    servers.prepare(keep_ports=True)
    ContainerNode(servers).registry.client().push(repository, tag, image)


def pods(cluster: Cluster, namespace: str) -> list[Object]:
    """Those that are not being deleted."""
    listed = cluster.list("v1", "Pod", namespace)
    return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]


@pytest.fixture(scope="module")
def provisioned(with_node: Checkout) -> Checkout:
    """All teams, with the Secrets that an operator would bring."""
    cluster = cluster_of(with_node)
    up = with_node.start("up")
    for team, names in SECRETS.items():
        until(lambda team=team: cluster.get("v1", "Namespace", None, team))
        cluster.apply(pull_secret(with_node, team), "test")
        for name in names:
            cluster.apply(secret(team, name, {"value": "plain"}), "test")
    run = finished(up, 300)
    assert run.code == 0, run.output
    return with_node


@pytest.fixture
def met(with_node: Checkout) -> Iterator[Callable[..., Object]]:
    """Create a hardened pod of the stand-in app, with a test's changes to its container."""
    cluster = cluster_of(with_node)
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": MET, "labels": restricted}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "test")
    cluster.apply(pull_secret(with_node, MET), "test")
    push(with_node, stand_in([8080], ["/healthz"]), "team-alpha/app")
    made: list[Object] = []

    def make(pull: str = "harbor-pull", **container: Any) -> Object:
        metadata = {"name": f"pod-{len(made)}", "namespace": MET}
        pod = hardened(metadata, pull, **{"image": f"{HOST}/team-alpha/app:v1", **container})
        until(lambda: cluster.get("v1", "ServiceAccount", MET, "default"))
        made.append(cluster.create(pod))
        return made[-1]

    yield make
    for pod in made:
        cluster.delete("v1", "Pod", MET, pod["metadata"]["name"])
    until(lambda: not cluster.list("v1", "Pod", MET))
    for event in cluster.list("v1", "Event", MET):
        cluster.delete("v1", "Event", MET, event["metadata"]["name"])


class Seen:
    """A pod, as the API shows it now."""

    def __init__(self, cluster: Cluster, made: Object) -> None:
        self._cluster = cluster
        self._name = made["metadata"]["name"]

    @property
    def container(self) -> Object:
        pod = self._cluster.get("v1", "Pod", MET, self._name)
        assert pod
        (status,) = pod["status"].get("containerStatuses") or [{"state": {}, "lastState": {}}]
        return status

    @property
    def waiting(self) -> Object:
        return self.container["state"].get("waiting", {})

    @property
    def ended(self) -> Object:
        """How the container last ended."""
        container = self.container
        return container["state"].get("terminated") or container["lastState"].get("terminated", {})

    def until_waiting(self, reason: str) -> str:
        """The message, once the container waits for that reason."""
        seen: list[Object] = []

        def waits() -> bool:
            seen.append(self.waiting)
            return seen[-1].get("reason") == reason

        until(waits)
        return str(seen[-1].get("message", ""))

    def until_event(self, reason: str, message: str) -> None:
        """Wait for an event with this text."""

        def happened() -> bool:
            return any(
                event["reason"] == reason and message in event["message"]
                for event in self._cluster.list("v1", "Event", MET)
                if event["involvedObject"]["name"] == self._name
            )

        until(happened)


def shell(script: str) -> dict[str, list[str]]:
    return {"command": ["/bin/sh", "-c", script]}


def test_the_pods_of_the_shipped_teams_become_ready(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)

    def running() -> list[Object]:
        return [pod for team in SECRETS for pod in pods(cluster, team) if is_ready(pod)]

    until(lambda: len(running()) == 7)  # my-api and frontend twice, order-processor three times
    assert {pod["spec"]["nodeName"] for pod in running()} == {REAL_NODE}
    for pod in running():
        (container,) = pod["status"]["containerStatuses"]
        assert container["imageID"].startswith(f"{HOST}/{pod['metadata']['namespace']}/")
        assert container["restartCount"] == 0
    assert len({pod["status"]["podIP"] for pod in running()}) == 7


def test_a_run_of_the_shipped_cronjob_ends_with_success(provisioned: Checkout) -> None:
    cluster = cluster_of(provisioned)
    cronjob = cluster.get("batch/v1", "CronJob", "team-beta", "nightly-report")
    assert cronjob
    metadata = {"name": "by-hand", "namespace": "team-beta"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    cluster.create(job | {"spec": cronjob["spec"]["jobTemplate"]["spec"]})

    def succeeded() -> bool:
        job = cluster.get("batch/v1", "Job", "team-beta", "by-hand")
        return bool(job and job.get("status", {}).get("succeeded"))

    until(succeeded)
    cluster.delete("batch/v1", "Job", "team-beta", "by-hand")


def test_a_container_runs_as_a_numbered_user_without_rights(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    status = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status"
    script = f"exec 2>&1; id -u; {status}; touch /x; exit 9"  # in one stream: two have no order
    seen = Seen(cluster_of(with_node), met(**shell(script)))
    until(lambda: seen.ended)
    words = " ".join(seen.ended["message"].split())
    assert words == (
        "65532 CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 touch: /x: Read-only file system"
    )


def test_a_crash_shows_its_exit_code_and_the_end_of_the_log(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    seen = Seen(cluster_of(with_node), met(**shell("echo no database >&2; exit 3")))
    message = seen.until_waiting("CrashLoopBackOff")
    assert "restarting failed container=main" in message
    assert (seen.ended["exitCode"], seen.ended["reason"]) == (3, "Error")
    assert seen.ended["message"] == "no database\n"
    until(lambda: seen.container["restartCount"] > 0)


def test_too_much_memory_ends_a_container(with_node: Checkout, met: Callable[..., Object]) -> None:
    limit = {"limits": {"memory": "32Mi"}, "requests": {"memory": "32Mi"}}
    seen = Seen(cluster_of(with_node), met(**shell("tail /dev/zero"), resources=limit))
    # The runtime learns of the kill and of its reason in any order: then the next run has both.
    until(lambda: seen.ended.get("reason") == "OOMKilled")
    assert seen.ended["exitCode"] == 137


def test_a_readiness_probe_that_fails_keeps_a_pod_from_ready(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    probe = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1}
    cluster = cluster_of(with_node)
    seen = Seen(cluster, met(readinessProbe=probe))
    until(lambda: seen.container["state"].get("running"))
    seen.until_event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404")
    assert not seen.container["ready"]
    assert seen.container["restartCount"] == 0


def test_a_liveness_probe_that_fails_restarts_a_container(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    probe = {"exec": {"command": ["/bin/false"]}, "periodSeconds": 1, "failureThreshold": 1}
    seen = Seen(cluster_of(with_node), met(livenessProbe=probe))
    until(lambda: seen.container.get("restartCount"))
    seen.until_event("Killing", "Container main failed liveness probe, will be restarted")


def test_an_image_that_is_not_there_is_named(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    seen = Seen(cluster_of(with_node), met(image=f"{HOST}/team-alpha/app:v2"))
    message = seen.until_waiting("ImagePullBackOff")
    assert f'Back-off pulling image "{HOST}/team-alpha/app:v2"' in message
    assert message.endswith(f"{HOST}/team-alpha/app:v2: not found")


def test_without_the_pull_secret_the_registry_refuses(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    # Another repository: the node would use the image of the first that it has.
    push(with_node, stand_in([8081], ["/healthz"]), "team-alpha/other")
    image = f"{HOST}/team-alpha/other:v1"
    cluster = cluster_of(with_node)
    seen = Seen(cluster, met(pull="no-such-secret", image=image))
    assert "401 Unauthorized" in seen.until_waiting("ImagePullBackOff")
    seen.until_event("FailedToRetrieveImagePullSecret", "no-such-secret")


def test_a_secret_that_is_not_there_is_named(
    with_node: Checkout, met: Callable[..., Object]
) -> None:
    variable = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none", "key": "value"}}}
    pod = met(env=[variable])
    seen = Seen(cluster_of(with_node), pod)
    # The kubelet may first say that it has not read the namespace's Secrets yet.
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "none" not found'}
    until(lambda: seen.waiting == waiting)
    live = cluster_of(with_node).get("v1", "Pod", MET, pod["metadata"]["name"])
    assert live
    why = 'main: CreateContainerConfigError: secret "none" not found'
    assert list(held_up([live])) == [why]  # as `up` says it


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "container has runAsNonRoot and image will run as root"),
        ("app", "container has runAsNonRoot and image has non-numeric user (app), cannot verify"),
    ],
)
def test_an_image_must_name_a_user_by_number(
    with_node: Checkout, met: Callable[..., Object], user: str, why: str
) -> None:
    repository = f"team-alpha/user-{user or 'none'}"
    push(with_node, Image.make({}, ["/bin/sleep", "9"], user=user), repository)
    seen = Seen(cluster_of(with_node), met(image=f"{HOST}/{repository}:v1"))
    assert why in seen.until_waiting("CreateContainerConfigError")


def test_a_killed_node_leaves_nothing_and_starts_again(provisioned: Checkout) -> None:
    cluster, folder = cluster_of(provisioned), record_of(provisioned).folder
    assert groups(provisioned)
    node = Process(folder, parts.NODE)
    node.send(signal.SIGKILL)
    until(lambda: not node.pid)
    until(lambda: not [line for line in left_running(provisioned) if "containerd" in line])
    start(provisioned, parts.NODE)
    assert groups(provisioned)

    def ready() -> bool:
        listed = [pod for team in SECRETS for pod in pods(cluster, team)]
        return bool(listed) and all(map(is_ready, listed))

    until(ready)


def test_the_machine_stays_as_it_was(before: object, with_node: Checkout) -> None:
    assert machine() == before
    assert groups(with_node)
    run = with_node.run("servers-down")
    assert run.code == 0, run.output
    assert left_running(with_node) == []
    assert groups(with_node) == []
    assert machine() == before


def test_without_the_part_pods_are_simulated_again(provisioned: Checkout) -> None:
    assert provisioned.run("servers-down").code == 0
    run = provisioned.run("servers")
    assert run.code == 0, run.output
    cluster = cluster_of(provisioned)
    until(lambda: cluster.get("v1", "Node", None, REAL_NODE) is None)

    def moved() -> bool:
        listed = pods(cluster, "team-alpha")
        nodes = {pod["spec"].get("nodeName") for pod in listed}
        return nodes == {SIMULATED_NODE} and all(map(is_ready, listed))

    until(moved)


def groups(checkout: Checkout) -> list[Path]:
    """The node's cgroups, in any hierarchy."""
    settings = checkout.folder / FOLDER / parts.NODE / "settings.json"
    name = NodeSettings.read(settings).cgroup
    return [path for depth in ("", "*/") for path in Path("/sys/fs/cgroup").glob(depth + name)]
