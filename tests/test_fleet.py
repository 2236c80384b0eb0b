"""What no two teams may claim, and which files a stack reads."""

from pathlib import Path

import pytest

from specs.fleet import Fleet, TeamsFolder, load_stack, validate_files, validate_folder
from tests.written import entry, place, settings

HOST = "shop.apps.example.com"


def claiming(team: str, host: str = HOST, name: str = "shop") -> str:
    """A team whose only app claims `host`."""
    image = f"{{repository: harbor.sre.internal/{team}/{name}, tag: v1}}"
    beside = f"ingress: {{enabled: true, host: {host}}}"
    return f"team: {team}\napps:\n" + entry(beside=beside, name=name, image=image)


def folder(path: Path, *texts: str, suffix: str = ".yaml") -> TeamsFolder:
    for text in texts:
        team = text.splitlines()[0].removeprefix("team: ")
        (path / f"{team}{suffix}").write_text(text)
    return TeamsFolder(path, "tenants")


def lines(fleet: Fleet) -> list[str]:
    return [str(problem) for problem in fleet.problems]


def test_one_host_in_two_apps_of_a_team_is_refused(tmp_path: Path) -> None:
    text, where = place(
        claiming("team-alpha") + claiming("team-alpha", f"«{HOST}", "store").partition("apps:\n")[2]
    )
    assert lines(validate_folder(folder(tmp_path, text), settings())) == [
        f"tenants/team-alpha.yaml:{where}: apps[1].ingress.host: host '{HOST}' is already used in "
        "tenants/team-alpha.yaml:7; choose another, or give each app its own `ingress.paths`"
    ]


def test_one_host_in_two_teams_is_refused_in_the_second(tmp_path: Path) -> None:
    text, where = place(claiming("team-beta", f"«{HOST}"))
    teams = folder(tmp_path, claiming("team-alpha"), text)
    assert lines(validate_folder(teams, settings())) == [
        f"tenants/team-beta.yaml:{where}: apps[0].ingress.host: host '{HOST}' is already used in "
        "tenants/team-alpha.yaml:7; choose another"
    ]


def test_a_named_file_is_compared_with_the_others_of_its_folder(tmp_path: Path) -> None:
    text, where = place(claiming("team-alpha", f"«{HOST}"))
    teams = folder(tmp_path, text, claiming("team-beta"))
    named = [(tmp_path / "team-alpha.yaml", "team-alpha.yaml")]
    assert lines(validate_files(named, teams, settings())) == [
        f"team-alpha.yaml:{where}: apps[0].ingress.host: host '{HOST}' is already used in "
        "tenants/team-beta.yaml:7; choose another"
    ]


def test_a_stack_of_one_team_is_compared_with_the_other_teams_files(tmp_path: Path) -> None:
    text, where = place(claiming("team-alpha", f"«{HOST}"))
    teams = folder(tmp_path, text, claiming("team-beta"))
    fleet = load_stack(teams, settings(teams=("team-alpha",)))
    assert [team.name for team in fleet.teams] == ["team-alpha"]
    assert lines(fleet) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].ingress.host: host '{HOST}' is already used in "
        "tenants/team-beta.yaml:7; choose another"
    ]


def test_other_mistakes_of_another_team_do_not_stop_a_stack(tmp_path: Path) -> None:
    teams = folder(tmp_path, claiming("team-alpha"), "team: team-beta\nqouta: {}\n")
    assert lines(load_stack(teams, settings(teams=("team-alpha",)))) == []


def test_a_file_named_twice_claims_once(tmp_path: Path) -> None:
    teams = folder(tmp_path, claiming("team-alpha"))
    file = tmp_path / "team-alpha.yaml"
    twice = [(file, "a.yaml"), (tmp_path / ".." / tmp_path.name / file.name, "b.yaml")]
    assert lines(validate_files(twice, teams, settings())) == []


def test_a_host_without_ingress_is_not_claimed(tmp_path: Path) -> None:
    off = claiming("team-beta").replace("enabled: true", "enabled: false")
    assert lines(validate_folder(folder(tmp_path, claiming("team-alpha"), off), settings())) == []


SHARING = ("team: team-alpha\naccess: {developers: [builders]}\n",)


def test_an_offboarded_team_claims_nothing(tmp_path: Path) -> None:
    leaving = claiming("team-alpha") + "lifecycle: offboarding\n"
    assert (
        lines(validate_folder(folder(tmp_path, leaving, claiming("team-beta")), settings())) == []
    )


def test_a_developers_group_of_two_teams_is_refused_where_openbao_knows_groups(
    tmp_path: Path,
) -> None:
    text, where = place("team: team-beta\naccess: {developers: [«builders]}\n")
    teams = folder(tmp_path, *SHARING, text)
    assert lines(validate_folder(teams, settings())) == []
    with_groups = settings(openbao={"oidcAccessor": "auth_oidc_1"})
    assert lines(validate_folder(teams, with_groups)) == [
        f"tenants/team-beta.yaml:{where}: access.developers[0]: developers' group 'builders' is "
        "already used in tenants/team-alpha.yaml:2; choose another"
    ]


@pytest.mark.parametrize("one", ["Builders", "Bäcker", "BÄCKER"])
def test_openbao_ignores_case_so_groups_that_differ_only_in_case_are_one(
    tmp_path: Path, one: str
) -> None:
    first = f"team: team-alpha\naccess: {{developers: [{one}]}}\n"
    text, where = place(f"team: team-beta\naccess: {{developers: [«{one.lower()}]}}\n")
    teams = folder(tmp_path, first, text)
    assert lines(validate_folder(teams, settings())) == []
    with_groups = settings(openbao={"oidcAccessor": "auth_oidc_1"})
    said = (
        f"x/team-beta.yaml:{where}: access.developers[0]: developers' group '{one.lower()}' is "
        "already used in tenants/team-alpha.yaml:2; choose another"
    )
    named = [(tmp_path / "team-beta.yaml", "x/team-beta.yaml")]
    assert lines(validate_files(named, teams, with_groups)) == [said]


PASSED_OVER = "is not read because of its extension; rename it to team-beta.yaml"


def test_a_file_with_the_suffix_yml_is_refused(tmp_path: Path) -> None:
    teams = folder(tmp_path, "team: team-beta\n", suffix=".yml")
    assert lines(validate_folder(teams, settings())) == [
        f"tenants/team-beta.yml:1:1: (file): {PASSED_OVER}"
    ]
    named = [(tmp_path / "team-beta.yml", "x/team-beta.yml")]
    assert lines(validate_files(named, teams, settings())) == [
        f"x/team-beta.yml:1:1: (file): {PASSED_OVER}"
    ]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert lines(validate_folder(TeamsFolder(tmp_path / "no", "no"), settings())) == [
        "no:1:1: (file): no such folder; check the path"
    ]


def test_a_directory_named_like_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "team-beta.yaml").mkdir()
    teams = folder(tmp_path, "team: team-alpha\n")
    assert lines(validate_folder(teams, settings())) == [
        "tenants/team-beta.yaml:1:1: (file): is a directory; use a YAML file"
    ]


def test_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    teams = folder(tmp_path, "team: team-alpha\nqouta: {}\n", "team: team-beta\napp: []\n")
    assert [line.partition(": ")[0] for line in lines(validate_folder(teams, settings()))] == [
        "tenants/team-alpha.yaml:2:1",
        "tenants/team-beta.yaml:2:1",
    ]
