"""`./sre secret rotate`, with a Harbor and an OpenBao that give set answers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from clients.http import RefusedError, UnreachableError
from tests.fake_server import Answer, FakeServer, serving
from tests.written import app

PATHS = {name: f"/v1/sre/data/team-alpha/harbor-{name}" for name in ("push", "pull")}
METADATA = {name: f"/v1/sre/metadata/team-alpha/harbor-{name}" for name in ("push", "pull")}
USER = "GET /api/v2.0/users/current"
PROJECT = "GET /api/v2.0/projects/team-alpha"
ROBOTS = "GET /api/v2.0/robots"
PASSWORD = {"push": "PATCH /api/v2.0/robots/11", "pull": "PATCH /api/v2.0/robots/12"}
FORBIDDEN: Answer = (403, {"errors": ["permission denied"]})
NOT_CURRENT: tuple[int, Any] = (
    400,
    {"errors": ["check-and-set parameter did not match the current version"]},
)


class Vault:
    """The two credentials: their versions, and what they hold."""

    def __init__(self) -> None:
        self.versions = {"push": 1, "pull": 1}
        self.kept: dict[str, dict[str, Any]] = {name: {"note": "kept"} for name in PATHS}

    def metadata(self, name: str) -> Callable[[Any], tuple[int, Any]]:
        def answer(_: Any) -> tuple[int, Any]:
            return 200, {"data": {"current_version": self.versions[name], "versions": {}}}

        return answer

    def patch(self, name: str) -> Callable[[Any], tuple[int, Any]]:
        def answer(body: Any) -> tuple[int, Any]:
            if body["options"]["cas"] != self.versions[name]:
                return NOT_CURRENT
            self.kept[name] |= body["data"]
            self.versions[name] += 1
            return 200, {"data": {"version": self.versions[name]}}

        return answer


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def bao(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An OpenBao with the credentials of both robots."""
    for name in ("BAO_CACERT", "VAULT_CACERT", "BAO_NAMESPACE", "VAULT_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with serving(None) as fake:
        health = {"initialized": True, "sealed": False}
        fake.answers |= {
            "GET /v1/sys/health": (200, health),
            "GET /v1/auth/token/lookup-self": (200, {"data": {"policies": ["people"]}}),
        }
        for name, path in PATHS.items():
            fake.answers[f"GET {METADATA[name]}"] = vault.metadata(name)
            fake.answers[f"PATCH {path}"] = vault.patch(name)
            fake.answers[f"POST {path}"] = NOT_CURRENT
        monkeypatch.setenv("BAO_ADDR", fake.address)
        monkeypatch.setenv("BAO_TOKEN", "s.own-token-of-the-caller")
        yield fake


class Passwords:
    """What Harbor is given for a robot."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, body: Any) -> tuple[int, Any]:
        self.given.append(body["secret"])
        return 200, {"secret": ""}


@pytest.fixture
def passwords() -> dict[str, Passwords]:
    return {"push": Passwords(), "pull": Passwords()}


def robot(name: str, id: int, **fields: Any) -> dict[str, Any]:
    full = f"robot$team-alpha+{name}"
    return {"id": id, "name": full, "expires_at": -1, "disable": False, **fields}


@pytest.fixture
def harbor(
    passwords: dict[str, Passwords], monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeServer]:
    """A Harbor with the robots of team-alpha."""
    with serving(None) as fake:
        fake.answers |= {
            USER: (200, {"username": "admin"}),
            PROJECT: (200, {"project_id": 7}),
            ROBOTS: (200, [robot("push", 11), robot("pull", 12)]),
            PASSWORD["push"]: passwords["push"],
            PASSWORD["pull"]: passwords["pull"],
        }
        monkeypatch.setenv("HARBOR_URL", fake.address)
        monkeypatch.setenv("HARBOR_USERNAME", "admin")
        monkeypatch.setenv("HARBOR_PASSWORD", "Harbor12345")
        yield fake


@pytest.fixture
def rotate(bao: FakeServer, harbor: FakeServer, tmp_path: Path) -> Callable[..., int]:
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "team-alpha.yaml").write_text(app())

    def command(*words: str) -> int:
        return main(["secret", "rotate", "team-alpha", *words, "--tenants", str(folder)])

    return command


Rotate = Callable[..., int]


def test_both_robots_get_new_passwords_which_openbao_then_has(
    rotate: Rotate,
    vault: Vault,
    passwords: dict[str, Passwords],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rotate() == 0
    for name in PATHS:
        (password,) = passwords[name].given
        assert vault.kept[name] == {
            "note": "kept",
            "registry": "harbor.sre.internal",
            "username": f"robot$team-alpha+{name}",
            "password": password,
        }
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == [
        "robot$team-alpha+push: new password, in sre/team-alpha/harbor-push as version 2.",
        "robot$team-alpha+pull: new password, in sre/team-alpha/harbor-pull as version 2.",
    ]
    for name in PATHS:
        assert passwords[name].given[0] not in said.out + said.err


def test_a_password_is_of_the_kind_that_harbor_takes_and_never_the_same(
    rotate: Rotate, passwords: dict[str, Passwords]
) -> None:
    for _ in range(3):
        assert rotate("--robot", "push") == 0
    given = passwords["push"].given
    assert len(set(given)) == 3
    for password in given:
        assert re.fullmatch(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{40}", password)
    assert passwords["pull"].given == []


def test_without_a_kubeconfig_it_says_how_the_namespace_gets_the_password(
    rotate: Rotate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rotate("--robot", "pull") == 0
    said = capsys.readouterr().out
    assert "The namespace still has the old password, with which new pods cannot pull (" in said
    assert "run now: kubectl annotate externalsecret harbor-pull -n team-alpha force-sync=" in said


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("https://bao", 503, "OpenBao is sealed"),
        UnreachableError("https://bao", "does not answer"),
        KeyboardInterrupt(),
    ],
)
def test_an_interrupted_run_is_mended_by_the_next_one(
    rotate: Rotate,
    vault: Vault,
    passwords: dict[str, Passwords],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
) -> None:
    """Harbor has taken the new password, and OpenBao does not get it."""

    def patch(*_: Any) -> int:
        raise error

    with monkeypatch.context() as outage:
        outage.setattr("clients.kv.KeyValue.try_to_write", lambda *_, **__: None)
        outage.setattr("clients.kv.KeyValue.patch", patch)
        assert rotate() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "robot$team-alpha+push has a new password in Harbor, but " in said.err
    assert said.err.endswith("so that its login fails; run this again now\n")
    assert passwords["pull"].given == []  # the next robot is left alone
    (lost,) = passwords["push"].given
    assert lost not in said.err
    assert rotate() == 0
    assert vault.kept["push"]["password"] == passwords["push"].given[-1] != lost


def test_a_robot_whose_answer_got_lost_may_have_a_new_password(
    rotate: Rotate, harbor: FakeServer, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: Any) -> tuple[int, Any]:
        raise ConnectionAbortedError

    harbor.answers[PASSWORD["push"]] = breaks
    assert rotate() == 1
    said = capsys.readouterr().err
    assert "robot$team-alpha+push may have a new password that OpenBao does not have: run" in said
    assert vault.versions == {"push": 1, "pull": 1}


def test_who_changes_the_secret_meanwhile_keeps_their_keys_and_not_the_password(
    rotate: Rotate, bao: FakeServer, vault: Vault, passwords: dict[str, Passwords]
) -> None:
    given, answer = passwords["push"], bao.answers[f"PATCH {PATHS['push']}"]
    assert callable(answer)

    def late(body: Any) -> tuple[int, Any]:
        if len(given.given) == 1 and vault.versions["push"] == 1:
            vault.kept["push"] |= {"password": "theirs", "more": "theirs"}
            vault.versions["push"] = 2
        return answer(body)

    bao.answers[f"PATCH {PATHS['push']}"] = late
    assert rotate("--robot", "push") == 0
    assert vault.versions["push"] == 3
    assert vault.kept["push"]["more"] == "theirs"
    assert vault.kept["push"]["password"] == given.given[0]


def test_a_deleted_credential_is_stored_whole(
    rotate: Rotate, bao: FakeServer, passwords: dict[str, Passwords]
) -> None:
    written: list[Any] = []

    def write(body: Any) -> tuple[int, Any]:
        if body["options"]["cas"] != 1:
            return NOT_CURRENT
        written.append(body["data"])
        return 200, {"data": {"version": 2}}

    bao.answers[f"PATCH {PATHS['pull']}"] = (404, {"errors": []})
    bao.answers[f"POST {PATHS['pull']}"] = write
    assert rotate("--robot", "pull") == 0
    assert written == [
        {
            "registry": "harbor.sre.internal",
            "username": "robot$team-alpha+pull",
            "password": passwords["pull"].given[0],
        }
    ]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (f"GET {METADATA['pull']}", "read sre/metadata/team-alpha/harbor-pull"),
        (f"POST {PATHS['pull']}", "update sre/data/team-alpha/harbor-pull"),
        ("PATCH and GET", "patch sre/data/team-alpha/harbor-pull"),
    ],
)
def test_without_the_right_to_store_it_no_robot_gets_a_new_password(
    rotate: Rotate,
    bao: FakeServer,
    passwords: dict[str, Passwords],
    capsys: pytest.CaptureFixture[str],
    question: str,
    told: str,
) -> None:
    both = (f"PATCH {PATHS['pull']}", f"GET {PATHS['pull']}")
    bao.answers |= dict.fromkeys(both if "and" in question else (question,), FORBIDDEN)
    assert rotate() == 1
    assert f"./sre secret: your login may not {told} " in capsys.readouterr().err
    assert passwords["push"].given == passwords["pull"].given == []


EXPIRED = (
    "robot$team-alpha+pull expired on 2001-09-09, which a new password does not change; raise "
)


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        (USER, (401, {}), "does not accept HARBOR_USERNAME with HARBOR_PASSWORD; correct them"),
        (PROJECT, (404, {}), "shows no project team-alpha; run the team's `pulumi up`, or use "),
        (PROJECT, (403, {}), "shows no project team-alpha; run the team's `pulumi up`, or use "),
        (ROBOTS, (200, [robot("push", 11)]), "Harbor has no robot team-alpha+pull; run the team's"),
        (
            ROBOTS,
            (200, [robot("push", 11), robot("pull", 12, disable=True)]),
            "robot$team-alpha+pull is disabled; the team's `lifecycle` decides that",
        ),
        (ROBOTS, (200, [robot("push", 11), robot("pull", 12, expires_at=10**9)]), EXPIRED),
        (PASSWORD["push"], (403, {}), "HARBOR_USERNAME may not change robot$team-alpha+push; use "),
        (PASSWORD["push"], (400, {"errors": [{"message": "Hunter2"}]}), "answered 400; ask the"),
    ],
)
def test_what_harbor_refuses_is_one_line_and_changes_nothing(
    rotate: Rotate,
    harbor: FakeServer,
    vault: Vault,
    capsys: pytest.CaptureFixture[str],
    question: str,
    answer: Answer,
    told: str,
) -> None:
    harbor.answers[question] = answer
    assert rotate() == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert "Hunter2" not in said.err
    assert vault.versions == {"push": 1, "pull": 1}


def test_without_harbor_s_login_it_says_what_to_set(
    rotate: Rotate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HARBOR_PASSWORD")
    assert rotate() == 1
    assert capsys.readouterr().err == ("./sre secret: HARBOR_PASSWORD is not set; set it\n")
