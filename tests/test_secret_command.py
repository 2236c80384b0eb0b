"""`./sre secret set`, `list` and `diff`, with an OpenBao that gives set answers."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import secret
from cli.__main__ import main
from sandbox.servers.keys import Keys
from tests.fake_server import Answer, FakeServer, serving
from tests.written import app, place

TOKEN = "s.own-token-of-the-caller"
VALUE = "Hunter2-of-the-database"
HEALTH = "GET /v1/sys/health"
LOOKUP = "GET /v1/auth/token/lookup-self"
LISTED = "LIST /v1/sre/metadata/team-alpha"
UP = {"initialized": True, "sealed": False, "version": "2.7.2"}
WRITTEN = "2026-11-29T21:13:54.509673838Z"

METADATA, DATA, SUBKEYS = (
    f"/v1/sre/{endpoint}/team-alpha/shop-db" for endpoint in ("metadata", "data", "subkeys")
)
FORBIDDEN: Answer = (403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
NOT_CURRENT: Answer = (
    400,
    {"errors": ["check-and-set parameter did not match the current version"]},
)

FILE = app(
    """
    env:
      - {name: DB, secretRef: shop-db, key: password}
      - {name: TOKEN, secretRef: shop-token}
    secretFiles: [{path: /etc/tls, secretRef: shop-tls, keys: [tls.crt, tls.key]}]
    """
)


def version(number: int) -> tuple[int, Any]:
    versions = {str(number): {"created_time": WRITTEN, "deletion_time": "", "destroyed": False}}
    return 200, {"data": {"current_version": number, "versions": versions}}


def subkeys(number: int, *keys: str) -> Answer:
    metadata = {"version": number, "created_time": WRITTEN}
    return 200, {"data": {"subkeys": dict.fromkeys(keys), "metadata": metadata}}


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "team-alpha.yaml").write_text(FILE)
    return folder


@pytest.fixture
def bao(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An OpenBao without secrets, where the caller is logged in."""
    for name in ("ADDR", "TOKEN", "CACERT", "CAPATH", "NAMESPACE", "TOKEN_PATH"):
        monkeypatch.delenv(f"BAO_{name}", raising=False)
        monkeypatch.delenv(f"VAULT_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(None) as fake:
        fake.answers |= {
            HEALTH: (200, UP),
            LOOKUP: (200, {"data": {"policies": ["default"], "identity_policies": ["people"]}}),
            LISTED: (404, {"errors": []}),
        }
        monkeypatch.setenv("BAO_ADDR", fake.address)
        monkeypatch.setenv("BAO_TOKEN", TOKEN)
        yield fake


Run = Callable[..., int]


@pytest.fixture
def run(tenants: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`./sre secret` with these words; `given` is on standard input."""

    def command(*words: str, given: bytes = VALUE.encode()) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        return main(["secret", *words, "--tenants", str(tenants)])

    return command


def set_password(run: Run, given: bytes = VALUE.encode()) -> int:
    return run("set", "team-alpha", "shop-db", "--key", "password", given=given)


class Writes:
    """What is written, which the server takes as the version after 3."""

    def __init__(self, bao: FakeServer, *methods: str) -> None:
        self.bodies: list[Any] = []
        for method in methods:
            bao.answers[f"{method} {DATA}"] = self

    def __call__(self, body: Any) -> tuple[int, Any]:
        self.bodies.append(body)
        return 200, {"data": {"version": body["options"]["cas"] + 1}}


def test_a_key_is_merged_into_the_version_that_was_the_current_one(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bao.answers[f"GET {METADATA}"] = version(3)
    written = Writes(bao, "PATCH")
    assert set_password(run) == 0
    assert written.bodies == [{"options": {"cas": 3}, "data": {"password": VALUE}}]
    said = capsys.readouterr()
    assert said.out.startswith("sre/team-alpha/shop-db: stored password, as version 4.\n")
    assert said.err == ""
    assert f"GET {DATA}" not in bao.asked  # no value is read
    assert bao.secrets == {TOKEN}


def test_a_new_secret_is_written_only_if_it_still_is_new(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    written = Writes(bao, "POST")
    assert set_password(run) == 0
    assert written.bodies == [{"options": {"cas": 0}, "data": {"password": VALUE}}]
    assert "stored password, which is its only key, as version 1." in capsys.readouterr().out


def test_a_deleted_secret_is_written_anew_over_its_last_version(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bao.answers |= {f"GET {METADATA}": version(3), f"PATCH {DATA}": (404, {"data": {}})}
    written = Writes(bao, "POST")
    assert set_password(run) == 0
    assert written.bodies == [{"options": {"cas": 3}, "data": {"password": VALUE}}]
    assert "stored password, which is its only key, as version 4." in capsys.readouterr().out


def test_a_login_that_may_read_but_not_patch_keeps_the_other_keys_too(
    bao: FakeServer, run: Run
) -> None:
    others = {"user": "shop", "password": "old"}
    bao.answers |= {
        f"GET {METADATA}": version(3),
        f"PATCH {DATA}": FORBIDDEN,
        f"GET {DATA}": (200, {"data": {"data": others}}),
    }
    written = Writes(bao, "POST")
    assert set_password(run) == 0
    new = {"user": "shop", "password": VALUE}
    assert written.bodies == [{"options": {"cas": 3}, "data": new}]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_of_two_people_at_once_the_second_is_told_when_the_first_one_wrote(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    known = iter([version(3 if method == "PATCH" else 0), version(4)])
    bao.answers[f"GET {METADATA}"] = lambda _: next(known)
    bao.answers[f"{method} {DATA}"] = NOT_CURRENT
    assert set_password(run) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "./sre secret: sre/team-alpha/shop-db was changed meanwhile: version 4 is from "
        "2026-11-29 21:13:54 UTC, by whom only OpenBao's audit log says; your value is not "
        "stored: agree with your team, and run this again\n"
    )


@pytest.mark.parametrize(
    ("question", "answers", "lacks"),
    [
        (f"GET {METADATA}", FORBIDDEN, "read sre/metadata/team-alpha/shop-db"),
        (f"POST {DATA}", FORBIDDEN, "create sre/data/team-alpha/shop-db"),
    ],
)
def test_what_the_policies_forbid_is_named_with_the_policies(
    bao: FakeServer,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    question: str,
    answers: Answer,
    lacks: str,
) -> None:
    bao.answers[question] = answers
    assert set_password(run) == 1
    capability = lacks.partition(" ")[0]
    assert capsys.readouterr().err == (
        f"./sre secret: your login may not {lacks} (its policies: default, people); ask the "
        f"platform team for one with `{capability}` there\n"
    )


def test_a_login_that_may_neither_patch_nor_read_overwrites_nothing(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bao.answers |= {
        f"GET {METADATA}": version(3),
        f"PATCH {DATA}": FORBIDDEN,
        f"GET {DATA}": FORBIDDEN,
    }
    written = Writes(bao, "POST")
    assert set_password(run) == 1
    assert written.bodies == []
    assert "may not patch sre/data/team-alpha/shop-db " in capsys.readouterr().err


def test_what_openbao_says_of_a_bad_request_is_not_repeated(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bao.answers[f"POST {DATA}"] = (400, {"errors": [f"cannot take {VALUE} of {TOKEN}"]})
    assert set_password(run) == 1
    assert capsys.readouterr().err == (
        f"./sre secret: {bao.address} answered 400; ask the platform team\n"
    )


def test_a_connection_that_breaks_leaves_open_whether_the_value_is_stored(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: Any) -> tuple[int, Any]:
        raise ConnectionAbortedError

    bao.answers[f"POST {DATA}"] = breaks
    assert set_password(run) == 1
    said = capsys.readouterr().err
    assert "whether the value is stored is not known: see `./sre secret list team-alpha`" in said
    assert bao.asked.count(f"POST {DATA}") == 1


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (b"one line", "one line"),
        (b"as of echo\n", "as of echo"),
        (b"as of echo\r\n", "as of echo"),
        (b" spaces are its own \n", " spaces are its own "),
        (b"a file's\nlast newline\n", "a file's\nlast newline\n"),
        (b"blank line at the end\n\n", "blank line at the end\n\n"),
        ("Umläute\n".encode(), "Umläute"),
    ],
)
def test_only_the_newline_of_a_single_line_is_not_part_of_the_value(
    bao: FakeServer, run: Run, given: bytes, stored: str
) -> None:
    written = Writes(bao, "POST")
    assert set_password(run, given) == 0
    assert written.bodies[0]["data"] == {"password": stored}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "the value is empty; give it on standard input"),
        (b" \n", "the value is empty; give it on standard input"),
        (b"Hunter2\xff", "the value is not text in UTF-8; encode it, such as with `base64`, "),
        (b"Hunter2\x00", "the value is not text in UTF-8; encode it, such as with `base64`, "),
        (b"Hunter2" * 150_000, "the value has more than 1 MiB, the most that a Secret can hold"),
    ],
)
def test_a_value_that_no_app_could_use_is_refused_and_not_shown(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str], given: bytes, told: str
) -> None:
    written = Writes(bao, "POST")
    assert set_password(run, given) == 1
    assert written.bodies == []
    said = capsys.readouterr()
    assert said.err.startswith(f"./sre secret: {told}")
    assert "Hunter2" not in said.out + said.err


@pytest.mark.parametrize(
    "words",
    [
        ("team-alpha", "shop-db", VALUE),
        ("team-alpha", "shop-db", "--value", VALUE),
        ("team-alpha", "shop-db", f"--password={VALUE}"),
        ("team-alpha", "shop-db", "--key", f"password={VALUE}"),
        ("team-alpha", f"shop-db={VALUE}"),
        ("team-alpha", f"password:{VALUE}", "--key", "password"),
    ],
)
def test_a_value_among_the_arguments_is_refused_and_not_repeated(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    try:
        code = run("set", *words)
    except SystemExit as ended:
        code = ended.code
    assert code in (1, 2)
    said = capsys.readouterr()
    assert VALUE not in said.out + said.err
    assert bao.asked == []


def test_a_robot_s_password_is_not_typed(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("set", "team-alpha", "harbor-pull") == 1
    assert "harbor-pull has a robot's password; " in capsys.readouterr().err
    assert bao.asked == []


@pytest.mark.parametrize(
    ("name", "key", "warning"),
    [
        (
            "shop-bd",
            "password",
            "no app of team-alpha uses a secret shop-bd; did you mean shop-db?",
        ),
        (
            "kafka",
            "x",
            "no app of team-alpha uses a secret kafka; its file names shop-db, shop-tls, "
            "shop-token",
        ),
        (
            "shop-db",
            "pasword",
            "no app of team-alpha uses a key pasword of shop-db; did you mean password?",
        ),
        (
            "shop-token",
            "zzz",
            "no app of team-alpha uses a key zzz of shop-token; its file names value",
        ),
    ],
)
def test_a_name_that_no_app_uses_is_stored_with_a_warning(
    bao: FakeServer,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    name: str,
    key: str,
    warning: str,
) -> None:
    bao.answers[f"POST /v1/sre/data/team-alpha/{name}"] = (200, {"data": {"version": 1}})
    assert run("set", "team-alpha", name, "--key", key) == 0
    assert capsys.readouterr().err == f"warning: {warning}\n"


def test_a_team_without_a_file_gets_the_nearest_one(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("set", "team-alhpa", "shop-db") == 1
    assert "no such file; did you mean team-alpha?" in capsys.readouterr().err
    assert bao.asked == []


def test_a_file_with_a_mistake_does_not_keep_a_secret_from_being_stored(
    bao: FakeServer, run: Run, tenants: Path
) -> None:
    (tenants / "team-alpha.yaml").write_text(FILE.replace("v1.0.0", "latest"))
    written = Writes(bao, "POST")
    assert set_password(run) == 0
    assert written.bodies


def test_what_follows_names_who_restarts_and_who_does_not(
    bao: FakeServer, run: Run, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly = """\
  - archetype: cronjob
    app:
      name: nightly
      image: {repository: harbor.sre.internal/team-alpha/nightly, tag: v1.0.0}
      env: [{name: DB, secretRef: shop-db, key: password}]
    schedule: {cron: "0 2 * * *"}
  - archetype: worker
    app:
      name: feed
      image: {repository: harbor.sre.internal/team-alpha/feed, tag: v1.0.0}
      envFrom: [{secretRef: shop-db}]
      secretFiles: [{path: /etc/db, secretRef: shop-db, keys: [password]}]
"""
    (tenants / "team-alpha.yaml").write_text(FILE.rstrip("\n") + "\n" + nightly)
    Writes(bao, "POST")
    assert set_password(run) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "External Secrets takes it into the namespace within 1h, or at once with:",
        "  kubectl annotate externalsecret shop-db -n team-alpha "
        'force-sync="$(date +%s)" --overwrite',
        "Pods keep their variables. Once the Secret has the value, restart:",
        "  kubectl rollout restart -n team-alpha deployment/feed deployment/my-api",
        "Has it from the next run on: nightly.",
        "Gets it as a file, updated while the pod runs: feed.",
    ]


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, tenants: Path, *values: str) -> int:
    """`set` at a terminal where these are typed, one after the other."""
    given = iter(values)

    def prompt(_: str) -> str:
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(secret.getpass, "getpass", prompt)
    monkeypatch.setattr("sys.stdin", Keyboard())
    words = ["set", "team-alpha", "shop-db", "--key", "password", "--tenants", str(tenants)]
    return main(["secret", *words])


def test_at_a_terminal_the_value_is_asked_for_twice_and_not_shown(
    bao: FakeServer,
    tenants: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = Writes(bao, "POST")
    assert typed(monkeypatch, tenants, VALUE, VALUE) == 0
    assert written.bodies[0]["data"] == {"password": VALUE}
    said = capsys.readouterr()
    assert VALUE not in said.out + said.err


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((VALUE, "Hunter3"), "the two values differ; nothing is stored"),
        ((), "no value was typed; nothing is stored"),
        ((VALUE,), "no value was typed; nothing is stored"),
    ],
)
def test_two_values_that_differ_are_not_stored(
    bao: FakeServer,
    tenants: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    values: tuple[str, ...],
    told: str,
) -> None:
    written = Writes(bao, "POST")
    assert typed(monkeypatch, tenants, *values) == 1
    assert written.bodies == []
    assert capsys.readouterr().err.endswith(f"./sre secret: {told}\n")


def test_the_version_is_read_before_the_value_is_typed(
    bao: FakeServer, tenants: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def prompt(_: str) -> str:
        asked.extend(bao.asked)
        return VALUE

    Writes(bao, "POST")
    monkeypatch.setattr(secret.getpass, "getpass", prompt)
    monkeypatch.setattr("sys.stdin", Keyboard())
    words = ["set", "team-alpha", "shop-db", "--key", "password", "--tenants", str(tenants)]
    assert main(["secret", *words]) == 0
    assert f"GET {METADATA}" in asked


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        (HEALTH, (200, {**UP, "sealed": True}), "is sealed; ask the platform team to unseal it"),
        (HEALTH, (200, {**UP, "initialized": False}), "is not initialised; ask the platform team"),
        (HEALTH, (200, {"status": "ok"}), "is not an OpenBao; check the address"),
        (HEALTH, (200, "welcome"), "is not an OpenBao; check the address"),
        (HEALTH, (301, {}), "is not an OpenBao; check the address"),
        (HEALTH, (502, {}), "answered 502: Bad Gateway; try again later"),
    ],
)
@pytest.mark.parametrize("words", [("set", "team-alpha", "shop-token"), ("diff",)])
def test_an_openbao_that_cannot_answer_is_one_line(
    bao: FakeServer,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    question: str,
    answer: Answer,
    told: str,
    words: tuple[str, ...],
) -> None:
    bao.answers[question] = answer
    assert run(*words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"./sre secret: {bao.address} {told}\n"
    assert bao.secrets == set()  # the token is only for an OpenBao


LOG_IN = "log in (`bao login -method=oidc`), or set BAO_TOKEN"


@pytest.mark.parametrize("words", [("set", "team-alpha", "shop-token"), ("list", "team-alpha")])
def test_a_login_that_has_expired_is_told_apart_from_a_lack_of_rights(
    bao: FakeServer, run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    token = "GET /v1/sre/metadata/team-alpha/shop-token"
    bao.answers |= dict.fromkeys((LOOKUP, LISTED, token), FORBIDDEN)
    assert run(*words) == 1
    assert capsys.readouterr().err == (
        f"./sre secret: the login at {bao.address} is not valid, or not any more; {LOG_IN}\n"
    )


def test_without_a_token_nothing_is_asked_for_but_health(
    bao: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BAO_TOKEN")
    assert run("diff") == 1
    assert capsys.readouterr().err == (f"./sre secret: not logged in to {bao.address}; {LOG_IN}\n")
    assert bao.asked == [HEALTH]


def test_a_token_with_a_line_break_is_refused_and_not_shown(
    bao: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BAO_TOKEN", "s.hunter2\nx")
    assert run("diff") == 1
    said = capsys.readouterr().err
    assert said.endswith(f"the credential holds characters that no header may; {LOG_IN}\n")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (None, "no address of OpenBao; set BAO_ADDR, or sre-platform:openbao.address in the "),
        ("127.0.0.1:1", "BAO_ADDR: '127.0.0.1:1' is not a URL; write one such as https://openbao."),
        ("https://me:pw@bao", "BAO_ADDR: contains a user name or an '@'; write only the address"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1 does not answer"),
    ],
)
def test_a_wrong_address_is_one_line(
    bao: FakeServer,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str | None,
    told: str,
) -> None:
    monkeypatch.delenv("BAO_ADDR")
    if address:
        monkeypatch.setenv("BAO_ADDR", address)
    assert run("diff") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"./sre secret: {told}")
    assert said.count("\n") == 1


def test_a_certificate_of_an_unknown_ca_is_refused_with_what_to_set(
    bao: FakeServer,
    keys: Keys,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(keys) as encrypted:
        encrypted.answers = bao.answers
        monkeypatch.setenv("BAO_ADDR", encrypted.address)
        assert run("diff") == 1
        said = capsys.readouterr().err
        assert "shows a certificate that cannot be verified" in said
        assert said.endswith("; name its CA in BAO_CACERT\n")
        for name in ("VAULT_CACERT", "BAO_CACERT"):
            with monkeypatch.context() as patch:
                patch.setenv(name, str(keys.ca_cert))
                assert run("list", "team-alpha") == 0


def test_the_login_is_the_one_that_bao_itself_would_use(
    bao: FakeServer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used() -> set[str]:
        bao.secrets.clear()
        assert run("list", "team-alpha") == 0
        return set(bao.secrets)

    monkeypatch.setenv("VAULT_TOKEN", "s.of-vault")
    assert used() == {TOKEN}
    monkeypatch.delenv("BAO_TOKEN")
    assert used() == {"s.of-vault"}
    monkeypatch.delenv("VAULT_TOKEN")
    (tmp_path / ".vault-token").write_text("s.of-login\n")
    assert used() == {"s.of-login"}
    (tmp_path / "elsewhere").write_text("s.elsewhere")
    monkeypatch.setenv("BAO_TOKEN_PATH", str(tmp_path / "elsewhere"))
    assert used() == {"s.elsewhere"}
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    assert used() == {"s.elsewhere"}


@pytest.fixture
def filled(bao: FakeServer) -> FakeServer:
    """An OpenBao with some of the team's secrets, and some others."""
    bao.answers |= {
        LISTED: (200, {"data": {"keys": ["harbor-pull", "old", "shop-db", "shop-tls", "sub/"]}}),
        f"GET {SUBKEYS}": subkeys(3, "user", "password"),
        "GET /v1/sre/subkeys/team-alpha/shop-tls": subkeys(1, "tls.crt"),
        "GET /v1/sre/subkeys/team-alpha/old": (404, {"data": {"subkeys": None}}),
        "GET /v1/sre/subkeys/team-alpha/harbor-pull": subkeys(2, "registry", "password"),
    }
    return bao


def test_the_list_has_what_the_file_names_and_what_openbao_has(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list", "team-alpha") == 0
    said = capsys.readouterr()
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "SECRET       STATE       VERSION  WRITTEN                  KEYS                        "
        "USED BY",
        "harbor-pull  stored      2        2026-11-29 21:13:54 UTC  password, registry          "
        "the cluster's pulls",
        "old          deleted     -        -                        -                           -",
        "shop-db      stored      3        2026-11-29 21:13:54 UTC  password, user              "
        "my-api",
        "shop-tls     lacks keys  1        2026-11-29 21:13:54 UTC  tls.crt, tls.key (missing)  "
        "my-api",
        "shop-token   missing     -        -                        value (named)               "
        "my-api",
        "sub/         folder      -        -                        -                           -",
    ]
    assert said.err == ""


def test_the_list_for_programs(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list", "team-alpha", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["team"] == "team-alpha"
    assert document["unreadable"] == []
    assert {each["secret"]: each for each in document["secrets"]}["shop-tls"] == {
        "secret": "shop-tls",
        "path": "sre/team-alpha/shop-tls",
        "state": "lacks keys",
        "version": 1,
        "written": WRITTEN,
        "keys": ["tls.crt"],
        "namedKeys": ["tls.crt", "tls.key"],
        "wholeNamed": False,
        "usedBy": ["my-api"],
    }


def test_what_is_missing_is_reported_at_its_place_in_the_file(
    filled: FakeServer, run: Run, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("diff") == 1
    file = tenants / "team-alpha.yaml"
    _, token = place(FILE.replace("shop-token", "«shop-token"))
    _, tls_key = place(FILE.replace("tls.key", "«tls.key"))
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:{tls_key}: apps[0].app.secretFiles[0].keys[1]: sre/team-alpha/shop-tls has no "
        "key tls.key; store it: ./sre secret set team-alpha shop-tls --key tls.key",
        f"{file}:{token}: apps[0].app.env[1].secretRef: "
        "sre/team-alpha/shop-token is not in OpenBao; store it: "
        "./sre secret set team-alpha shop-token",
    ]


def test_a_deleted_secret_is_missing(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.answers[f"GET {SUBKEYS}"] = (404, {"data": {"subkeys": None}})
    assert run("diff", "team-alpha", "--format", "json") == 1
    missing = json.loads(capsys.readouterr().out)["missing"]
    assert [(each["path"], each["key"]) for each in missing] == [
        ("sre/team-alpha/shop-db", None),
        ("sre/team-alpha/shop-tls", "tls.key"),
        ("sre/team-alpha/shop-token", None),
    ]
    assert run("diff", "team-alpha") == 1
    assert (
        "sre/team-alpha/shop-db was deleted in OpenBao; store it, with the keys password: "
        "./sre secret set team-alpha shop-db --key password"
    ) in capsys.readouterr().out


def test_nothing_missing_is_said_and_is_success(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.answers |= {
        LISTED: (200, {"data": {"keys": ["shop-db", "shop-tls", "shop-token"]}}),
        "GET /v1/sre/subkeys/team-alpha/shop-tls": subkeys(1, "tls.crt", "tls.key"),
        "GET /v1/sre/subkeys/team-alpha/shop-token": subkeys(1, "value"),
    }
    assert run("diff") == 0
    said = capsys.readouterr().out
    assert said == "3 of 3 secrets in the files compared, none is missing.\n"


def test_what_the_login_may_not_list_is_said_and_does_not_fail(
    bao: FakeServer, run: Run, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-beta.yaml").write_text(FILE.replace("team-alpha", "team-beta"))
    bao.answers |= {LISTED: FORBIDDEN, "LIST /v1/sre/metadata/team-beta": FORBIDDEN}
    assert run("diff") == 0
    said = capsys.readouterr()
    assert said.out == "0 of 6 secrets in the files compared, none is missing.\n"
    assert said.err.splitlines() == [
        f"not compared: your login may not list sre/metadata/{team}"
        for team in ("team-alpha", "team-beta")
    ]
    assert run("list", "team-alpha", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unreadable"] == [
        {"team": "team-alpha", "path": "sre/metadata/team-alpha", "capability": "list"}
    ]
    assert {each["state"] for each in document["secrets"]} == {"not readable"}


def test_keys_are_read_from_the_values_if_the_policy_shows_only_these(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {"version": 3, "created_time": WRITTEN}
    filled.answers |= {
        f"GET {SUBKEYS}": FORBIDDEN,
        f"GET {DATA}": (200, {"data": {"data": {"password": VALUE}, "metadata": metadata}}),
    }
    assert run("list", "team-alpha") == 0
    said = capsys.readouterr()
    assert "shop-db      stored      3 " in said.out
    assert VALUE not in said.out + said.err


def test_a_secret_whose_keys_are_not_shown_is_not_called_missing(
    filled: FakeServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.answers |= {f"GET {SUBKEYS}": FORBIDDEN, f"GET {DATA}": FORBIDDEN}
    assert run("diff") == 1
    said = capsys.readouterr()
    assert "shop-db" not in said.out
    assert said.err == ("not compared: your login may not read sre/subkeys/team-alpha/shop-db\n")


def test_an_offboarded_team_needs_no_secrets(
    bao: FakeServer, run: Run, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-alpha.yaml").write_text("lifecycle: offboarding\n" + FILE)
    assert run("diff") == 0
    assert capsys.readouterr().out == "0 of 0 secrets in the files compared, none is missing.\n"


def test_a_file_that_is_not_yaml_is_reported_after_the_others(
    filled: FakeServer, run: Run, tenants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-beta.yaml").write_text("team: [")
    assert run("diff") == 1
    said = capsys.readouterr()
    assert "shop-token" in said.out
    assert "team-beta.yaml:" in said.err
