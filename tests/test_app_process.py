"""How an app's process runs: as whom."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.flux_tree import VALUES, Trees, release
from tests.program import one_of_each
from tests.written import accepted, app, place, reported, rows, warned

HARDENED = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_an_app_runs_as_the_image_says_unless_it_says_otherwise(program: Program) -> None:
    for one in program(one_of_each()).with_pods():
        assert one.pod["securityContext"] == HARDENED


def test_user_and_groups_are_those_of_all_containers(program: Program) -> None:
    keys = "app: {runAs: {user: 10001, group: 10002, fsGroup: 10003}}"
    for one in program(one_of_each(keys)).with_pods():
        ids = {"runAsUser": 10001, "runAsGroup": 10002, "fsGroup": 10003}
        assert one.pod["securityContext"] == {**HARDENED, **ids}
        assert not {"runAsUser", "runAsGroup"} & one.container["securityContext"].keys()


NOT_ROOT = "is below 1, and no pod runs as root; write 1 or more, such as 10001"
SIDECAR = "1337 is the sidecar's own, so what the app sends would bypass the mesh; choose another"


@rows(
    {
        "root": ("user: «0", f"user: 0 {NOT_ROOT}"),
        "root's group": ("group: «0", f"group: 0 {NOT_ROOT}"),
        "files of root's group": ("fsGroup: «0", f"fsGroup: 0 {NOT_ROOT}"),
        "no number at all": ("user: «-5", f"user: -5 {NOT_ROOT}"),
        "more than Kubernetes takes": (
            "user: «2147483648",
            "user: 2147483648 is too large for Kubernetes; lower it",
        ),
        "the sidecar's user": ("user: «1337", f"user: {SIDECAR}"),
        "the sidecar's group": ("group: «1337", f"group: {SIDECAR}"),
        "Kubernetes' spelling": (
            "«runAsUser: 10001",
            "runAsUser: is not supported here; use `user`",
        ),
    }
)
def test_an_identity_that_no_app_may_have_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written, where = place(app(f"runAs: {{{text}}}"))
    assert reported(tmp_path, written) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].app.runAs.{said}"
    ]


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


CONTEXTS = """\
podSecurityContext:
  {enabled: true, fsGroup: 2000, runAsUser: 999, fsGroupChangePolicy: OnRootMismatch}
containerSecurityContext:
  runAsUser: 1000
  runAsGroup: 3000
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  privileged: false
  seLinuxOptions: {}
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
"""


def test_charts_security_contexts_become_the_user_and_groups(trees: Trees) -> None:
    run = trees.run(release(VALUES + CONTEXTS))
    assert (run.lost, run.notes) == ([], [])
    run_as = trees.team().apps[0].app.run_as
    assert (run_as.user, run_as.group, run_as.fs_group) == (1000, 3000, 2000)


@rows(
    {
        "root": (
            "podSecurityContext: {runAsUser: «0}",
            f"spec.values.podSecurityContext.runAsUser: 0 {NOT_ROOT}",
        ),
        "another hardening": (
            "«securityContext: {seccompProfile: {type: Unconfined}}",
            "spec.values.securityContext: is not supported here; each pod is hardened; ",
        ),
        "none": (
            "«podSecurityContext: {enabled: false, fsGroup: 2000}",
            "spec.values.podSecurityContext: is not supported here; each pod is hardened; ",
        ),
    }
)
def test_what_no_pod_here_may_be_is_lost(trees: Trees, text: str, said: str) -> None:
    values, where = place(release(VALUES + text + "\n"))
    run = trees.run(values, "--partial")
    (line,) = run.lost
    assert line.startswith(f"apps/a.yaml:{where}: {said}")
    assert trees.team().apps[0].app.run_as.user is None


SERVES_ON = {"preStop": {"sleep": {"seconds": 5}}}


def test_a_web_app_serves_on_while_others_learn_of_its_end(program: Program) -> None:
    for one in program(one_of_each()).with_pods():
        expected = SERVES_ON if one.name == "team-alpha/web-app" else None
        assert one.container.get("lifecycle") == expected
        assert "terminationGracePeriodSeconds" not in one.pod


def test_an_app_may_take_longer_to_end(program: Program) -> None:
    keys = "app: {terminationGracePeriodSeconds: 120, preStop: {sleepSeconds: 15}}"
    for one in program(one_of_each(keys)).with_pods():
        assert one.pod["terminationGracePeriodSeconds"] == 120
        assert one.container["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}


def test_a_command_takes_the_place_of_the_wait(program: Program) -> None:
    keys = "app: {preStop: {exec: {command: [/bin/drain, now]}}}"
    for one in program(one_of_each(keys)).with_pods():
        assert one.container["lifecycle"] == {
            "preStop": {"exec": {"command": ["/bin/drain", "now"]}}
        }


def test_a_wait_of_no_seconds_is_none(program: Program) -> None:
    for one in program(one_of_each("app: {preStop: {sleepSeconds: 0}}")).with_pods():
        assert "lifecycle" not in one.container


@rows(
    {
        "neither": (
            "preStop: «{}",
            "preStop: has neither exec nor sleepSeconds; add one of the two",
        ),
        "both": (
            "preStop: «{sleepSeconds: 1, exec: {command: [x]}}",
            "preStop: has both exec and sleepSeconds; keep one of the two",
        ),
        "a wait as long as the pod has": (
            "preStop: {sleepSeconds: «30}",
            "preStop.sleepSeconds: 30 leaves the app no time to end, as its pod is killed after 30 "
            "seconds; lower it, or raise terminationGracePeriodSeconds",
        ),
        "the default wait": (
            "terminationGracePeriodSeconds: «5",
            "terminationGracePeriodSeconds: 5 leaves the app no time to end, as it serves for 5 "
            "more seconds first; raise it, or lower preStop.sleepSeconds",
        ),
        "no time at all": (
            "terminationGracePeriodSeconds: «0",
            "terminationGracePeriodSeconds: 0 is below 1; write 1 or more",
        ),
        "Kubernetes' spelling": (
            "preStop: {«sleep: {seconds: 5}}",
            "preStop.sleep: is not supported here; use `sleepSeconds`",
        ),
        "a file of containers elsewhere": (
            "«entrypoint: [/x]",
            "entrypoint: is not supported here; use `app.command`",
        ),
        "its hooks": (
            "«lifecycle: {}",
            "lifecycle: is not supported here; use `app.preStop`",
        ),
        "no program": (
            "preStop: {exec: {command: [«'', x]}}",
            "preStop.exec.command[0]: is empty; write the program's path, such as /bin/app",
        ),
        "no program of the app": (
            "command: [«'']",
            "command[0]: is empty; write the program's path, such as /bin/app",
        ),
        "no program of a step": (
            "init: [{name: a, command: [«'']}]",
            "init[0].command[0]: is empty; write the program's path, such as /bin/app",
        ),
        "a credential": (
            "preStop: {exec: {command: [curl, «'https://a:hunter2@x']}}",
            "preStop.exec.command[1]: contains a URL with a password; add a variable with a "
            "secretRef, and let a shell read it",
        ),
    }
)
def test_an_end_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written, where = place(app(text))
    assert reported(tmp_path, written) == [f"tenants/team-alpha.yaml:{where}: apps[0].app.{said}"]


def test_a_worker_may_end_within_five_seconds(tmp_path: Path) -> None:
    accepted(tmp_path, app("terminationGracePeriodSeconds: 5", archetype="worker"))


def test_a_variable_that_a_hook_does_not_get_causes_a_warning(tmp_path: Path) -> None:
    command = "exec: {command: [/drain, «$(TOKEN), '$(date)']}"
    text, where = place(app(f"env: [{{name: TOKEN, secretRef: t}}]\npreStop: {{{command}}}"))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].app.preStop.exec.command[1]: warning: "
        "Kubernetes does not expand $(TOKEN) here; let a shell read it: "
        '["/bin/sh", "-c", "... $TOKEN"]'
    ]


@pytest.mark.parametrize(
    ("values", "sleep", "command"),
    [
        ("lifecycle: {preStop: {sleep: {seconds: 9}}}", 9, None),
        ("lifecycleHooks: {preStop: {exec: {command: [/d]}}}", None, ("/d",)),
        ("  lifecycle: {preStop: {exec: {command: [/d]}}}", None, ("/d",)),
        ("lifecycle: {}", 5, None),
    ],
)
def test_charts_hooks_are_imported(
    trees: Trees, values: str, sleep: int | None, command: tuple[str, ...] | None
) -> None:
    run = trees.run(release(f"{VALUES}{values}\nterminationGracePeriodSeconds: 60\n"))
    assert run.lost == []
    imported = trees.team().apps[0].app
    assert imported.termination_grace_period_seconds == 60
    assert imported.pre_stop
    assert imported.pre_stop.sleep_seconds == sleep
    assert (imported.pre_stop.exec.command if imported.pre_stop.exec else None) == command


def test_a_hook_at_the_start_is_lost(trees: Trees) -> None:
    text = "«lifecycle: {postStart: {exec: {command: [/x]}}, preStop: {sleep: {seconds: 9}}}\n"
    values, where = place(release(VALUES + text))
    (line,) = trees.run(values, "--partial").lost
    said = "spec.values.lifecycle: is not supported here; use `app.preStop`"
    assert line == f"apps/a.yaml:{where}: {said}"
    pre_stop = trees.team().apps[0].app.pre_stop
    assert pre_stop
    assert pre_stop.sleep_seconds == 9
