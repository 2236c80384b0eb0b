"""`./sre doctor` on Harbor: each check against a server that fails it."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from sandbox.servers.keys import Keys
from specs.settings import PREFIX, Settings
from specs.team import Registry, Team
from tests.doctored import DoctorReport, ask
from tests.fake_server import FakeServer, serving
from tools.doctor.harbor_checks import HarborChecks

pytestmark = pytest.mark.commands

PASSWORD = "hunter2-harbor"
SENT = b64encode(f"admin:{PASSWORD}".encode()).decode()
INFO, USER = "GET /api/v2.0/systeminfo", "GET /api/v2.0/users/current"
HEALTH, SCANNERS = "GET /api/v2.0/health", "GET /api/v2.0/scanners"
PROJECT, QUOTAS = "GET /api/v2.0/projects/team-alpha", "GET /api/v2.0/quotas"
ROBOTS = "GET /api/v2.0/robots"
ROBOT = "robot$platform"
PUSH = ("repository", "push")
GIB = 2**30


def info(**properties: Any) -> tuple[int, Any]:
    return 200, {"auth_mode": "oidc_auth", "harbor_version": "v2.15.2-a1b2c3d4", **properties}


def health(**statuses: str) -> tuple[int, Any]:
    return 200, {"components": [{"name": n, "status": s} for n, s in statuses.items()]}


def quota(storage: int) -> tuple[int, Any]:
    return 200, [{"hard": {"storage": storage}, "used": {"storage": 0}}]


@pytest.fixture
def encrypted() -> bool:
    return True


@pytest.fixture
def harbor(keys: Keys, encrypted: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A Harbor that has all that a stack needs, and the project of team-alpha."""
    with serving(keys if encrypted else None) as fake:
        fake.answers |= {
            INFO: info(),
            USER: (200, {"username": "admin", "sysadmin_flag": True}),
            HEALTH: health(core="healthy", jobservice="healthy"),
            SCANNERS: (200, [{"name": "Trivy", "is_default": True}]),
            PROJECT: (200, {"project_id": 7}),
            QUOTAS: quota(50 * GIB),
        }
        monkeypatch.setenv("HARBOR_URL", fake.address)
        monkeypatch.setenv("HARBOR_USERNAME", "admin")
        monkeypatch.setenv("HARBOR_PASSWORD", PASSWORD)
        monkeypatch.setenv("SSL_CERT_FILE", str(keys.ca_cert))
        yield fake


def examined(*teams: Team, **harbor: Any) -> DoctorReport:
    config = {"teams": "*", "kubernetes": {"clusterIdentifier": "test"}, "harbor": harbor}
    settings = Settings.model_validate({PREFIX + key: value for key, value in config.items()})
    checks = HarborChecks(settings, teams or (Team(team="team-alpha"),), frozenset({PUSH}))
    return ask("Harbor", checks)


def test_a_complete_harbor_passes_every_check(harbor: FakeServer) -> None:
    told = examined()
    assert told.statuses == {"ok"}
    assert [line.what for line in told.lines] == [
        "Harbor: reachable", "Harbor: TLS", "Harbor: credentials", "Harbor: version",
        "Harbor: groups", "Harbor: components", "Harbor: scanner", "Harbor: storage quotas",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (INFO, (500, {}), "reachable", "answered 500"),
        (INFO, (302, {}), "reachable", "answered 302"),
        (USER, (401, {}), "credentials", "Harbor does not accept them"),
        (USER, (200, {"username": "jo"}), "credentials", "jo is not an administrator"),
        (INFO, info(harbor_version="v2.4.3"), "version", "v2.4.3"),
        (INFO, info(auth_mode="db_auth"), "groups", "Harbor uses its own accounts"),
        (HEALTH, health(core="healthy"), "components", "no jobservice"),
        (
            HEALTH,
            health(core="healthy", jobservice="unhealthy"),
            "components",
            "not healthy: jobservice",
        ),
    ],
)
def test_what_is_wrong_fails_its_own_check(
    harbor: FakeServer, question: str, answer: Any, what: str, found: str
) -> None:
    harbor.answers[question] = answer
    failed = examined().failed()
    assert list(failed) == [f"Harbor: {what}"]
    assert failed[f"Harbor: {what}"].found.startswith(found)
    assert failed[f"Harbor: {what}"].do


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (INFO, (200, {"auth_mode": "oidc_auth"}), "version", "unknown"),
        (INFO, info(auth_mode="ldap_auth"), "groups", "logins by LDAP"),
        (SCANNERS, (200, []), "scanner", "no default scanner"),
        (
            SCANNERS,
            (200, [{"name": "Trivy", "is_default": True, "disabled": True}]),
            "scanner",
            "no default scanner",
        ),
        (SCANNERS, (403, {}), "scanner", "cannot be read (403)"),
        (
            QUOTAS,
            quota(20 * GIB),
            "storage quotas",
            "team-alpha has 20 GiB, but its file says 50 GiB; Pulumi does not detect it",
        ),
        (QUOTAS, quota(-1), "storage quotas", "team-alpha has no limit, but its file says 50 GiB"),
    ],
)
def test_what_users_should_know_is_a_warning(
    harbor: FakeServer, question: str, answer: Any, what: str, found: str
) -> None:
    harbor.answers[question] = answer
    told = examined()
    assert told.failed() == {}
    (warned,) = told.warned
    assert warned.what == f"Harbor: {what}"
    assert warned.finding.found.startswith(found)
    assert warned.finding.do


def test_a_wrong_password_is_reported_although_other_paths_answer_200(harbor: FakeServer) -> None:
    harbor.answers[USER] = (401, {})
    told = examined()
    assert list(told.failed()) == ["Harbor: credentials"]
    assert {line.finding.status for line in told.lines[3:]} == {"skipped"}


# What the program needs of Harbor, for team-alpha.
SYSTEM_RIGHTS = [("project", "create")]
PROJECT_RIGHTS = [
    PUSH,
    *((what, "create") for what in ("member", "robot", "tag-retention")),
    *((what, "read") for what in ("project", "member", "robot", "tag-retention")),
    *((what, "update") for what in ("project", "member", "tag-retention")),
    *((what, "delete") for what in ("project", "member", "robot", "tag-retention")),
]


def rights(kind: str, namespace: str, listed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """As Harbor reports them for a robot."""
    access = [{"resource": what, "action": action} for what, action in listed]
    return {"kind": kind, "namespace": namespace, "access": access}


def robots(*permissions: dict[str, Any]) -> tuple[int, Any]:
    other = {"name": "robot$other", "permissions": None}
    return 200, [other, {"name": ROBOT, "permissions": list(permissions)}]


class TestRobot:
    """The login is a robot's, which Harbor shows by a 412."""

    @pytest.fixture(autouse=True)
    def _robot(self, harbor: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HARBOR_USERNAME", ROBOT)
        harbor.answers[USER] = (412, {})

    @pytest.mark.parametrize("namespace", ["*", "team-alpha"])
    def test_one_that_has_all_rights_warns_only_of_storage_quotas(
        self, harbor: FakeServer, namespace: str
    ) -> None:
        harbor.answers[ROBOTS] = robots(
            rights("system", "/", SYSTEM_RIGHTS), rights("project", namespace, PROJECT_RIGHTS)
        )
        told = examined()
        assert told.failed() == {}
        (warned,) = told.warned
        assert warned.finding.found == (
            f"{ROBOT} is a robot: `up` reports changed storage quotas, but does not change them"
        )

    @pytest.mark.parametrize("lacking", [*SYSTEM_RIGHTS, *PROJECT_RIGHTS])
    def test_one_that_lacks_a_right_fails(
        self, harbor: FakeServer, lacking: tuple[str, str]
    ) -> None:
        harbor.answers[ROBOTS] = robots(
            rights("system", "/", [one for one in SYSTEM_RIGHTS if one != lacking]),
            rights("project", "*", [one for one in PROJECT_RIGHTS if one != lacking]),
        )
        told = examined()
        failed = told.failed()["Harbor: credentials"]
        assert failed.found == f"{ROBOT} is a robot that cannot {lacking[1]} {lacking[0]}"
        assert failed.do == "grant it, or use an administrator"
        assert "skipped" in told.statuses

    def test_rights_in_another_project_do_not_count(self, harbor: FakeServer) -> None:
        harbor.answers[ROBOTS] = robots(
            rights("system", "/", SYSTEM_RIGHTS), rights("project", "team-beta", PROJECT_RIGHTS)
        )
        assert list(examined().failed()) == ["Harbor: credentials"]

    def test_it_needs_no_right_on_members_where_no_groups_are_mapped(
        self, harbor: FakeServer
    ) -> None:
        harbor.answers[ROBOTS] = robots(
            rights("system", "/", SYSTEM_RIGHTS),
            rights("project", "*", [one for one in PROJECT_RIGHTS if one[0] != "member"]),
        )
        assert examined(mapGroups=False).failed() == {}
        assert list(examined().failed()) == ["Harbor: credentials"]

    @pytest.mark.parametrize("answer", [(401, {}), (403, {}), (200, None), (200, [])])
    def test_one_whose_rights_cannot_be_read_warns_that_they_may_not_suffice(
        self, harbor: FakeServer, answer: Any
    ) -> None:
        harbor.answers[ROBOTS] = answer
        told = examined()
        assert told.failed() == {}
        unseen, quotas = told.warned
        assert unseen.finding.found == (
            f"{ROBOT} is a robot whose rights cannot be read: `up` may be refused"
        )
        assert "storage quotas" in quotas.finding.found

    def test_one_of_a_single_project_fails(
        self, harbor: FakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARBOR_USERNAME", "robot$team-alpha+ci")
        failed = examined().failed()["Harbor: credentials"]
        assert failed.found == "robot$team-alpha+ci is a robot of a single project"


def test_an_administrator_through_an_oidc_group_counts_as_one(harbor: FakeServer) -> None:
    user = {"username": "jo", "sysadmin_flag": False, "admin_role_in_auth": True}
    harbor.answers[USER] = (200, user)
    assert examined().statuses == {"ok"}


def test_a_stack_that_maps_no_groups_needs_no_oidc(harbor: FakeServer) -> None:
    harbor.answers[INFO] = info(auth_mode="db_auth")
    assert examined(mapGroups=False).statuses == {"ok"}


@pytest.mark.parametrize("status", [403, 404])
def test_a_project_that_does_not_exist_yet_has_no_wrong_quota(
    harbor: FakeServer, status: int
) -> None:
    harbor.answers[PROJECT] = (status, {})
    told = examined()
    assert told.statuses == {"ok"}
    assert told.found("Harbor: storage quotas") == (
        "0 as in the team files; 1 will be created by this stack"
    )


def test_each_team_s_quota_is_compared_with_its_own_file(harbor: FakeServer) -> None:
    harbor.answers["GET /api/v2.0/projects/team-beta"] = (200, {"project_id": 8})
    beta = Team(team="team-beta", registry=Registry(storageQuota=60))
    told = examined(Team(team="team-alpha"), beta)
    assert [line.finding.found for line in told.warned] == [
        "team-beta has 50 GiB, but its file says 60 GiB; Pulumi does not detect it"
    ]
    assert "1 as in the team files" in told.found("Harbor: storage quotas")


def test_disabled_verification_is_reported(harbor: FakeServer) -> None:
    (warned,) = examined(insecure=True).warned
    assert warned.finding.found == "not verified: sre-platform:harbor.insecure"


@pytest.mark.parametrize("encrypted", [False])
def test_a_password_in_plain_text_is_reported(harbor: FakeServer) -> None:
    (warned,) = examined().warned
    assert (warned.what, warned.finding.found) == (
        "Harbor: TLS", "none: the password travels in plain text"
    )  # fmt: skip


def test_a_certificate_of_another_ca_is_distinguished_from_no_answer(
    harbor: FakeServer, keys: Keys, other_keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(other_keys.ca_cert))
    (failed,) = examined().failed().values()
    assert "shows a certificate that cannot be verified" in failed.found
    assert failed.do == "name the CA that signed it in SSL_CERT_FILE"
    with serving(keys) as gone:
        address = gone.address
    monkeypatch.setenv("HARBOR_URL", address)
    told = examined()
    assert [line.finding.status for line in told.lines] == ["FAIL", *["skipped"] * 7]
    assert told.lines[0].finding.found.startswith(f"{address} does not answer")


@pytest.mark.parametrize("status", [401, 403, 422])
def test_no_text_of_the_server_is_printed_because_it_may_repeat_the_password(
    harbor: FakeServer, status: int
) -> None:
    echo = {"errors": [{"message": f"bad login {PASSWORD} {SENT}"}]}
    for question in list(harbor.answers):
        before = harbor.answers[question]
        harbor.answers[question] = (status, echo)
        told = examined()
        assert PASSWORD not in told.text, question
        assert SENT not in told.text, question
        harbor.answers[question] = before
    assert harbor.secrets == {SENT}
