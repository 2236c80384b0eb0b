"""`./sre page`: what the site says of teams, what it leaves out, and how it is written."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path
from posixpath import dirname, join, normpath
from xml.etree.ElementTree import Element

import pytest

from cli.__main__ import main
from specs import exception_checks
from specs.problem import ProblemsError
from tests.markup import cells, tree, words
from tests.page_fleet import ARGUMENT, BETA, CONTENT, DIGEST, VALUE, write_fleet
from tools.page.write import MARKER, write

pytestmark = pytest.mark.commands

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet") / "tenants"
    write_fleet(folder)
    return folder


@pytest.fixture(scope="module")
def site(tenants: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exception_checks, "today", lambda: date(2027, 1, 1))
        assert run(tenants, out) == 0
    return out


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: date(2027, 1, 1))


def run(tenants: Path, out: Path, *options: str) -> int:
    return main(["page", "--tenants", str(tenants), "--out", str(out), *options])


def files(folder: Path) -> dict[str, str]:
    """Text of each file, by its path below the folder."""
    found = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each.read_text(encoding="utf-8") for each in found}


def read(site: Path, path: str) -> Element:
    return tree((site / path).read_text(encoding="utf-8"))


def section(page: Element, name: str) -> Element:
    (found,) = (each for each in page.iter("section") if each.get("id") == name)
    return found


def facts(page: Element) -> dict[str, str]:
    pairs = (div for each in page.iter("dl") for div in each)
    return {words(pair.find("dt")): words(pair.find("dd")) for pair in pairs}


def test_the_index_has_each_team_with_its_apps_versions_and_neighbours(site: Path) -> None:
    index = read(site, "index.html")
    rows = {team: rest for team, *rest in cells(index, "teams")}
    assert [*rows] == ["team-alpha", "team-beta", "team-empty", "team-leaving", "team-resting"]
    lifecycle, apps, used, full, reaches, reached_by, exceptions = rows["team-alpha"]
    assert (lifecycle, apps) == ("active", "2 my-api v1.2.3, report v0.9.0")
    assert (used, full) == ("18 % limits.cpu", "97 %")
    assert (reaches, reached_by) == ("1", "0")
    assert exceptions == "2 first ends 2027-03-31"
    assert rows["team-beta"][4:] == ["0", "1", "none"]
    assert rows["team-empty"][:2] == ["active", "none"]
    assert rows["team-leaving"][0] == "offboarding"
    about = facts(index)
    assert about["Teams"] == "5 3 active, 1 suspended, 1 offboarding"
    assert about["Exceptions"] == "2 the first ends 2027-03-31"
    assert about["Pairs of teams with a connection"] == "1"


def test_a_team_has_its_apps_with_images_pods_and_hosts(site: Path) -> None:
    page = read(site, "teams/team-alpha.html")
    assert cells(page, "apps") == [
        [
            "my-api", "web-app", f"v1.2.3 {DIGEST}", "harbor.sre.internal/team-alpha/my-api",
            "2 to 10", "a.apps.sre.example.com, b.apps.sre.example.com",
        ],
        [
            "report", "cronjob", "v0.9.0", "harbor.sre.internal/team-alpha/report",
            "1 per run at 0 2 * * 1-5 Europe/Berlin", "none",
        ],
    ]  # fmt: skip
    about = facts(page)
    assert about["Registry"] == "harbor.sre.internal/team-alpha"
    assert about["Developers"] == "builders, contractors"
    assert about["Viewers"] == "team-alpha-viewers"
    assert about["Groups with role view"] == "auditors"


def test_quota_is_what_capacity_says(site: Path, tenants: Path, capsys: Output) -> None:
    asked = ["--tenants", str(tenants), "--team", "team-alpha", "--format", "json"]
    assert main(["capacity", *asked]) == 0
    (counted,) = json.loads(capsys.readouterr().out)["teams"]
    rows = {row[0]: row[1:] for row in cells(read(site, "teams/team-alpha.html"), "quota")}
    assert [*rows] == [resource for resource, quota in counted["quota"].items() if quota]
    for resource, (quota, used, _, rollout, run_, full) in rows.items():
        assert quota == counted["quota"][resource]
        assert used.split()[0] == counted["rest"][resource]
        assert rollout == counted["rollout"][resource]
        assert run_ == counted["run"][resource]
        assert full == counted["full"][resource]
    assert rows["pods"][:3] == ["20", "2 10 %", "18"]


def test_who_may_reach_whom_is_said_on_both_sides(site: Path) -> None:
    alpha = cells(section(read(site, "teams/team-alpha.html"), "connections"), "connections")
    assert ["may reach", "team-beta/ledger", "9000/TCP", "another team"] in alpha
    assert ["may reach", "203.0.113.0/24", "8443/TCP", "outside the cluster"] in alpha
    assert ["may reach", "report", "all ports", "same team"] in alpha
    beta = cells(section(read(site, "teams/team-beta.html"), "connections"), "connections")
    assert ["reached by", "team-alpha/my-api", "9000/TCP", "another team"] in beta
    picture = words(read(site, "reach/team-beta.html"))
    assert "NetworkPolicy team-alpha/my-api" in picture


def test_connections_are_those_of_reach(site: Path, tenants: Path, capsys: Output) -> None:
    assert main(["reach", "--tenants", str(tenants), "--format", "json"]) == 0
    edges = json.loads(capsys.readouterr().out)["edges"]
    page = read(site, "teams/team-alpha.html")
    named = {"team-alpha/my-api", "team-alpha/report"}
    expected = {(e["source"]["name"], e["target"]["name"], e["port"]) for e in edges}
    expected = {each for each in expected if named & {*each[:2]}}
    tables = [each for each in page.iter("table") if each.get("class") == "connections"]
    found = set[tuple[str, str, str]]()
    for app, shown in zip(("my-api", "report"), tables, strict=True):
        for direction, others, ports, kind in cells(shown, "connections"):
            for other, port in product(others.split(", "), ports.split(", ")):
                one, two = f"team-alpha/{app}", other
                if kind == "same team":
                    two = f"team-alpha/{other}"
                found.add((one, two, port) if direction == "may reach" else (two, one, port))
    assert found == expected


def test_objects_have_the_controls_that_they_serve(site: Path) -> None:
    own = {row[0]: row[1:] for row in cells(read(site, "teams/team-alpha.html"), "objects")}
    assert own["ResourceQuota"] == ["Kubernetes", "team-alpha-quota", "SC-5, SC-6"]
    assert own["Pods"] == ["Kubernetes", "my-api, report", "AC-6, CM-6, CM-7, SI-7"]
    assert own["RobotAccount"] == ["Harbor", "pull, push", "AC-2"]
    maps = "my-api-dashboard, my-api-files, report-dashboard, team-alpha-dashboards"
    assert own["ConfigMap"] == ["Kubernetes", maps, "none"]
    page = read(site, "controls.html")
    kinds = {row[0]: row[1:] for row in cells(page, "kinds")}
    assert kinds["Namespace"][1] == "5"
    assert kinds["Mount"] == ["OpenBao", "1", "Keeps secrets encrypted.", "SC-28"]
    by_control = {row[0]: row[1:] for row in cells(page, "controls")}
    title, served_by = by_control["SC-7"]
    assert title == "Boundary Protection"
    assert served_by == "NetworkPolicy, ServiceEntry, VirtualService"


def test_exceptions_come_by_their_ends_with_their_controls(site: Path) -> None:
    assert cells(read(site, "exceptions.html"), "exceptions") == [
        [
            "2027-03-31", "team-alpha", "my-api", "CHOWN", "old", "SEC-9", "Jane Doe",
            "CM-6, AC-6, CM-7",
        ],
        [
            "2027-06-30", "team-alpha", "my-api", "writableRootFilesystem",
            'rewrites <b>its</b> own & "all" plugins', "SEC-12", "jane.doe@example.com",
            "CM-6, CM-7, SI-7",
        ],
    ]  # fmt: skip
    own = section(read(site, "teams/team-alpha.html"), "exceptions")
    assert [row[1:3] for row in cells(own, "own-exceptions")] == [
        ["my-api", "CHOWN"], ["my-api", "writableRootFilesystem"],
    ]  # fmt: skip


def test_what_is_not_there_is_said_in_words(site: Path) -> None:
    assert "The team has no apps." in words(read(site, "teams/team-empty.html"))
    leaving = words(read(site, "teams/team-leaving.html"))
    assert "its apps are gone" in leaving
    assert "Without apps, there are no connections." in leaving
    assert "No app has an exception." in words(read(site, "teams/team-beta.html"))
    (app,) = cells(read(site, "teams/team-resting.html"), "apps")
    assert app[4] == "none"  # pods


def test_values_of_variables_arguments_and_files_are_left_out(site: Path) -> None:
    for path, text in files(site).items():
        for value in (VALUE, ARGUMENT, CONTENT, "GREETING"):
            assert value not in text, path


def test_each_link_leads_to_a_page_and_a_place_on_it(site: Path) -> None:
    pages = {path: tree(text) for path, text in files(site).items() if path != MARKER}
    places = {path: {each.get("id") for each in page.iter()} for path, page in pages.items()}
    count = 0
    for path, page in pages.items():
        for link in page.iter("a"):
            to, _, place = link.attrib["href"].partition("#")
            target = normpath(join(dirname(path), to)) if to else path
            assert target in places, (path, link.attrib)
            assert not place or place in places[target], (path, link.attrib)
            count += 1
    assert count > 30


def test_no_page_may_load_anything_or_run_what_is_not_its_own(site: Path) -> None:
    for path, text in files(site).items():
        if path == MARKER:
            continue
        page = tree(text)
        (policy,) = (each for each in page.iter("meta") if "http-equiv" in each.attrib)
        allowed = policy.attrib["content"].split("; ")
        assert allowed[0] == "default-src 'none'"
        assert f"style-src '{_hash(page, 'style')}'" in allowed
        assert f"script-src '{_hash(page, 'script')}'" in allowed
        assert not {"src", "style", "onclick"} & {name for e in page.iter() for name in e.attrib}
        assert not re.search(r"(?:href|src|url)[=(]['\"]?(?:https?:)?//", text)


def test_text_of_files_is_never_markup(site: Path) -> None:
    for text in files(site).values():
        assert "<b>" not in text


def test_the_same_files_give_the_same_site_on_any_day(
    tenants: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: date(2027, 3, 1))
    assert run(tenants, tmp_path / "again") == 0
    assert files(tmp_path / "again") == files(site)


def test_a_site_is_replaced_as_a_whole(tenants: Path, tmp_path: Path, capsys: Output) -> None:
    folder, out = tmp_path / "tenants", tmp_path / "site"
    folder.mkdir()
    for name in ("team-alpha", "team-beta"):
        (folder / f"{name}.yaml").write_text((tenants / f"{name}.yaml").read_text())
    (folder / "team-gamma.yaml").write_text("team: team-gamma\n")
    assert run(folder, out) == 0
    assert capsys.readouterr().out == f"9 pages written; start with {out}/index.html.\n"
    (folder / "team-gamma.yaml").unlink()
    assert run(folder, out) == 0
    assert sorted(files(out / "teams")) == ["team-alpha.html", "team-beta.html"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["site", "tenants"]


def test_a_problem_in_a_file_is_a_line_and_leaves_the_site(
    tenants: Path, site: Path, tmp_path: Path, capsys: Output
) -> None:
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "team-beta.yaml").write_text(BETA.replace("v2.0.0", "latest"))
    (folder / "team-gamma.yaml").write_text("team: team-gama\n")
    before = files(site)
    assert run(folder, site) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"{folder}/team-beta.yaml", f"{folder}/team-beta.yaml", f"{folder}/team-gamma.yaml",
    ]  # fmt: skip
    assert files(site) == before


def test_expired_exceptions_are_shown_if_that_is_asked_for(
    tenants: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: date(2027, 5, 1))
    assert run(tenants, tmp_path / "site") == 1
    assert "expired on 2027-03-31" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()
    assert run(tenants, tmp_path / "site", "--expired") == 0
    (first, _) = cells(read(tmp_path / "site", "exceptions.html"), "exceptions")
    assert first[0] == "2027-03-31"


@pytest.mark.parametrize("there", ["a file", "a folder with a file", "the current folder"])
def test_a_folder_of_others_is_refused(
    tenants: Path, tmp_path: Path, there: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    if there == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
    if there == "a folder with a file":
        (out / "index.html").write_text("mine")
    if there == "the current folder":
        monkeypatch.chdir(out)
    before = files(tmp_path)
    assert run(tenants, out) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{out}:1:1: (file): ")
    assert files(tmp_path) == before


def test_a_site_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    out = tmp_path / "site"
    assert write([("index.html", "old")], out) == 1

    def broken() -> Iterator[tuple[str, str]]:
        yield "index.html", "new"
        raise OSError(28, "No space left on device")

    with pytest.raises(ProblemsError) as raised:
        write(broken(), out)
    (problem,) = raised.value.problems
    assert str(problem) == (
        f"{out}:1:1: (file): cannot be written: No space left on device; name another folder"
    )
    assert files(tmp_path) == {f"site/{MARKER}": "", "site/index.html": "old"}


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "served").symlink_to(tmp_path / "site")
    write([("index.html", "old")], tmp_path / "served")
    write([("index.html", "new")], tmp_path / "served")
    assert (tmp_path / "served").is_symlink()
    assert files(tmp_path / "site")["index.html"] == "new"


def _hash(page: Element, tag: str) -> str:
    (found,) = page.iter(tag)
    digest = hashlib.sha256((found.text or "").encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
