"""Warnings about teams that no stack has, and about stacks whose teams are gone."""

import shutil
from pathlib import Path

import pytest

from cli.__main__ import main
from specs.fleet import TeamsFolder
from specs.stack_teams import warn_of_stacks
from tests.written import ROOT

EVERYTHING = 'config: {sre-platform:teams: "*", sre-platform:platform: true}\n'
PLATFORM = "config: {sre-platform:teams: [], sre-platform:platform: true}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the sandbox's stack and two teams."""
    (tmp_path / "Pulumi.dev.yaml").write_text(EVERYTHING)
    (tmp_path / "tenants").mkdir()
    for team in ("team-a", "team-b"):
        (tmp_path / "tenants" / f"{team}.yaml").write_text(f"# Its file.\nteam: {team}\n")
    return tmp_path


def stack(root: Path, name: str, config: str) -> None:
    (root / f"Pulumi.{name}.yaml").write_text(f"config:\n  sre-platform:teams: {config}\n")


def warned(root: Path, tenants: str = "tenants") -> list[str]:
    return [str(each) for each in warn_of_stacks(root, TeamsFolder(root / tenants, tenants))]


def nowhere(team: str) -> str:
    return (
        f"tenants/{team}.yaml:2:7: team: no production stack has {team}, so nothing deploys it; "
        f"add Pulumi.{team}.yaml, or the name in another stack's file "
        "(docs/operations.md#add-or-move-a-team)"
    )


def test_a_team_that_only_the_sandbox_has_is_named(root: Path) -> None:
    stack(root, "team-a", "[team-a]")
    assert warned(root) == [nowhere("team-b")]


def test_the_platform_s_stack_has_no_team(root: Path) -> None:
    (root / "Pulumi.platform.yaml").write_text(PLATFORM)
    assert warned(root) == [nowhere("team-a"), nowhere("team-b")]


def test_a_project_with_nothing_but_the_sandbox_is_not_warned(root: Path) -> None:
    assert warned(root) == []


def test_a_stack_of_all_teams_has_each(root: Path) -> None:
    stack(root, "production", "'*'")
    stack(root, "second-site", "[team-a]")
    assert warned(root) == []


def test_stacks_count_whose_teams_are_in_the_folder(root: Path) -> None:
    shutil.copytree(root / "tenants", root / "others")
    stack(root, "team-a", "[team-a, team-b]\n  sre-platform:tenants: ./others/")
    assert warned(root) == []
    stack(root, "team-b", "[team-b]")
    assert warned(root) == [nowhere("team-a")]


def test_the_folder_may_be_the_cluster_s(root: Path) -> None:
    (root / "clusters").mkdir()
    (root / "clusters" / "prod.yaml").write_text("tenants: others\n")
    stack(root, "team-a", "[team-gone]\n  sre-platform:cluster: prod")
    assert warned(root) == []


def test_a_stack_whose_team_is_gone_is_named(root: Path) -> None:
    stack(root, "both", "\n  - team-a\n  - team-b")
    stack(root, "old", "[team-a, shop, team-c]")
    assert warned(root) == [
        "Pulumi.old.yaml:2:32: config.sre-platform:teams[1]: 'shop' has no file in tenants; "
        "add tenants/shop.yaml, or remove an offboarded team here",
        "Pulumi.old.yaml:2:38: config.sre-platform:teams[2]: 'team-c' has no file in tenants; "
        "did you mean team-b? If it was offboarded, remove it here",
    ]


def test_a_stack_that_is_left_without_teams_is_named(root: Path) -> None:
    stack(root, "both", "[team-a, team-b]")
    stack(root, "team-c", "[]")
    assert warned(root) == [
        "Pulumi.team-c.yaml:2:23: config.sre-platform:teams: is empty, so this stack has nothing "
        "to do; once `up` has deleted what it had, run `pulumi stack rm team-c`, which deletes "
        "this file too (docs/lifecycle.md#offboard)"
    ]


@pytest.mark.parametrize(
    "text",
    ["", "config: [\n", "config: {}\n", "config:\n  sre-platform:teams: {a: b}\n", "- 5\n"],
)
def test_a_stack_that_says_no_teams_is_left_to_its_own_check(root: Path, text: str) -> None:
    stack(root, "both", "[team-a, team-b]")
    (root / "Pulumi.odd.yaml").write_text(text)
    assert warned(root) == []


def test_names_that_no_file_can_have_are_named_too(root: Path) -> None:
    stack(root, "both", f"[team-a, team-b, 5, {'x' * 300}, ../tenants/team-a, '*']")
    assert len(warned(root)) == 4


def test_validate_reports_them_after_its_own_and_succeeds(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cli.stack_options", "cli.validate"):
        monkeypatch.setattr(f"{module}.ROOT", root)
    monkeypatch.chdir(root)
    shutil.copyfile(ROOT / "Pulumi.dev.yaml", root / "Pulumi.dev.yaml")
    stack(root, "team-a", "[team-a]")
    assert main(["validate"]) == 0
    said = capsys.readouterr()
    assert said.out == "2 team files checked, no problems.\n"
    assert said.err == nowhere("team-b").replace("team: no", "team: warning: no") + "\n"
    assert main(["validate", "tenants/team-b.yaml"]) == 0
    assert capsys.readouterr().err == ""
