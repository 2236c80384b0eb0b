"""`./sre status` on containers that really run, or do not; node_status.yaml has the apps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from clients.kubernetes import Cluster
from dryrun.recording import record_stack
from sandbox.servers import container_node, parts
from sandbox.servers.images import Image
from specs.credentials import HIDDEN
from tests.checkouts import Checkout
from tests.optional import available
from tests.program import ROOT
from tests.servers.conftest import (
    cluster_of,
    openbao_of,
    start,
    stopped_at_the_end,
    stored,
    until,
)
from tests.servers.status_readers import Reader, patch
from tests.servers.test_field import WORKLOADS
from tests.servers.test_node import push

pytestmark = pytest.mark.servers

TEAM, FILE = "team-status", "tenants/team-status.yaml"
APPS = Path(__file__).with_name("node_status.yaml").read_text("utf-8")
TOOL = f"harbor.sre.internal/{TEAM}/tool"
PULL = f"sre/{TEAM}/harbor-pull"
ESO = "external-secrets.io/v1"
WAITS = ["/bin/sleep", "infinity"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The team of node_status.yaml, whose secrets the operator brings.

    `up` would wait for apps that never run: once their team is there, they are applied.
    """
    available(container_node.require)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("status") / "checkout")) as checkout:
        start(checkout, f"{parts.NODE} {parts.EXTERNAL_SECRETS}")
        push(checkout, Image.make({}, WAITS), f"{TEAM}/tool", "v1.0.0")
        push(checkout, Image.make({}, WAITS, user=""), f"{TEAM}/root", "v1.0.0")
        for file in (checkout.folder / "tenants").glob("*.yaml"):
            file.unlink()
        (checkout.folder / FILE).write_text(APPS.partition("\napps:")[0] + "\napps: []\n")
        checkout.up()
        stored(checkout, f"sre/{TEAM}/stored", "password=correct horse")
        stored(checkout, f"sre/{TEAM}/half-stored", "user=joe")
        cluster = cluster_of(checkout)
        until(lambda: pull_secret(cluster))
        (checkout.folder / FILE).write_text(APPS)
        recording = record_stack(ROOT, "dev", checkout.folder / "tenants")
        made = [each.inputs for each in recording.registrations if each.package == "kubernetes"]
        own = [each for each in made if each["metadata"].get("namespace") == TEAM]
        for object in own:
            if object["kind"] not in WORKLOADS:
                cluster.apply(object, "test")
        until(lambda: cluster.get("v1", "Secret", TEAM, "stored"))  # or its value might be another
        for object in own:
            if object["kind"] in WORKLOADS:
                cluster.apply(object, "test")
        yield checkout


@pytest.fixture
def administrator(
    checkout: Checkout,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Reader:
    return Reader(checkout, capsys, monkeypatch, tmp_path / "kubeconfig")


@pytest.fixture
def viewer(administrator: Reader) -> Reader:
    administrator.view(TEAM)
    return administrator


class Expected(NamedTuple):
    """A cause: what mends it, from the app's entry in the file, and words of it."""

    kind: str
    key: str
    words: tuple[str, ...]
    lines: tuple[str, ...] = ()


CAUSES = {
    "crashes": Expected(
        "crash", "", ("the app ends with exit code 3",), ("no database",)
    ),
    "needs-memory": Expected(
        "out-of-memory",
        "app.resources.limits.memory",
        ("the app was killed", "it used more memory than its limit of 64Mi"),
    ),
    "writes": Expected(
        "read-only",
        "app.writablePaths",
        ("the app writes to /report, which is read-only",),
        ("/bin/sh: can't create /report: Read-only file system",),
    ),
    "broken-step": Expected(
        "crash", "", ("the step migrate ends with exit code 7",), ("no table",)
    ),
    "misnamed": Expected(
        "cannot-start", "app.command", ("/bin/no-such-program", "no such file")
    ),
    "as-root": Expected(
        "runs-as-root", "app.runAs.user", ("the image runs as root, or names no user",)
    ),
    "starts-slowly": Expected(
        "startup-probe",
        "app.probes.startup.failureThreshold",
        ("the startup probe ends the app", "failureThreshold 5, periodSeconds 1"),
    ),
    "deaf": Expected(
        "liveness-probe",
        "app.probes.liveness",
        ("GET /healthz on port", "finds nothing that listens there", "it has 4s"),
    ),
    "unready": Expected("readiness-probe", "app.probes.readiness", ("GET /readyz", "answers 404")),
    "without-key": Expected(
        "secret-key",
        "app.env[0].key",
        (f"sre/{TEAM}/half-stored in OpenBao", "has no key `password`"),
    ),
    "without-class": Expected(
        "volume",
        "app.volumes[0].storageClass",
        ('storageclass.storage.k8s.io "no-such-class" not found',),
    ),
    "fails": Expected("run-failed", "", ("failed",)),
    "takes-long": Expected(
        "run-deadline", "schedule.activeDeadlineSeconds", ("after 1s, its time limit",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("app", CAUSES)
def test_what_keeps_an_app_from_running_is_named_with_its_key(viewer: Reader, app: str) -> None:
    expected = CAUSES[app]
    cause = viewer.cause(TEAM, app, expected.kind)
    assert cause["key"] == (place(app, expected.key) if expected.key else None)
    assert [each for each in expected.words if each not in cause["what"]] == []
    shows_lines(viewer, app, expected.kind, *expected.lines)


def shows_lines(reader: Reader, app: str, kind: str, *lines: str) -> None:
    """Wait for them: the node has no log while it replaces a container."""
    until(lambda: reader.cause(TEAM, app, kind)["lines"] == list(lines))


def place(app: str, key: str) -> str:
    """A key of an app's entry in the file."""
    names = [each["app"]["name"] for each in yaml.safe_load(APPS)["apps"]]
    return f"apps[{names.index(app)}].{key}"


def test_a_line_leads_to_the_key_in_the_file(viewer: Reader) -> None:
    viewer.cause(TEAM, "needs-memory", "out-of-memory")
    limit = "resources: {limits: {memory: 64Mi}}"
    (line,) = (n for n, text in enumerate(APPS.splitlines(), 1) if limit in text)
    printed: list[str] = []

    def is_broken() -> bool:  # which it is not while it runs again
        code, out = viewer.run(TEAM, "needs-memory")
        printed.append(out)
        return code == 1

    until(is_broken)
    out = printed[-1]
    assert f"{FILE}:{line}:" in out
    assert f": {place('needs-memory', 'app.resources.limits.memory')}: the app was killed" in out
    assert "raise the limit, or have the app use less\n" in out


def test_two_causes_at_once_are_both_named(viewer: Reader) -> None:
    causes = viewer.causes(TEAM, "twice-broken", "image-missing", "secret-not-stored")
    assert causes["image-missing"]["key"] == place("twice-broken", "app.image.tag")
    assert causes["image-missing"]["what"] == f"the registry has no image {TOOL}:v9.9.9"
    assert causes["secret-not-stored"]["key"] == place("twice-broken", "app.env[0].secretRef")
    assert f"OpenBao has no secret sre/{TEAM}/not-stored" in causes["secret-not-stored"]["what"]


def test_a_log_is_shown_without_the_secret_that_it_repeats(administrator: Reader) -> None:
    shows_lines(administrator, "repeats-its-secret", "crash", f"refused: {HIDDEN}")


def test_a_log_is_not_shown_to_someone_who_may_not_read_secrets(viewer: Reader) -> None:
    def cause() -> dict[str, Any]:
        return viewer.cause(TEAM, "repeats-its-secret", "crash")

    until(lambda: "which you may not read" in cause()["do"])
    assert cause()["lines"] == []
    assert "-c repeats-its-secret" in cause()["do"]


def released(checkout: Checkout, tag: str) -> None:
    """A new image, which the node has to pull."""
    push(checkout, Image.make({"/etc/tag": tag}, WAITS), f"{TEAM}/tool", tag)
    change: Any = {"containers": [{"name": "runs", "image": f"{TOOL}:{tag}"}]}
    path = cluster_of(checkout).path("apps/v1", "Deployment", TEAM, "runs")
    kind = "application/strategic-merge-patch+json"
    patch(cluster_of(checkout), path, {"spec": {"template": {"spec": change}}}, kind)


def test_a_login_that_the_registry_refuses_is_stale(viewer: Reader) -> None:
    checkout, cluster = viewer.checkout, viewer.cluster
    until(lambda: viewer.app(TEAM, "runs")["status"] == "running as wanted")
    login = openbao_of(checkout).call("GET", PULL.replace("sre/", "sre/data/"))["data"]["data"]
    stored(checkout, PULL, *(f"{k}={v}" for k, v in {**login, "password": "replaced"}.items()))
    before = pull_secret(cluster)
    path = cluster.path(ESO, "ExternalSecret", TEAM, "harbor-pull")
    patch(cluster, path, {"metadata": {"annotations": {"force-sync": "now"}}})
    until(lambda: pull_secret(cluster) != before)
    released(checkout, "v1.1.0")
    cause = viewer.cause(TEAM, "runs", "pull-secret-stale")
    assert f"refuses the login in Secret harbor-pull for {TOOL}:v1.1.0" in cause["what"]
    assert cause["do"] == f"ask the platform team to run `./sre secret rotate {TEAM}`"


def pull_secret(cluster: Cluster) -> str | None:
    found = cluster.get("v1", "Secret", TEAM, "harbor-pull")
    return str(found["data"][".dockerconfigjson"]) if found else None


def test_without_the_pull_secret_what_has_to_be_stored_is_named(viewer: Reader) -> None:
    viewer.cluster.delete(ESO, "ExternalSecret", TEAM, "harbor-pull")
    until(lambda: pull_secret(viewer.cluster) is None)
    released(viewer.checkout, "v1.2.0")
    cause = viewer.cause(TEAM, "runs", "pull-secret-missing")
    assert f"stores the robot's login in OpenBao as {PULL}" in cause["do"]
