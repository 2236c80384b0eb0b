"""`./sre offboard`: each step by which a team leaves, as a change of files."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from specs.stack_file import read_stack
from tests.project import OWNERS, Project, before_writing, team_stack, validate
from tests.written import entry


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path / "project", monkeypatch)


def offboard(capsys: pytest.CaptureFixture[str], team: str = "team-a") -> list[str]:
    """What is printed of a step that is done."""
    capsys.readouterr()
    assert main(["offboard", team]) == 0
    return capsys.readouterr().out.splitlines()


def refused(project: Project, capsys: pytest.CaptureFixture[str], team: str = "team-a") -> str:
    """What is said of a step that is not done."""
    return project.refused(capsys, "offboard", team)


def _entry(beside: str) -> str:
    """An app that calls or is called, with an image that every team may use."""
    return entry(beside=beside, image="{repository: harbor.sre.internal/base-images/a, tag: v1}")


def leaving(project: Project, team: str = "team-a") -> None:
    """The team's first step is done."""
    project.write(f"tenants/{team}.yaml", f"team: {team}\nlifecycle: offboarding\n")


REMAINING = [
    "run `pulumi stack rm team-a` once `up` has succeeded, and commit that its file is gone",
    "delete the team's own secrets at sre/team-a/ in OpenBao, once nobody needs them",
]


def test_the_steps_of_a_team_with_a_stack_of_its_own(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offboard(capsys) == [
        "tenants/team-a.yaml: changed.",
        "team-a: active -> offboarding. Next:",
        "1. merge this change, and run `up`, which revokes the team's access and ends its apps",
        "2. copy what you must keep: volumes, images, secrets at sre/team-a/",
        "3. empty the Harbor project team-a",
        "4. run ./sre offboard team-a again, which removes the team's file",
    ]
    assert project.changed() == ["M tenants/team-a.yaml"]
    assert validate(capsys) == (0, [])

    assert offboard(capsys) == [
        "Pulumi.team-a.yaml: changed.",
        ".github/CODEOWNERS: changed.",
        "tenants/team-a.yaml: deleted.",
        "team-a: offboarding -> removed. Next:",
        "1. merge this change, and run `up`, which deletes what is left of the team; it refuses "
        "until the former step has been applied",
        f"2. {REMAINING[0]}",
        f"3. {REMAINING[1]}",
    ]
    assert not (project.root / "tenants" / "team-a.yaml").exists()
    assert project.read("Pulumi.team-a.yaml") == team_stack()
    assert project.read(".github/CODEOWNERS") == OWNERS.replace(
        "/tenants/team-a.yaml  @example-org/team-a-developers\n", ""
    )
    assert read_stack(project.root, "team-a")[1] == []
    code, (warning,) = validate(capsys)
    assert code == 0
    assert warning.startswith("Pulumi.team-a.yaml:3:23: config.sre-platform:teams: warning: is")

    before = project.files()
    assert offboard(capsys) == [
        "team-a: removed. Next:",
        "1. merge this change, and run `up`, which deletes what is left of the team; it refuses "
        "until the former step has been applied",
        f"2. {REMAINING[0]}",
        f"3. {REMAINING[1]}",
    ]
    assert project.files() == before

    (project.root / "Pulumi.team-a.yaml").unlink()  # as `pulumi stack rm` does
    assert validate(capsys) == (0, [])
    assert refused(project, capsys).startswith("tenants/team-a.yaml:1:1: (file): no such file;")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# a\nteam: team-a # b\n# c\nquota: {}\n", "# a\nteam: team-a # b\n»# c\nquota: {}\n"),
        ("team: team-a", "team: team-a\n»"),
        ("apps: []\nteam: team-a\n\n# end\n", "apps: []\nteam: team-a\n»\n# end\n"),
        ("  team: team-a\n  apps: []\n", "  team: team-a\n  »  apps: []\n"),
        ("{team: team-a, apps: []}\n", "{team: team-a, lifecycle: offboarding, apps: []}\n"),
        ("lifecycle:  active # b\nteam: team-a\n", "lifecycle:  offboarding # b\nteam: team-a\n"),
        ("team: team-a\nlifecycle: 'suspended'\n", "team: team-a\n»"),
        ("\ufeffteam: team-a\r\napps: []\r\n", "\ufeffteam: team-a\r\n»\r\napps: []\r\n"),
    ],
)
def test_the_first_step_changes_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    file = project.root / "tenants" / "team-a.yaml"
    file.write_bytes(before.encode())
    offboard(capsys)
    line = "lifecycle: offboarding"
    assert file.read_bytes().decode() == after.replace("»\r\n", f"{line}\r\n").replace(
        "»", f"{line}\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team: team-a\nlifecycle: of\n", "2:12: lifecycle: 'of' is not one of active, suspended"),
        ("team: team-a\nqota: {}\n", "2:1: qota: is an unknown key; did you mean 'quota'?"),
        ("- team-a\n", "1:1: (file): must be a mapping"),
        ("team: [\n", "1:1: (file): a bracket or brace is not closed, or a ',' is missing; fix it"),
        (
            "team: &a team-a\nlifecycle: &b active\naccess: {developers: [*b]}\n",
            "2:12: lifecycle: is in a form that cannot be edited; set `lifecycle: offboarding` by",
        ),
    ],
)
def test_a_file_that_cannot_be_changed_stays(
    project: Project, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    project.write("tenants/team-a.yaml", text)
    assert refused(project, capsys).startswith(f"tenants/team-a.yaml:{said}")


@pytest.mark.parametrize(
    "name", ["team-b", "dev", "platform", "../tenants/team-a", "x" * 300, "*", ""]
)
def test_an_unknown_team_is_reported(
    project: Project, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert ": (file): no such file; " in refused(project, capsys, name)


CALLS = "calls: [{team: team-a, app: my-api}]\n"
CALLERS = "callers: [{host: x.example.com}, {app: x, team: team-a}]\n"
NAMES = "names team-a, whose file would be removed; remove this entry first"


@pytest.mark.parametrize(
    ("beside", "where", "key"),
    [(CALLS, "7:20", "calls[0]"), (CALLERS, "7:53", "callers[1]")],
)
def test_a_team_that_others_name_stays_until_they_do_not(
    project: Project, capsys: pytest.CaptureFixture[str], beside: str, where: str, key: str
) -> None:
    project.write("tenants/team-c.yaml", "team: team-c\napps:\n" + _entry(beside))
    project.write("tenants/odd.yaml", "- team-a\n")
    leaving(project)
    assert refused(project, capsys) == f"tenants/team-c.yaml:{where}: apps[0].{key}.team: {NAMES}"


def test_the_first_step_says_who_else_names_the_team(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = "calls: [{team: team-c, app: my-api}]\n"
    project.write("tenants/team-a.yaml", "team: team-a\napps:\n" + _entry(calls))
    callers = "callers: [{team: team-a, app: my-api}]\n"
    project.write("tenants/team-c.yaml", "team: team-c\napps:\n" + _entry(callers))
    said = "4. have the entries that name team-a removed: tenants/team-c.yaml:7"
    assert said in offboard(capsys)


def test_a_file_that_somebody_has_deleted_is_followed_up(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "tenants" / "team-a.yaml").unlink()
    assert offboard(capsys)[:3] == [
        "Pulumi.team-a.yaml: changed.",
        ".github/CODEOWNERS: changed.",
        "team-a: removed. Next:",
    ]
    assert project.read("Pulumi.team-a.yaml") == team_stack()


def test_without_the_folder_of_team_files_nothing_is_taken_for_removed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "tenants").rename(project.root / "teams")
    assert refused(project, capsys) == "tenants:1:1: (file): no such folder; check the path"


def test_two_teams_that_name_each_other_can_both_leave(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    state = "lifecycle: offboarding\napps:\n"
    project.write("tenants/team-c.yaml", f"team: team-c\n{state}" + _entry(CALLS))
    project.write(
        "tenants/team-a.yaml", f"team: team-a\n{state}" + _entry(CALLS.replace("a,", "c,"))
    )
    offboard(capsys)
    assert main(["validate"]) == 0
    offboard(capsys, "team-c")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("teams: [team-a] # b\n", "teams: [] # b\n"),
        ("teams: [team-a, team-c]\n", "teams: [team-c]\n"),
        ("teams: [team-c, team-a ]\n", "teams: [team-c ]\n"),
        ('teams: \'["team-a","team-c"]\'\n', "teams: [team-c]\n"),
        ("teams:\n  # b\n  - team-a\n", "teams: []\n"),
        ("teams:\n  # b\n  - team-a\n  # c\n  - team-c", "teams:\n  # c\n  - team-c"),
        ("teams:\n  - team-a # b\n  # c\n  - team-c # d\n", "teams:\n  # c\n  - team-c # d\n"),
        ("teams:\n    - team-c # d\n\n    - team-a", "teams:\n    - team-c # d\n\n"),
    ],
)
def test_the_team_leaves_each_list_and_the_rest_of_the_file_stays(
    project: Project, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    def text(teams: str) -> str:
        head = "# x\nencryptionsalt: v1:abc=:v1:def\nconfig:\n  sre-platform:cluster: prod\n  "
        return head + "sre-platform:" + teams

    leaving(project)
    project.write("Pulumi.shared.yaml", text(before))
    offboard(capsys)
    assert project.read("Pulumi.shared.yaml") == text(after)
    assert read_stack(project.root, "shared")[1] == []


def test_stacks_of_all_teams_and_of_other_folders_stay(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving(project)
    other = f"{team_stack('team-a')}  sre-platform:tenants: others\n"
    project.write("others/team-a.yaml", "team: team-a\n")
    project.write("Pulumi.other.yaml", other)
    assert "Pulumi.dev.yaml: changed." not in offboard(capsys)
    assert project.read("Pulumi.other.yaml") == other


def test_a_stack_with_the_platform_or_other_teams_is_kept(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "Pulumi.team-a.yaml").unlink()
    leaving(project)
    project.write("Pulumi.platform.yaml", f"{team_stack('team-a')}  sre-platform:platform: true\n")
    project.write("Pulumi.shared.yaml", team_stack("team-a", "team-d"))
    assert not [line for line in offboard(capsys) if "stack rm" in line]


def test_a_list_that_cannot_be_edited_is_reported(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving(project)
    project.write("Pulumi.shared.yaml", team_stack("team-a", "team-c", "team-a"))
    assert refused(project, capsys) == (
        "Pulumi.shared.yaml:3:23: config.sre-platform:teams: is in a form that cannot be edited; "
        "remove team-a by hand"
    )


@pytest.mark.parametrize("owners", [None, "* @example-org/platform\n"])
def test_a_team_without_an_owner_s_line_leaves_too(
    project: Project, capsys: pytest.CaptureFixture[str], owners: str | None
) -> None:
    if owners is None:
        (project.root / ".github" / "CODEOWNERS").unlink()
    else:
        project.write(".github/CODEOWNERS", owners)
    leaving(project)
    assert offboard(capsys)[:2] == ["Pulumi.team-a.yaml: changed.", "tenants/team-a.yaml: deleted."]


def test_a_folder_of_the_team_s_files_is_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving(project)
    project.write("tenants/team-a/nginx.conf", "")
    assert "3. delete tenants/team-a/, and its line in .github/CODEOWNERS if any" in offboard(
        capsys
    )
    assert (project.root / "tenants" / "team-a" / "nginx.conf").exists()


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_if_the_file_cannot_be_deleted_nothing_changes(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    leaving(project)
    before, unlink = project.files(), Path.unlink

    def failing(file: Path, missing_ok: bool = False) -> None:
        if file.name == "team-a.yaml":
            raise error
        unlink(file, missing_ok)

    monkeypatch.setattr(Path, "unlink", failing)
    if isinstance(error, OSError):
        assert refused(project, capsys) == (
            "tenants/team-a.yaml:1:1: (file): cannot be deleted: Permission denied; check the file "
            "and its folder"
        )
    else:
        with pytest.raises(KeyboardInterrupt):
            main(["offboard", "team-a"])
        assert project.files() == before


@pytest.mark.parametrize("file", ["Pulumi.team-a.yaml", "CODEOWNERS"])
def test_after_a_kill_at_any_moment_a_repetition_completes_the_step(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    leaving(project)
    then = dict[str, bytes]()
    with monkeypatch.context() as patch:
        before_writing(patch, file, lambda: then.update(project.files()))
        offboard(capsys)
    done = project.files()
    project.put_back(then)
    assert main(["validate"]) == 0
    offboard(capsys)
    assert [name for name in done if done[name] != project.files()[name]] == []
    assert "tenants/team-a.yaml" not in project.files()


def test_json_says_the_same(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    leaving(project)
    assert main(["offboard", "team-a", "--format", "json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    following = said.pop("following")
    assert said == {
        "team": "team-a",
        "before": "offboarding",
        "after": "removed",
        "changed": ["Pulumi.team-a.yaml", ".github/CODEOWNERS"],
        "removed": ["tenants/team-a.yaml"],
    }
    assert following[1:] == REMAINING
