"""People who sign in with a real Keycloak: what they may do in the cluster and in OpenBao."""

import base64
import json
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from binaries import keycloak as program
from clients import administrator
from clients.http import RefusedError, UnreachableError
from clients.keycloak import Keycloak
from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from sandbox.servers import parts
from sandbox.servers.processes import Process, stop
from specs.fleet import TeamsFolder, load_stack
from specs.stack_file import read_stack
from tests.checkouts import ROOT, Checkout, Run, finished
from tests.optional import available
from tests.servers.conftest import (
    cluster_of,
    openbao_of,
    record_of,
    sourced,
    start,
    stopped_at_the_end,
    until,
)
from tools.isolation.matrix import MatrixRow, run
from tools.isolation.people import People
from tools.isolation.requests import Admin

pytestmark = pytest.mark.parts

ALPHA, BETA = "team-alpha", "team-beta"
STACK = "Pulumi.dev.yaml"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose servers run, Keycloak among them, with nothing provisioned."""
    available(program.distribution)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("keycloak") / "checkout")) as checkout:
        start(checkout, parts.KEYCLOAK)
        yield checkout


@pytest.fixture(scope="module")
def checkout(started: Checkout) -> Checkout:
    """Provisioned, in a stack that knows groups by the names that the servers know."""
    (started.folder / ".venv").symlink_to(ROOT / ".venv")
    set_prefixes(started, "oidc:/", "/")
    started.up()
    return started


@pytest.fixture
def cluster(checkout: Checkout) -> Cluster:
    return cluster_of(checkout)


@pytest.fixture
def openbao(checkout: Checkout) -> OpenBao:
    return openbao_of(checkout)


@pytest.fixture
def keycloak(checkout: Checkout) -> Keycloak:
    return keycloak_of(checkout)


def keycloak_of(checkout: Checkout) -> Keycloak:
    found = administrator.keycloak(record_of(checkout))
    assert found
    return found


def set_prefixes(checkout: Checkout, cluster: str, openbao: str) -> None:
    """In the stack's file, beside the accessor of OpenBao's login."""
    checkout.restore(STACK)
    accessor = (openbao_of(checkout).read("sys/auth") or {})["oidc/"]["accessor"]
    identifier = "clusterIdentifier: sre-dev\n"
    checkout.edit(STACK, identifier, f"{identifier}    groupPrefix: '{cluster}'\n")
    known = f"{{inCluster: false, oidcAccessor: {accessor}, groupPrefix: '{openbao}'"
    checkout.edit(STACK, "{inCluster: false", known)


def password(checkout: Checkout) -> str:
    file = record_of(checkout).folder / "keys" / "keycloak.json"
    known: str = json.loads(file.read_text(encoding="utf-8"))["people"]
    return known


def in_cluster(checkout: Checkout, name: str) -> Cluster:
    token = keycloak_of(checkout).id_token(name, password(checkout))
    return cluster_of(checkout).with_token(token)


def in_openbao(checkout: Checkout, name: str) -> OpenBao:
    keycloak = keycloak_of(checkout)
    signed_in, _ = openbao_of(checkout).sign_in(
        lambda url: keycloak.sign_in(url, name, password(checkout))
    )
    return signed_in


def reads(openbao: OpenBao, team: str) -> bool:
    """Whether they may read a secret of that team, which exists."""
    try:
        return openbao.read(f"sre/data/{team}/harbor-pull") is not None
    except RefusedError as refusal:
        if "permission denied" not in refusal.reason:
            raise
        return False


def sre(checkout: Checkout, *arguments: str) -> Run:
    environment = {"PATH": parts.PATH, "HOME": str(checkout.folder)}
    return finished(checkout.start_program(["./sre", *arguments], environment), 300)


PERSONS = {
    "alice": {f"{ALPHA}: edit"},
    "victor": {f"{ALPHA}: view"},
    "bob": {f"{BETA}: edit"},
    "wendy": {f"{BETA}: view"},
    "audrey": {f"{BETA}: view"},
    "ines": {f"{BETA}: view"},
    "petra": {f"{ALPHA}: edit", f"{BETA}: edit", "all"},
}


def rights(person: Cluster) -> set[str]:
    """Found by what differs between the three roles."""
    found = set()
    for team in (ALPHA, BETA):
        if person.may("create", "apps", "deployments", team):
            found.add(f"{team}: edit")
        elif person.may("list", "", "pods", team):
            found.add(f"{team}: view")
            assert not person.may("list", "", "secrets", team)
    return found | ({"all"} if person.may("delete", "", "namespaces") else set())


@pytest.mark.parametrize(("name", "expected"), PERSONS.items(), ids=PERSONS)
def test_a_person_has_the_rights_of_their_group_in_the_cluster(
    checkout: Checkout, name: str, expected: set[str]
) -> None:
    assert rights(in_cluster(checkout, name)) == expected


@pytest.mark.parametrize("name", PERSONS)
def test_in_openbao_only_developers_read_their_team_s_secrets(
    checkout: Checkout, name: str
) -> None:
    signed_in = in_openbao(checkout, name)
    found = {team for team in (ALPHA, BETA) if reads(signed_in, team)}
    assert found == {"alice": {ALPHA}, "bob": {BETA}}.get(name, set())


def matrix(checkout: Checkout, signed_in: bool) -> list[MatrixRow]:
    root = checkout.folder
    settings, _ = read_stack(root, "dev")
    assert settings
    teams = load_stack(TeamsFolder(root / "tenants", "tenants"), settings).teams
    openbao = openbao_of(checkout)
    people = People(keycloak_of(checkout), openbao) if signed_in else None
    admin = Admin(cluster_of(checkout), openbao, record_of(checkout).ca_cert, people)
    return run(teams, settings, admin)


def test_the_matrix_has_the_same_verdicts_for_people_who_sign_in_as_for_impersonated_ones(
    checkout: Checkout, keycloak: Keycloak, openbao: OpenBao
) -> None:
    def seen(signed_in: bool) -> Mapping[tuple[str, str], str]:
        rows = matrix(checkout, signed_in)
        assert [row for row in rows if not row.passed] == []
        return {(row.who, row.what): row.seen for row in rows}

    impersonated = seen(False)
    users, before = keycloak.call("GET", "users"), entities(openbao)
    signed_in = seen(True)
    assert impersonated.items() <= signed_in.items()
    # What impersonation cannot check.
    assert {who.rpartition(" in ")[2] for who, _ in signed_in.keys() - impersonated.keys()} == {
        "OpenBao"
    }
    assert keycloak.call("GET", "users") == users
    assert entities(openbao) == before


def entities(openbao: OpenBao) -> set[str]:
    try:
        return set(openbao.call("LIST", "identity/entity/id")["data"]["keys"])
    except RefusedError as refusal:
        if refusal.status != 404:
            raise
        return set()


def test_the_command_signs_in_and_writes_the_page_s_tables(checkout: Checkout) -> None:
    page = checkout.folder / "docs" / "isolation.md"
    committed = page.read_text(encoding="utf-8")
    run = sre(checkout, "isolation", "--write-docs")
    assert run.code == 0, run.output
    assert "team-alpha developer in OpenBao" in run.output
    assert page.read_text(encoding="utf-8") == committed, "run `./sre isolation --write-docs`"


def test_a_group_that_keycloak_lacks_fails_its_checks(
    checkout: Checkout, keycloak: Keycloak
) -> None:
    group = keycloak.group("auditors")
    assert group
    keycloak.call("PUT", f"groups/{group['id']}", {"name": "inspectors"})
    try:
        rows = matrix(checkout, signed_in=True)
    finally:
        keycloak.call("PUT", f"groups/{group['id']}", {"name": "auditors"})
    failed = {(row.who.removesuffix(" in OpenBao"), row.seen) for row in rows if not row.passed}
    assert failed == {("team-beta auditors", "selects nothing: Keycloak has no group auditors")}


def test_the_doctor_finds_the_login_of_openbao_and_what_it_lacks(
    checkout: Checkout, openbao: OpenBao
) -> None:
    def told() -> str:
        run = sre(checkout, "doctor", "--stack", "dev")
        assert run.code == 0, run.output
        return " ".join(run.output.split())

    assert "is auth/oidc" in told()
    openbao.call("POST", "auth/oidc/role/people", {"groups_claim": ""})
    try:
        assert "the default role people of auth/oidc reads no groups" in told()
        assert not reads(in_openbao(checkout, "alice"), ALPHA)
    finally:
        openbao.call("POST", "auth/oidc/role/people", {"groups_claim": "groups"})
    assert reads(in_openbao(checkout, "alice"), ALPHA)


def page_block(beginning: str) -> str:
    """The commands in the block of docs/access.md that begins so, ready for a shell."""
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^```console\n(\$ {beginning}.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return re.sub(r"^[$>] ", "", block, flags=re.MULTILINE)


def test_the_platform_s_own_people_get_what_the_page_gives_them(
    checkout: Checkout, openbao: OpenBao
) -> None:
    commands = page_block("bao policy write")
    alias = "bao write identity/group-alias name=/platform-engineers"
    assert f"{alias} mount_accessor=... canonical_id=..." in commands
    made, _, _ = commands.partition(alias)
    environment = {**sourced(checkout), "PATH": f"{parts.BAO.parent}:{parts.PATH}"}
    subprocess.run(["bash", "-ec", made], env=environment, check=True, capture_output=True)
    group = openbao.read("identity/group/name/platform-engineers")
    assert group
    accessor = (openbao.read("sys/auth") or {})["oidc/"]["accessor"]
    ids = f"mount_accessor={accessor} canonical_id={group['id']}"
    subprocess.run(
        ["bash", "-ec", f"{alias} {ids}"], env=environment, check=True, capture_output=True
    )
    try:
        petra = in_openbao(checkout, "petra")
        petra.call("POST", "sre/data/team-alpha/made-by-petra", {"data": {"value": "example"}})
        assert in_openbao(checkout, "alice").read("sre/data/team-alpha/made-by-petra")
        assert not reads(in_openbao(checkout, "bob"), ALPHA)
    finally:
        openbao.call("DELETE", "identity/group/name/platform-engineers")


def test_bao_login_takes_a_person_through_the_browser(
    checkout: Checkout, openbao: OpenBao, keycloak: Keycloak
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    redirect = f"http://localhost:{port}/oidc/callback"
    role = openbao.read("auth/oidc/role/people")
    assert role
    client = keycloak.find("clients", clientId="openbao")
    assert client
    openbao.call("POST", "auth/oidc/role/people", {"allowed_redirect_uris": [redirect]})
    changed = {**client, "redirectUris": [redirect]}
    keycloak.call("PUT", f"clients/{client['id']}", changed)
    environment = sourced(checkout)
    stranger = {name: environment[name] for name in ("BAO_ADDR", "BAO_CACERT")}
    command = [parts.BAO, "login", "-method=oidc", "-token-only", "skip_browser=true"]
    try:
        with subprocess.Popen(
            [*command, f"port={port}"],
            env={**stranger, "HOME": str(checkout.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as login:
            assert login.stderr
            said = iter(login.stderr.readline, "")
            url = next(line.strip() for line in said if line.strip().startswith("https://"))
            back = keycloak.sign_in(url, "alice", password(checkout))
            # `bao` ends once it is logged in, perhaps before its page is complete.
            with suppress(requests.exceptions.ChunkedEncodingError):
                requests.get(redirect, params=back, timeout=30)
            token, _ = login.communicate(timeout=30)
    finally:
        openbao.call("POST", "auth/oidc/role/people", role)
        keycloak.call("PUT", f"clients/{client['id']}", client)
    assert reads(openbao.with_token(token.strip()), ALPHA)


# What goes wrong.


def test_a_wrong_password_is_answered_by_keycloak(checkout: Checkout, keycloak: Keycloak) -> None:
    with pytest.raises(RefusedError, match=r"Invalid username or password\."):
        keycloak.id_token("alice", "wrong")


def test_a_person_without_a_group_is_known_and_may_do_nothing(
    checkout: Checkout, keycloak: Keycloak
) -> None:
    keycloak.add_person("noah", password(checkout))
    try:
        noah = in_cluster(checkout, "noah")
        assert noah.who_am_i()["username"] == "oidc:noah"
        said = 'User "oidc:noah" cannot list resource "pods" in API group "" in the namespace'
        with pytest.raises(RefusedError, match=said):
            noah.list("v1", "Pod", ALPHA)
        assert not reads(in_openbao(checkout, "noah"), ALPHA)

        leave(keycloak, "noah", "people")
        assert in_cluster(checkout, "noah").who_am_i()["groups"] == ["system:authenticated"]
        with pytest.raises(RefusedError, match='"groups" claim not found in token'):
            in_openbao(checkout, "noah")
    finally:
        keycloak.remove_person("noah")


@contextmanager
def client(keycloak: Keycloak, name: str, **changes: Any) -> Iterator[None]:
    """The client with other settings, and then as before."""
    found = keycloak.find("clients", clientId=name)
    assert found
    path = f"clients/{found['id']}"
    keycloak.call("PUT", path, {**found, **changes})
    try:
        yield
    finally:
        attributes = {**dict.fromkeys(changes.get("attributes", {}), ""), **found["attributes"]}
        keycloak.call("PUT", path, {**found, "attributes": attributes})


def test_an_expired_token_is_refused(checkout: Checkout, keycloak: Keycloak) -> None:
    with client(keycloak, "kubernetes", attributes={"access.token.lifespan": "1"}):
        alice = in_cluster(checkout, "alice")
    until(lambda: is_refused(alice))
    usual = decoded(keycloak.id_token("alice", password(checkout)).split(".")[1])
    assert usual["exp"] - usual["iat"] == 300


def is_refused(person: Cluster) -> bool:
    try:
        person.who_am_i()
    except RefusedError as refusal:
        if refusal.status != 401:
            raise
        return True
    return False


def decoded(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return content


def test_a_token_for_another_client_is_refused(checkout: Checkout, keycloak: Keycloak) -> None:
    kubernetes = keycloak.find("clients", clientId="kubernetes")
    assert kubernetes
    other = {key: kubernetes[key] for key in ("publicClient", "redirectUris", "protocolMappers")}
    other["protocolMappers"] = [
        {key: value for key, value in mapper.items() if key != "id"}
        for mapper in other["protocolMappers"]
    ]
    keycloak.call("POST", "clients", {"clientId": "wiki", **other})
    try:
        token = keycloak.id_token("alice", password(checkout), client="wiki")
        assert "/team-alpha-developers" in decoded(token.split(".")[1])["groups"]
        assert is_refused(cluster_of(checkout).with_token(token))
    finally:
        made = keycloak.find("clients", clientId="wiki")
        assert made
        keycloak.call("DELETE", f"clients/{made['id']}")


def test_a_token_that_keycloak_has_not_signed_is_refused(
    checkout: Checkout, keycloak: Keycloak
) -> None:
    """It is like a real one except for the signature, and then for the issuer too."""
    real = keycloak.id_token("alice", password(checkout))
    header, payload, _ = real.split(".")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def signed(payload: str) -> Cluster:
        signature = key.sign(f"{header}.{payload}".encode(), padding.PKCS1v15(), SHA256())
        token = f"{header}.{payload}.{encoded(signature)}"
        return cluster_of(checkout).with_token(token)

    assert not is_refused(cluster_of(checkout).with_token(real))
    assert is_refused(signed(payload))
    elsewhere = {**decoded(payload), "iss": "https://idp.example.com/realms/sre"}
    assert is_refused(signed(encoded(json.dumps(elsewhere).encode())))


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_a_token_of_another_realm_is_refused(checkout: Checkout, keycloak: Keycloak) -> None:
    settings = record_of(checkout).environment
    known = settings["KEYCLOAK_CLIENT_ID"], settings["KEYCLOAK_CLIENT_SECRET"]
    other = Keycloak(settings["KEYCLOAK_URL"], known, record_of(checkout).ca_cert, realm="partners")
    kubernetes = {
        "clientId": "kubernetes",
        "publicClient": True,
        "redirectUris": ["http://localhost:8000"],
    }
    group = {"name": "team-alpha-developers"}
    other.create_realm(
        {"realm": "partners", "enabled": True, "groups": [group], "clients": [kubernetes]}
    )
    try:
        other.add_person("alice", password(checkout), "/team-alpha-developers")
        token = other.id_token("alice", password(checkout))
        assert is_refused(cluster_of(checkout).with_token(token))
    finally:
        other.call("DELETE", "")


def leave(keycloak: Keycloak, name: str, group: str) -> None:
    known, user = keycloak.group(group), keycloak.find("users", username=name)
    assert known
    assert user
    keycloak.call("DELETE", f"users/{user['id']}/groups/{known['id']}")


def test_a_person_who_leaves_a_group_keeps_its_rights_until_the_token_expires(
    checkout: Checkout, keycloak: Keycloak
) -> None:
    keycloak.add_person("lea", password(checkout), "/team-alpha-developers")
    try:
        before, in_vault = in_cluster(checkout, "lea"), in_openbao(checkout, "lea")
        assert rights(before) == {f"{ALPHA}: edit"}
        assert reads(in_vault, ALPHA)
        leave(keycloak, "lea", "team-alpha-developers")

        assert rights(in_cluster(checkout, "lea")) == set()
        assert rights(before) == {f"{ALPHA}: edit"}
        assert reads(in_vault, ALPHA)
        # OpenBao learns of it at the next login, and then applies it to older tokens too.
        assert not reads(in_openbao(checkout, "lea"), ALPHA)
        assert not reads(in_vault, ALPHA)
    finally:
        keycloak.remove_person("lea")


def test_a_person_whose_entity_is_disabled_is_out_of_openbao_at_once(
    checkout: Checkout, keycloak: Keycloak, openbao: OpenBao
) -> None:
    keycloak.add_person("otto", password(checkout), "/team-alpha-developers")
    try:
        otto, user = in_openbao(checkout, "otto"), keycloak.find("users", username="otto")
        assert user
        assert reads(otto, ALPHA)
        accessor = (openbao.read("sys/auth") or {})["oidc/"]["accessor"]
        alias = {"alias_name": user["id"], "alias_mount_accessor": accessor}
        entity = openbao.call("POST", "identity/lookup/entity", alias)["data"]["id"]
        openbao.call("POST", f"identity/entity/id/{entity}", {"disabled": True})
        assert not reads(otto, ALPHA)
        with pytest.raises(RefusedError, match="permission denied"):
            in_openbao(checkout, "otto")
    finally:
        keycloak.remove_person("otto")


# Groups within groups.


@contextmanager
def subgroup(keycloak: Keycloak, above: str, name: str) -> Iterator[None]:
    keycloak.call("POST", "groups", {"name": above})
    group = keycloak.group(above)
    assert group
    try:
        keycloak.call("POST", f"groups/{group['id']}/children", {"name": name})
        yield
    finally:
        keycloak.call("DELETE", f"groups/{group['id']}")


@pytest.fixture
def mallory(checkout: Checkout, keycloak: Keycloak) -> Iterator[str]:
    """A person whom the manager of group `guests` puts into a nested group with a known name."""
    with subgroup(keycloak, "guests", "team-alpha-developers"):
        keycloak.add_person("mallory", password(checkout), "/guests/team-alpha-developers")
        yield "mallory"
        keycloak.remove_person("mallory")


def test_a_group_of_the_same_name_within_another_has_no_rights(
    checkout: Checkout, mallory: str
) -> None:
    signed_in = in_cluster(checkout, mallory)
    assert "oidc:/guests/team-alpha-developers" in signed_in.who_am_i()["groups"]
    assert rights(signed_in) == set()
    assert not reads(in_openbao(checkout, mallory), ALPHA)


@contextmanager
def full_path(keycloak: Keycloak, value: str) -> Iterator[None]:
    def change(value: str) -> None:
        for name in ("kubernetes", "openbao"):
            found = keycloak.find("clients", clientId=name)
            assert found
            (mapper,) = (m for m in found["protocolMappers"] if m["name"] == "groups")
            mapper["config"]["full.path"] = value
            path = f"clients/{found['id']}/protocol-mappers/models/{mapper['id']}"
            keycloak.call("PUT", path, mapper)

    change(value)
    try:
        yield
    finally:
        change("true")


@pytest.fixture(scope="class")
def names_only(checkout: Checkout) -> Iterator[None]:
    """Tokens name groups without paths, against the advice, and the stack is set up for that."""
    with full_path(keycloak_of(checkout), "false"):
        set_prefixes(checkout, "oidc:", "")
        checkout.up()
        yield
    set_prefixes(checkout, "oidc:/", "/")
    checkout.up()


class TestWithoutFullPaths:
    def test_without_full_paths_a_group_within_another_has_the_rights_of_its_name(
        self, checkout: Checkout, names_only: None, mallory: str
    ) -> None:
        """What docs/access.md warns of."""
        for name in ("alice", mallory):
            assert rights(in_cluster(checkout, name)) == {f"{ALPHA}: edit"}
            assert reads(in_openbao(checkout, name), ALPHA)

    def test_a_prefix_that_is_not_the_servers_shows_in_the_matrix(
        self, checkout: Checkout, names_only: None, keycloak: Keycloak
    ) -> None:
        with full_path(keycloak, "true"):
            said = 'User "oidc:alice" cannot list resource "pods"'
            with pytest.raises(RefusedError, match=said):
                in_cluster(checkout, "alice").list("v1", "Pod", ALPHA)
            failed = {
                row.seen for row in matrix(checkout, signed_in=True) if row.who == f"{ALPHA} viewer"
            }
        assert failed == {
            "selects nothing: the API server sees a member of team-alpha-viewers in "
            "oidc:/people, oidc:/team-alpha-viewers, not in oidc:team-alpha-viewers"
        }


def test_a_team_s_file_can_name_a_group_within_another(
    checkout: Checkout, keycloak: Keycloak, openbao: OpenBao
) -> None:
    file, name = "tenants/team-beta.yaml", "team-beta/developers"
    with subgroup(keycloak, BETA, "developers"):
        keycloak.add_person("dora", password(checkout), f"/{name}")
        checkout.edit(file, "developers: [team-beta-developers]", f"developers: [{name}]")
        try:
            bob, in_vault = in_cluster(checkout, "bob"), in_openbao(checkout, "bob")
            assert rights(bob) == {f"{BETA}: edit"}
            assert reads(in_vault, BETA)
            checkout.up()
            assert rights(in_cluster(checkout, "dora")) == {f"{BETA}: edit"}
            assert reads(in_openbao(checkout, "dora"), BETA)
            # The group that the file no longer names loses its rights at once.
            assert rights(bob) == set()
            assert not reads(in_vault, BETA)
            kept = len(checkout.resources())
            assert checkout.run("preview --refresh").count("unchanged") == kept
            rows = matrix(checkout, signed_in=True)
            assert [row for row in rows if not row.passed] == []
        finally:
            keycloak.remove_person("dora")
            checkout.restore(file)
            checkout.up()


# These tests stop Keycloak, and come last because it takes a while to start again.


def test_without_keycloak_nobody_signs_in_and_tokens_in_use_stay_valid(
    checkout: Checkout, keycloak: Keycloak
) -> None:
    alice, in_vault = in_cluster(checkout, "alice"), in_openbao(checkout, "alice")
    stop([Process(record_of(checkout).folder, parts.KEYCLOAK)])
    with pytest.raises(UnreachableError):
        keycloak.id_token("alice", password(checkout))
    assert rights(alice) == {f"{ALPHA}: edit"}
    assert reads(in_vault, ALPHA)


def test_keycloak_keeps_its_data_over_a_restart(checkout: Checkout) -> None:
    run = checkout.run("servers", 900, PARTS=parts.KEYCLOAK)
    assert run.code == 0, run.output
    assert f"Started again {parts.KEYCLOAK} in" in run.output
    assert rights(in_cluster(checkout, "alice")) == {f"{ALPHA}: edit"}
    assert reads(in_openbao(checkout, "alice"), ALPHA)


def test_servers_that_start_without_keycloak_accept_none_of_its_tokens(checkout: Checkout) -> None:
    alice = in_cluster(checkout, "alice")
    stop([Process(record_of(checkout).folder, parts.KEYCLOAK)])
    run = checkout.run("servers")
    assert run.code == 0, run.output
    until(lambda: is_refused(alice))
    assert administrator.keycloak(record_of(checkout)) is None
    assert all(row.passed for row in matrix(checkout, signed_in=False))
