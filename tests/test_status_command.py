"""`./sre status` as a command, against a server that gives the answers that a test sets."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from cli.__main__ import main
from sandbox.servers.keys import ADMIN, Keys
from tests import written
from tests.cluster_objects import (
    APP,
    autoscaler,
    container,
    deployment,
    ended,
    external_secret,
    pod,
    replica_set,
    running,
)
from tests.fake_server import Answer, FakeServer, listed, serving

pytestmark = pytest.mark.commands

TEAM = "team-alpha"
CORE = f"GET /api/v1/namespaces/{TEAM}"
APPS = f"GET /apis/apps/v1/namespaces/{TEAM}"
SCALERS = f"GET /apis/autoscaling/v2/namespaces/{TEAM}/horizontalpodautoscalers"
EXTERNAL = f"GET /apis/external-secrets.io/v1/namespaces/{TEAM}/externalsecrets"
REFUSED = (403, {"message": "no"})
SECRET_TEXT = "hunter2-hunter2"


@pytest.fixture
def server(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """It has nothing of the team; KUBECONFIG names it."""
    with serving(keys) as fake:
        keys.write_kubeconfig(tmp_path / "kubeconfig", ADMIN, fake.address)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        for plural in ("pods", "events"):
            fake.answers[f"{CORE}/{plural}"] = listed()
        for plural in ("deployments", "replicasets"):
            fake.answers[f"{APPS}/{plural}"] = listed()
        for group in ("batch/v1/{}/jobs", "batch/v1/{}/cronjobs", "policy/v1/{}/pdbs",
                      "autoscaling/v2/{}/horizontalpodautoscalers",
                      "policy/v1/{}/poddisruptionbudgets",
                      "networking.istio.io/v1/{}/virtualservices",
                      "external-secrets.io/v1/{}/externalsecrets"):  # fmt: skip
            fake.answers[f"GET /apis/{group.format(f'namespaces/{TEAM}')}"] = listed()
        yield fake


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    folder = tmp_path / "tenants"
    folder.mkdir()
    return folder


def status(tenants: Path, text: str, *words: str) -> int:
    (tenants / f"{TEAM}.yaml").write_text(text)
    return main(["status", "--tenants", str(tenants), TEAM, *words])


def runs(server: FakeServer) -> None:
    """The app runs as wanted."""
    of = deployment(ready=1)
    owner = replica_set(of)
    server.answers[f"{CORE}/pods"] = listed(running(owner))
    server.answers[f"{APPS}/deployments"] = listed(of)
    server.answers[f"{APPS}/replicasets"] = listed(owner)
    server.answers[SCALERS] = listed(autoscaler())


def crashes(server: FakeServer, log: str) -> None:
    of = deployment()
    owner = replica_set(of)
    broken = pod(owner, own=ended(1))
    server.answers[f"{CORE}/pods"] = listed(broken)
    server.answers[f"{APPS}/deployments"] = listed(of)
    server.answers[f"{APPS}/replicasets"] = listed(owner)
    server.answers[f"{CORE}/pods/{broken['metadata']['name']}/log"] = (200, log.encode())
    server.answers[SCALERS] = listed(autoscaler())
    server.answers[EXTERNAL] = listed(external_secret("db"))


def test_without_a_kubeconfig_it_says_what_to_set(
    tenants: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tenants / "none"))
    assert status(tenants, written.app()) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "./sre status: error: Invalid kube-config file. No configuration found; "
        "set KUBECONFIG to the file for your cluster"
    ]


def test_an_app_that_runs_ends_with_success(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(server)
    assert status(tenants, written.app()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["APP", "STATUS", "PODS", "VERSION"],
        ["my-api", "running", "as", "wanted", "1/1", "v1.0.0"],
    ]


def test_a_broken_app_shows_the_end_of_its_log(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes(server, "no database")
    assert status(tenants, written.app(), APP) == 1
    out = capsys.readouterr().out
    assert "  the app ends with exit code 1, restarted 3 times; see its last lines below\n" in out
    assert "    | no database\n" in out


def test_an_app_that_is_ready_again_shows_why_it_ended(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(server)
    again = running(replica_set(deployment(ready=1)))
    server.answers[f"{CORE}/pods"] = listed(again)
    last = {"exitCode": 3, "reason": "Error", "finishedAt": datetime.now(UTC).isoformat()}
    own = again["status"]["containerStatuses"][0]
    own |= {"restartCount": 1, "lastState": {"terminated": last}}
    server.answers[f"{CORE}/pods/{again['metadata']['name']}/log"] = (200, b"no database")
    assert status(tenants, written.app()) == 0
    out = capsys.readouterr().out
    assert "  warning: the app ends with exit code 3, restarted once, last at " in out
    assert "    | no database\n" in out


def test_what_a_node_says_of_a_log_that_is_gone_is_not_shown_as_the_log(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes(server, "unable to retrieve container logs for containerd://f054ab28")
    assert status(tenants, written.app(), APP) == 1
    out = capsys.readouterr().out
    assert "unable to retrieve" not in out
    assert "see `kubectl logs my-api-1-0" in out


def test_a_report_for_programs_has_kinds_places_and_lines(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes(server, "touch: /x: Read-only file system")
    assert status(tenants, written.app(), "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["team"], document["status"], document["unread"]) == (TEAM, "broken", {})
    (app,) = document["apps"]
    (cause,) = app["causes"]
    assert (app["app"], app["status"], app["pods"]) == (APP, "broken", {"ready": 0, "wanted": 1})
    assert (cause["kind"], cause["key"], cause["line"]) == (
        "read-only",
        "apps[0].app.writablePaths",
        5,
    )
    assert cause["file"].endswith("team-alpha.yaml")
    assert "Read-only file system" in cause["lines"][0]


WITH_SECRET = written.app("env: [{name: DB, secretRef: db}]")


def holds(value: str, changed: str = "2026-11-29T01:00:00Z") -> object:
    entries = [{"time": changed, "fieldsV1": {"f:data": {}}}]
    metadata = {"name": "db", "managedFields": entries}
    return {"metadata": metadata, "data": {"value": base64.b64encode(value.encode()).decode()}}


def test_a_value_of_a_secret_in_a_log_is_hidden(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes(server, f"cannot log in with {SECRET_TEXT}")
    server.answers[f"{CORE}/secrets"] = listed(holds(SECRET_TEXT))
    assert status(tenants, WITH_SECRET) == 1
    out = capsys.readouterr().out
    assert "cannot log in with [secret]" in out
    assert SECRET_TEXT not in out


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        (REFUSED, "which you may not read"),
        (listed(holds("another", "2026-11-29T11:30:00Z")), "a former value"),
        (listed(), "a former value"),
    ],
)
def test_a_log_that_may_repeat_an_unknown_value_is_not_shown(
    server: FakeServer,
    tenants: Path,
    capsys: pytest.CaptureFixture[str],
    secrets: Answer,
    why: str,
) -> None:
    crashes(server, f"cannot log in with {SECRET_TEXT}")
    server.answers[f"{CORE}/secrets"] = secrets
    assert status(tenants, WITH_SECRET) == 1
    out = capsys.readouterr().out
    assert SECRET_TEXT not in out
    assert "kubectl logs my-api-1-0 -n team-alpha -c my-api --previous" in out
    assert why in out


def test_what_may_not_be_read_is_said(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(server)
    server.answers[f"{CORE}/events"] = REFUSED
    del server.answers[EXTERNAL]
    assert status(tenants, written.app()) == 0
    out = capsys.readouterr().out
    assert "events: forbidden; failed probes and mounts" in out
    assert "externalsecrets: not served; whether secrets arrive is not known" in out


def test_who_may_read_nothing_learns_so(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = dict.fromkeys(server.answers, REFUSED)
    assert status(tenants, written.app()) == 2
    assert capsys.readouterr().err.splitlines() == [
        "./sre status: error: you may read nothing of the namespace team-alpha on "
        f"{server.address}; set KUBECONFIG to the file for your cluster, or ask the platform team "
        "for access"
    ]


def test_a_cluster_without_the_namespace_is_another_one_or_the_team_is_new(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tenants, written.app()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"./sre status: error: {server.address} has no namespace team-alpha; ")
    server.answers[f"GET /api/v1/namespaces/{TEAM}"] = (200, {"metadata": {"name": TEAM}})
    assert status(tenants, written.app()) == 1
    assert "has no Deployment my-api; merge the file" in capsys.readouterr().out


def test_a_caller_whom_the_server_does_not_know_must_log_in(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = dict.fromkeys(server.answers, (401, {"message": "Unauthorized"}))
    assert status(tenants, written.app()) == 2
    assert "log in again" in capsys.readouterr().err


def reached(number: int) -> str:
    """An app with everything that a web-app may have."""
    beside = f"""
        ingress: {{enabled: true, host: a{number}.example.com}}
        autoscaling: {{enabled: true}}
    """
    return written.entry("env: [{name: DB, secretRef: db}]", beside, name=f"app-{number}")


UNLIMITED = """
    quota:
      pods: null
      services: null
      requests: {cpu: null, memory: null}
      limits: {cpu: null, memory: null}
"""
TWENTY = written.team(
    "apps:\n"
    + "".join(map(reached, range(18)))
    + written.entry(archetype="cronjob", name="nightly")
    + written.entry(archetype="worker", name="worker")
    + dedent(UNLIMITED)
)


def test_twenty_broken_apps_take_fifteen_requests_at_most(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = [deployment(name=f"app-{number}") for number in range(18)]
    sets = [replica_set(each) for each in of]
    pods = [
        pod(each, app=f"app-{n}", containers=[container(f"app-{n}")], own=ended(1))
        for n, each in enumerate(sets)
    ]
    server.answers[f"{CORE}/pods"] = listed(*pods)
    server.answers[f"{APPS}/deployments"] = listed(*of)
    server.answers[f"{APPS}/replicasets"] = listed(*sets)
    server.answers[f"{CORE}/secrets"] = listed(holds("x"))
    assert status(tenants, TWENTY) == 1
    assert capsys.readouterr().out.count("ends with exit code 1") == 18
    assert 10 < len(server.asked) <= 15


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["team-alfa"], "no team 'team-alfa'; did you mean team-alpha?"),
        (["team-alpha", "my-app"], "no app 'my-app'; did you mean my-api?"),
    ],
)
def test_an_unknown_name_is_not_asked_for(
    server: FakeServer,
    tenants: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    what: str,
) -> None:
    (tenants / f"{TEAM}.yaml").write_text(written.app())
    assert main(["status", "--tenants", str(tenants), *words]) == 2
    assert what in capsys.readouterr().err
    assert server.asked == []


def test_in_a_folder_without_teams_no_team_is_suggested(
    tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--tenants", str(tenants), TEAM]) == 2
    assert capsys.readouterr().err.endswith("no team 'team-alpha'; there are none\n")


def test_a_problem_in_the_file_is_reported_before_anything_is_asked(
    server: FakeServer, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tenants, written.app("replicas: -1")) == 2
    assert "apps[0].app.replicas" in capsys.readouterr().err
    assert server.asked == []
