"""Secrets stored by people with their own logins, where developers store and do not read.

They log in with `bao login`, by user name: the policies are the same as with Keycloak, which
tests/parts runs.
"""

import json
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster
from clients.kv import KeyValue
from clients.openbao import OpenBao
from sandbox.servers import parts
from specs.fleet import TeamsFolder, load_stack
from specs.settings import Settings
from specs.stack_file import read_stack
from tests.checkouts import ROOT, Checkout, Run
from tests.fake_server import FakeServer, serving
from tests.servers.conftest import (
    BUILT_WITHIN,
    cluster_of,
    openbao_of,
    record_of,
    settle,
    sourced,
    until,
)
from tools.isolation.attempts import Caller
from tools.isolation.matrix import run
from tools.isolation.people import People
from tools.isolation.requests import Admin
from tools.secrets.error import SecretError
from tools.secrets.storing import Stored, store

pytestmark = pytest.mark.servers

ALPHA, BETA = "team-alpha", "team-beta"
NAME = "my-api-db-credentials"
PASSWORD = "isolated"  # of everybody here
STACK = "Pulumi.dev.yaml"

# People, and the policies of their logins.
PEOPLE = {
    "alice": "team-alpha.developers",
    "anton": "team-alpha.developers",
    "victor": "",  # a viewer
    "reader": "team-alpha",  # what developers are in a stack where they read
    "petra": "platform-engineers",
}
ENGINEERS = 'path "sre/*" {{ capabilities = [{}] }}'


@dataclass(frozen=True)
class Person:
    """Someone who has logged in, at a machine of their own."""

    checkout: Checkout
    home: Path

    def __call__(self, *words: str, value: str = "", **environment: str) -> Run:
        """`./sre secret`, with `value` on standard input."""
        known = sourced(self.checkout)
        done = subprocess.run(
            ["./sre", "secret", *words],
            cwd=self.checkout.folder,
            env={
                "HOME": str(self.home),
                "PATH": parts.PATH,
                "BAO_ADDR": known["BAO_ADDR"],
                "BAO_CACERT": known["BAO_CACERT"],
                **environment,
            },
            input=value,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert not value.strip() or value.strip() not in done.stdout
        return Run(done.returncode, done.stdout)

    @property
    def openbao(self) -> OpenBao:
        token = (self.home / ".vault-token").read_text("utf-8")
        return openbao_of(self.checkout).with_token(token)


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    run = servers.run("servers", BUILT_WITHIN, PARTS=parts.EXTERNAL_SECRETS)
    assert run.code == 0, run.output
    (servers.folder / ".venv").symlink_to(ROOT / ".venv")
    servers.edit(STACK, "{inCluster: false", "{inCluster: false, developerAccess: write")
    servers.up()
    openbao = openbao_of(servers)
    rights = '"create", "update", "read", "list"'
    openbao.call("PUT", "sys/policies/acl/platform-engineers", {"policy": ENGINEERS.format(rights)})
    openbao.call("POST", "sys/auth/userpass", {"type": "userpass"})
    for name, policies in PEOPLE.items():
        user = {"password": PASSWORD, "token_policies": policies}
        openbao.call("POST", f"auth/userpass/users/{name}", user)
    return servers


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


@pytest.fixture
def openbao(provisioned: Checkout) -> OpenBao:
    return openbao_of(provisioned)


@pytest.fixture(scope="module")
def people(provisioned: Checkout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Person]:
    return {name: logged_in(provisioned, name, tmp_path_factory.mktemp(name)) for name in PEOPLE}


def logged_in(checkout: Checkout, name: str, home: Path) -> Person:
    known = sourced(checkout)
    login = [str(parts.BAO), "login", "-method=userpass", f"username={name}", "password=-"]
    done = subprocess.run(
        login,
        env={key: known[key] for key in ("BAO_ADDR", "BAO_CACERT")} | {"HOME": str(home)},
        input=PASSWORD,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return Person(checkout, home)


@pytest.fixture
def alice(people: Mapping[str, Person]) -> Person:
    return people["alice"]


def kept(openbao: OpenBao, name: str, team: str = ALPHA) -> Mapping[str, str]:
    return KeyValue(openbao).values(f"{team}/{name}")


@contextmanager
def without(openbao: OpenBao, name: str, team: str = ALPHA) -> Iterator[None]:
    """A secret that is gone afterwards, with all its versions."""
    try:
        yield
    finally:
        openbao.call("DELETE", f"sre/metadata/{team}/{name}")


def test_a_developer_stores_what_the_file_names_and_the_app_gets_it(
    alice: Person, cluster: Cluster, openbao: OpenBao
) -> None:
    before = alice("diff", ALPHA)
    assert before.code == 1
    assert f"sre/{ALPHA}/{NAME} is not in OpenBao; store it: " in before.output
    done = alice("set", ALPHA, NAME, value="postgres://of-alice\n")
    assert done.code == 0, done.output
    said, _, command, *_ = done.output.splitlines()
    assert said == f"sre/{ALPHA}/{NAME}: stored value, which is its only key, as version 1."
    assert kept(openbao, NAME) == {"value": "postgres://of-alice"}
    assert command.split()[:3] == ["kubectl", "annotate", "externalsecret"]
    force(cluster, NAME)
    until(lambda: in_namespace(cluster, NAME) == {"value": "postgres://of-alice"})
    assert f"{ALPHA}/{NAME} " not in alice("diff", ALPHA).output


def force(cluster: Cluster, name: str) -> None:
    """What the printed command does, with the time of the second version and of the first."""
    path = cluster.path("external-secrets.io/v1", "ExternalSecret", ALPHA, name)
    now = cluster.call("GET", path)["metadata"]["resourceVersion"]
    change = {"metadata": {"annotations": {"force-sync": now}}}
    cluster.call("PATCH", path, change, content_type="application/merge-patch+json")


def in_namespace(cluster: Cluster, name: str) -> Mapping[str, str] | None:
    found = cluster.get("v1", "Secret", ALPHA, name)
    return found and {key: b64decode(text).decode() for key, text in found["data"].items()}


def test_the_other_keys_stay_although_the_developer_reads_none(
    alice: Person, openbao: OpenBao
) -> None:
    with without(openbao, "shop-db"):
        assert alice("set", ALPHA, "shop-db", "--key", "user", value="Hunter-user").code == 0
        again = alice("set", ALPHA, "shop-db", "--key", "password", value="Hunter2")
        assert f"sre/{ALPHA}/shop-db: stored password, as version 2." in again.output
        assert kept(openbao, "shop-db") == {"user": "Hunter-user", "password": "Hunter2"}
        with pytest.raises(RefusedError, match="permission denied"):
            kept(alice.openbao, "shop-db")


def test_several_lines_arrive_as_they_are(alice: Person, openbao: OpenBao) -> None:
    with without(openbao, "shop-tls"):
        key = "-----BEGIN TEST-----\nMIIE\n-----END TEST-----\n"
        assert alice("set", ALPHA, "shop-tls", "--key", "tls.key", value=key).code == 0
        assert kept(openbao, "shop-tls") == {"tls.key": key}


@pytest.mark.parametrize("there", [False, True])
def test_of_two_who_store_at_once_the_second_changes_nothing(
    people: Mapping[str, Person], openbao: OpenBao, there: bool
) -> None:
    first, second = (people[name].openbao for name in ("anton", "alice"))

    def meanwhile() -> str:
        store(first, ALPHA, "contested", "of-anton", lambda: "his")
        return "hers"

    with without(openbao, "contested"):
        if there:
            store(first, ALPHA, "contested", "value", lambda: "before")
        version = 2 if there else 1
        told = f"sre/team-alpha/contested was changed meanwhile: version {version} is from "
        with pytest.raises(SecretError, match=told):
            store(second, ALPHA, "contested", "of-alice", meanwhile)
        before = {"value": "before"} if there else {}
        assert kept(openbao, "contested") == {**before, "of-anton": "his"}
        again = store(second, ALPHA, "contested", "of-alice", lambda: "hers")
        assert again == Stored(version + 1, alone=False)
        assert kept(openbao, "contested") == {**before, "of-anton": "his", "of-alice": "hers"}


@pytest.mark.parametrize("how", ["delete", "destroy"])
def test_a_deleted_secret_can_be_stored_again(alice: Person, openbao: OpenBao, how: str) -> None:
    with without(openbao, "gone"):
        assert alice("set", ALPHA, "gone", "--key", "old", value="Hunter1").code == 0
        openbao.call("POST", f"sre/{how}/{ALPHA}/gone", {"versions": [1]})
        listed = json.loads(alice("list", ALPHA, "--format", "json").output)["secrets"]
        assert [each["state"] for each in listed if each["secret"] == "gone"] == ["deleted"]
        done = alice("set", ALPHA, "gone", "--key", "new", value="Hunter2")
        assert "stored new, which is its only key, as version 2." in done.output
        assert kept(openbao, "gone") == {"new": "Hunter2"}


def test_a_secret_that_will_expire_keeps_its_keys(alice: Person, openbao: OpenBao) -> None:
    with without(openbao, "expiring"):
        openbao.call("POST", "sre/metadata/team-alpha/expiring", {"delete_version_after": "1h"})
        for key in ("one", "two"):
            assert alice("set", ALPHA, "expiring", "--key", key, value=f"Hunter-{key}").code == 0
        assert kept(openbao, "expiring") == {key: f"Hunter-{key}" for key in ("one", "two")}


def test_a_policy_from_before_patch_keeps_the_other_keys_too(
    people: Mapping[str, Person], openbao: OpenBao
) -> None:
    petra = people["petra"]
    with without(openbao, "older", BETA):
        for key in ("one", "two"):
            done = petra("set", BETA, "older", "--key", key, value=f"Hunter-{key}")
            assert done.code == 0, done.output
        assert kept(openbao, "older", BETA) == {key: f"Hunter-{key}" for key in ("one", "two")}


@pytest.mark.parametrize(
    ("who", "team", "lacks"),
    [
        ("victor", ALPHA, "read sre/metadata/team-alpha/other"),
        ("alice", BETA, "read sre/metadata/team-beta/other"),
        ("reader", ALPHA, "create sre/data/team-alpha/other"),
    ],
)
def test_others_store_nothing_and_learn_what_they_lack(
    people: Mapping[str, Person], openbao: OpenBao, who: str, team: str, lacks: str
) -> None:
    done = people[who]("set", team, "other", value="Hunter2")
    assert done.code == 1
    assert f"./sre secret: your login may not {lacks} (its policies: default" in done.output
    assert openbao.read(f"sre/metadata/{team}/other") is None


def test_a_reader_learns_the_keys_of_what_they_may_read_and_no_more(
    people: Mapping[str, Person],
) -> None:
    own = people["reader"]("list", ALPHA, "--format", "json").output
    states = {each["secret"]: each for each in json.loads(own)["secrets"]}
    assert states["harbor-pull"]["keys"] == ["password", "registry", "username"]
    assert states["harbor-pull"]["state"] == "stored"
    others = people["reader"]("list", BETA)
    assert others.code == 0
    assert f"not compared: your login may not list sre/metadata/{BETA}" in others.output


def test_a_viewer_s_comparison_says_what_it_has_not_seen_and_does_not_fail(
    people: Mapping[str, Person],
) -> None:
    done = people["victor"]("diff")
    assert done.code == 0
    assert "0 of 4 secrets in the files compared, none is missing." in done.output
    for team in (ALPHA, BETA):
        assert f"not compared: your login may not list sre/metadata/{team}" in done.output


def test_the_platform_team_sees_what_all_teams_lack(
    people: Mapping[str, Person], openbao: OpenBao
) -> None:
    petra = people["petra"]
    missing = json.loads(petra("diff", "--format", "json").output)["missing"]
    assert {each["team"] for each in missing} == {ALPHA, BETA}
    for each in missing:
        name = each["path"].rpartition("/")[2]
        assert petra("set", each["team"], name, value="Hunter2").code == 0
    done = petra("diff")
    assert done.code == 0, done.output
    assert done.output == "4 of 4 secrets in the files compared, none is missing.\n"


def test_a_login_that_has_ended_is_told_apart_from_a_lack_of_rights(
    provisioned: Checkout, tmp_path: Path
) -> None:
    gone = logged_in(provisioned, "alice", tmp_path)
    gone.openbao.call("POST", "auth/token/revoke-self")
    for words in (("set", ALPHA, NAME), ("list", ALPHA), ("diff",)):
        done = gone(*words, value="Hunter2")
        assert done.code == 1
        assert "is not valid, or not any more; log in (`bao login" in done.output
    (tmp_path / ".vault-token").unlink()
    assert "./sre secret: not logged in to https://" in gone("diff").output


class Robots:
    """The API of a Harbor with the robots of team-alpha: the passwords that they were given."""

    def __init__(self, server: FakeServer) -> None:
        self.passwords: dict[str, list[str]] = {"push": [], "pull": []}
        self.instead: Callable[[], object] = lambda: None  # done when the first one is given
        numbers = {"push": 11, "pull": 12}
        listed = [
            {"id": number, "name": f"robot${ALPHA}+{name}", "expires_at": -1}
            for name, number in numbers.items()
        ]
        server.answers |= {
            "GET /api/v2.0/users/current": (200, {}),
            f"GET /api/v2.0/projects/{ALPHA}": (200, {"project_id": 7}),
            "GET /api/v2.0/robots": (200, listed),
        }
        for name, number in numbers.items():
            server.answers[f"PATCH /api/v2.0/robots/{number}"] = self._given(name)
        self.environment = {
            "HARBOR_URL": server.address,
            "HARBOR_USERNAME": "admin",
            "HARBOR_PASSWORD": "Harbor12345",
        }

    def _given(self, name: str) -> Callable[[Any], tuple[int, Any]]:
        def answer(body: Any) -> tuple[int, Any]:
            self.passwords[name].append(body["secret"])
            self.instead()
            return 200, {}

        return answer


@pytest.fixture
def robots() -> Iterator[Robots]:
    with serving(None) as server:
        yield Robots(server)


def test_a_rotation_reaches_the_namespace_and_no_later_up_takes_it_back(
    provisioned: Checkout,
    people: Mapping[str, Person],
    cluster: Cluster,
    openbao: OpenBao,
    robots: Robots,
) -> None:
    until(lambda: in_namespace(cluster, "harbor-pull"))
    kubeconfig = str(record_of(provisioned).kubeconfig)
    done = people["petra"]("rotate", ALPHA, KUBECONFIG=kubeconfig, **robots.environment)
    assert done.code == 0, done.output
    assert "External Secrets takes the pull robot's password into team-alpha now." in done.output
    for name, (password,) in robots.passwords.items():
        assert password not in done.output
        assert kept(openbao, f"harbor-{name}") == {
            "registry": "harbor.sre.internal",
            "username": f"robot${ALPHA}+{name}",
            "password": password,
        }
    (password,) = robots.passwords["pull"]
    until(lambda: password in str(in_namespace(cluster, "harbor-pull")))
    settle(cluster)
    again = provisioned.run("up --refresh")
    assert again.code == 0, again.output
    assert again.steps("updated") == set()
    assert kept(openbao, "harbor-pull")["password"] == password


def test_a_rotation_that_openbao_stops_is_mended_by_the_next_one(
    people: Mapping[str, Person], openbao: OpenBao, robots: Robots
) -> None:
    path = "sys/policies/acl/platform-engineers"
    policy = (openbao.read(path) or {})["policy"]
    nothing = ENGINEERS.format('"list"')
    before = kept(openbao, "harbor-push")
    robots.instead = lambda: openbao.call("PUT", path, {"policy": nothing})
    try:
        done = people["petra"]("rotate", ALPHA, "--robot", "push", **robots.environment)
    finally:
        robots.instead = lambda: None
        openbao.call("PUT", path, {"policy": policy})
    assert done.code == 1
    assert "robot$team-alpha+push has a new password in Harbor, but " in done.output
    assert kept(openbao, "harbor-push") == before
    done = people["petra"]("rotate", ALPHA, "--robot", "push", **robots.environment)
    assert done.code == 0, done.output
    assert kept(openbao, "harbor-push")["password"] == robots.passwords["push"][-1]


def test_a_developer_gives_no_robot_a_new_password(alice: Person, robots: Robots) -> None:
    done = alice("rotate", ALPHA, **robots.environment)
    assert done.code == 1
    assert "your login may not update sre/data/team-alpha/harbor-push (its" in done.output
    assert robots.passwords == {"push": [], "pull": []}


class SignedIn:
    """People who are in the groups of the shipped teams."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._people = people

    @contextmanager
    def made(self, groups: object) -> Iterator[None]:
        yield

    def in_cluster(self, cluster: Cluster, group: str, known_as: str) -> Cluster:
        return cluster.impersonating("isolation-check", known_as)

    def in_openbao(self, group: str) -> OpenBao:
        if group == f"{BETA}-developers":
            policy = {"policies": [f"{BETA}.developers"]}
            admin = openbao_of(self._people["alice"].checkout)
            answer = admin.call("POST", "auth/token/create", policy)
            return admin.with_token(answer["auth"]["client_token"])
        return self._people["alice" if group == f"{ALPHA}-developers" else "victor"].openbao


def test_the_isolation_matrix_holds_for_developers_who_store_secrets(
    provisioned: Checkout, people: Mapping[str, Person], openbao: OpenBao
) -> None:
    settings, _ = read_stack(provisioned.folder, "dev")
    assert settings
    known = settings.openbao.model_copy(update={"oidc_accessor": "auth_userpass"})
    settings = settings.model_copy(update={"openbao": known})
    teams = load_stack(TeamsFolder(provisioned.folder / "tenants", "tenants"), settings).teams
    before = openbao.call("LIST", f"sre/metadata/{ALPHA}")["data"]["keys"]
    rows = run(teams, settings, admin_with(provisioned, SignedIn(people)))
    assert [row for row in rows if not row.passed] == []
    writers = [row for row in rows if row.caller is Caller.WRITER_IN_OPENBAO]
    assert {row.who for row in writers} == {
        f"{team} developer in OpenBao" for team in (ALPHA, BETA)
    }
    assert not [row for row in rows if row.caller is Caller.DEVELOPER_IN_OPENBAO]
    assert openbao.call("LIST", f"sre/metadata/{ALPHA}")["data"]["keys"] == before


def admin_with(checkout: Checkout, signed_in: object) -> Admin:
    record = record_of(checkout)
    people = cast(People, signed_in)
    return Admin(cluster_of(checkout), openbao_of(checkout), record.ca_cert, people)


def test_a_policy_that_lets_developers_read_fails_the_matrix(
    provisioned: Checkout, people: Mapping[str, Person], openbao: OpenBao
) -> None:
    path = "sys/policies/acl/team-alpha.developers"
    policy = (openbao.read(path) or {})["policy"]
    openbao.call("PUT", path, {"policy": policy.replace('"create"', '"create", "read"')})
    try:
        settings, _ = read_stack(provisioned.folder, "dev")
        assert isinstance(settings, Settings)
        known = settings.openbao.model_copy(update={"oidc_accessor": "auth_userpass"})
        settings = settings.model_copy(update={"openbao": known})
        teams = load_stack(TeamsFolder(provisioned.folder / "tenants", "tenants"), settings).teams
        rows = run(teams, settings, admin_with(provisioned, SignedIn(people)))
    finally:
        openbao.call("PUT", path, {"policy": policy})
    failed = {(row.who, row.what) for row in rows if not row.passed}
    assert failed == {(f"{ALPHA} developer in OpenBao", "read a secret of the team")}
