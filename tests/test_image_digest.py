"""An image by tag and digest: what runs is the digest, and what people read is the tag."""

from pathlib import Path

import pytest

from cli.__main__ import main
from tests.conftest import Program
from tests.flux_tree import VALUES, Trees, release
from tests.program import one_of_each, web_app
from tests.written import app, entry, place, reported, rows, team, warned

OLD, NEW = f"sha256:{'0a' * 32}", f"sha256:{'1b' * 32}"
REPOSITORY = "harbor.sre.internal/team-alpha/my-api"


def image(digest: str = f'"{OLD}"', tag: str = "v1.0.0") -> str:
    return f"{{repository: {REPOSITORY}, tag: {tag}, digest: {digest}}}"


def test_a_container_runs_the_digest_and_carries_the_tag(program: Program) -> None:
    for one in program(one_of_each(f"app: {{image: {image()}}}")).with_pods():
        assert one.container["image"] == f"{REPOSITORY}:v1.0.0@{OLD}"
        assert one.labels["app.kubernetes.io/version"] == "v1.0.0"


def test_an_empty_digest_is_none_as_charts_have_it(program: Program) -> None:
    empty = image("''")
    (one,) = program(web_app(f"app: {{image: {empty}}}")).with_pods()
    assert one.container["image"] == f"{REPOSITORY}:v1.0.0"


@rows(
    {
        "too short": (f"«'{OLD[:-1]}'", "is not a digest; write `sha256:` and 64 digits"),
        "without its algorithm": (f"«'{OLD[7:]}'", "is not a digest; write `sha256:`"),
        "another algorithm": (f"«sha512:{'0a' * 64}", "is not a digest; write `sha256:`"),
        "upper case": (f"«{OLD.upper()}", "is not a digest; write `sha256:`"),
    }
)
def test_a_malformed_digest_is_refused_and_not_shown(tmp_path: Path, text: str, said: str) -> None:
    written, where = place(app(image=image(text)))
    (line,) = reported(tmp_path, written)
    assert line.startswith(f"tenants/team-alpha.yaml:{where}: apps[0].app.image.digest: {said}")
    assert "0a0a" not in line.lower()


def test_a_digest_alone_is_not_enough(tmp_path: Path) -> None:
    text = app(image=f"{{repository: {REPOSITORY}, digest: '{OLD}'}}")
    (line,) = reported(tmp_path, text)
    assert "apps[0].app.image.tag: is missing" in line


def running(*images: str, kept: int) -> str:
    jobs = "".join(
        entry(archetype="cronjob", name=f"job-{number}", image=each)
        for number, each in enumerate(images)
    )
    return team(f"registry: {{retention: {{mostRecentlyPushed: {kept}}}}}\napps:\n") + jobs


def test_a_tag_with_two_digests_is_two_images_to_keep(tmp_path: Path) -> None:
    (line,) = reported(tmp_path, running(image(OLD), image(NEW), kept=1))
    assert "the apps run 2 versions" in line
    assert "(v1.0.0@sha256:0a0a0a0a, v1.0.0@sha256:1b1b1b1b)" in line


@pytest.mark.parametrize(
    "others", [[image(OLD, "stable")], [f"{{repository: {REPOSITORY}, tag: v1.0.0}}"]]
)
def test_what_may_be_the_same_image_counts_once(tmp_path: Path, others: list[str]) -> None:
    (line,) = warned(tmp_path, running(image(OLD), *others, kept=1))
    assert "exactly as many as run" in line


FLOW = app(image=f"{{repository: {REPOSITORY}, tag: v1.0.0}}")
BLOCK = f"""\
team: team-alpha
apps:
  - archetype: web-app
    app:
      name: my-api
      image:
        tag: "v1.0.0"   # a release
        repository: {REPOSITORY}
"""
LAST = f"""\
team: team-alpha
apps:
  - archetype: web-app
    app:
      name: my-api
      image:
        repository: {REPOSITORY}
        tag: v1.0.0"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "team-alpha.yaml"


def set_image(version: str) -> int:
    return main(["set-image", "--tenants", ".", "team-alpha", "my-api", version])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FLOW, FLOW.replace("v1.0.0", f'v1.1.0, digest: "{NEW}"')),
        (
            BLOCK,
            BLOCK.replace("v1.0.0", "v1.1.0").replace(
                "# a release\n", f'# a release\n        digest: "{NEW}"\n'
            ),
        ),
        (LAST, LAST.replace("v1.0.0", "v1.1.0") + f'\n        digest: "{NEW}"'),
        (
            BLOCK.replace("\n", "\r\n"),
            BLOCK.replace("v1.0.0", "v1.1.0")
            .replace("# a release\n", f'# a release\n        digest: "{NEW}"\n')
            .replace("\n", "\r\n"),
        ),
        (
            f"{LAST}\n        digest: {OLD} # of CI\n",
            f"{LAST}\n        digest: {NEW} # of CI\n".replace("v1.0.0", "v1.1.0"),
        ),
        (
            f"{LAST}\n        digest: ''\n",
            f"{LAST}\n        digest: '{NEW}'\n".replace("v1.0.0", "v1.1.0"),
        ),
    ],
    ids=["in braces", "on a line of its own", "the last line", "CRLF", "another", "an empty one"],
)
def test_a_release_sets_both(file: Path, before: str, after: str) -> None:
    file.write_bytes(before.encode())
    assert set_image(f"v1.1.0@{NEW}") == 0
    assert file.read_bytes() == after.encode()
    assert set_image(f"v1.1.0@{NEW}") == 0
    assert file.read_bytes() == after.encode()


def test_the_change_of_both_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(app(image=image()))
    assert set_image(f"v1.0.0@{NEW}") == 0
    assert capsys.readouterr().out == (
        f"./team-alpha.yaml: my-api: v1.0.0@{OLD} is now v1.0.0@{NEW}.\n"
    )
    assert set_image(f"v1.0.0@{NEW}") == 0
    assert capsys.readouterr().out == f"./team-alpha.yaml: my-api: already at v1.0.0@{NEW}.\n"


@rows(
    {
        "a tag alone, as the old digest would run": (
            "v1.1.0",
            "apps[0].app.image.digest: is the digest of 'v1.0.0'; give the new one too, as "
            "v1.1.0@sha256:..., or remove it",
        ),
        "a digest cut short": (
            "v1.1.0@sha256:0a",
            "apps[0].app.image.digest: is not a digest; write `sha256:` and 64 digits of 0 to 9 "
            "and a to f, as the registry shows it",
        ),
        "a digest alone": (
            f"@{NEW}",
            'apps[0].app.image.tag: the tag is empty; pin a version such as "v1.0.0"',
        ),
    }
)
def test_a_release_that_would_run_another_image_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    before = app(image=image())
    file.write_text(before)
    assert set_image(text) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f": {said}")
    assert file.read_text() == before


def test_a_digest_that_apps_share_is_not_changed_for_one(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (entry(name=name, image=each) for name, each in (("my-api", "&i " + image()),
                                                                ("two", "*i")))  # fmt: skip
    before = f"{team('apps:')}\n{one}{two}"
    file.write_text(before)
    assert set_image(f"v1.1.0@{NEW}") == 1
    assert "give this app its own tag" in capsys.readouterr().err
    assert file.read_text() == before


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


@pytest.mark.parametrize(
    "tag", [f'"v1.0.0@{OLD}"', f'"v1.0.0"\n    digest: {OLD}', f'"v1.0.0@{OLD}"\n    digest: ""']
)
def test_a_digest_is_imported_however_it_is_written(trees: Trees, tag: str) -> None:
    run = trees.run(release(VALUES.replace('"v1.0.0"', tag)))
    assert run.lost == []
    assert trees.team().apps[0].app.image.version == f"v1.0.0@{OLD}"
