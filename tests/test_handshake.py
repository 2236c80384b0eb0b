"""What teams' apps promise each other, and what is reported where a promise is missing."""

from pathlib import Path

import pytest

from specs import fleet
from specs.fleet import TeamsFolder, load_stack, validate_files, validate_folder
from specs.load import TeamFile, load_team
from specs.partners import Partner
from specs.settings import Settings
from tests.written import entry, settings

CALL = "calls: [{team: team-beta, app: ledger}]"
CALLER = "callers: [{team: team-alpha, app: shop}]"


def written(team: str, name: str, beside: str = "", in_app: str = "", kind: str = "web-app") -> str:
    """A team with one app."""
    image = f"{{repository: harbor.sre.internal/{team}/{name}, tag: v1}}"
    app = entry(in_app, beside, archetype=kind, name=name, image=image)
    return f"team: {team}\napps:\n{app}"


def folder(path: Path, *texts: str) -> TeamsFolder:
    for text in texts:
        team = text.splitlines()[0].removeprefix("team: ")
        (path / f"{team}.yaml").write_text(text)
    return TeamsFolder(path, "tenants")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are parsed, in order."""
    files: list[str] = []

    def load(file: Path, shown: str, stack: Settings) -> TeamFile:
        files.append(file.name)
        return load_team(file, shown, stack)

    monkeypatch.setattr(fleet, "load_team", load)
    return files


def test_a_stack_of_one_team_knows_what_others_promise_and_reads_only_their_files(
    tmp_path: Path, read: list[str]
) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", f"{CALL}\ncallers: [{{team: team-gamma, app: front}}]"),
        written("team-beta", "ledger", CALLER, "port: 9000"),
        written("team-gamma", "front", "calls: [{team: team-alpha, app: shop}]", kind="worker"),
        written("team-other", "front", "calls: [{team: team-beta, app: ledger}]"),
    )
    found = load_stack(teams, settings(teams=("team-alpha",)))
    assert found.partners == {
        ("team-beta", "ledger"): Partner("ledger", 9000),
        ("team-gamma", "front"): Partner("front", None),
    }
    assert [team.name for team in found.teams] == ["team-alpha"]
    assert read == ["team-alpha.yaml", "team-beta.yaml", "team-gamma.yaml"]


def test_a_stack_of_all_teams_and_a_named_file_know_the_same(tmp_path: Path) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", CALL),
        written("team-beta", "ledger", f"serviceAccount: {{create: false}}\n{CALLER}"),
    )
    assert validate_folder(teams, settings()).partners == {
        ("team-alpha", "shop"): Partner("shop", 8080),
        ("team-beta", "ledger"): Partner("default", 8080),
    }
    named = [(tmp_path / "team-alpha.yaml", "team-alpha.yaml")]
    assert validate_files(named, teams, settings()).partners == {
        ("team-beta", "ledger"): Partner("default", 8080)
    }


def test_apps_of_a_team_that_is_offboarding_promise_nothing(tmp_path: Path) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", CALL),
        written("team-beta", "ledger", CALLER) + "lifecycle: offboarding\n",
    )
    assert validate_folder(teams, settings()).partners == {}
