"""`./sre doctor` on OpenBao: each check against a server that fails it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.keys import Keys
from specs.settings import PREFIX, Settings
from tests.conftest import Program
from tests.doctored import DoctorReport, ask
from tests.fake_server import FakeServer, serving
from tests.program import Made, web_app
from tools.doctor.openbao_checks import PATHS, OpenBaoChecks

pytestmark = pytest.mark.commands

TOKEN = "s.hunter2-openbao"
LOOKUP = "GET /v1/auth/token/lookup-self"
CAPABILITIES = "POST /v1/sys/capabilities-self"
KV, AUTH = "GET /v1/sys/internal/ui/mounts/sre", "GET /v1/sys/internal/ui/mounts/auth/kubernetes"
ALL = ["create", "read", "update", "delete", "sudo"]
ACCESSOR = "auth_oidc_1a2b3c4d"
CONFIG = "GET /v1/auth/oidc/config"
ROLE = "GET /v1/auth/oidc/role/people"


def token(**properties: Any) -> tuple[int, Any]:
    data = {"ttl": 7200, "display_name": "ci", "policies": ["platform"], "type": "service"}
    return 200, {"data": {**data, **properties}}


def granting(*capabilities: str, only_on: str = "") -> Any:
    """All capabilities, but where the path starts with `only_on` just these."""

    def answer(document: Any) -> tuple[int, Any]:
        granted = {
            path: list(capabilities) if path.startswith(only_on) else ALL
            for path in document["paths"]
        }
        return 200, {"data": granted}

    return answer


@pytest.fixture
def encrypted() -> bool:
    return True


@pytest.fixture
def bao(keys: Keys, encrypted: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An OpenBao that has all that a stack needs."""
    with serving(keys if encrypted else None) as fake:
        health = {"initialized": True, "sealed": False, "standby": False, "version": "2.7.2"}
        fake.answers |= {
            "GET /v1/sys/health": (200, health),
            LOOKUP: token(),
            CAPABILITIES: granting(*ALL),
            KV: (200, {"data": {"type": "kv", "options": {"version": "2"}}}),
            AUTH: (200, {"data": {"type": "kubernetes", "options": None}}),
            "GET /v1/sys/auth": (200, {"data": {"oidc/": {"accessor": ACCESSOR, "type": "oidc"}}}),
            CONFIG: (200, {"data": {"default_role": "people"}}),
            ROLE: (200, {"data": {"groups_claim": "groups"}}),
        }
        monkeypatch.setenv("VAULT_ADDR", fake.address)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        monkeypatch.setenv("VAULT_CACERT", str(keys.ca_cert))
        monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
        yield fake


@pytest.fixture
def made(program: Program) -> Made:
    return program(web_app(), platform=True, openbao={"oidcAccessor": ACCESSOR})


def examined(made: Made, platform: bool = False, **openbao: Any) -> DoctorReport:
    config = {
        "teams": "*",
        "platform": platform,
        "kubernetes": {"clusterIdentifier": "test"},
        "openbao": {"oidcAccessor": ACCESSOR, **openbao},
    }
    settings = Settings.model_validate({PREFIX + key: value for key, value in config.items()})
    registered = [(one.type, one.inputs) for one in made.of_package("vault")]
    return ask("OpenBao", OpenBaoChecks(settings, registered))


def test_a_complete_openbao_passes_every_check(bao: FakeServer, made: Made) -> None:
    told = examined(made)
    assert told.statuses == {"ok"}
    assert [line.what for line in told.lines] == [
        "OpenBao: reachable", "OpenBao: TLS", "OpenBao: token", "OpenBao: child token",
        "OpenBao: KV mount", "OpenBao: Kubernetes logins", "OpenBao: OIDC accessor",
        "OpenBao: capabilities",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (
            "GET /v1/sys/health",
            (200, {"initialized": False, "sealed": True}),
            "reachable",
            "is not initialised",
        ),
        (
            "GET /v1/sys/health",
            (200, {"initialized": True, "sealed": True}),
            "reachable",
            "is sealed",
        ),
        ("GET /v1/sys/health", (500, {}), "reachable", "answered 500"),
        (
            "GET /v1/sys/health",
            (200, "welcome"),
            "reachable",
            "unexpected answer (TypeError)",
        ),
        ("GET /v1/sys/health", (301, {}), "reachable", "answered 301"),
        (
            LOOKUP,
            (403, {"errors": ["permission denied"]}),
            "token",
            "missing, or no longer valid",
        ),
        (LOOKUP, token(ttl=120), "token", "ci, for 2 more minutes"),
        (LOOKUP, token(type="batch"), "child token", "the token cannot create child tokens"),
        (
            CAPABILITIES,
            granting("deny", only_on="auth/token/create"),
            "child token",
            "cannot create child tokens",
        ),
        (KV, (200, {"data": {"type": "kv", "options": None}}), "KV mount", "sre is KV version 1"),
        (KV, (200, {"data": {"type": "pki", "options": None}}), "KV mount", "sre is of type pki"),
        (KV, (403, {}), "KV mount", "the mount sre does not exist"),
        (AUTH, (200, {"data": {"type": "jwt"}}), "Kubernetes logins", "is of type jwt"),
        (AUTH, (403, {}), "Kubernetes logins", "the auth mount kubernetes does not exist"),
        (
            "GET /v1/sys/auth",
            (200, {"data": {"oidc/": {"accessor": "auth_oidc_0"}}}),
            "OIDC accessor",
            f"no auth mount has the accessor {ACCESSOR}",
        ),
        (
            "GET /v1/sys/auth",
            (200, {"data": {"apps/": {"accessor": ACCESSOR, "type": "approle"}}}),
            "OIDC accessor",
            f"{ACCESSOR} is auth/apps, of type approle",
        ),
        (
            CAPABILITIES,
            granting("create", "read", only_on="sre/data/"),
            "capabilities",
            "lacks update, delete on sre/data/team-alpha/harbor-pull, sre/data/",
        ),
        (
            CAPABILITIES,
            granting("update", "read", "delete", only_on="sys/auth"),
            "capabilities",
            "lacks sudo on sys/auth/kubernetes",
        ),
    ],
)
def test_what_is_wrong_fails_its_own_check(
    bao: FakeServer, made: Made, question: str, answer: Any, what: str, found: str
) -> None:
    bao.answers[question] = answer
    failed = examined(made).failed()
    assert list(failed) == [f"OpenBao: {what}"]
    assert found in failed[f"OpenBao: {what}"].found
    assert failed[f"OpenBao: {what}"].do


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (LOOKUP, token(policies=["root"], ttl=0), "token", "a root token"),
        (LOOKUP, token(ttl=20 * 60), "token", "ci, for 20 more minutes"),
        ("GET /v1/sys/auth", (403, {}), "OIDC accessor", "cannot be read (403)"),
        (
            ROLE,
            (200, {"data": {"groups_claim": ""}}),
            "OIDC accessor",
            "the default role people of auth/oidc reads no groups: developers get no secrets",
        ),
    ],
)
def test_what_users_should_know_is_a_warning(
    bao: FakeServer, made: Made, question: str, answer: Any, what: str, found: str
) -> None:
    bao.answers[question] = answer
    told = examined(made)
    assert told.failed() == {}
    (warned,) = told.warned
    assert (warned.what, warned.finding.found) == (f"OpenBao: {what}", found)


@pytest.mark.parametrize("question", [CONFIG, ROLE])
@pytest.mark.parametrize("status", [403, 404])
def test_a_login_that_the_token_may_not_read_is_not_judged(
    bao: FakeServer, made: Made, question: str, status: int
) -> None:
    bao.answers[question] = (status, {})
    assert examined(made).found("OpenBao: OIDC accessor") == f"{ACCESSOR} is auth/oidc"


def test_what_the_platform_s_stack_creates_itself_may_be_missing(
    bao: FakeServer, made: Made
) -> None:
    bao.answers |= {KV: (403, {}), AUTH: (403, {})}
    told = examined(made, platform=True)
    assert told.statuses == {"ok"}
    assert "will be created by this stack" in told.found("OpenBao: KV mount")
    assert "will be created by this stack" in told.found("OpenBao: Kubernetes logins")


def test_the_platform_s_stack_cannot_use_a_mount_of_another_type(
    bao: FakeServer, made: Made
) -> None:
    bao.answers[KV] = (200, {"data": {"type": "kv", "options": {"version": "1"}}})
    assert list(examined(made, platform=True).failed()) == ["OpenBao: KV mount"]


def test_a_token_that_is_used_itself_need_not_create_another(bao: FakeServer, made: Made) -> None:
    bao.answers[LOOKUP] = token(type="batch")
    assert examined(made, skipChildToken=True).statuses == {"ok"}


def test_disabled_verification_is_reported(bao: FakeServer, made: Made) -> None:
    (warned,) = examined(made, skipTlsVerify=True).warned
    assert (warned.what, warned.finding.found) == (
        "OpenBao: TLS", "not verified: sre-platform:openbao.skipTlsVerify"
    )  # fmt: skip


@pytest.mark.parametrize("encrypted", [False])
def test_a_token_in_plain_text_is_reported(bao: FakeServer, made: Made) -> None:
    (warned,) = examined(made).warned
    assert (warned.what, warned.finding.found) == (
        "OpenBao: TLS", "none: the token travels in plain text"
    )  # fmt: skip


def test_a_certificate_of_another_ca_is_distinguished_from_no_answer(
    bao: FakeServer, made: Made, other_keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_CACERT", str(other_keys.ca_cert))
    told = examined(made)
    (failed,) = told.failed().values()
    assert "shows a certificate that cannot be verified" in failed.found
    assert failed.do == "name the CA that signed it in VAULT_CACERT"
    assert told.statuses == {"FAIL", "skipped"}


def test_a_missing_ca_file_is_reported(
    bao: FakeServer, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (None, "no certificate"):
        file = tmp_path / "ca.crt"
        if content:
            file.write_text(content)
        monkeypatch.setenv("VAULT_CACERT", str(file))
        (failed,) = examined(made).failed().values()
        assert failed.do == "name the CA that signed it in VAULT_CACERT"


def test_no_answer_fails_once_and_skips_the_rest(
    keys: Keys, made: Made, bao: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(keys) as gone:
        address = gone.address
    monkeypatch.setenv("VAULT_ADDR", address)
    told = examined(made)
    assert [line.finding.status for line in told.lines] == ["FAIL", *["skipped"] * 7]
    assert told.lines[0].finding.found.startswith(f"{address} does not answer")


def test_a_token_that_no_header_can_contain_is_reported(
    bao: FakeServer, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hunter2\nzwei€")
    told = examined(made)
    assert told.failed()["OpenBao: reachable"].do == "fix the credential"
    assert "hunter2" not in told.text


def test_a_token_file_that_cannot_be_read_is_reported(
    bao: FakeServer, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "/home/jo/.vault-token")

    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setattr("clients.openbao._left_by_login", unreadable)
    (failed,) = examined(made).failed().values()
    assert failed.found == "/home/jo/.vault-token: Permission denied"


@pytest.mark.parametrize("status", [400, 403])
def test_no_text_of_the_server_is_printed_because_it_may_repeat_the_token(
    bao: FakeServer, made: Made, status: int
) -> None:
    for question in list(bao.answers):
        before = bao.answers[question]
        bao.answers[question] = (status, {"errors": [f"bad token {TOKEN}"]})
        told = examined(made)
        assert told.statuses & {"FAIL", "warn"} or question in (CONFIG, ROLE), question
        assert TOKEN not in told.text, question
        bao.answers[question] = before
    assert bao.secrets == {TOKEN}


def test_every_kind_of_object_has_the_paths_that_it_needs(everything: Made) -> None:
    assert {one.type for one in everything.of_package("vault")} == set(PATHS)
