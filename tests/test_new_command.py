"""`./sre new team` and `./sre new app`: valid at once, and nothing else in the file changes."""

from pathlib import Path

import pytest
import yaml

from cli.__main__ import main
from tests.written import IMAGE, app, entry, team

ARCHETYPES = ("web-app", "worker", "cronjob")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the team files, relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> int:
    kind, *rest = arguments
    return main(["new", kind, "--tenants", ".", *rest])


def new_app(name: str = "shop", archetype: str = "web-app") -> int:
    return new("app", "team-alpha", name, "--archetype", archetype)


def valid() -> bool:
    return main(["validate", "--tenants", "."]) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What is said of something that is not written."""
    before = {file: file.read_bytes() for file in Path().iterdir()}
    assert new(*arguments) == 1
    assert {file: file.read_bytes() for file in Path().iterdir()} == before
    return capsys.readouterr().err.splitlines()


# A new team


def test_a_team_that_is_new_in_the_checkout_gets_an_owner(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.new.ROOT", folder)
    (folder / "tenants").mkdir()
    assert main(["new", "team", "--tenants", "tenants", "team-gamma"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Add a line to .github/CODEOWNERS: "
        "/tenants/team-gamma.yaml @ORGANIZATION/team-gamma-developers"
    ]


def test_a_new_team_s_file_is_valid_and_says_what_to_fill_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new("team", "team-gamma") == 0
    assert capsys.readouterr().out == (
        "./team-gamma.yaml: written; review it, and add an app with ./sre new app.\n"
    )
    assert valid()
    text = (folder / "team-gamma.yaml").read_text()
    assert yaml.safe_load(text) == {
        "team": "team-gamma",
        "access": {"developers": ["team-gamma-developers"], "viewers": ["team-gamma-viewers"]},
        "quota": {
            "requests": {"cpu": "4", "memory": "8Gi"},
            "limits": {"cpu": "8", "memory": "16Gi"},
        },
        "apps": [],
    }
    assert "docs/reference.md" in text


def test_its_first_line_leads_editors_to_the_schema(folder: Path) -> None:
    assert main(["new", "team", "team-gamma", "--tenants", str(folder / ".")]) == 0
    head, _, path = (folder / "team-gamma.yaml").read_text().splitlines()[0].partition("$schema=")
    assert head == "# yaml-language-server: "
    assert (folder / path).resolve().name == "team.schema.json"
    assert (folder / path).is_file()


@pytest.mark.parametrize("name", ["123", "1e3", "null", "true", "no", "y", "0x1f", "a" * 50])
def test_an_app_s_name_that_yaml_reads_as_something_else_is_text(name: str) -> None:
    assert new("team", "a" * 63) == 0
    assert new("app", "a" * 63, name, "--archetype", "cronjob") == 0
    assert valid()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("team-alpha", "./team-alpha.yaml:1:1: (file): already exists; choose another name"),
        ("team-beta", "./team-beta.yml:1:1: (file): already exists; choose another name"),
        ("kube-x", "./kube-x.yaml:3:7: team: 'kube-x' is a namespace of the platform; choose"),
        ("istio-system", "./istio-system.yaml:3:7: team: 'istio-system' is a namespace of the"),
        ("base-images", "./base-images.yaml:3:7: team: 'base-images' is a shared registry"),
        ("Team", "./Team.yaml:1:1: team: 'Team' contains 'T'; use lower-case letters, digits and"),
        ("../x", "./../x.yaml:1:1: team: '../x' contains '.'; use lower-case letters, digits and"),
        ("x: y", "./x: y.yaml:1:1: team: 'x: y' contains ':'; use lower-case letters, digits and"),
        ("x\ny: z", r"./x\ny: z.yaml:1:1: team: 'x\ny: z' contains '\n'; use lower-case letters"),
        ("-x", "./-x.yaml:1:1: team: '-x' starts with '-'; start and end with a letter or"),
        ("pay--ments", "./pay--ments.yaml:1:1: team: 'pay--ments' has '-' twice in a row, which"),
        ("123", "./123.yaml:1:1: team: '123' is a number, which Harbor takes for a project's id"),
        ("no", "./no.yaml:1:1: team: 'no' is not text in YAML unless it is quoted everywhere"),
        ("", "./.yaml:1:1: team: the name is empty; write 1 to 63 characters"),
        ("a" * 64, f"./{'a' * 64}.yaml:1:1: team: '{'a' * 40}'... has 64 characters; use 63"),
    ],
)
def test_a_taken_reserved_or_invalid_name_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (folder / "team-alpha.yaml").write_text(team(""))
    (folder / "team-beta.yml").write_text("")
    lines = refused(capsys, "team", "--", name)
    assert len(lines) == 1
    assert lines[0].startswith(said)


def test_a_missing_folder_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (["team", "x"], ["app", "x", "y", "--archetype", "worker"]):
        assert main(["new", *kind, "--tenants", "nowhere"]) == 1
        assert capsys.readouterr().err == ("nowhere:1:1: (file): no such folder; check the path\n")
    assert not Path("nowhere").exists()


# A new app: the file's content, and the place (») of the new entry.

BEFORE = entry(name="one")
WORKER = BEFORE.replace("web-app", "worker")
NEW = """\
  - archetype: web-app
    app:
      name: shop
      image:
        repository: harbor.sre.internal/team-alpha/shop
        tag: "v0.1.0" # a release writes it: ./sre set-image
      port: 8080 # answers /healthz and /readyz too; see `probes` if not
    # ingress: {enabled: true, host: HOST} # access from outside the cluster
    # calls: [{app: APP}, {team: TEAM, app: APP}, {host: HOST}] # what it connects to
    # callers: [{team: TEAM, app: APP}] # apps of other teams that may call it
"""


def columns(text: str, by: int) -> str:
    """The lines indented by more columns, or by fewer."""
    lines = text.splitlines(keepends=True)
    return "".join(line[-by:] if by < 0 else " " * by + line for line in lines)


WIDE = """\
apps:
    -   archetype: web-app
        app:
            name: one
            image:
                repository: harbor.sre.internal/team-alpha/one
                tag: v1
"""
WIDE_NEW = """\
    -   archetype: web-app
        app:
            name: shop
            image:
                repository: harbor.sre.internal/team-alpha/shop
                tag: "v0.1.0" # a release writes it: ./sre set-image
            port: 8080 # answers /healthz and /readyz too; see `probes` if not
        # ingress: {enabled: true, host: HOST} # access from outside the cluster
        # calls: [{app: APP}, {team: TEAM, app: APP}, {host: HOST}] # what it connects to
        # callers: [{team: TEAM, app: APP}] # apps of other teams that may call it
"""
PLACES = {
    "no key": ("team: team-alpha\n", "\napps:\n" + NEW),
    "no key and comments": ("# a\nteam: team-alpha\n# b\n", "\napps:\n" + NEW),
    "an empty list": ("team: team-alpha\napps: []\n", NEW),
    "an empty list and a comment": ("team: team-alpha\napps:  [ ] # none yet\n# end\n", NEW),
    "an empty list and keys": ("apps: []\nteam: team-alpha\n", NEW),
    "an empty key": ("team: team-alpha\napps:\n", NEW),
    "an empty key and a comment": ("team: team-alpha\napps: # none\nquota: {}\n", NEW),
    "a null": ("team: team-alpha\napps: null\n", NEW),
    "one entry": (team("apps:\n") + BEFORE + "»", "\n" + NEW),
    "two entries, apart": (team("apps:\n") + BEFORE + "\n" + entry(name="two") + "»", "\n" + NEW),
    "two entries, close": (team("apps:\n") + BEFORE + entry(name="two") + "»", NEW),
    "two entries, apart by a comment": (
        team("apps:\n") + BEFORE + "\n  # second\n" + entry(name="two") + "»",
        "\n" + NEW,
    ),
    "keys after": (team("apps:\n") + BEFORE + "»\nquota: {}\n", "\n" + NEW),
    "keys close after": (team("apps:\n") + BEFORE + "»quota: {}\n", "\n" + NEW),
    "comments after": (
        team("apps:\n") + BEFORE + "    # ingress: {}\n      # deep\n»  # of the list\n# end\n",
        "\n" + NEW,
    ),
    "a comment of the entry below a gap": (
        team("apps:\n") + BEFORE + "\n    # alerts: []\n»\n# quota\nquota: {}\n",
        "\n" + NEW,
    ),
    "a comment on the last line": (
        team("apps:\n") + BEFORE + "    alerts: [] # none\n»# end\n",
        "\n" + NEW,
    ),
    "a list in brackets last": (
        team("apps:\n") + WORKER + "    alerts: [\n    ]\n»# end\n",
        "\n" + NEW,
    ),
    "an empty value last": (
        team("apps:\n") + WORKER.replace("app:", "app: &a") + "      team:\n»# end\n",
        "\n" + NEW,
    ),
    "text over lines last": (
        team("apps:\n")
        + WORKER
        + "    alerts:\n      - name: A\n        expr: up\n        summary: |\n          a\n\n"
        + "          # b\n»quota: {}\n",
        "\n" + NEW,
    ),
    "no columns": (team("apps:\n") + columns(BEFORE, -2) + "»quota: {}\n", "\n" + columns(NEW, -2)),
    "wide columns": (team(WIDE) + "»", "\n" + WIDE_NEW),
    "all further in": (
        columns(team("apps:\n") + BEFORE, 2) + "»",
        "\n" + columns(NEW, 2),
    ),
    "an anchor before the list": (team("apps: &all\n") + BEFORE + "»", "\n" + NEW),
    "a list in columns of its own": (
        team("") + "apps:\n      -\n        archetype: worker\n        app: {name: one, image: "
        f"{IMAGE}}}\n»",
        "\n" + columns(NEW, 4),
    ),
    "entries in braces": (
        team("apps:\n  - {archetype: worker, app: {name: one, image: {tag: v1,\n")
        + "       repository: harbor.sre.internal/team-alpha/one}}}\n»\n",
        "\n" + NEW,
    ),
    "another alphabet": (team("apps:\n") + BEFORE + "    # 😀 é\n»# é\n", "\n" + NEW),
}


def expected(text: str, added: str) -> str:
    """The file as it should be."""
    if "»" in text:
        return text.replace("»", added)
    head, key, tail = text.partition("apps:")
    if not key:
        return text + added
    line, _, rest = tail.partition("\n")
    comment = "#" + line.partition("#")[2] if "#" in line else ""
    return f"{head}apps:{f' {comment}' if comment else ''}\n{added}{rest}"


@pytest.mark.parametrize(("text", "added"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_an_app_is_added_in_the_layout_of_the_file(
    folder: Path, text: str, added: str, newline: str
) -> None:
    file = folder / "team-alpha.yaml"
    file.write_text(text.replace("»", ""), encoding="utf-8", newline=newline)
    assert new_app() == 0
    with file.open(encoding="utf-8", newline="") as written:
        assert written.read() == expected(text, added).replace("\n", newline)
    assert valid()


def test_a_last_line_without_an_end_gets_one(folder: Path) -> None:
    file = folder / "team-alpha.yaml"
    for text in (team("apps: []"), app().rstrip(), "team: team-alpha", app() + "  # end"):
        file.write_text(text)
        assert new_app() == 0
        assert valid()
        assert file.read_text().endswith("may call it\n") or file.read_text().endswith("# end")


def test_a_byte_order_mark_stays(folder: Path) -> None:
    file = folder / "team-alpha.yaml"
    file.write_text(app(), encoding="utf-8-sig")
    assert new_app() == 0
    assert file.read_text(encoding="utf-8") == f"\ufeff{app()}\n{NEW}"


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_each_archetype_is_valid_at_once(
    folder: Path, archetype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "team-alpha.yaml").write_text(app())
    assert new_app(archetype=archetype) == 0
    assert capsys.readouterr().out == (
        "./team-alpha.yaml:8: added shop; its image is "
        "harbor.sre.internal/team-alpha/shop:v0.1.0.\n"
    )
    assert valid()
    apps = yaml.safe_load((folder / "team-alpha.yaml").read_text())["apps"]
    assert apps[1]["archetype"] == archetype
    assert apps[1].get("schedule", {}).get("cron") == (
        "0 2 * * *" if archetype == "cronjob" else None
    )


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_a_new_entry_shows_how_to_write_calls_and_callers(folder: Path, archetype: str) -> None:
    file = folder / "team-alpha.yaml"
    file.write_text(app(name="rates"))
    assert new_app(archetype=archetype) == 0
    given = {"team: TEAM, app: APP": "team: bank, app: ledger", "app: APP": "app: rates"}
    lines = []
    for line in file.read_text().splitlines():
        for shown, instead in {**given, "HOST": "api.example.com"}.items():
            line = line.replace(shown, instead)
        lines.append(line.replace("# call", "call"))
    text = "\n".join(lines)
    shop = yaml.safe_load(text)["apps"][1]
    assert ("callers" in shop) is (archetype == "web-app")
    assert shop["calls"][1:] == [{"team": "bank", "app": "ledger"}, {"host": "api.example.com"}]
    file.write_text(text)
    called = "callers: [{team: team-alpha, app: shop}]\ncalls: [{team: team-alpha, app: shop}]"
    if archetype != "web-app":
        called = called.partition("\n")[0]
    ledger = app(beside=called, name="ledger").replace("team-alpha/my-api", "bank/ledger")
    (folder / "bank.yaml").write_text(ledger.replace("team: team-alpha\n", "team: bank\n"))
    assert valid()


def test_an_app_can_be_added_to_a_new_file() -> None:
    assert new("team", "team-alpha") == 0
    for archetype in ARCHETYPES:
        assert new_app(f"a-{archetype}", archetype) == 0
        assert new_app(f"b-{archetype}", archetype) == 0
    assert valid()
    assert main(["set-image", "team-alpha", "b-worker", "v2", "--tenants", "."]) == 0
    assert valid()


AT_APPS = "./team-alpha.yaml:2:1: apps[1].app.name"


@pytest.mark.parametrize(
    ("name", "archetype", "said"),
    [
        ("my-api", "worker", f"{AT_APPS}: 'my-api' is also the name of another app of this team;"),
        ("default", "worker", f"{AT_APPS}: its ServiceAccount 'default' is already created by"),
        ("allow-dns", "web-app", f"{AT_APPS}: its NetworkPolicy 'allow-dns' is already created by"),
        (
            "9lives",
            "web-app",
            f"{AT_APPS}: '9lives' starts with a digit, but a Service name must not",
        ),
        (
            "a" * 53,
            "cronjob",
            f"{AT_APPS}: has 53 characters, but a cronjob's name may have at most 52;",
        ),
        (
            "a" * 60,
            "worker",
            f"{AT_APPS}: has 60 characters, but its Service <name>-metrics allows",
        ),
    ],
)
def test_a_name_that_validate_refuses_is_reported_at_the_key(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, archetype: str, said: str
) -> None:
    (folder / "team-alpha.yaml").write_text(app())
    lines = refused(capsys, "app", "team-alpha", name, "--archetype", archetype)
    assert len(lines) == 1
    assert lines[0].startswith(said)


@pytest.mark.parametrize(
    "name", ["", "Shop", "a b", "a: b", "a\n  b: c", '"a"', "#a", "a#", "../a", "*a", "{a}", "é"]
)
def test_an_invalid_name_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "team-alpha.yaml").write_text(app())
    lines = refused(capsys, "app", "team-alpha", name, "--archetype", "worker")
    assert len(lines) == 1
    assert lines[0].startswith("./team-alpha.yaml:3:3: apps[1].app.name: ")


NO_BLOCK = "must be a list of lines that begin with '- '; rewrite it, or add the app by hand"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (app() + "qota: {}\n", ["7:1: qota: is an unknown key; did you mean 'quota'?"]),
        (
            app("prot: 1") + "x: 1\n",
            [
                "7:7: apps[0].app.prot: is an unknown key; did you mean 'port'?",
                "8:1: x: is an unknown key; use one of: team, lifecycle, namespace, access, "
                "quota, limitRange, registry, defaultAlerts, apps",
            ],
        ),
        (
            team("apps: [{archetype: worker, app: {name: a, image: IMAGE}}]").replace(
                "IMAGE", IMAGE
            ),
            [f"2:7: apps: {NO_BLOCK}"],
        ),
        ("{team: team-alpha}\n", ["1:1: (file): is written in braces; use `key: value` lines"]),
        (team("apps: 5"), [f"2:7: apps: {NO_BLOCK}"]),
        (
            "team: [\n",
            ["1:1: (file): a bracket or brace is not closed, or a ',' is missing; fix it"],
        ),
        ("", ["1:1: (file): is empty; write at least the key `team`"]),
    ],
)
def test_a_file_that_an_app_cannot_be_added_to_stays_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, said: list[str]
) -> None:
    (folder / "team-alpha.yaml").write_text(text)
    assert refused(capsys, "app", "team-alpha", "shop", "--archetype", "worker") == [
        f"./team-alpha.yaml:{each}" for each in said
    ]


def test_a_file_with_an_end_mark_stays_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "team-alpha.yaml").write_text("team: team-alpha\n...\n")
    assert refused(capsys, "app", "team-alpha", "shop", "--archetype", "worker") == [
        "./team-alpha.yaml:1:1: apps: is in a form that cannot be extended; add the app by hand"
    ]


def test_an_unknown_team_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "team-alpha.yaml").write_text(app())
    assert refused(capsys, "app", "team-alpa", "shop", "--archetype", "worker") == [
        "./team-alpa.yaml:1:1: (file): no such file; did you mean team-alpha?"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["team"],
        ["app", "team-alpha", "shop"],
        ["app", "team-alpha", "shop", "--archetype", "x"],
        ["team", "x", "--stack", "nowhere"],
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["new", *arguments])
    assert end.value.code == 2
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("kind", [[], ["team"], ["app"]])
def test_help_shows_an_example(kind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["new", *kind, "--help"])
    assert end.value.code == 0
    assert "example: ./sre new " in capsys.readouterr().out
