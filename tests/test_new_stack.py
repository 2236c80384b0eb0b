"""`./sre new team NAME --cluster CLUSTER`: a team with its stack and its owners, or nothing."""

from pathlib import Path

import pytest

from cli.__main__ import main
from specs.stack_file import read_stack
from tests.project import Project, before_writing, team_stack, validate
from tools.editing.owners import Owners, with_owner


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path / "project", monkeypatch)


def new(name: str, *options: str, cluster: str = "prod") -> int:
    return main(["new", "team", name, "--cluster", cluster, *options])


def refused(project: Project, capsys: pytest.CaptureFixture[str], name: str = "team-b") -> str:
    """What is said of a team for which nothing is written."""
    return project.refused(capsys, "new", "team", name, "--cluster", "prod")


def test_a_new_team_has_a_file_a_stack_and_an_owner(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new("team-b") == 0
    assert capsys.readouterr().out.splitlines() == [
        "tenants/team-b.yaml: written; review it, and add an app with ./sre new app.",
        "Pulumi.team-b.yaml: written; a stack of clusters/prod.yaml.",
        ".github/CODEOWNERS: /tenants/team-b.yaml  @example-org/team-b-developers",
    ]
    assert sorted(line.split()[1] for line in project.changed()) == [
        ".github/CODEOWNERS",
        "Pulumi.team-b.yaml",
        "tenants/team-b.yaml",
    ]
    settings, problems = read_stack(project.root, "team-b")
    assert problems == []
    assert settings
    assert (settings.teams, settings.kubernetes.cluster_identifier) == (("team-b",), "prod")


def test_it_is_valid_at_once_and_its_stack_is_affected(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new("team-b") == 0
    capsys.readouterr()
    assert validate(capsys) == (0, [])
    assert main(["validate", "--stack", "team-b"]) == 0
    capsys.readouterr()
    assert main(["affected", "--base", "HEAD"]) == 0
    assert capsys.readouterr().out == "dev\nteam-b\n"


def test_its_file_goes_to_the_folder_of_the_cluster(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write("clusters/second.yaml", "kubernetes: {clusterIdentifier: x}\ntenants: a/teams\n")
    (project.root / "a" / "teams").mkdir(parents=True)
    assert new("team-b", cluster="second") == 0
    assert "/a/teams/team-b.yaml " in capsys.readouterr().out
    assert project.read("a/teams/team-b.yaml").startswith("# yaml-language-server: $schema=../../")
    assert read_stack(project.root, "team-b")[1] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dev", "Pulumi.dev.yaml:1:1: (file): already exists; choose another name, or edit it"),
        ("team-a", "Pulumi.team-a.yaml:1:1: (file): already exists; choose another name, or"),
        ("Team", "Pulumi.Team.yaml:1:1: team: 'Team' contains 'T'; use lower-case letters, digits"),
        ("../x", "Pulumi.../x.yaml:1:1: team: '../x' contains '.'; use lower-case letters, digits"),
        ("a" * 300, f"Pulumi.{'a' * 193}...:1:1: team: '{'a' * 40}'... has 300 characters; use 63"),
        ("\0", r"Pulumi.\x00.yaml:1:1: team: '\x00' contains '\x00'; use lower-case letters"),
        ("istio-system", "tenants/istio-system.yaml:3:7: team: 'istio-system' is a namespace of"),
        ("base-images", "tenants/base-images.yaml:3:7: team: 'base-images' is a shared registry"),
    ],
)
def test_a_wrong_or_taken_name_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert refused(project, capsys, name).startswith(said)


def test_a_team_that_exists_without_a_stack_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write("tenants/team-b.yaml", "team: team-b\n")
    said = "tenants/team-b.yaml:1:1: (file): already exists; choose another name, or edit it"
    assert refused(project, capsys) == said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "clusters/prod.yaml",
            "kubernetes: {clusterIdentifier: prod}\nharbour: {}\n",
            "clusters/prod.yaml:2:1: harbour: is an unknown key; did you mean 'harbor'?",
        ),
        (
            "Pulumi.old.yaml",
            team_stack("team-b"),
            "Pulumi.old.yaml:3:23: config.sre-platform:teams: deploys team-b to prod too; list "
            "other teams here, or create the team without --cluster",
        ),
        (
            "Pulumi.all.yaml",
            "config:\n  sre-platform:kubernetes: {clusterIdentifier: prod}\n"
            '  sre-platform:teams: "*"\n',
            "Pulumi.all.yaml:3:23: config.sre-platform:teams: deploys team-b to prod too; list "
            "other teams here, or create the team without --cluster",
        ),
        (
            "tenants/team-a.yaml",
            "team: team-a\naccess: {developers: [team-b-developers]}\n",
            "tenants/team-b.yaml:7:16: access.developers[0]: developers' group "
            "'team-b-developers' is already used in tenants/team-a.yaml:2; choose another",
        ),
    ],
)
def test_a_clash_is_refused_at_its_place(
    project: Project, capsys: pytest.CaptureFixture[str], file: str, text: str, said: str
) -> None:
    if file.startswith("tenants"):
        shared = "kubernetes: {clusterIdentifier: prod}\nopenbao: {oidcAccessor: auth_oidc_1}\n"
        project.write("clusters/prod.yaml", shared)
    project.write(file, text)
    assert refused(project, capsys) == said


def test_an_unknown_cluster_is_a_wrong_command_line(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = project.files()
    for known, said in (("prod", "use one of: prod"), ("", "add it (./sre new cluster)")):
        if not known:
            (project.root / "clusters" / "prod.yaml").unlink()
            before = project.files()
        with pytest.raises(SystemExit) as end:
            new("team-b", cluster="prdo")
        assert end.value.code == 2
        assert f"no cluster 'prdo'; {said}" in capsys.readouterr().err
    assert project.files() == before


@pytest.mark.parametrize("options", [("--tenants", "tenants"), ("--stack", "team-a")])
def test_options_that_would_be_ignored_are_refused(
    project: Project, capsys: pytest.CaptureFixture[str], options: tuple[str, str]
) -> None:
    before = project.files()
    assert new("team-b", *options) == 2
    assert capsys.readouterr().err.startswith(f"{options[0]} cannot be used with --cluster: ")
    assert project.files() == before


@pytest.mark.parametrize("text", [None, "", "# @example-org/platform\n* @someone\n"])
def test_without_an_organization_the_owner_s_line_is_left_to_its_author(
    project: Project, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    if text is None:
        (project.root / ".github" / "CODEOWNERS").unlink()
    else:
        project.write(".github/CODEOWNERS", text)
    assert new("team-b") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Add a line to .github/CODEOWNERS: /tenants/team-b.yaml @ORGANIZATION/team-b-developers"
    )
    assert (project.root / ".github" / "CODEOWNERS").exists() == (text is not None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("* @o/p", "* @o/p\n»"),
        ("* @o/p\n\n", "* @o/p\n\n»"),
        ("*      @o/p\r\n/x  @o/y\r\n", "*      @o/p\r\n/x  @o/y\r\n/teams/b @o/g\r\n"),
        ("* @o/p\n/teams/a    @o/a\n", "* @o/p\n/teams/a    @o/a\n/teams/b    @o/g\n"),
        ("* @o/p\n/teams/c @o/c\n/docs @o/d\n", "* @o/p\n»/teams/c @o/c\n/docs @o/d\n"),
        ("* @o/p\n/teams/a @o/a\n/docs @o/d", "* @o/p\n/teams/a @o/a\n»/docs @o/d"),
        ("* @o/p\n/teams/a @o/a", "* @o/p\n/teams/a @o/a\n»"),
        ("* @o/p\n/teams/b @o/other\n", "* @o/p\n/teams/b @o/other\n"),
        (
            "# @x/y\n* a@b.c @q/r @o/p\n/z @q/z\n",
            "# @x/y\n* a@b.c @q/r @o/p\n/z @q/z\n/teams/b @q/g\n",
        ),
    ],
)
def test_an_owner_s_line_is_put_among_those_of_its_folder(before: str, after: str) -> None:
    added = with_owner(Owners(Path(), "", before), "teams/b", "g")
    assert added
    assert added.text == after.replace("»", "/teams/b @o/g\n")


def test_owners_that_are_not_utf_8_are_refused(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / ".github" / "CODEOWNERS").write_bytes(b"# \xe9\n* @o/p\n")
    assert refused(project, capsys) == (
        ".github/CODEOWNERS:1:1: (file): is not UTF-8; save the file as UTF-8"
    )


@pytest.mark.parametrize("file", [".github/CODEOWNERS", "team-b.yaml", "Pulumi.team-b.yaml"])
def test_if_one_file_cannot_be_written_none_is(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    _fail_at(monkeypatch, Path(file).name, OSError(28, "No space left on device"))
    shown = "tenants/team-b.yaml" if file == "team-b.yaml" else file
    assert refused(project, capsys) == (
        f"{shown}:1:1: (file): cannot be written: No space left on device; check the file and its "
        "folder"
    )


@pytest.mark.parametrize("file", ["CODEOWNERS", "team-b.yaml", "Pulumi.team-b.yaml"])
def test_an_interruption_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    before = project.files()
    _fail_at(monkeypatch, file, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        new("team-b")
    assert project.files() == before


@pytest.mark.parametrize("file", ["CODEOWNERS", "team-b.yaml", "Pulumi.team-b.yaml"])
def test_a_kill_at_any_moment_leaves_what_validate_names_or_a_repetition_completes(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    then = dict[str, bytes]()
    with monkeypatch.context() as patch:
        before_writing(patch, file, lambda: then.update(project.files()))
        assert new("team-b") == 0
    project.put_back(then)
    capsys.readouterr()
    code, said = validate(capsys)
    assert code == 0
    if (project.root / "tenants" / "team-b.yaml").exists():
        (line,) = said
        assert line.startswith("tenants/team-b.yaml:3:7: team: warning: no production stack has")
    else:
        assert said == []
        assert new("team-b") == 0
        assert project.read(".github/CODEOWNERS").count("team-b.yaml") == 1


def _fail_at(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    def fail() -> None:
        raise error

    before_writing(monkeypatch, name, fail)
