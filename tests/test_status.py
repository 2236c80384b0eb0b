"""`./sre status`: an app's line, and the causes for images, crashes and waiting pods."""

import re
from pathlib import Path
from typing import get_args

import pytest

from clients.kubernetes import Object
from tests import written
from tests.cluster_objects import (
    APP,
    IMAGE,
    Looked,
    at,
    container,
    deployment,
    ended,
    event,
    kinds,
    made,
    pod,
    replica_set,
    running,
    said,
    waiting,
)
from tests.written import ROOT
from tools.status.as_text import MISSING
from tools.status.cause import Kind
from tools.status.cluster_state import Log, gateways_in

FILE = "tenants/team-alpha.yaml"
DEPLOYMENT = deployment()
REPLICA_SET = replica_set(DEPLOYMENT)
PULL = "harbor-pull"


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


def section(title: str) -> str:
    """That of docs/status.md."""
    page = (ROOT / "docs" / "status.md").read_text(encoding="utf-8")
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_page_has_every_kind_of_cause() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", section("What it knows"), re.M)
    named = {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)}
    known: tuple[str, ...] = get_args(Kind)
    assert named == {*known}
    code = "".join(file.read_text("utf-8") for file in (ROOT / "tools" / "status").glob("*.py"))
    assert [kind for kind in known if code.count(f'"{kind}"') < 2] == []  # once as a kind


def test_the_page_has_what_an_unread_list_leaves_unknown() -> None:
    listed = section("For programs").partition("Keys of `unread`")[2]
    named = {key for row in re.findall(r"^\| (`.+?) \|", listed, re.M)
             for key in re.findall(r"`([^`]+)`", row)}  # fmt: skip
    assert named == {*MISSING, gateways_in("NAMESPACE")}


def test_an_app_whose_pods_are_all_ready_runs_as_wanted(looked: Looked) -> None:
    of = deployment(replicas=2, ready=2)
    owner = replica_set(of)
    app = looked.app(written.app(), of, owner, running(owner), running(owner, 1))
    assert (app.status, app.ready, app.wanted, app.version) == (
        "running as wanted",
        2,
        2,
        "v1.0.0",
    )
    assert said(app) == []


def test_an_app_with_pods_under_way_is_rolling_out(looked: Looked) -> None:
    of = deployment(image=IMAGE.replace("v1.0.0", "v1.1.0"))
    old, new = replica_set(of), replica_set(of, 2)
    app = looked.app(written.app(), of, old, new, running(old), pod(new, phase="Pending"))
    assert (app.status, app.version) == ("rolling out", "v1.0.0 -> v1.1.0")


def test_an_app_without_a_deployment_is_broken(looked: Looked) -> None:
    app = looked.app(written.app())
    assert app.status == "broken"
    assert said(app) == [
        f"{FILE}:3:5: apps[0]: the namespace team-alpha has no Deployment my-api; merge the file; "
        "if it is, see whether the stack's last `pulumi up` ended without errors; if it did, ask "
        "the platform team to restore what was changed by hand (`make stack-up` with `REFRESH=1`)"
    ]


def test_an_app_whose_deployment_may_not_be_read_is_unknown(looked: Looked) -> None:
    team = looked.team(written.app(), unread={"deployments": "forbidden"})
    assert [(app.status, said(app)) for app in team.apps] == [("unknown", [])]
    assert team.status == "unknown"


NOT_FOUND = (
    f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound desc = failed to '
    f"pull and unpack image \"{IMAGE}\": failed to resolve reference \"{IMAGE}\": {IMAGE}: "
    "not found"
)  # fmt: skip
ANSWERED = "failed to pull and unpack image: unexpected status from HEAD request to https://harbor"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (NOT_FOUND, "image-missing"),
        (f"{ANSWERED}: 412 Precondition Failed", "image-unsigned"),
        ("The image is not signed by cosign", "image-unsigned"),
        ('current image with 3 vulnerabilities cannot be pulled due to policy', "image-vulnerable"),
        (f"{ANSWERED}: 401 Unauthorized", "pull-secret-stale"),
        ("failed to authorize: failed to fetch oauth token: 403 Forbidden", "pull-secret-stale"),
        (f"{ANSWERED}: 429 Too Many Requests", "registry-limit"),
        ("no match for platform in manifest: not found", "image-platform"),
        ("dial tcp: lookup harbor.sre.internal: no such host", "registry-unreachable"),
        ("tls: failed to verify certificate: x509: unknown authority", "registry-unreachable"),
        ("something else", "image-pull"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_pulled_has_a_cause(
    looked: Looked, message: str, kind: str
) -> None:
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", message))
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert (app.status, kinds(app)) == ("broken", [kind])


def test_an_image_that_is_not_there_is_mended_at_its_tag(looked: Looked) -> None:
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", NOT_FOUND))
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert said(app) == [
        f"{FILE}:6:71: apps[0].app.image.tag: the registry has no image {IMAGE}; push it, or "
        "correct the repository or the tag"
    ]


def test_an_event_says_why_where_the_container_only_backs_off(looked: Looked) -> None:
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'))
    failed = event(broken, "Failed", f'Failed to pull image "{IMAGE}": {NOT_FOUND}')
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, failed)
    assert kinds(app) == ["image-missing"]


def test_a_tag_that_looks_like_an_answer_is_not_one(looked: Looked) -> None:
    image = "harbor.sre.internal/team-alpha/my-api:401"
    own = waiting("ErrImagePull", f"failed to resolve reference {image}: {image}: not found")
    broken = pod(REPLICA_SET, own=own, containers=[container(image=image)])
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert kinds(app) == ["image-missing"]


def test_a_pull_without_a_secret_names_what_has_to_be_stored(looked: Looked) -> None:
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", "401 Unauthorized"))
    missing = event(
        broken,
        "FailedToRetrieveImagePullSecret",
        f"Unable to retrieve some image pull secrets ({PULL}); attempting to pull may not succeed.",
    )
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, missing)
    assert kinds(app) == ["pull-secret-missing"]
    assert "stores the robot's login in OpenBao as sre/team-alpha/harbor-pull" in said(app)[0]


@pytest.mark.parametrize(
    ("before", "said_of_it"),
    [
        (
            "",
            f"the registry refuses the login in Secret {PULL} for {IMAGE}: the robot's password "
            "was replaced; ask the platform team to run `./sre secret rotate team-alpha`",
        ),
        (
            "registry: {robots: {duration: 90}}\n",
            f"{FILE}:2:31: registry.robots.duration: the registry refuses the login in Secret "
            f"{PULL} for {IMAGE}: the robot's password was replaced, or the robot has expired "
            "(after 90 days); ask the platform team: `./sre secret rotate team-alpha` renews the "
            "password, and more days let an expired robot in again",
        ),
    ],
)
def test_a_login_that_is_refused_is_renewed_by_what_renews_it(
    looked: Looked, before: str, said_of_it: str
) -> None:
    text = written.app().replace("apps:", f"{before}apps:", 1)
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", f"{ANSWERED}: 401 Unauthorized"))
    assert said(looked.app(text, DEPLOYMENT, REPLICA_SET, broken)) == [said_of_it]


def test_an_image_of_a_step_is_mended_at_the_step(looked: Looked) -> None:
    text = written.app("init: [{name: migrate, image: {repository: "
                       "harbor.sre.internal/team-alpha/tool, tag: v2}}]")  # fmt: skip
    step = container("migrate", "harbor.sre.internal/team-alpha/tool:v2")
    status = [{"name": "migrate", **waiting("ErrImagePull", "manifest unknown")}]
    broken = pod(REPLICA_SET, init=[step], initContainerStatuses=status)
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, broken)
    assert "apps[0].app.init[0].image.tag: the registry has no image" in said(app)[0]


def test_a_crash_shows_exit_code_restarts_and_the_last_lines(looked: Looked) -> None:
    broken = pod(REPLICA_SET, own=ended(3))
    logs = {(broken["metadata"]["name"], APP): Log(("no database",), "", ("no database",))}
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, logs=logs)
    assert said(app) == [
        "the app ends with exit code 3, restarted 3 times; see its last lines below"
    ]
    assert app.causes[0].cause.lines == ("no database",)


def test_a_crash_without_a_log_names_the_command_that_shows_it(looked: Looked) -> None:
    broken = pod(REPLICA_SET, own=ended(1))
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert "see `kubectl logs my-api-1-0 -n team-alpha -c my-api --previous`" in said(app)[0]


def test_two_pods_with_one_cause_report_it_once(looked: Looked) -> None:
    two = [pod(REPLICA_SET, number, own=ended(3)) for number in (0, 1)]
    logs = {(two[1]["metadata"]["name"], APP): Log(("late",), "", ("late",))}
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, *two, logs=logs)
    assert kinds(app) == ["crash"]
    assert app.causes[0].cause.lines == ("late",)


def test_a_kill_for_memory_is_measured_against_the_limit_in_the_file(looked: Looked) -> None:
    text = written.app("resources: {limits: {memory: 256Mi}}")
    limited = container(resources={"limits": {"memory": "128Mi"}})
    broken = pod(REPLICA_SET, own=ended(137, "OOMKilled"), containers=[limited])
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, broken)
    assert said(app) == [
        f"{FILE}:7:36: apps[0].app.resources.limits.memory: the app was killed, restarted 3 times, "
        "because it used more memory than its limit of 128Mi (256Mi in the file); raise the limit, "
        "or have the app use less"
    ]


def test_a_container_that_cannot_be_started_is_named_once_by_what_the_runtime_says(
    looked: Looked,
) -> None:
    message = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        "runc create failed: unable to start container process: "
        'exec: "/serve": stat /serve: no such file or directory: unknown'
    )
    last = {"terminated": {"exitCode": 128, "reason": "StartError", "message": message}}
    broken = pod(REPLICA_SET, own={**waiting("RunContainerError", message), "lastState": last})
    assert said(looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)) == [
        f'{FILE}:5:7: apps[0].app.command: the app cannot be started ("/serve": stat /serve: no '
        "such file or directory); name a program that the image has"
    ]


def survived(code: int, reason: str) -> list[Object]:
    """An app that is ready again, three hours after it ended."""
    of = deployment(ready=1)
    owner = replica_set(of)
    again = running(owner)
    last = {"exitCode": code, "reason": reason, "finishedAt": "2026-11-29T09:00:00Z"}
    again["status"]["containerStatuses"][0] |= {
        "restartCount": 2,
        "lastState": {"terminated": last},
    }
    return [of, owner, again]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (137, "OOMKilled", "the app was killed, restarted twice, last at 2026-11-29 09:00 UTC, "),
        (3, "Error", "ends with exit code 3, restarted twice, last at 2026-11-29 09:00 UTC; see "),
    ],
)
def test_an_end_that_the_app_survived_is_a_warning_for_a_while(
    looked: Looked, code: int, reason: str, words: str
) -> None:
    objects = survived(code, reason)
    app = looked.app(written.app(), *objects)
    assert app.status == "running as wanted"
    assert words in said(app)[0]
    assert said(looked.app(written.app(), *objects, hours=2)) == []


def test_a_probe_that_ends_an_app_again_and_again_is_named_while_the_app_runs(
    looked: Looked,
) -> None:
    of, owner, again = survived(137, "Error")
    killed = event(again, "Killing", "Container my-api failed liveness probe, will be restarted")
    app = looked.app(written.app(), of, owner, again, killed)
    assert (app.status, kinds(app)) == ("running as wanted", ["liveness-probe"])
    assert "ends the app, restarted twice, last at 2026-11-29 09:00 UTC: " in said(app)[0]


def test_a_step_that_succeeded_in_the_end_is_no_cause(looked: Looked) -> None:
    of = deployment(ready=1)
    owner = replica_set(of)
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": at()}}
    step = {"name": "migrate", "ready": True, "restartCount": 1, "state": done}
    again = running(owner, init=[container("migrate")])
    again["status"]["initContainerStatuses"] = [step]
    text = written.app("init: [{name: migrate, args: [up]}]")
    assert said(looked.app(text, of, owner, again)) == []


@pytest.mark.parametrize(
    "line",
    [
        "touch: /data/x: Read-only file system",
        "/bin/sh: can't create /data/x: Read-only file system",
        "java.io.FileNotFoundException: /data/x (Read-only file system)",
        "OSError: [Errno 30] Read-only file system: '/data/x'",
    ],
)
def test_writing_to_the_root_file_system_needs_a_writable_path(looked: Looked, line: str) -> None:
    broken = pod(REPLICA_SET, own=ended(1))
    logs = {(broken["metadata"]["name"], APP): Log((line,), "", (line,))}
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, logs=logs)
    assert said(app) == [
        f"{FILE}:5:7: apps[0].app.writablePaths: the app writes to /data/x, which is read-only; "
        "list the folder that it writes to"
    ]


def test_a_withheld_log_still_tells_the_kind_but_no_word_of_it(looked: Looked) -> None:
    line = "touch: /hunter2: Read-only file system"
    broken = pod(REPLICA_SET, own=ended(1))
    logs = {(broken["metadata"]["name"], APP): Log((), " (not shown)", (line,))}
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, logs=logs)
    assert kinds(app) == ["read-only"]
    assert "hunter2" not in said(app)[0]


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}


def unscheduled(message: str) -> list[dict[str, str]]:
    return [{**UNSCHEDULABLE, "message": message}]


def test_a_pod_for_which_no_node_has_room_names_its_request(looked: Looked) -> None:
    text = written.app("resources: {requests: {cpu: 500m}}")
    asking = container(resources={"requests": {"cpu": "500m"}})
    message = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available"
    broken = pod(REPLICA_SET, containers=[asking], conditions=unscheduled(message))
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, broken)
    (line,) = said(app)
    assert line.startswith(
        f"{FILE}:7:35: apps[0].app.resources.requests.cpu: no node has room for a pod that "
        "requests 500m cpu (0/2 nodes are available: 2 Insufficient cpu); "
    )


def test_a_pod_that_has_just_begun_to_wait_for_a_node_is_rolling_out(looked: Looked) -> None:
    (condition,) = unscheduled("0/2 nodes are available: 2 Insufficient cpu.")
    broken = pod(REPLICA_SET, conditions=[condition | {"lastTransitionTime": at(0.1)}])
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert (app.status, kinds(app)) == ("rolling out", ["no-room"])


def test_a_volume_of_a_class_that_does_not_exist_is_mended_at_the_class(looked: Looked) -> None:
    text = written.app(
        "replicas: 1\nvolumes: [{name: data, path: /data, size: 1Gi, storageClass: fats}]",
        "autoscaling: {enabled: false}\npodDisruptionBudget: {enabled: false}",
    )
    broken = pod(
        REPLICA_SET, conditions=unscheduled("pod has unbound immediate PersistentVolumeClaims")
    )
    claim = made("PersistentVolumeClaim", "my-api-data")
    failed = event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fats" not found')
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, broken, failed)
    assert "apps[0].app.volumes[0].storageClass: the volume my-api-data" in said(app)[0]


def test_two_causes_at_once_are_both_reported(looked: Looked) -> None:
    crashing = pod(REPLICA_SET, own=ended(1))
    pulling = pod(REPLICA_SET, 1, own=waiting("ImagePullBackOff", NOT_FOUND))
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, crashing, pulling)
    assert kinds(app) == ["image-missing", "crash"]
