"""Network rules that say what `calls` or `callers` would, and how to write those."""

from pathlib import Path
from typing import Any

import pytest

from specs.call_words import callers_of, calls_of, written
from specs.fleet import TeamsFolder
from specs.network import EgressRule, IngressRule
from specs.settings import PlatformService
from specs.source import Source, frozen
from specs.team import Team
from tests.written import entry, settings
from tools.review.word_findings import words_instead

IMAGE = "image: {repository: harbor.sre.internal/t/x, tag: v1}"
TEAMS = {
    "team-alpha": f"""
  - {{archetype: web-app, app: {{name: my-api, port: 8080, {IMAGE}}}}}
  - {{archetype: worker, app: {{name: mailer, {IMAGE}}}}}
""",
    "team-beta": f"""
  - archetype: web-app
    app: {{name: ledger, port: 9090, ports: [{{name: admin, port: 9000}}], {IMAGE}}}
  - {{archetype: worker, app: {{name: order-processor, {IMAGE}}}}}
""",
}
SERVICES = {
    "databases": {"namespace": "databases", "podLabels": {"app": "postgresql"}, "ports": (5432,)},
    "logs": {"namespace": "logging", "ports": (9200, 9300)},
    "kubernetes-api": {"cidrs": ("10.0.0.1/32", "10.0.0.2/32"), "ports": (6443,)},
    "smtp": {"host": "smtp.example.com", "ports": (587,)},
}

BETA = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-beta}}"
LEDGER = "podSelector: {matchLabels: {app.kubernetes.io/name: ledger}}"
ORDERS = "podSelector: {matchLabels: {app.kubernetes.io/name: order-processor}}"


def _read(text: str) -> Any:
    source = Source(Path(), "", text=text)
    assert not source.problems
    return source.data


@pytest.fixture(scope="module")
def apps() -> Any:
    found = {}
    for name, text in TEAMS.items():
        team = Team.model_validate(_read(f"team: {name}\napps:{text}"))
        found.update({(name, app.name): app for app in team.apps})
    return lambda team, name: found.get((team, name))


def said(apps: Any, egress: str) -> str:
    """The calls that an egress rule of team-alpha means."""
    rule = EgressRule.model_validate(_read(egress))
    services = {
        name: PlatformService.model_validate(frozen(service)) for name, service in SERVICES.items()
    }
    found = calls_of(rule, "team-alpha", apps, services)
    return written("calls", found) if found else ""


def let_in(apps: Any, ingress: str, app: str = "my-api") -> str:
    """The callers that an ingress rule of one of team-alpha's apps means."""
    rule = IngressRule.model_validate(_read(ingress))
    found = callers_of(rule, "team-alpha", apps("team-alpha", app), apps)
    return written("callers", found) if found else ""


@pytest.mark.parametrize(
    "peer",
    [
        f"{BETA}, {LEDGER}",
        f"{BETA}, podSelector: {{matchLabels: {{app.kubernetes.io/instance: ledger}}}}",
        f"{BETA}, podSelector: {{matchLabels: {{app.kubernetes.io/instance: ledger, "
        "app.kubernetes.io/name: ledger, sre.io/team: team-beta}}",
        "namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, "
        f"values: [team-beta]}}]}}, {LEDGER}",
    ],
)
def test_a_rule_to_another_teams_app_on_its_main_port_is_a_call(apps: Any, peer: str) -> None:
    rule = f"{{to: [{{{peer}}}], ports: [{{port: 9090, protocol: TCP}}]}}"
    assert said(apps, rule) == "calls: [{team: team-beta, app: ledger}]"


def test_the_port_may_have_the_callees_name_for_it(apps: Any) -> None:
    rule = f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: http}}]}}"
    assert said(apps, rule) == "calls: [{team: team-beta, app: ledger}]"


def test_pods_of_the_own_namespace_are_an_app_of_the_own_team(apps: Any) -> None:
    own = "podSelector: {matchLabels: {app.kubernetes.io/name: my-api}}"
    assert said(apps, f"{{to: [{{{own}}}], ports: [{{port: 8080}}]}}") == "calls: [{app: my-api}]"


def test_each_range_of_addresses_with_each_port_is_a_call(apps: Any) -> None:
    blocks = "{ipBlock: {cidr: 10.200.0.0/16}}, {ipBlock: {cidr: 'fd00::/64'}}"
    assert said(apps, f"{{to: [{blocks}], ports: [{{port: 8443}}, {{port: 9443}}]}}") == (
        "calls: [{cidr: 10.200.0.0/16, port: 8443}, {cidr: 10.200.0.0/16, port: 9443}, "
        '{cidr: "fd00::/64", port: 8443}, {cidr: "fd00::/64", port: 9443}]'
    )


@pytest.mark.parametrize(
    ("rule", "service"),
    [
        (
            "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: databases}}, "
            "podSelector: {matchLabels: {app: postgresql}}}], ports: [{port: 5432}]}",
            "databases",
        ),
        (
            "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: logging}}}], "
            "ports: [{port: 9300}, {port: 9200}]}",
            "logs",
        ),
        (
            "{to: [{ipBlock: {cidr: 10.0.0.2/32}}, {ipBlock: {cidr: 10.0.0.1/32}}], "
            "ports: [{port: 6443}]}",
            "kubernetes-api",
        ),
    ],
)
def test_a_service_that_the_stack_defines_is_called_by_its_name(
    apps: Any, rule: str, service: str
) -> None:
    assert said(apps, rule) == f"calls: [{{platform: {service}}}]"


def test_a_part_of_a_service_is_not_the_service(apps: Any) -> None:
    block = "{ipBlock: {cidr: 10.0.0.1/32}}"
    assert said(apps, f"{{to: [{block}], ports: [{{port: 6443}}]}}") == (
        "calls: [{cidr: 10.0.0.1/32, port: 6443}]"
    )
    logging = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: logging}}}"
    assert not said(apps, f"{{to: [{logging}], ports: [{{port: 9200}}]}}")


@pytest.mark.parametrize(
    "rule",
    [
        f"{{to: [{{{BETA}, {LEDGER}}}]}}",
        f"{{to: [{{{BETA}}}], ports: [{{port: 9090}}]}}",
        f"{{to: [{{{LEDGER}}}], ports: [{{port: 9090}}]}}",
        f"{{to: [{{namespaceSelector: {{}}, {LEDGER}}}], ports: [{{port: 9090}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9000}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: admin}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9090}}, {{port: 9000}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9090, endPort: 9091}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9090, protocol: UDP}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: http, protocol: UDP}}]}}",
        f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{protocol: TCP}}]}}",
        f"{{to: [{{{BETA}, {ORDERS}}}], ports: [{{port: 9090}}]}}",
        f"{{to: [{{{BETA}, podSelector: {{matchLabels: {{app: ledger}}}}}}], "
        "ports: [{port: 9090}]}",
        f"{{to: [{{{BETA}, podSelector: {{matchLabels: {{app.kubernetes.io/name: ledger, "
        "app.kubernetes.io/instance: other}}}], ports: [{port: 9090}]}",
        f"{{to: [{{{BETA}, podSelector: {{matchLabels: {{app.kubernetes.io/name: ledger, "
        "sre.io/team: team-alpha}}}], ports: [{port: 9090}]}",
        f"{{to: [{{{BETA}, podSelector: {{matchExpressions: [{{key: app.kubernetes.io/name, "
        "operator: In, values: [ledger, other]}]}}], ports: [{port: 9090}]}",
        "{to: [{ipBlock: {cidr: 10.200.0.0/16, except: [10.200.1.0/24]}}], ports: [{port: 8443}]}",
        "{to: [{ipBlock: {cidr: 10.200.0.0/16}}]}",
        "{to: [{ipBlock: {cidr: 10.200.0.0/16}}], ports: [{port: http}]}",
        "{to: [{ipBlock: {cidr: 10.200.0.0/16}}], ports: [{port: 53, protocol: UDP}]}",
        f"{{to: [{{ipBlock: {{cidr: 10.200.0.0/16}}, {LEDGER}}}], ports: [{{port: 9090}}]}}",
        "{ports: [{port: 9090}]}",
        "{}",
    ],
)
def test_a_rule_that_opens_something_else_is_no_call(apps: Any, rule: str) -> None:
    assert not said(apps, rule)


def test_one_call_of_several_that_is_none_leaves_the_rule_as_it_is(apps: Any) -> None:
    other = "{ipBlock: {cidr: 10.200.0.0/16, except: [10.200.1.0/24]}}"
    assert not said(apps, f"{{to: [{{{BETA}, {LEDGER}}}, {other}], ports: [{{port: 9090}}]}}")


def test_a_name_that_yaml_reads_as_something_else_is_quoted(apps: Any) -> None:
    rule = EgressRule.model_validate(
        _read(
            "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'on'}}, "
            "podSelector: {matchLabels: {app.kubernetes.io/name: '10'}}}], ports: [{port: 8080}]}"
        )
    )
    anyone = apps("team-alpha", "my-api")
    calls = calls_of(rule, "team-alpha", lambda _, __: anyone, {})
    text = written("calls", calls)
    assert _read(text) == {"calls": ({"team": "on", "app": "10"},)}


def test_a_rule_from_other_teams_apps_to_the_main_port_has_callers(apps: Any) -> None:
    rule = f"{{from: [{{{BETA}, {ORDERS}}}, {{{BETA}, {LEDGER}}}], ports: [{{port: 8080}}]}}"
    assert let_in(apps, rule) == (
        "callers: [{team: team-beta, app: order-processor}, {team: team-beta, app: ledger}]"
    )


@pytest.mark.parametrize(
    ("rule", "app"),
    [
        (f"{{from: [{{{BETA}, {ORDERS}}}]}}", "my-api"),
        (f"{{from: [{{{BETA}, {ORDERS}}}], ports: [{{port: 9090}}]}}", "my-api"),
        (f"{{from: [{{{BETA}}}], ports: [{{port: 8080}}]}}", "my-api"),
        (f"{{from: [{{{BETA}, {ORDERS}}}], ports: [{{port: 8080}}]}}", "mailer"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 8080}]}", "my-api"),
        ("{ports: [{port: 8080}]}", "my-api"),
        (
            f"{{from: [{{{BETA}, podSelector: {{matchLabels: {{app.kubernetes.io/name: gone}}}}}}"
            "], ports: [{port: 8080}]}",
            "my-api",
        ),
        (
            f"{{from: [{{{BETA}, {ORDERS}}}, {{{BETA}}}], ports: [{{port: 8080}}]}}",
            "my-api",
        ),
        (
            "{from: [{podSelector: {matchLabels: {app.kubernetes.io/name: mailer}}}], "
            "ports: [{port: 8080}]}",
            "my-api",
        ),
    ],
)
def test_a_rule_that_lets_in_something_else_has_no_callers(apps: Any, rule: str, app: str) -> None:
    assert not let_in(apps, rule, app)


# The review

TO_LEDGER = f"additionalEgress: [{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9090}}]}}]"
ALPHA = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-alpha}}"
MY_API = "podSelector: {matchLabels: {app.kubernetes.io/name: my-api}}"
FROM_MY_API = f"additionalIngress: [{{from: [{{{ALPHA}, {MY_API}}}], ports: [{{port: 9090}}]}}]"
CALL = "`calls: [{team: team-beta, app: ledger}]`"
CALLER = "`callers: [{team: team-alpha, app: my-api}]`"


def team_file(team: str, app: str, beside: str = "", in_app: str = "") -> str:
    image = f"{{repository: harbor.sre.internal/{team}/{app}, tag: v1}}"
    return f"team: {team}\napps:\n" + entry(in_app, beside, name=app, image=image)


def alpha(rules: str = "", beside: str = "") -> str:
    return team_file("team-alpha", "my-api", f"networkPolicy:\n  {rules}\n{beside}")


def beta(rules: str = "", beside: str = "") -> str:
    return team_file("team-beta", "ledger", f"networkPolicy:\n  {rules}\n{beside}", "port: 9090")


@pytest.fixture
def notes(tmp_path: Path) -> Any:
    """The notes on a change of both teams' files, from the first two texts to the others."""

    def found(*texts: str, **changes: Any) -> list[tuple[str, str, str]]:
        folders = [tmp_path / "base", tmp_path / "head"]
        for folder, files in zip(folders, (texts[:2], texts[2:]), strict=True):
            folder.mkdir(exist_ok=True)
            for team, text in zip(("team-alpha", "team-beta"), files, strict=True):
                (folder / f"{team}.yaml").write_text(text)
        head = TeamsFolder(folders[1], "tenants")
        teams = ("team-alpha", "team-beta")
        said = list(words_instead(folders[0], head, settings(**changes), teams))
        assert not any(each.needs_second for each in said)
        return [(each.team, each.app, each.detail) for each in said]

    return found


def test_a_new_rule_with_a_word_is_noted_with_what_the_other_file_needs(notes: Any) -> None:
    assert notes(alpha(), beta(), alpha(TO_LEDGER), beta()) == [
        (
            "team-alpha",
            "my-api",
            f"tenants/team-alpha.yaml:8 says the same as {CALL}; tenants/team-beta.yaml then needs "
            f"{CALLER} at ledger",
        )
    ]
    assert notes(alpha(), beta(), alpha(), beta(FROM_MY_API)) == [
        (
            "team-beta",
            "ledger",
            f"tenants/team-beta.yaml:9 says the same as {CALLER}; tenants/team-alpha.yaml then "
            f"needs {CALL} at my-api",
        )
    ]


def test_two_halves_that_match_are_named_by_their_lines_whichever_is_new(notes: Any) -> None:
    here, there = "tenants/team-alpha.yaml:8", "tenants/team-beta.yaml:9"
    at_alpha = f"{here} says the same as {CALL}; {there} is its other half, and the same as"
    at_beta = f"{there} says the same as {CALLER}; {here} is its other half, and the same as"
    both = alpha(TO_LEDGER), beta(FROM_MY_API)
    assert notes(alpha(), both[1], *both) == [("team-alpha", "my-api", f"{at_alpha} {CALLER}")]
    assert notes(both[0], beta(), *both) == [("team-beta", "ledger", f"{at_beta} {CALL}")]
    assert len(notes(alpha(), beta(), *both)) == 2


def test_a_rule_whose_other_half_is_a_word_already_needs_no_more_than_its_own(notes: Any) -> None:
    granted = beta(beside="callers: [{team: team-alpha, app: my-api}]")
    ((*_, detail),) = notes(alpha(), granted, alpha(TO_LEDGER), granted)
    assert detail == f"tenants/team-alpha.yaml:8 says the same as {CALL}"
    asked = alpha(beside="calls: [{team: team-beta, app: ledger}]")
    ((*_, detail),) = notes(asked, beta(), asked, beta(FROM_MY_API))
    assert detail == f"tenants/team-beta.yaml:9 says the same as {CALLER}"


def test_a_service_of_the_stack_is_suggested_by_its_name(notes: Any) -> None:
    databases = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: databases}}"
    rules = f"additionalEgress: [{{to: [{{{databases}}}], ports: [{{port: 5432}}]}}]"
    network = {"platform": {"databases": {"namespace": "databases", "ports": (5432,)}}}
    ((*_, detail),) = notes(alpha(), beta(), alpha(rules), beta(), network=network)
    assert detail == "tenants/team-alpha.yaml:8 says the same as `calls: [{platform: databases}]`"
    assert not notes(alpha(), beta(), alpha(rules), beta())


def test_nothing_is_noted_of_a_rule_that_was_there_or_has_no_effect(notes: Any) -> None:
    rule = alpha(TO_LEDGER)
    more = rule.replace("[{to:", "[{ports: [{port: 22}]}, {to:")
    assert not notes(rule, beta(), more, beta())
    off = rule.replace("      additional", "      enabled: false\n      additional")
    assert not notes(alpha(), beta(), off, beta())


def test_a_team_that_leaves_is_not_suggested(notes: Any) -> None:
    leaving = beta().replace("apps:", "lifecycle: offboarding\napps:")
    assert not notes(alpha(), leaving, alpha(TO_LEDGER), leaving)
