"""Steps that run before an app starts."""

import gzip
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.stand_ins import of_apps
from specs.capacity import RESOURCES, capacity
from specs.quantity import parse
from tests.conftest import Program
from tests.flux_tree import VALUES, Trees, release
from tests.program import one_of_each
from tests.written import (
    accepted,
    app,
    entry,
    place,
    reported,
    rows,
    settings,
    team,
    warned,
)

MIGRATE = "init: [{name: migrate, command: [/bin/migrate], args: [up]}]"
OTHER = "{repository: harbor.sre.internal/base-images/wait, tag: v2, pullPolicy: Always}"


def test_without_steps_a_pod_has_none(program: Program) -> None:
    for one in program(one_of_each()).with_pods():
        assert "initContainers" not in one.pod


def test_steps_run_in_their_order_each_with_its_image_and_words(program: Program) -> None:
    keys = f"""
    app:
      init:
        - {{name: wait, image: {OTHER.replace("base-images", "team-alpha")}}}
        - {{name: migrate, command: [/bin/migrate], args: [up]}}
    """
    for one in program(one_of_each(keys)).with_pods():
        first, second = one.pod["initContainers"]
        assert (first["name"], first["image"], first["imagePullPolicy"]) == (
            "wait", "harbor.sre.internal/team-alpha/wait:v2", "Always",
        )  # fmt: skip
        assert not {"command", "args"} & first.keys()
        assert (second["name"], second["image"]) == ("migrate", one.container["image"])
        assert (second["command"], second["args"]) == (["/bin/migrate"], ["up"])


def test_a_step_is_hardened_like_the_app_and_sees_what_it_sees(program: Program) -> None:
    keys = f"""
    app:
      {MIGRATE}
      env: [{{name: DB, secretRef: db}}, {{name: LEVEL, value: info}}]
      writablePaths: [{{path: /tmp}}]
      resources: {{requests: {{cpu: 70m}}, limits: {{memory: 300Mi}}}}
    """
    for one in program(one_of_each(keys)).with_pods():
        (step,) = one.pod["initContainers"]
        for field in ("securityContext", "env", "volumeMounts", "resources"):
            assert step[field] == one.container[field]
        assert not {"ports", "lifecycle", "livenessProbe", "readinessProbe"} & step.keys()


def test_a_step_has_none_of_the_app_s_capabilities(program: Program) -> None:
    exception = "allow: SETGID, reason: x, ticket: X-1, approvedBy: x, until: '9999-12-31'"
    keys = f"app: {{{MIGRATE}}}\nexceptions: [{{{exception}}}]"
    for one in program(one_of_each(keys)).with_pods():
        (step,) = one.pod["initContainers"]
        assert step["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one.container["securityContext"]["capabilities"]["add"] == ["SETGID"]


def _counted(pod: dict[str, Any], kind: str, resource: str, sidecar: str) -> int:
    """What Kubernetes counts: the most at any time, while containers start in their order."""
    amounts = [int(parse(sidecar) * 1000)]  # Istio's sidecar starts first, and stays
    steps = [
        amounts[0] + int(parse(step["resources"][kind][resource]) * 1000)
        for step in pod["initContainers"]
    ]
    amounts += [int(parse(one["resources"][kind][resource]) * 1000) for one in pod["containers"]]
    return max(sum(amounts), *steps)


def test_a_pod_takes_no_more_with_steps(program: Program, tmp_path: Path) -> None:
    text = app(f"{MIGRATE}\nresources: {{requests: {{cpu: 300m}}}}", archetype="worker")
    (demand,) = capacity(accepted(tmp_path, text), settings()).apps
    (one,) = program(text).with_pods()
    taken = dict(zip(RESOURCES, demand.pod, strict=True))
    assert taken["requests.cpu"] == _counted(one.pod, "requests", "cpu", "50m") == 350
    assert taken["limits.memory"] * 1000 == _counted(one.pod, "limits", "memory", "256Mi")


@rows(
    {
        "a name twice": (
            "init: [{name: a, args: [x]}, {name: «a, args: [y]}]",
            "init[1].name: 'a' is also the name of another step; rename one",
        ),
        "the app's name": (
            "init: [{name: «my-api, args: [x]}]",
            "init[0].name: 'my-api' is also the name of the app itself; rename one",
        ),
        "the sidecar's name": (
            "init: [{name: «istio-proxy, args: [x]}]",
            "init[0].name: 'istio-proxy' is the name of a container that Istio adds; rename it",
        ),
        "the app itself": (
            "init: [«{name: a}]",
            "init[0]: would run the app itself, which does not end; add command or args, or an "
            "image",
        ),
        "an image of another registry": (
            "init: [{name: a, image: {repository: «docker.io/x/busybox, tag: v1}}]",
            "init[0].image.repository: 'docker.io/x/busybox' is not in harbor.sre.internal; push "
            "it there and write harbor.sre.internal/team-alpha/busybox",
        ),
        "a credential": (
            "init: [{name: a, command: [migrate, «'postgres://a:hunter2@db/x']}]",
            "init[0].command[1]: contains a URL with a password; add a variable with a secretRef, "
            "and write $(NAME) here",
        ),
        "surroundings of its own": (
            "init: [{name: a, args: [x], «env: []}]",
            "init[0].env: is not supported here; it has the app's; remove it",
        ),
        "Kubernetes' spelling": (
            "«initContainers: []",
            "initContainers: is not supported here; use `app.init`",
        ),
    }
)
def test_a_step_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written, where = place(app(text))
    assert reported(tmp_path, written) == [f"tenants/team-alpha.yaml:{where}: apps[0].app.{said}"]


def test_a_variable_that_a_step_does_not_get_causes_a_warning(tmp_path: Path) -> None:
    text, where = place(app("init: [{name: a, command: [migrate, «'--to=$(TARGET)']}]"))
    (line,) = warned(tmp_path, text)
    assert line.startswith(f"tenants/team-alpha.yaml:{where}: apps[0].app.init[0].command[1]: ")
    assert "$(TARGET) is not defined above" in line


def test_retention_keeps_the_images_of_steps_too(tmp_path: Path) -> None:
    step = "init: [{name: a, image: {repository: harbor.sre.internal/team-alpha/my-api, tag: v2}}]"
    text = team("registry: {retention: {mostRecentlyPushed: 1}}\napps:\n") + entry(step)
    (line,) = reported(tmp_path, text)
    assert "(v1.0.0, v2), so Harbor deletes images in use; keep at least 2" in line


def test_in_the_sandbox_a_step_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.servers.images.BUSYBOX", Path(__file__))  # it is not run here
    text = app(f"init: [{{name: m, args: [migrate, 'a b']}}, {{name: w, image: {OTHER}}}]")
    images = {place: image for place, _, image in of_apps(accepted(tmp_path, text).apps)}
    assert images.keys() == {"team-alpha/my-api", "base-images/wait"}
    layer = BytesIO(gzip.decompress(images["team-alpha/my-api"].layer))
    with tarfile.open(fileobj=layer) as archive:
        script = archive.extractfile("bin/app")
        assert script
        (tmp_path / "app").write_bytes(script.read())
    environment = {"STAND_IN_PORTS": "8080", "PATH": ""}  # without a server to start
    for words, starts in (["migrate", "a b"], False), (["serve"], True):
        run = subprocess.run(
            ["/bin/sh", "app", *words], cwd=tmp_path, env=environment, capture_output=True
        )
        assert (b"httpd" in run.stderr) == starts


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


CHART = """\
  env: [{name: LEVEL, value: info}]
podSecurityContext: {runAsUser: 1000}
initContainers:
  - name: migrate
    image: harbor.sre.internal/team-alpha/my-api:v1.0.0
    imagePullPolicy: IfNotPresent
    command: [/bin/migrate]
    env: [{name: LEVEL, value: info}]
    volumeMounts: []
    resources: {requests: {cpu: 10m}}
    securityContext: {runAsUser: 1000, runAsNonRoot: true, capabilities: {drop: [ALL]}}
  - {name: wait, image: "harbor.sre.internal/base-images/wait:v2", imagePullPolicy: Always}
"""


def test_charts_init_containers_become_steps(trees: Trees) -> None:
    run = trees.run(release(VALUES + CHART))
    assert run.lost == []
    (note,) = run.notes
    assert note.endswith(": a step gets the CPU and memory of the app")
    migrate, wait = trees.team().apps[0].app.init
    assert (migrate.name, migrate.image, migrate.command) == ("migrate", None, ("/bin/migrate",))
    assert wait.image
    assert (wait.name, wait.image.version, wait.image.pull_policy) == ("wait", "v2", "Always")


@pytest.mark.parametrize(
    "key", ["env: [{name: A, value: b}]", "volumeMounts: [{name: a, mountPath: /a}]",
            "securityContext: {runAsUser: 7}", "restartPolicy: Always"],
)  # fmt: skip
def test_an_init_container_with_surroundings_of_its_own_is_lost(trees: Trees, key: str) -> None:
    step = f"initContainers: [{{name: a, command: [x], «{key}}}]\n"
    values, where = place(release(VALUES + step))
    (line,) = trees.run(values, "--partial").lost
    assert line.startswith(f"apps/a.yaml:{where}: spec.values.initContainers[0].")
    assert trees.team().apps[0].app.init == ()
