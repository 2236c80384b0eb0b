"""`./sre set-image`: one value of a team's file changes, or nothing."""

import subprocess
from pathlib import Path

import pytest
import yaml

from cli.__main__ import main
from tests.written import ROOT, app, entry, team

FILE = app("port: 8080")
PLACE = "./team-alpha.yaml:6:71: apps[0].app.image.tag"  # of its tag


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of team-alpha, in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "team-alpha.yaml"
    file.write_text(FILE)
    return file


def set_image(*arguments: str) -> int:
    return main(["set-image", "--tenants", ".", *arguments])


def tag_line(written: str) -> str:
    """A file whose tag is written so."""
    return f"""\
# My team.
team: team-alpha # the name

apps:
  # The one app.
  - archetype: web-app
    app:
      name: my-api
      image:
        repository: harbor.sre.internal/team-alpha/my-api # é 😀
        tag: {written}
      port:   8080


"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"v1.0.0"', '"v1.1.0"'),
        ("'v1.0.0'", "'v1.1.0'"),
        ("v1.0.0", "v1.1.0"),
        ("v1.0.0   # the release of May", "v1.1.0   # the release of May"),
        ('&version "v1.0.0"', '&version "v1.1.0"'),
        ("!!str v1.0.0", "!!str v1.1.0"),
        ("\n          v1.0.0", "\n          v1.1.0"),
        ('"v1\\x2e0.0"', '"v1.1.0"'),
        ("latest", "v1.1.0"),
        ("1.0", "v1.1.0"),
        (" # to be filled in", "v1.1.0  # to be filled in"),
    ],
)
def test_only_the_value_changes_and_its_quotes_stay(file: Path, before: str, after: str) -> None:
    file.write_text(tag_line(before), encoding="utf-8")
    assert set_image("team-alpha", "my-api", "v1.1.0") == 0
    assert file.read_text(encoding="utf-8") == tag_line(after)


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.rstrip(),
        lambda text: b"---\n" + text + b"...\n",
        lambda text: b"%YAML 1.1\n---\n" + text,
    ],
    ids=["CRLF", "a byte order mark", "no last line end", "document marks", "a directive"],
)
def test_the_file_keeps_its_form(file: Path, form: object) -> None:
    assert callable(form)
    file.write_bytes(form(tag_line('"v1.0.0"').encode()))
    assert set_image("team-alpha", "my-api", "v1.1.0") == 0
    assert file.read_bytes() == form(tag_line('"v1.1.0"').encode())


def test_the_tag_of_an_entry_in_braces_is_set(file: Path) -> None:
    assert set_image("team-alpha", "my-api", "v1.1.0") == 0
    assert file.read_text() == FILE.replace("v1.0.0", "v1.1.0")


def test_only_the_app_that_is_named_changes(file: Path) -> None:
    before, other, after = FILE, entry(name="other"), entry(name="last")
    file.write_text(before + other + after)
    assert set_image("team-alpha", "other", "v9") == 0
    assert file.read_text() == before + other.replace("v1.0.0", "v9") + after


@pytest.mark.parametrize(
    "tag",
    ["1", "1.0", "1e3", "1.5e3", "010", "0o17", "0x1F", "1_000", "2026-01-31", "true", "No", "null",
     "y", "e3", "12_3.4", "1.2.3", "2026.01.31-1"],
)  # fmt: skip
def test_a_tag_that_might_be_read_as_something_else_gets_quotes(file: Path, tag: str) -> None:
    file.write_text(tag_line("v1.0.0"))
    assert set_image("team-alpha", "my-api", tag) == 0
    assert file.read_text() == tag_line(f'"{tag}"')


@pytest.mark.parametrize("tag", ["v1", "main-5e3", "_1", "e3f"])
def test_a_tag_that_is_text_anyway_gets_none(file: Path, tag: str) -> None:
    file.write_text(tag_line("v1.0.0"))
    assert set_image("team-alpha", "my-api", tag) == 0
    assert file.read_text() == tag_line(tag)
    assert yaml.safe_load(file.read_text())["apps"][0]["app"]["image"]["tag"] == tag


def test_the_change_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_image("team-alpha", "my-api", "v1.1.0")
    assert capsys.readouterr().out == "./team-alpha.yaml: my-api: v1.0.0 is now v1.1.0.\n"
    file.write_text(tag_line(""))
    set_image("team-alpha", "my-api", "v1.1.0")
    assert capsys.readouterr().out == "./team-alpha.yaml: my-api: no tag is now v1.1.0.\n"


def test_the_same_tag_is_neither_a_change_nor_a_mistake(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.stat()
    assert set_image("team-alpha", "my-api", "v1.0.0") == 0
    assert capsys.readouterr().out == "./team-alpha.yaml: my-api: already at v1.0.0.\n"
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_the_same_tag_in_a_file_with_problems_is_refused_too(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE + "x: 1\n")
    assert "x: is an unknown key" in refused(file, capsys, "team-alpha", "my-api", "v1.0.0")[0]


def refused(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What is said of a change that is not made."""
    text, before = file.read_bytes(), file.stat()
    assert set_image(*arguments) == 1
    assert file.read_bytes() == text
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("latest", "'latest' is not a version; pin one such as \"v1.0.0\""),
        ("", 'the tag is empty; pin a version such as "v1.0.0"'),
        (
            "sha256:0a",
            "'sha256:0a' contains a digest; write only the version here, and the digest in "
            "`digest`",
        ),
        ("ghp_" + "a1B2" * 9, 'contains a GitHub token; pin a version such as "v1.0.0"'),
        (".v1", "'.v1' starts with '.'; start with a letter, a digit or '_'"),
        ("v" * 129, f"'{'v' * 40}'... has 129 characters; use 128 at most"),
        *(
            (tag, f"{tag!r} contains {wrong!r}; use letters, digits, '_', '.' and '-' only")
            for tag, wrong in (
                ("v1 # x", " "), ('v1"', '"'), ("v1'", "'"), ("v1: x", ":"), ("v1, x: y", ","),
                ("v1}", "}"), ("*v1", "*"), ("é", "é"), ("v1\x1b[0m", "\x1b"), ("v1\x85", "\x85"),
                ('v1"\n      plain: true', '"'), ("v1\n", "\n"), ("v1\r\n  x: y", "\r"),
            )
        ),
    ],
)  # fmt: skip
def test_an_invalid_tag_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str], tag: str, said: str
) -> None:
    assert refused(file, capsys, "team-alpha", "my-api", tag) == [f"{PLACE}: {said}"]


NO_FILE = "(file): no such file"
APPS = "team-alpha.yaml:3:3: apps"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("team-alpa", "my-api"), f"team-alpa.yaml:1:1: {NO_FILE}; did you mean team-alpha?"),
        (("./team-alpha", "my-api"), f"./team-alpha.yaml:1:1: {NO_FILE}; did you mean team-alpha?"),
        (("qqq", "my-api"), f"qqq.yaml:1:1: {NO_FILE}; use one of: team-alpha"),
        (("team-alpha", "my-ap"), f"{APPS}: has no app 'my-ap'; did you mean my-api?"),
        (("team-alpha", "zzz"), f"{APPS}: has no app 'zzz'; use one of: my-api"),
    ],
)
def test_a_missing_team_or_app_is_reported(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], said: str
) -> None:
    assert refused(file, capsys, *arguments, "v2") == [f"./{said}"]


def test_a_team_without_apps_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("team: team-alpha\n")
    assert refused(file, capsys, "team-alpha", "my-api", "v2") == [
        "./team-alpha.yaml:1:1: apps: has no app 'my-api'; add it with ./sre new app"
    ]


def test_a_missing_folder_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(file, capsys, "team-alpha", "my-api", "v2", "--tenants", "nowhere") == [
        "nowhere:1:1: (file): no such folder; check the path"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FILE + "qota: {}\n", ":8:1: qota: is an unknown key; did you mean 'quota'?"),
        (FILE.replace("my-api\n", "my-apis\n") + "x: 1\n", ":8:1: x: is an unknown key"),
        (FILE + entry(), ":10:13: apps[1].app.name: 'my-api' is also the name of another app"),
        ("team: [", ":1:1: (file): a bracket or brace is not closed"),
        (FILE + "---\nteam: x\n", ":8:1: (file): contains several documents"),
        (FILE.replace("port:", "name:"), ":7:7: apps[0].app.name: this key is already set"),
        (team("apps: [{archetype: worker, app: {name: my-api}}]"), "app.image: is missing"),
        (team("apps: [x, {app: 5}, {app: {name: 7}}]"), "apps[0]: must be a mapping"),
        (team("apps: {a: b}"), ":2:7: apps: must be a list"),
        (team("apps: 5"), ":2:7: apps: must be a list"),
        ("[]", ":1:1: (file): must be a mapping"),
        ("", ":1:1: (file): is empty"),
    ],
)
def test_a_file_with_other_problems_is_unchanged_and_they_are_reported(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file.write_text(text)
    lines = refused(file, capsys, "team-alpha", "my-api", "v2")
    assert said in lines[0]
    assert all(line.startswith("./team-alpha.yaml:") for line in lines)


SHARED = "is at an anchor that is also used elsewhere; give this app its own tag"


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ("tag: &tag v1.0.0", "tag: *tag", "6:66"),
        ("<<: &image {tag: v1.0.0}", "<<: *image", "6:78"),
    ],
    ids=["an alias", "a merge"],
)
@pytest.mark.parametrize("name", ["one", "two"])
def test_a_tag_that_apps_share_is_not_changed_for_one(
    file: Path,
    capsys: pytest.CaptureFixture[str],
    first: str,
    second: str,
    place: str,
    name: str,
) -> None:
    image = "{{repository: harbor.sre.internal/team-alpha/a, {}}}"
    one = entry(name="one", image=image.format(first))
    two = entry(name="two", image=image.format(second))
    file.write_text(f"{team('apps:')}\n{one}{two}")
    path = f"apps[{('one', 'two').index(name)}].app.image.tag"
    assert refused(file, capsys, "team-alpha", name, "v2") == [
        f"./team-alpha.yaml:{place}: {path}: {SHARED}"
    ]


def test_a_tag_over_several_lines_is_not_changed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(tag_line("|-\n          v1.0.0"))
    assert refused(file, capsys, "team-alpha", "my-api", "v2") == [
        "./team-alpha.yaml:11:14: apps[0].app.image.tag: is a block scalar; "
        "write it on the key's line"
    ]


def test_a_file_that_cannot_be_written_is_reported(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert refused(file, capsys, "team-alpha", "my-api", "v2") == [
        "./team-alpha.yaml:1:1: (file): cannot be written: No space left on device; "
        "check the file and its folder"
    ]


@pytest.mark.commands
def test_concurrent_changes_do_not_undo_each_other(file: Path, warm: Path) -> None:
    names = [f"app-{number}" for number in range(6)]
    quota = "quota: {limits: {cpu: 10}}\n"
    file.write_text(team(f"{quota}apps:\n") + "".join(entry(name=name) for name in names))
    command = [warm, "-m", "cli", "set-image", "--tenants", str(file.parent)]
    running = [
        subprocess.Popen([*command, "team-alpha", name, "v7"], cwd=ROOT, stdout=subprocess.DEVNULL)
        for name in names
    ]
    assert [each.wait() for each in running] == [0] * len(names)
    assert file.read_text().count("v7") == len(names)


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["set-image", "--help"])
    assert end.value.code == 0
    assert "example: ./sre set-image team-alpha my-api v1.1.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after"), [("v1.2.0", "v1.1.9"), ("v1.10.0", "v1.9.0"), ("v2.0.0", "v2.0.0-rc.1")]
)
def test_an_older_version_is_written_with_a_warning_that_its_image_may_be_gone(
    file: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    file.write_text(FILE.replace("v1.0.0", before))
    assert set_image("team-alpha", "my-api", after) == 0
    assert capsys.readouterr().err == (
        f"{PLACE}: warning: '{after}' is older than '{before}', and Harbor keeps only the 20 "
        "images last pushed to a repository; check that it still exists before you deploy it\n"
    )
    assert f"tag: {after}" in file.read_text()


def test_a_single_image_kept_is_mentioned(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "registry: {retention: {mostRecentlyPushed: 1}}\napps:\n"
    file.write_text(team(keys) + entry(archetype="cronjob"))
    assert set_image("team-alpha", "my-api", "v0.9.0") == 0
    assert "Harbor keeps only the image last pushed to a repository" in capsys.readouterr().err


@pytest.mark.parametrize("tag", ["v1.0.1", "main-4f2a"])
def test_a_newer_or_incomparable_version_causes_no_warning(
    file: Path, capsys: pytest.CaptureFixture[str], tag: str
) -> None:
    assert set_image("team-alpha", "my-api", tag) == 0
    assert capsys.readouterr().err == ""


def test_a_version_too_many_for_the_retention_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        team("registry: {retention: {mostRecentlyPushed: 1}}\napps:\n")
        + entry(archetype="cronjob")
        + entry(archetype="cronjob", name="other")
    )
    before = file.read_bytes()
    assert set_image("team-alpha", "other", "v1.1.0") == 1
    assert file.read_bytes() == before
    assert "keeps 1 in each repository, but the apps run 2 versions" in capsys.readouterr().err


def test_a_credential_that_was_the_tag_is_not_repeated(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(tag_line("ghp_" + "a1B2" * 9))
    assert set_image("team-alpha", "my-api", "v1.1.0") == 0
    assert capsys.readouterr().out == "./team-alpha.yaml: my-api: [secret] is now v1.1.0.\n"
