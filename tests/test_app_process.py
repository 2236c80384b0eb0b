"""How an app's process runs: as whom."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.flux_tree import VALUES, Trees, release
from tests.program import one_of_each
from tests.written import app, place, reported, rows

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


NOT_ROOT = "is not the id of anyone but root; write 1 or more, such as 10001"
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
podSecurityContext: {enabled: true, fsGroup: 2000, runAsUser: 999, fsGroupChangePolicy: Always}
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
