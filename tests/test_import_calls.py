"""Network rules that `./sre import` writes as `calls` and `callers`, and those that it must not."""

from pathlib import Path
from typing import Any

import pytest

from tests.flux_tree import Trees, release
from tests.program import read_yaml

pytestmark = pytest.mark.commands

ALPHA = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-alpha}}"
BETA = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-beta}}"
API = "podSelector: {matchLabels: {app.kubernetes.io/name: my-api}}"
LEDGER = "podSelector: {matchLabels: {app.kubernetes.io/name: ledger}}"
BLOCK = "{to: [{ipBlock: {cidr: 10.200.0.0/16}}], ports: [{port: 8443}]}"
SEVERAL = "{to: [{ipBlock: {cidr: 10.201.0.0/16, except: [10.201.9.0/24]}}], ports: [{port: 2049}]}"
TO_LEDGER = f"{{to: [{{{BETA}, {LEDGER}}}], ports: [{{port: 9090, protocol: TCP}}]}}"
FROM_API = f"{{from: [{{{ALPHA}, {API}}}], ports: [{{port: 9090}}]}}"
CALL = {"team": "team-beta", "app": "ledger"}
CALLER = {"team": "team-alpha", "app": "my-api"}
# The ledger's file, where it exists already.
EXISTING = """\
team: team-beta
apps:
  - archetype: web-app
    app:
      name: ledger
      port: 9090
      image: {repository: harbor.sre.internal/team-beta/ledger, tag: v1.0.0}
"""


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


def values(team: str, app: str, rules: str, port: int) -> str:
    return f"""\
# Who this is.
app:
  name: {app}
  port: {port} # its own
  image: {{repository: harbor.sre.internal/{team}/{app}, tag: v1.0.0}}
networkPolicy:
  enabled: true
  {rules}
# The end.
autoscaling: {{enabled: false}}
"""


def alpha(*egress: str, app: str = "my-api") -> str:
    rules = "\n".join(["additionalEgress:", *(f"    - {rule}" for rule in egress)])
    return release(values("team-alpha", app, rules, 8080)).replace(
        "name: my-api\n", f"name: {app}\n"
    )


def beta(*ingress: str, app: str = "ledger") -> str:
    rules = "\n".join(["additionalIngress:", *(f"    - {rule}" for rule in ingress)])
    text = release(values("team-beta", app, rules, 9090))
    return text.replace("name: my-api\n", f"name: {app}\n").replace(
        "namespace: team-alpha\n", "namespace: team-beta\n"
    )


def app_of(run: Any, team: str = "team-alpha") -> dict[str, Any]:
    assert run.lost == []
    (app,) = read_yaml(run.files[f"{team}.yaml"])["apps"]
    return dict(app)


def test_addresses_become_calls_and_what_has_no_word_stays(trees: Trees) -> None:
    run = trees.run(alpha(BLOCK, SEVERAL))
    app = app_of(run)
    assert app["calls"] == [{"cidr": "10.200.0.0/16", "port": 8443}]
    (rule,) = app["networkPolicy"]["additionalEgress"]
    assert rule["to"][0]["ipBlock"]["except"] == ["10.201.9.0/24"]
    assert [note for note in run.notes if "is written as" in note] == [
        "apps/a.yaml:22:11: spec.values.networkPolicy.additionalEgress[0]: is written as "
        "`calls: [{cidr: 10.200.0.0/16, port: 8443}]`"
    ]
    trees.team()


def test_comments_and_spelling_of_the_rest_are_kept(trees: Trees) -> None:
    text = trees.run(alpha(BLOCK, SEVERAL)).files["team-alpha.yaml"]
    assert "    # Who this is.\n" in text
    assert "port: 8080 # its own\n" in text
    assert f"        - {SEVERAL}\n" in text
    assert text.count("10.200.0.0/16") == 1


def test_a_block_without_further_rules_disappears(trees: Trees) -> None:
    app = app_of(trees.run(alpha(BLOCK)))
    assert app["networkPolicy"] == {"enabled": True}
    bare = alpha(BLOCK).replace("      enabled: true\n", "")
    trees.tenants.joinpath("team-alpha.yaml").unlink()
    app = app_of(trees.run(bare))
    assert "networkPolicy" not in app
    assert app["calls"] == [{"cidr": "10.200.0.0/16", "port": 8443}]


def test_two_halves_that_are_imported_together_become_words(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": alpha(TO_LEDGER), "apps/b.yaml": beta(FROM_API)})
    assert app_of(run)["calls"] == [CALL]
    assert app_of(run, "team-beta")["callers"] == [CALLER]
    assert trees.team("team-beta").apps[0].network_policy.additional_ingress == ()


def test_a_half_without_the_other_stays_a_rule(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": alpha(TO_LEDGER, BLOCK), "apps/b.yaml": beta()})
    app = app_of(run)
    assert app["calls"] == [{"cidr": "10.200.0.0/16", "port": 8443}]
    assert len(app["networkPolicy"]["additionalEgress"]) == 1
    assert "callers" not in app_of(run, "team-beta")


def test_a_half_whose_other_half_stays_a_rule_stays_one_too(trees: Trees) -> None:
    # The callee's rule lets in another app too, which does not call it by a word.
    both = FROM_API.replace("], ports", f", {{{ALPHA}, {API.replace('my-api', 'other')}}}], ports")
    run = trees.run({"apps/a.yaml": alpha(TO_LEDGER), "apps/b.yaml": beta(both)})
    assert "calls" not in app_of(run)
    assert "callers" not in app_of(run, "team-beta")


def test_no_half_counts_that_stays_a_rule_because_of_something_else_in_it(trees: Trees) -> None:
    # The caller's rule also leads to an app that does not let it in.
    more = TO_LEDGER.replace(
        "}], ports", f"}}, {{{BETA}, {LEDGER.replace('ledger', 'b')}}}], ports"
    )
    files = {"a": alpha(more), "b": beta(FROM_API), "c": beta(app="b")}
    run = trees.run({f"apps/{name}.yaml": text for name, text in files.items()})
    assert "calls" not in app_of(run)
    apps = read_yaml(run.files["team-beta.yaml"])["apps"]
    assert len(apps) == 2
    assert not any("callers" in app for app in apps)


def test_a_team_that_has_a_file_must_name_the_caller_there(trees: Trees) -> None:
    existing = trees.tenants / "team-beta.yaml"
    existing.write_text(EXISTING)
    app = app_of(trees.run(alpha(TO_LEDGER)))
    assert "calls" not in app
    trees.tenants.joinpath("team-alpha.yaml").unlink()
    existing.write_text(f"{EXISTING}    callers: [{{team: team-alpha, app: my-api}}]\n")
    app = app_of(trees.run(alpha(TO_LEDGER)))
    assert app["calls"] == [CALL]
    assert "additionalEgress" not in app["networkPolicy"]


def test_two_rules_that_say_the_same_are_one_word(trees: Trees) -> None:
    app = app_of(trees.run(alpha(BLOCK, BLOCK.replace("8443}", "8443, protocol: TCP}"))))
    assert app["calls"] == [{"cidr": "10.200.0.0/16", "port": 8443}]


def test_a_word_that_the_checks_refuse_stays_a_rule(trees: Trees) -> None:
    off = alpha(BLOCK).replace("enabled: true", "enabled: false")
    app = app_of(trees.run(off))
    assert "calls" not in app
    assert len(app["networkPolicy"]["additionalEgress"]) == 1
