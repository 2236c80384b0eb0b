"""How the isolation matrix judges servers' answers. tests/servers runs it on real ones."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.http import RefusedError
from clients.local_servers import Servers
from clients.openbao import OpenBao
from sandbox.servers.keys import ADMIN, Keys
from specs.fleet import TeamsFolder, load_stack
from specs.stack_file import read_stack
from tests.fake_server import Answer, FakeServer, serving
from tests.program import ADMISSION_POLICY, PLATFORM, ROOT, Made
from tools.isolation import matrix, verdict
from tools.isolation import matrix_page as command
from tools.isolation.attempts import IN_OPENBAO, Caller, checks
from tools.isolation.callers import Subject, subjects
from tools.isolation.matrix import MatrixRow
from tools.isolation.matrix_table import markdown, summary, text
from tools.isolation.people import People
from tools.isolation.requests import (
    Admin,
    Attempt,
    Scene,
    creates,
    lists,
    logs_in,
    vault_reads,
    vault_would_write,
)
from tools.isolation.samples import pod
from tools.isolation.target_kinds import OWN, POD

SETTINGS, _ = read_stack(ROOT, "dev")
assert SETTINGS
TEAMS = load_stack(TeamsFolder(ROOT / "tenants", "tenants"), SETTINGS).teams
BOTH_STORES = pytest.mark.parametrize("shared_store", [True, False])

DENIED = (
    'pods is forbidden: User "isolation-check" cannot list resource "pods" in API group "" in the '
    'namespace "team-beta"'
)


class Server:
    """Answers every call alike: with the given answer, or with the given error."""

    address = "https://server.invalid"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def call(self, *arguments: Any) -> Any:
        self.calls.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def list(self, *_: Any) -> Any:
        return self.call()

    def path(self, *parts: str | None) -> str:
        return "/".join(part for part in parts if part)


class Bound(Server):
    """Has a RoleBinding for the one group in each namespace."""

    def __init__(self, group: str) -> None:
        super().__init__([{"subjects": [{"kind": "Group", "name": group}]}])

    def list(self, *kind: Any) -> Any:
        return self.answer if "RoleBinding" in kind else []

    def with_token(self, _: Any) -> "Bound":
        return self

    def impersonating(self, user: str, group: str) -> Any:
        return user, group


def refused(reason: str, status: int = 403) -> RefusedError:
    return RefusedError(Server.address, status, reason)


def seen(check: Attempt, caller: Any, admin: Any, **names: str) -> str | None:
    """The result of a check; None if it does not apply to this team."""
    scene = Scene(Admin(admin, admin, Path()), caller, caller, {"own": "team-alpha", **names})
    row = matrix.outcome(Subject(Caller.VIEWER, "somebody", lambda: scene), scene, check)
    return row.seen if row else None


def not_entered() -> Scene:
    raise AssertionError("it has been tried")


LIST_PODS = Attempt("list pods", verdict.BY_RBAC, lists(POD, OWN))
SOME = [{"metadata": {"name": "one"}}]


@pytest.mark.parametrize(
    ("reason", "holder"),
    [
        (DENIED, "RBAC"),
        ('forbidden: User "system:anonymous" cannot get path "/metrics"', "RBAC"),
        (
            'roles.rbac.authorization.k8s.io "x" is forbidden: user "x" (groups=["y"]) is '
            "attempting to grant RBAC permissions not currently held: ...",
            "RBAC",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces '
            "(hostPID=true)",
            "PodSecurity",
        ),
        (
            'pods "x" is forbidden: exceeded quota: team-alpha-quota, requested: limits.cpu=200',
            "ResourceQuota",
        ),
        (
            'pods "x" is forbidden: maximum cpu usage per Container is 2, but limit is 1k',
            "LimitRange",
        ),
        (
            "services \"x\" is forbidden: ValidatingAdmissionPolicy 'sre-services' with binding "
            "'sre-services' denied request: Services must be of type ClusterIP",
            "sre-services",
        ),
        (
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'team-alpha-exceptions' with "
            "binding 'team-alpha-exceptions' denied request: pods must not run as root",
            "PodSecurity",
        ),
        ("Unauthorized", "authentication"),
        ("1 error occurred: * permission denied", "OpenBao"),
        ("namespace not authorized", "OpenBao"),
        ("relative paths not supported", "OpenBao"),
    ],
)
def test_a_refusal_is_attributed_to_who_refused(reason: str, holder: str) -> None:
    assert verdict.refusal(refused(reason)) == f"refused by {holder}"


@pytest.mark.parametrize(
    "error",
    [
        refused('Pod "x" is invalid: spec.containers: Required value', 422),
        refused("v1 Widget is not served here", 404),
        refused("the server could not find the requested resource", 404),
        refused("etcdserver: request timed out", 500),
        refused("pods is forbidden: somebody new says no"),
    ],
)
def test_an_unknown_error_is_not_a_refusal(error: RefusedError) -> None:
    assert verdict.refusal(error) == f"answered {error.status}: {error.reason}"


def test_what_the_clusters_version_of_a_kind_cannot_say_needs_no_refusal() -> None:
    unknown = 'ExternalSecret in version "v1" cannot be handled: unknown field "spec.target.{}"'
    found = verdict.refusal(refused(unknown.format("manifest"), 400))
    row = MatrixRow(Caller.DEVELOPER, "somebody", "make another", verdict.by("sre-secrets"), found)
    assert row.passed
    misspelt = verdict.refusal(refused(unknown.format("manifesto"), 400))
    assert not replace(row, seen=misspelt).passed


def test_what_is_granted_is_seen_as_allowed() -> None:
    assert seen(LIST_PODS, Server(SOME), Server(SOME)) == verdict.ALLOWED


def test_what_is_refused_is_seen_with_who_refused() -> None:
    assert seen(LIST_PODS, Server(refused(DENIED)), Server(SOME)) == verdict.BY_RBAC


def test_a_refusal_from_another_source_than_expected_fails() -> None:
    row = MatrixRow(
        Caller.VIEWER, "somebody", "list pods", verdict.BY_RBAC, verdict.BY_POD_SECURITY
    )
    assert not row.passed


def test_a_check_without_a_target_fails_although_it_is_refused() -> None:
    outcome = seen(LIST_PODS, Server(refused(DENIED)), Server([]))
    assert outcome == "selects nothing: no Pod in team-alpha"


@pytest.mark.parametrize(
    "check",
    [
        LIST_PODS,
        Attempt("read a secret", verdict.BY_OPENBAO, vault_reads("sre/data/{own}/x")),
        Attempt("log in", verdict.BY_OPENBAO, logs_in("{own}")),
    ],
    ids=lambda check: check.what,
)
@pytest.mark.parametrize("reason", [DENIED, "permission denied"])
def test_a_refusal_of_the_administrator_is_not_a_refusal_of_the_caller(
    check: Attempt, reason: str
) -> None:
    outcome = seen(check, Server(refused(reason)), Server(refused(reason)))
    assert outcome == f"selects nothing: {Server.address} answered 403: {reason}"


def test_a_secret_that_openbao_does_not_have_is_not_a_target() -> None:
    check = Attempt("read a secret", verdict.BY_OPENBAO, vault_reads("sre/data/{own}/x"))
    nothing = Server(refused("Not Found", 404))
    assert str(seen(check, Server(refused("permission denied")), nothing)).startswith(
        "selects nothing: "
    )


def test_a_person_is_impersonated_by_the_name_that_the_api_server_knows() -> None:
    prefixed = SETTINGS.model_copy(
        update={"kubernetes": SETTINGS.kubernetes.model_copy(update={"group_prefix": "oidc:"})}
    )
    known = Bound("oidc:incident-response")
    admin: Any = known
    callers = subjects(TEAMS, prefixed, Admin(admin, admin, Path()))
    (further,) = [each for each in callers if each.caller is Caller.ROLE]
    assert further.name == "team-beta incident-response (view)"
    assert further.enter().cluster == ("isolation-check", "oidc:incident-response")


class SignedIn:
    """People of whom each is told apart by their group."""

    def in_cluster(self, cluster: Any, group: str, known_as: str) -> Any:
        return "in the cluster", group, known_as

    def in_openbao(self, group: str) -> Any:
        return "in OpenBao", group


def entered(people: Any, **openbao: str | None) -> dict[Caller, Scene]:
    """One of each kind of people, for whom there is a RoleBinding."""
    prefixed = SETTINGS.model_copy(
        update={
            "kubernetes": SETTINGS.kubernetes.model_copy(update={"group_prefix": "oidc:/"}),
            "openbao": SETTINGS.openbao.model_copy(update=openbao),
        }
    )
    admin: Any = Bound("oidc:/incident-response")
    callers = subjects(TEAMS, prefixed, Admin(admin, admin, Path(), people))
    roles = (Caller.ROLE, *IN_OPENBAO)
    return {each.caller: each.enter() for each in callers if each.caller in roles}


def test_where_people_sign_in_nobody_is_impersonated() -> None:
    scenes = entered(SignedIn(), oidc_accessor="auth_oidc_1")
    known = ("in the cluster", "incident-response", "oidc:/incident-response")
    assert scenes[Caller.ROLE].cluster == known
    assert scenes[Caller.ROLE_IN_OPENBAO].openbao == ("in OpenBao", "incident-response")
    assert scenes.keys() == {Caller.ROLE, *IN_OPENBAO} - {Caller.WRITER_IN_OPENBAO}


def test_developers_are_those_who_store_secrets_where_the_stack_says_so() -> None:
    scenes = entered(SignedIn(), oidc_accessor="auth_oidc_1", developer_access="write")
    assert scenes.keys() == {Caller.ROLE, *IN_OPENBAO} - {Caller.DEVELOPER_IN_OPENBAO}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((403, {"errors": ["permission denied"]}), verdict.BY_OPENBAO),
        (
            (400, {"errors": ["check-and-set parameter did not match the current version"]}),
            verdict.ALLOWED,
        ),
        ((400, {"errors": ["no data provided"]}), "answered 400: no data provided"),
    ],
)
def test_a_write_that_would_change_something_is_told_by_the_version_it_names(
    method: str, answer: tuple[int, Any], outcome: str
) -> None:
    with serving(None) as fake:
        fake.answers[f"{method} /v1/sre/data/team-alpha/x"] = answer
        check = Attempt(
            "write", verdict.ALLOWED, vault_would_write("{own}/x", merge=method == "PATCH")
        )
        caller = OpenBao(fake.address, "s.token", retries=0)
        assert seen(check, caller, Server({}), own="team-alpha") == outcome


@pytest.mark.parametrize(("people", "accessor"), [(None, "auth_oidc_1"), (SignedIn(), None)])
def test_nobody_signs_in_to_openbao_where_people_cannot_or_the_stack_does_not_know_them(
    people: Any, accessor: str | None
) -> None:
    assert entered(people, oidc_accessor=accessor).keys() == {Caller.ROLE}


class Realm:
    """A Keycloak with one group."""

    def __init__(self, *persons: str) -> None:
        self.persons = set(persons)

    def group(self, path: str) -> object:
        return {"path": path} if path == "auditors" else None

    def add_person(self, name: str, password: str, group: str) -> None:
        assert name not in self.persons
        self.persons.add(name)

    def remove_person(self, name: str) -> None:
        self.persons.discard(name)

    def id_token(self, name: str, password: str) -> str:
        return f"{name}'s token"


class Knowing:
    """An API server that sees anyone in these groups."""

    def __init__(self, *groups: str) -> None:
        self.groups = groups

    def with_token(self, token: str) -> "Knowing":
        assert token == "isolation-check-0's token"
        return self

    def who_am_i(self) -> object:
        return {"groups": [*self.groups, "system:authenticated"]}


def people(realm: Realm) -> People:
    given: Any = realm, Server({})
    return People(*given)


def test_a_group_has_a_member_during_the_run_and_not_after_it_failed() -> None:
    realm = Realm("alice", "isolation-check-0")  # a run that was killed has left one
    with suppress(ZeroDivisionError), people(realm).made(["auditors", "nobodys"]):
        assert realm.persons == {"alice", "isolation-check-0"}
        raise ZeroDivisionError
    assert realm.persons == {"alice"}


def test_a_member_is_tried_only_where_the_api_server_knows_the_group_as_the_rolebinding() -> None:
    members = people(Realm())
    right: Any = Knowing("oidc:/auditors")
    wrong: Any = Knowing("oidc:/people", "oidc:/auditors")
    nothing: Any = Knowing()
    with members.made(["auditors"]):
        assert members.in_cluster(right, "auditors", "oidc:/auditors") is right
        said = "sees a member of auditors in oidc:/auditors, oidc:/people, not in oidc:aud"
        with pytest.raises(verdict.SelectsNothingError, match=said):
            members.in_cluster(wrong, "auditors", "oidc:auditors")
        with pytest.raises(verdict.SelectsNothingError, match="in no group, not in"):
            members.in_cluster(nothing, "auditors", "oidc:/auditors")
        with pytest.raises(verdict.SelectsNothingError, match="Keycloak has no group nobodys"):
            members.in_openbao("nobodys")


def test_a_run_without_people_leaves_their_tables_on_the_page() -> None:
    page = (ROOT / "docs" / "isolation.md").read_text(encoding="utf-8")
    row = MatrixRow(Caller.APP, "app", "list pods", "refused by RBAC", "refused by RBAC")
    renewed = command.renewed(page, [row])
    assert "### Developer in OpenBao\n" in renewed
    _, _, of_app = renewed.partition("### App\n")
    of_app, _, _ = of_app.partition("### ")
    assert of_app.count("| refused by RBAC |") == 1


def test_a_pod_that_exceeds_the_quota_is_asked_only_of_teams_whose_quota_limits_sums() -> None:
    (check,) = [c for c in checks(True)[Caller.DEVELOPER] if c.what.endswith("exceeds the quota")]
    over = refused('pods "x" is forbidden: exceeded quota: team-alpha-quota')
    assert seen(check, Server(over), Server(SOME), harbor="", app="") is None
    names = {"harbor": "", "app": "", "summed": "team-alpha"}
    assert seen(check, Server(over), Server(SOME), **names) == verdict.BY_QUOTA


@pytest.mark.parametrize("path", ["sre/data/{own}/harbor-pull", "sre/metadata/{own}"])
def test_what_no_robot_has_stored_is_not_asked_for(path: str) -> None:
    check = Attempt("read a secret", verdict.BY_OPENBAO, vault_reads(path))
    caller = Server(refused("permission denied"))
    assert seen(check, caller, Server(refused("Not Found", 404))) == verdict.NOT_ASKED
    assert caller.calls == []
    # What we may not see ourselves may well be there.
    assert str(seen(check, caller, Server(refused("no", 403)))).startswith("selects nothing: ")


def test_every_check_of_a_missing_caller_fails() -> None:
    nobody = verdict.SelectsNothingError("no RoleBinding in team-alpha is for auditors")
    row = matrix.outcome(Subject(Caller.VIEWER, "auditors", not_entered), nobody, LIST_PODS)
    assert row
    assert row.seen == f"selects nothing: {nobody}"


def test_writes_to_the_api_server_are_dry_runs() -> None:
    server = Server({})
    seen(
        Attempt("create a pod", "allowed", creates(pod())), server, Server(SOME), harbor="", app=""
    )
    [(method, path, body, query)] = server.calls
    assert (method, path, query["dryRun"]) == ("POST", "v1/Pod/team-alpha", "All")
    assert body["metadata"]["namespace"] == "team-alpha"


def test_a_check_is_skipped_for_a_team_without_its_subject() -> None:
    check = Attempt("take a host", verdict.by("sre-hosts"), vault_reads("{host}"))
    assert seen(check, Server({}), Server({})) is None


def test_a_check_that_is_for_no_team_fails() -> None:
    table: dict[Caller, tuple[Attempt, ...]] = {Caller.VIEWER: (LIST_PODS,)}
    [row] = matrix.untried(table, [])
    assert row.seen == "selects nothing: no team has the needed objects"
    assert not row.passed


@BOTH_STORES
def test_no_two_checks_of_a_kind_of_caller_have_the_same_name(shared_store: bool) -> None:
    for caller, listed in checks(shared_store).items():
        twice = [what for what, number in Counter(c.what for c in listed).items() if number > 1]
        assert not twice, caller


@BOTH_STORES
def test_every_kind_of_caller_is_allowed_something_that_shows_who_it_is(
    shared_store: bool,
) -> None:
    for caller, listed in checks(shared_store).items():
        assert any(check.expected == verdict.ALLOWED for check in listed), caller


@BOTH_STORES
def test_everyone_who_reaches_a_server_tries_another_team_s_objects_and_the_cluster_s(
    shared_store: bool,
) -> None:
    for caller, listed in checks(shared_store).items():
        reached = {check.what.partition(": ")[0] for check in listed}
        assert (
            caller in (Caller.STORE, *IN_OPENBAO) or {"another team's", "the cluster's"} <= reached
        ), caller


def test_every_policy_of_the_platform_is_expected_to_refuse_something(everything: Made) -> None:
    policies = everything.all(ADMISSION_POLICY)
    made = {verdict.by(one.name) for one in policies if one.parent == f"{PLATFORM} platform"}
    assert made
    assert made <= {check.expected for check in checks(True)[Caller.DEVELOPER]}


def test_the_text_has_a_line_a_row_in_columns() -> None:
    rows = [
        MatrixRow(Caller.APP, "team-alpha app", "list pods", "refused by RBAC", "refused by RBAC"),
        MatrixRow(Caller.ANONYMOUS, "anonymous", "read a secret", "refused by OpenBao", "allowed"),
    ]
    assert text(rows).splitlines() == [
        "WHO             WHAT           EXPECTED            SEEN",
        "team-alpha app  list pods      refused by RBAC     refused by RBAC",
        "anonymous       read a secret  refused by OpenBao  allowed",
    ]


def test_the_last_line_says_that_all_is_as_expected() -> None:
    row = MatrixRow(Caller.APP, "app", "list pods", "refused by RBAC", "refused by RBAC")
    assert summary([row, row]) == "2 checks, all as expected."


def test_rows_that_are_not_as_expected_are_repeated_at_the_end() -> None:
    good = MatrixRow(Caller.APP, "app", "list pods", "refused by RBAC", "refused by RBAC")
    bad = MatrixRow(Caller.APP, "app", "list secrets", "refused by RBAC", "allowed")
    lines = summary([good, bad]).splitlines()
    assert lines[1] == "app  list secrets  refused by RBAC  allowed"
    assert lines[-1] == "2 checks, 1 not as expected."


NOT_ASKED_ROW = MatrixRow(Caller.ROBOT, "robot", "list pods", "refused by RBAC", verdict.NOT_ASKED)
GOOD = MatrixRow(Caller.APP, "app", "list pods", "refused by RBAC", "refused by RBAC")


def test_what_is_not_asked_is_counted_with_its_reason_in_one_line() -> None:
    reason, last = summary([GOOD, NOT_ASKED_ROW, NOT_ASKED_ROW]).splitlines()
    assert reason.startswith("2 checks not asked: OpenBao has no credential of Harbor's robots: ")
    assert last == "1 checks, all as expected."


@pytest.mark.parametrize(("manages_harbor", "code"), [(True, 1), (False, 0)])
def test_what_is_not_asked_fails_where_the_stack_has_a_harbor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manages_harbor: bool, code: int
) -> None:
    assert SETTINGS
    settings = SETTINGS if manages_harbor else SETTINGS.leaving_out("harbor")
    monkeypatch.setattr(command, "_rows", lambda *given: [GOOD, NOT_ASKED_ROW])
    assert command.isolation(tmp_path, TEAMS, settings, "text", write_docs=True) == code


def test_the_page_has_each_check_once_and_every_outcome_it_had() -> None:
    rows = [
        MatrixRow(Caller.APP, who, "list pods", "refused by RBAC", seen)
        for who, seen in {"a": "refused by RBAC", "b": "allowed", "c": "allowed"}.items()
    ]
    assert "| list pods | refused by RBAC | refused by RBAC; allowed |" in markdown(rows)


def test_the_committed_tables_have_every_check() -> None:
    rows = [
        MatrixRow(caller, caller, check.what, check.expected, check.expected)
        for caller, listed in checks(True).items()
        for check in listed
    ]
    page = (ROOT / "docs" / "isolation.md").read_text(encoding="utf-8")
    assert page == command.renewed(page, rows), "run `./sre isolation --write-docs`"


def test_without_servers_the_command_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.isolation(tmp_path, TEAMS, SETTINGS, "text", False) == 1
    assert capsys.readouterr() == (
        "",
        "no servers are running here; run `make servers` and `make up` first\n",
    )


KINDS = {
    "resources": [
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
        {"name": "secrets", "kind": "Secret", "namespaced": True},
    ]
}
ALPHA, BETA = "/api/v1/namespaces/team-alpha", "/api/v1/namespaces/team-beta"


@pytest.fixture
def running(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An API server with the namespaces of both teams, and an OpenBao that knows nothing."""
    with serving(keys) as fake:
        fake.answers |= {
            "GET /api/v1": (200, KINDS),
            f"GET {ALPHA}": (200, {"kind": "Namespace"}),
            f"GET {BETA}": (200, {"kind": "Namespace"}),
        }
        kubeconfig = tmp_path / "kubeconfig"
        keys.write_kubeconfig(kubeconfig, ADMIN, fake.address)
        environment = {"VAULT_ADDR": fake.address, "VAULT_TOKEN": "none"}
        servers = Servers(tmp_path, kubeconfig, keys.ca_cert, environment)
        monkeypatch.setattr(command, "running", lambda root: servers)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield fake


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        (f"GET {ALPHA}", (401, {"message": "Unauthorized"}), "answered 401: Unauthorized"),
        (f"GET {ALPHA}", (500, {"message": "etcd is away"}), "answered 500: etcd is away"),
        (
            f"PATCH {BETA}/secrets/isolation-check",
            (403, {"message": "namespace team-beta is being terminated"}),
            "answered 403: namespace team-beta is being terminated",
        ),
    ],
)
def test_a_refusal_of_the_command_itself_is_reported_in_one_line(
    running: FakeServer,
    question: str,
    answer: Answer,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running.answers |= {f"PATCH {ALPHA}/secrets/isolation-check": (201, {}), question: answer}
    assert command.isolation(tmp_path, TEAMS, SETTINGS, "text", False) == 1
    told = f"{running.address} {told}; run `make servers` and `make up`\n"
    assert capsys.readouterr() == ("", told)


def test_its_secrets_are_removed_although_a_namespace_accepts_none(
    running: FakeServer, tmp_path: Path
) -> None:
    running.answers[f"PATCH {ALPHA}/secrets/isolation-check"] = (201, {})
    running.answers[f"DELETE {BETA}/secrets/isolation-check"] = (403, {})
    assert command.isolation(tmp_path, TEAMS, SETTINGS, "text", False) == 1
    assert f"DELETE {ALPHA}/secrets/isolation-check" in running.asked


def test_an_invalid_kubeconfig_is_reported_in_one_line(
    running: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").write_text("- [")
    assert command.isolation(tmp_path, TEAMS, SETTINGS, "text", False) == 1
    told = "the kubeconfig is not one: wrong YAML or a wrong value; run `make servers`\n"
    assert capsys.readouterr() == ("", told)


def test_a_single_team_cannot_be_isolated_from_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.isolation(tmp_path, TEAMS[:1], SETTINGS, "text", False) == 1
    assert "fewer than two active teams" in capsys.readouterr().err
