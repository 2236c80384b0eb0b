"""What teams' apps promise each other, and what is reported where a promise is missing."""

from pathlib import Path
from typing import Any

import pytest

from specs import fleet
from specs.fleet import Fleet, TeamsFolder, load_stack, validate_files, validate_folder
from specs.load import TeamFile, load_team
from specs.partners import Partner
from specs.readers import flow
from specs.settings import Settings
from tests.written import ISTIO, MARK, entry, place, rows, settings

CALL = "calls: [{team: team-beta, app: ledger}]"
CALLER = "callers: [{team: team-alpha, app: shop}]"


def written(team: str, name: str, beside: str = "", in_app: str = "", kind: str = "web-app") -> str:
    """A team with one app."""
    image = f"{{repository: harbor.sre.internal/{team}/{name}, tag: v1}}"
    app = entry(in_app, beside, archetype=kind, name=name, image=image)
    return f"team: {team}\napps:\n{app}"


def folder(path: Path, *texts: str) -> TeamsFolder:
    for text in texts:
        team = text.splitlines()[0].removeprefix("team: ")
        (path / f"{team}.yaml").write_text(text)
    return TeamsFolder(path, "tenants")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are parsed, in order."""
    files: list[str] = []

    def load(file: Path, shown: str, stack: Settings) -> TeamFile:
        files.append(file.name)
        return load_team(file, shown, stack)

    monkeypatch.setattr(fleet, "load_team", load)
    return files


def test_a_stack_of_one_team_knows_what_others_promise_and_reads_only_their_files(
    tmp_path: Path, read: list[str]
) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", f"{CALL}\ncallers: [{{team: team-gamma, app: front}}]"),
        written("team-beta", "ledger", CALLER, "port: 9000"),
        written("team-gamma", "front", "calls: [{team: team-alpha, app: shop}]", kind="worker"),
        written("team-other", "front", "calls: [{team: team-beta, app: ledger}]"),
    )
    found = load_stack(teams, settings(teams=("team-alpha",)))
    assert found.partners == {
        ("team-beta", "ledger"): Partner("ledger", 9000),
        ("team-gamma", "front"): Partner("front", None),
    }
    assert [team.name for team in found.teams] == ["team-alpha"]
    assert read == ["team-alpha.yaml", "team-beta.yaml", "team-gamma.yaml"]


def test_a_stack_of_all_teams_and_a_named_file_know_the_same(tmp_path: Path) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", CALL),
        written("team-beta", "ledger", f"serviceAccount: {{create: false}}\n{CALLER}"),
    )
    assert validate_folder(teams, settings()).partners == {
        ("team-alpha", "shop"): Partner("shop", 8080),
        ("team-beta", "ledger"): Partner("default", 8080),
    }
    named = [(tmp_path / "team-alpha.yaml", "team-alpha.yaml")]
    assert validate_files(named, teams, settings()).partners == {
        ("team-beta", "ledger"): Partner("default", 8080)
    }


def test_apps_of_a_team_that_is_offboarding_promise_nothing(tmp_path: Path) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", CALL),
        written("team-beta", "ledger", CALLER) + "lifecycle: offboarding\n",
    )
    assert validate_folder(teams, settings()).partners == {}


def both(
    caller: str = CALL, callee: str = "", *, in_callee: str = "", kind: str = "web-app"
) -> tuple[str, str, dict[str, str]]:
    """The files of team-alpha and team-beta, and where they have a mark, by team."""
    texts, marks = [], {}
    for team, text in (
        ("team-alpha", written("team-alpha", "shop", caller)),
        ("team-beta", written("team-beta", "ledger", callee, in_callee, kind)),
    ):
        if MARK in text:
            text, marks[team] = place(text)
        texts.append(text)
    return texts[0], texts[1], marks


def lines(found: Fleet) -> list[str]:
    return [str(problem) for problem in found.problems]


def warnings(found: Fleet) -> list[str]:
    return [warning.as_warning() for warning in found.warnings]


def of_alpha(teams: TeamsFolder, **changes: Any) -> Fleet:
    """The stack of team-alpha alone."""
    return load_stack(teams, settings(teams=("team-alpha",), **changes))


def of_beta(teams: TeamsFolder, **changes: Any) -> Fleet:
    return load_stack(teams, settings(teams=("team-beta",), **changes))


def test_a_call_counts_if_the_other_app_lists_the_caller(tmp_path: Path) -> None:
    alpha, beta, _ = both(CALL, CALLER)
    teams = folder(tmp_path, alpha, beta)
    for found in (validate_folder(teams, settings()), of_alpha(teams), of_beta(teams)):
        assert lines(found) == []
        assert warnings(found) == []


@pytest.mark.parametrize(
    "callers",
    ["", "callers: [{team: team-alpha, app: other}]", "callers: [{team: team-gamma, app: shop}]"],
)
def test_a_call_that_is_not_answered_is_reported_in_both_files(
    tmp_path: Path, callers: str
) -> None:
    alpha, beta, marks = both("calls: [«{team: team-beta, app: ledger}]", callers)
    others = [
        written("team-gamma", "shop", CALL.replace("beta", "alpha").replace("ledger", "shop"))
    ]
    teams = folder(tmp_path, alpha, beta, *others)
    line = "7" if callers else "3"
    in_alpha = (
        f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0]: team-beta's ledger does "
        "not list this app in its `callers`; have `{team: team-alpha, app: shop}` added there "
        f"(tenants/team-beta.yaml:{line}), or remove the call"
    )
    in_beta = (
        ": apps[0].callers: does not list team-alpha's shop, which calls this app "
        "(tenants/team-alpha.yaml:7); add `{team: team-alpha, app: shop}`, or have the call removed"
    )
    assert lines(of_alpha(teams)) == [in_alpha]
    found = lines(validate_folder(teams, settings()))
    assert in_alpha in found
    assert [each for each in found if each.endswith(in_beta)]
    # What team-alpha demands does not stop team-beta.
    assert [each for each in lines(of_beta(teams)) if "team-alpha's shop" in each] == []


@pytest.mark.parametrize(("team", "app"), [("7e", "no"), ("team-alpha", "null")])
def test_what_to_write_is_quoted_where_yaml_reads_a_name_as_something_else(
    tmp_path: Path, team: str, app: str
) -> None:
    calling = written(team, app, CALL).replace(f"name: {app}", f"name: '{app}'")
    called = written("team-beta", "ledger")
    teams = folder(tmp_path, called)
    (tmp_path / f"{team}.yaml").write_text(calling.replace(f"team: {team}", f"team: '{team}'"))
    said = f"`{flow({'team': team, 'app': app})}`"
    assert f'app: "{app}"' in said
    found = lines(validate_folder(teams, settings()))
    assert [line.count(said) for line in found] == [1, 1]
    folder(tmp_path, f"{called}\n    callers: [{said[1:-1]}]\n")
    assert lines(validate_folder(teams, settings())) == []


def test_a_named_file_is_held_against_what_it_names(tmp_path: Path, read: list[str]) -> None:
    alpha, beta, marks = both("calls: [«{team: team-beta, app: ledger}]")
    teams = folder(tmp_path, alpha, beta, written("team-other", "shop"))
    named = [(tmp_path / "team-alpha.yaml", "team-alpha.yaml")]
    (line,) = lines(validate_files(named, teams, settings()))
    assert line.startswith(f"team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0]: team-beta's")
    assert read == ["team-alpha.yaml", "team-beta.yaml"]


def test_a_file_elsewhere_is_checked_alone(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    folder(tmp_path / "here", both()[0])
    named = [(tmp_path / "here" / "team-alpha.yaml", "team-alpha.yaml")]
    there = folder(tmp_path / "there", written("team-beta", "ledger"))
    assert lines(validate_files(named, there, settings())) == []


ALPHA = {
    "a team that there is not": (
        "calls: [{team: «team-bet, app: ledger}]",
        "calls[0].team: there is no team 'team-bet'; did you mean team-beta?",
    ),
    "a team like no other": (
        "calls: [{team: «payments, app: ledger}]",
        "calls[0].team: there is no team 'payments'; name a team that has a file, or remove the "
        "entry",
    ),
    "an app that there is not": (
        "calls: [{team: team-beta, app: «ledgr}]",
        "calls[0].app: team-beta has no app 'ledgr'; did you mean ledger?",
    ),
    "an app that has a new name": (
        "calls: [{team: team-beta, app: «accounts}]",
        "calls[0].app: team-beta has no app 'accounts'; did you mean ledger, which names this app?",
    ),
    "a team that does not call": (
        "callers: [{team: «team-bet, app: ledger}]",
        "callers[0].team: there is no team 'team-bet'; did you mean team-beta?",
    ),
    "an app that does not call": (
        "callers: [{team: team-beta, app: «ledgr}]",
        "callers[0].app: team-beta has no app 'ledgr'; did you mean ledger?",
    ),
    "an app that calls under a new name": (
        "callers: [{team: team-beta, app: «accounts}]",
        "callers[0].app: team-beta has no app 'accounts'; did you mean ledger, which names this "
        "app?",
    ),
    "a Service of a team": (
        "calls: [{host: «ledger.bank}]",
        "calls[0].host: 'ledger.bank' is a name inside the cluster; name what it leads to by "
        "`team` and `app`, or by `platform`",
    ),
}


@pytest.mark.parametrize(
    ("host", "inside"),
    [("foo.dev", False), ("bar.dev", True), ("BAR.dev.", True), ("bar.foo.dev", False)],
)
def test_a_team_that_has_the_name_of_a_public_domain_changes_no_host(
    tmp_path: Path, host: str, inside: bool
) -> None:
    """Only its own apps' Services have names there."""
    alpha, *_ = both(f"calls: [{{host: {host}}}]")
    teams = folder(tmp_path, alpha, written("dev", "bar"))
    for found in (of_alpha(teams), validate_folder(teams, settings())):
        assert [line for line in lines(found) if "name inside the cluster" in line] == lines(found)
        assert bool(lines(found)) is inside
    own = written("dev", "bar", f"calls: [{{host: {host}}}]")
    assert bool(lines(validate_folder(folder(tmp_path, own), settings()))) is inside


def test_a_service_for_metrics_is_a_name_inside_the_cluster(tmp_path: Path) -> None:
    alpha, *_ = both("calls: [{host: bar-metrics.dev}, {host: bar.dev}]")
    metrics = "serviceMonitor: {enabled: true}"
    teams = folder(tmp_path, alpha, written("dev", "bar", metrics, kind="worker"))
    (line,) = lines(of_alpha(teams))
    assert "calls[0].host: 'bar-metrics.dev' is a name inside the cluster" in line


@rows(ALPHA)
def test_a_name_that_does_not_exist_is_reported_in_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    alpha, beta, marks = both(text, f"{CALLER}\ncalls: [{{team: team-alpha, app: shop}}]")
    teams = folder(tmp_path, alpha, beta, written("bank", "ledger"))
    assert lines(of_alpha(teams)) == [
        f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].{said}"
    ]
    assert lines(of_alpha(teams))[0] in lines(validate_folder(teams, settings()))


@pytest.mark.parametrize("kind", ["worker", "cronjob"])
def test_nothing_calls_a_worker_or_a_cronjob(tmp_path: Path, kind: str) -> None:
    alpha, beta, marks = both("calls: [{team: team-beta, app: «ledger}]", kind=kind)
    assert lines(of_alpha(folder(tmp_path, alpha, beta))) == [
        f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0].app: team-beta's ledger "
        f"is a {kind}, and only a web-app can be called; remove it"
    ]


def test_all_that_call_an_app_are_named_when_it_goes(tmp_path: Path) -> None:
    teams = folder(
        tmp_path,
        written("team-alpha", "shop", CALL),
        written("team-beta", "books"),
        written("team-gamma", "front", CALL, kind="cronjob"),
    )
    assert [line.split(": ", 1)[1] for line in lines(validate_folder(teams, settings()))] == [
        "apps[0].calls[0].app: team-beta has no app 'ledger'; use one of: books",
        "apps[0].calls[0].app: team-beta has no app 'ledger'; use one of: books",
    ]


def test_a_file_with_mistakes_still_promises_what_they_do_not_concern(tmp_path: Path) -> None:
    alpha, beta, _ = both(CALL, CALLER, in_callee="replicas: many")
    assert lines(of_alpha(folder(tmp_path, alpha, beta))) == []


@pytest.mark.parametrize(
    ("in_callee", "callee", "where"),
    [
        ("port: many", CALLER, "at tenants/team-beta.yaml:7"),
        ("", "callers: [{team: team-alpha, ap: shop}]", "at tenants/team-beta.yaml:7"),
        (
            "",
            "callers: [{team: team-alpha, app: shop, paths: [v1]}]",
            "at tenants/team-beta.yaml:7",
        ),
        ("", f"{CALLER}\nnetworkPolicy: {{enabled: false}}", "at tenants/team-beta.yaml:7"),
    ],
)
def test_a_promise_with_a_mistake_is_not_trusted(
    tmp_path: Path, in_callee: str, callee: str, where: str
) -> None:
    alpha, beta, marks = both(
        "calls: [«{team: team-beta, app: ledger}]", callee, in_callee=in_callee
    )
    assert lines(of_alpha(folder(tmp_path, alpha, beta))) == [
        f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0]: team-beta's ledger has "
        f"a mistake {where}; have it fixed first"
    ]


@pytest.mark.parametrize(
    "beside",
    [
        "callers: [{team: team-other, app: x, paths: [v1]}, {team: team-alpha, app: shop}]",
        f"{CALLER}\ncalls: [{{app: nobody}}]",
        f"{CALLER}\nserviceAccount: {{create: 5}}",
    ],
)
def test_a_mistake_in_what_the_called_app_says_to_others_stops_nobody(
    tmp_path: Path, beside: str
) -> None:
    alpha, beta, _ = both(CALL, beside)
    teams = folder(tmp_path, alpha, beta)
    assert lines(of_beta(teams))
    found = of_alpha(teams)
    assert lines(found) == []
    assert found.partners == {("team-beta", "ledger"): Partner("ledger", 8080)}


@pytest.mark.parametrize(
    "calling",
    [
        "calls: [{team: team-beta, app: ledger}, {app: nobody}]",
        "calls: [{team: team-beta, ap: ledger}]",
        f"{CALL}\nnetworkPolicy: {{enabled: false}}",
    ],
)
def test_a_mistake_in_what_a_caller_calls_stops_nobody_else(tmp_path: Path, calling: str) -> None:
    alpha, beta, _ = both(calling, CALLER)
    teams = folder(tmp_path, alpha, beta)
    assert lines(of_alpha(teams))
    found = of_beta(teams)
    assert (lines(found), warnings(found)) == ([], [])
    assert found.partners == {("team-alpha", "shop"): Partner("shop", 8080)}


def test_a_mistake_in_a_caller_s_account_stops_the_called_team(tmp_path: Path) -> None:
    alpha, beta, _ = both(f"{CALL}\nserviceAccount: {{create: 5}}", CALLER)
    (line,) = lines(of_beta(folder(tmp_path, alpha, beta)))
    assert "team-alpha's shop has a mistake at tenants/team-alpha.yaml:8" in line


@pytest.mark.parametrize("callers", ["null", "{team: team-alpha, app: shop}", "5", '""'])
def test_a_wrong_list_of_callers_is_one_mistake(tmp_path: Path, callers: str) -> None:
    _, beta, _ = both("", f"callers: {callers}")
    (line,) = lines(validate_folder(folder(tmp_path, beta), settings()))
    assert "apps[0].callers: " in line


def test_a_file_that_cannot_be_read_promises_nothing(tmp_path: Path) -> None:
    alpha, _, marks = both("calls: [«{team: team-beta, app: ledger}]")
    teams = folder(tmp_path, alpha, "team: team-beta\napps: [\n")
    (line,) = lines(of_alpha(teams))
    assert line.startswith(f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0]: its ")
    # Of all files, the broken one alone has a problem.
    (line,) = lines(validate_folder(teams, settings()))
    assert line.startswith("tenants/team-beta.yaml:")


def test_a_caller_that_does_not_call_is_warned_of(tmp_path: Path) -> None:
    alpha, beta, marks = both("", "callers: [«{team: team-alpha, app: shop}]")
    teams = folder(tmp_path, alpha, beta)
    for found in (validate_folder(teams, settings()), of_beta(teams)):
        assert lines(found) == []
        assert warnings(found) == [
            f"tenants/team-beta.yaml:{marks['team-beta']}: apps[0].callers[0]: warning: "
            "team-alpha's shop does not call this app; remove the entry, or have `{team: "
            "team-beta, app: ledger}` added to its `calls` (tenants/team-alpha.yaml:3)"
        ]


def test_who_renames_an_app_is_told_that_a_caller_still_uses_the_old_name(tmp_path: Path) -> None:
    alpha, beta, _ = both(CALL.replace("ledger", "accounts"), CALLER)
    (warning,) = warnings(of_beta(folder(tmp_path, alpha, beta)))
    assert "does not call this app, but accounts, which this team does not have" in warning


@pytest.mark.parametrize("state", ["suspended", "offboarding"])
def test_a_call_to_a_team_that_runs_nothing_is_warned_of(tmp_path: Path, state: str) -> None:
    alpha, beta, marks = both("calls: [«{team: team-beta, app: ledger}]", CALLER)
    found = of_alpha(folder(tmp_path, alpha, beta + f"lifecycle: {state}\n"))
    assert lines(found) == []
    assert warnings(found) == [
        f"tenants/team-alpha.yaml:{marks['team-alpha']}: apps[0].calls[0]: warning: team-beta is "
        f"{state}, so nothing answers; remove the call, or keep it for when the team is back"
    ]


def test_a_caller_that_is_offboarding_is_warned_of(tmp_path: Path) -> None:
    alpha, beta, marks = both(CALL, "callers: [«{team: team-alpha, app: shop}]")
    found = of_beta(folder(tmp_path, alpha + "lifecycle: offboarding\n", beta))
    assert lines(found) == []
    assert warnings(found) == [
        f"tenants/team-beta.yaml:{marks['team-beta']}: apps[0].callers[0]: warning: team-alpha is "
        "offboarding, so its apps no longer call; remove the entry"
    ]


def test_a_team_that_is_offboarding_may_name_what_is_gone(tmp_path: Path) -> None:
    text = written("team-alpha", "shop", CALL) + "lifecycle: offboarding\n"
    assert lines(validate_folder(folder(tmp_path, text), settings())) == []


def test_a_caller_without_an_account_of_its_own_is_warned_of_where_the_mesh_enforces(
    tmp_path: Path,
) -> None:
    alpha, beta, marks = both(
        f"serviceAccount: {{create: false}}\n{CALL}", "callers: [«{team: team-alpha, app: shop}]"
    )
    teams = folder(tmp_path, alpha, beta)
    assert warnings(of_beta(teams)) == []
    assert warnings(of_beta(teams, istio={**ISTIO, "authorization": "enforce"})) == [
        f"tenants/team-beta.yaml:{marks['team-beta']}: apps[0].callers[0]: warning: team-alpha's "
        "shop has no ServiceAccount of its own, so the mesh lets in every app of team-alpha "
        "without one; have `serviceAccount.create` turned on there (tenants/team-alpha.yaml:7)"
    ]


def test_an_entry_that_is_wrong_in_itself_is_reported_once(tmp_path: Path) -> None:
    alpha, beta, _ = both("calls: [{team: team-beta, app: ledgr, port: 8080}]")
    (line,) = lines(of_alpha(folder(tmp_path, alpha, beta)))
    assert "calls[0].port: applies only to" in line


DECLARED: dict[str, Any] = {"httpsEgress": "declared"}


@pytest.mark.parametrize(
    ("call", "key", "in_callee", "warned"),
    [
        ("{host: x.example.com, port: «8080}", "port", "", 8080),
        ("{host: '*.example.com', port: «8080}", "port", "", 8080),
        ("{platform: «vendor}", "platform", "", 8080),
        ("{host: x.example.com, port: «9000}", "port", "ports: [{name: a, port: 9000}]", 9000),
        ("{host: x.example.com, port: «81}", "port", "servicePort: 81\nprotocol: grpc", 81),
        ("{host: x.example.com, port: 8080}", "", "servicePort: 81", None),
        ("{host: x.example.com, port: 8080}", "", "protocol: tcp", None),
        ("{host: x.example.com, port: 80}", "", "servicePort: 80", None),
        ("{host: x.example.com}", "", "servicePort: 443", None),
        ("{cidr: 10.200.0.0/16, port: 8080}", "", "", None),
        ("{host: x.example.com, port: 8443}", "", "", None),
    ],
)
def test_a_host_on_a_port_where_services_speak_http_is_warned_of(
    tmp_path: Path, call: str, key: str, in_callee: str, warned: int | None
) -> None:
    text = written("team-alpha", "shop", f"calls: [{call}]", kind="worker")
    text, where = place(text) if MARK in text else (text, "")
    teams = folder(tmp_path, text, written("team-beta", "ledger", "", in_callee))
    network = {**DECLARED, "platform": {"vendor": {"host": "v.example.com", "ports": (8080,)}}}
    found = validate_folder(teams, settings(network=network))
    assert lines(found) == []
    assert warnings(found) == (
        [
            f"tenants/team-alpha.yaml:{where}: apps[0].calls[0].{key}: warning: HTTP on port "
            f"{warned} is that of Services in the mesh, such as team-beta's ledger, so plain HTTP "
            "to this host is answered with 502; use HTTPS or another port, or call its addresses "
            "by `cidr`"
        ]
        if warned
        else []
    )
    # Where any host counts, the mesh passes on what is plain, too.
    assert (
        warnings(validate_folder(teams, settings(network={**network, "httpsEgress": "open"}))) == []
    )
