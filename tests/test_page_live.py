"""`./sre page --live`, against a server that gives the answers that a test sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from cli.live import live
from cli.stack_options import StackFiles
from sandbox.servers.keys import ADMIN, Keys
from specs.capacity import capacity
from specs.fleet import TeamsFolder, load_stack
from tests import written
from tests.cluster_objects import (
    IMAGE,
    autoscaler,
    deployment,
    made,
    pod,
    replica_set,
    running,
    waiting,
)
from tests.fake_server import Answer, FakeServer, listed, serving
from tests.markup import cells, tree, words
from tools.page.facts import FleetFacts, TeamFacts
from tools.page.index_page import index_page
from tools.page.team_page import team_page

pytestmark = pytest.mark.commands

WHO = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
REFUSED = (403, {"message": "no"})
PASSWORD = "hunter2-hunter2"
LISTS = (
    "api/v1/{}pods", "api/v1/{}events", "api/v1/{}resourcequotas",
    "apis/apps/v1/{}deployments", "apis/apps/v1/{}replicasets",
    "apis/autoscaling/v2/{}horizontalpodautoscalers", "apis/policy/v1/{}poddisruptionbudgets",
    "apis/external-secrets.io/v1/{}externalsecrets",
)  # fmt: skip
OF = deployment(ready=1)
OWNER = replica_set(OF)
RUNNING = {
    "deployments": [OF],
    "replicasets": [OWNER],
    "pods": [running(OWNER)],
    "horizontalpodautoscalers": [autoscaler()],
}
Output = pytest.CaptureFixture[str]


@pytest.fixture
def server(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """It knows the caller, and has nothing; KUBECONFIG names it."""
    with serving(keys) as fake:
        keys.write_kubeconfig(tmp_path / "kubeconfig", ADMIN, fake.address)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        fake.answers[WHO] = (201, {"status": {"userInfo": {"username": "me"}}})
        has(fake, "")
        yield fake


def has(server: FakeServer, where: str, **objects: list[Any]) -> None:
    """What it lists at a place: "" for all namespaces."""
    for path in LISTS:
        plural = path.rpartition("}")[2]
        server.answers[f"GET /{path.format(where)}"] = listed(*objects.get(plural, ()))


def refuses(server: FakeServer, where: str, answer: Answer = REFUSED) -> None:
    for path in LISTS:
        server.answers[f"GET /{path.format(where)}"] = answer


def quota(**used: str) -> Any:
    status = {"hard": {"limits.cpu": "8", "pods": "20"}, "used": {"pods": "3", **used}}
    return made("ResourceQuota", "team-alpha-quota", {}, status)


Pages = dict[str, str]


def pages(tmp_path: Path, *, alone: bool = False) -> Pages:
    """The first page, and a page per team, by the team's name."""
    folder = write(tmp_path, alone=alone)
    stack = StackFiles("test", written.settings(), TeamsFolder(folder, "tenants"))
    teams = load_stack(stack.folder, stack.settings).teams
    found = live(stack, teams)
    facts = [
        TeamFacts(team, capacity(team, stack.settings), (), (), found.teams[team.name])
        for team in teams
    ]
    fleet = FleetFacts("test", stack.settings, facts, (), found)
    return {
        "index": index_page(fleet),
        **{each.team.name: team_page(fleet, each) for each in facts},
    }


def write(tmp_path: Path, *, alone: bool = False) -> Path:
    """The files of team-alpha, which has an app, and of team-beta."""
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "team-alpha.yaml").write_text(written.app())
    if not alone:
        (folder / "team-beta.yaml").write_text("team: team-beta\n")
    return folder


def test_pages_show_how_apps_do_and_the_quota_in_use(server: FakeServer, tmp_path: Path) -> None:
    has(server, "", **RUNNING, resourcequotas=[quota(**{"limits.cpu": "2500m"})])
    site = pages(tmp_path)
    index, alpha = tree(site["index"]), tree(site["team-alpha"])
    rows = {row[0]: row[-2:] for row in cells(index, "teams-live")}
    assert rows == {
        "team-alpha": ["running as wanted 1 of 1", "32 % limits.cpu"],
        "team-beta": ["no apps", "not read"],
    }
    assert "Apps in the cluster1 none broken" in words(index)
    assert cells(alpha, "live") == [["my-api", "running as wanted", "1/1", "v1.0.0", "none"]]
    assert cells(alpha, "live-quota") == [
        ["limits.cpu", "8", "2500m 32 %", "5500m"],
        ["pods", "20", "3 15 %", "17"],
    ]
    assert "Nothing differs." in words(alpha)


def test_pages_say_from_where_and_how_the_cluster_was_read(
    server: FakeServer, tmp_path: Path
) -> None:
    site = pages(tmp_path)
    assert len(site) == 3
    for page in site.values():
        text = words(tree(page))
        assert "Read from context sandbox at 20" in text
        assert "UTC, by lists over all namespaces." in text


def test_a_fleet_takes_one_list_a_kind(server: FakeServer, tmp_path: Path) -> None:
    pages(tmp_path)
    assert 5 < len(server.asked) == len({*server.asked}) <= 1 + len(LISTS)
    assert not [asked for asked in server.asked if "/namespaces/" in asked]


def test_a_broken_app_has_its_first_cause_with_the_key(server: FakeServer, tmp_path: Path) -> None:
    of = deployment()
    owner = replica_set(of)
    broken = pod(owner, own=waiting("ImagePullBackOff", f"{IMAGE}: not found"))
    has(server, "", deployments=[of], replicasets=[owner], pods=[broken])
    site = pages(tmp_path)
    (row,) = cells(tree(site["team-alpha"]), "live")
    assert row == [
        "my-api", "broken", "0/1", "v1.0.0",
        f"the registry has no image {IMAGE}; push it, or correct the repository or the tag "
        "key apps[0].app.image.tag",
    ]  # fmt: skip
    assert "Apps in the cluster1 1 broken" in words(tree(site["index"]))


def test_what_differs_from_the_file_is_listed(server: FakeServer, tmp_path: Path) -> None:
    of = deployment(ready=1, image=IMAGE.replace("v1.0.0", "v0.9.0"))
    owner = replica_set(of)
    has(server, "", **{**RUNNING, "deployments": [of], "replicasets": [owner]})
    site = pages(tmp_path)
    (row,) = cells(tree(site["team-alpha"]), "differences")
    assert row[0] == "my-api"
    assert row[1].startswith(f"the cluster runs {IMAGE.replace('v1.0.0', 'v0.9.0')}, the file says")


def test_a_reader_of_some_namespaces_gets_these(server: FakeServer, tmp_path: Path) -> None:
    refuses(server, "")
    has(server, "namespaces/team-alpha/", **RUNNING, resourcequotas=[quota()])
    refuses(server, "namespaces/team-beta/")
    site = pages(tmp_path)
    alpha, beta = tree(site["team-alpha"]), tree(site["team-beta"])
    assert cells(alpha, "live")[0][1] == "running as wanted"
    assert "by lists in each namespace (deployments, events," in words(alpha)
    assert "This namespace cannot be read: forbidden." in words(beta)
    assert "Nothing that could be read differs." in words(beta)
    rows = {row[0]: row[-2:] for row in cells(tree(site["index"]), "teams-live")}
    assert rows["team-beta"] == ["not read", "not read"]


def test_a_kind_that_cannot_be_read_is_said(server: FakeServer, tmp_path: Path) -> None:
    has(server, "", **RUNNING)
    server.answers["GET /api/v1/events"] = (500, {})
    site = pages(tmp_path)
    alpha = words(tree(site["team-alpha"]))
    assert "Not read: events: answered 500; failed probes and mounts" in alpha
    assert "running as wanted" in alpha


def test_a_long_list_comes_in_parts(server: FakeServer, tmp_path: Path) -> None:
    of = deployment(replicas=2, ready=2)
    has(server, "", **{**RUNNING, "deployments": [of]})
    parts = iter([(running(OWNER), "x"), (running(OWNER, 1), "")])

    def answer(_: Any) -> tuple[int, Any]:
        one, rest = next(parts)
        return 200, {"items": [one], "metadata": {"continue": rest}}

    server.answers["GET /api/v1/pods"] = answer
    site = pages(tmp_path)
    assert cells(tree(site["team-alpha"]), "live")[0][2] == "2/2"


def test_a_single_team_is_read_in_its_namespace(server: FakeServer, tmp_path: Path) -> None:
    has(server, "namespaces/team-alpha/", **RUNNING)
    pages(tmp_path, alone=True)
    assert all("/namespaces/team-alpha/" in asked for asked in server.asked if asked != WHO)


def test_neither_secrets_nor_logs_are_asked_for_or_shown(
    server: FakeServer, tmp_path: Path
) -> None:
    of = deployment()
    owner = replica_set(of)
    text = f"dial https://robot:{PASSWORD}@harbor: i/o timeout"
    broken = pod(owner, own=waiting("ImagePullBackOff", text))
    has(server, "", deployments=[of], replicasets=[owner], pods=[broken])
    site = pages(tmp_path)
    assert "[secret]" in words(tree(site["team-alpha"]))
    assert PASSWORD not in "".join(site.values())
    assert not [asked for asked in server.asked if "/secrets" in asked or "/log" in asked]


@pytest.mark.parametrize(
    ("answer", "said"), [((401, {}), "log in again"), (None, "does not answer")]
)
def test_without_an_answer_nothing_is_written(
    server: FakeServer,
    tmp_path: Path,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer | None,
    said: str,
) -> None:
    if answer:
        server.answers[WHO] = answer
    else:
        file = tmp_path / "kubeconfig"
        file.write_text(file.read_text().replace(server.address, "https://127.0.0.1:1"))
    out = tmp_path / "site"
    folder = str(write(tmp_path))
    assert main(["page", "--live", "--tenants", folder, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
