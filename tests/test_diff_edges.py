"""What `./sre diff` says about who may connect to whom: settings, and edges."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.reachable import (
    Object,
    app,
    authorization,
    deny_all,
    egress,
    ingress,
    labelled,
    named,
    namespace,
    policy,
)
from tests.written import settings
from tools.review import edge_changes as module
from tools.review.as_json import json_report
from tools.review.comment import LIMIT
from tools.review.comparison import compare
from tools.review.edge_changes import EdgeChange, edge_changes
from tools.review.edge_layout import edge_groups
from tools.review.markdown import markdown_report
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review import Review
from tools.review.review_findings import Rules
from tools.review.rules.network_settings import internal_traffic, network_settings
from tools.review.terminal import text_report

OPENS, CLOSES = Rules.NETWORK_OPENED, Rules.NETWORK_CLOSED


# Settings


def said(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Rules, str]]:
    found = network_settings("dev", settings(**before), settings(**after))
    return [(each.rule, each.detail) for each in found]


def test_port_443_that_opens_or_closes_is_reported_as_what_it_is() -> None:
    declared = {"network": {"httpsEgress": "declared"}}
    where = "network.httpsEgress of stack dev:"
    assert said({}, declared) == [
        (
            CLOSES,
            f"{where} open -> declared: only apps whose `calls` name a host or addresses with "
            "port 443 may connect there",
        )
    ]
    assert said(declared, {}) == [
        (OPENS, f"{where} declared -> open: every pod may connect to port 443 of any address")
    ]
    assert said(declared, declared) == []


@pytest.mark.parametrize(
    ("before", "after", "rule", "detail"),
    [
        (None, "audit", CLOSES, "not set -> audit: sidecars refuse nobody, and record whom"),
        ("audit", "enforce", CLOSES, "audit -> enforce: sidecars refuse everyone that"),
        ("enforce", "audit", OPENS, "enforce -> audit: sidecars refuse nobody, and record whom"),
        ("audit", None, OPENS, "audit -> not set: sidecars refuse nobody, and record nothing"),
        ("enforce", None, OPENS, "enforce -> not set: sidecars refuse nobody, and record nothing"),
    ],
)
def test_a_mesh_that_refuses_less_needs_a_second_reviewer(
    before: str | None, after: str | None, rule: Rules, detail: str
) -> None:
    ((found, text),) = said(
        {"istio": {"authorization": before}}, {"istio": {"authorization": after}}
    )
    assert found is rule
    assert text.startswith(f"istio.authorization of stack dev: {detail}")


def test_a_platform_service_is_reported_with_what_its_name_stands_for() -> None:
    def stack(**services: Any) -> dict[str, Any]:
        return {"network": {"platform": services}}

    pods = {"namespace": "databases", "podLabels": {"app": "postgresql"}, "ports": (5432,)}
    where = "network.platform.databases of stack dev:"
    shown = "app=postgresql of namespace databases, 5432/TCP"
    assert said(stack(), stack(databases=pods)) == [(OPENS, f"{where} apps may now call {shown}")]
    assert said(stack(databases=pods), stack()) == [(CLOSES, f"{where} no longer defined")]
    for other, text in (
        ({"namespace": "databases", "ports": (5432, 5433)}, "all pods of namespace databases"),
        ({"host": "db.example.com", "ports": (5432, 5433)}, "db.example.com"),
        ({"cidrs": ("10.0.0.1/32", "10.0.0.2/32"), "ports": (5432, 5433)}, "10.0.0.1/32, 10."),
    ):
        ((rule, detail),) = said(stack(databases=pods), stack(databases=other))
        assert rule is OPENS
        assert detail.startswith(f"{where} its callers now connect to {text}")
        assert detail.endswith(f", 5432/TCP, 5433/TCP instead of {shown}")


def _side(team: str, *policies: str, namespace: bool = True) -> Side:
    keys = [f"kubernetes/{team}/NetworkPolicy-{name}" for name in policies]
    if namespace:
        keys.append(f"kubernetes/_cluster/Namespace-{team}")
    return Side({key: RenderedObject(key, "", "", {}, team) for key in keys})


def test_traffic_within_a_namespace_is_reported_for_a_team_that_stays() -> None:
    closed, opened = _side("team-alpha"), _side("team-alpha", "allow-same-namespace")
    (now_open,), (now_closed,) = internal_traffic(closed, opened), internal_traffic(opened, closed)
    assert (now_open.rule, now_open.team) == (OPENS, "team-alpha")
    assert now_open.detail == (
        "namespace.internalTraffic: declared -> open: every pod of the namespace may connect to "
        "every other"
    )
    assert (now_closed.rule, now_closed.team) == (CLOSES, "team-alpha")
    assert now_closed.detail.startswith("namespace.internalTraffic: open -> declared: its apps")
    for base, head in ((opened, opened), (opened, Side()), (Side(), opened)):
        assert list(internal_traffic(base, head)) == []
    gone = _side("team-alpha", "allow-dns", namespace=False)
    assert list(internal_traffic(opened, gone)) == []


# Edges

API, LEDGER = labelled(app="my-api"), labelled(app="ledger")
TO_LEDGER = policy(
    "team-alpha", "out", API, policyTypes=["Egress"],
    egress=[egress(named("team-beta", app="ledger"), ports=[{"port": 8080}])],
)  # fmt: skip
FROM_API = policy(
    "team-beta", "in", LEDGER, ingress=[ingress(named("team-alpha", app="my-api"))],
    policyTypes=["Ingress"],
)  # fmt: skip
BOTH: tuple[Object, ...] = tuple(
    each
    for team, name in (("team-alpha", "my-api"), ("team-beta", "ledger"))
    for each in (namespace(team), app(team, name), deny_all(team))
)


def side(*objects: Object) -> Side:
    """The objects as a render has them."""
    found = {}
    for each in (*BOTH, *objects):
        about, kind = each["metadata"], each["kind"]
        place = "_cluster" if kind == "Namespace" else about["namespace"]
        team = about["name"] if kind == "Namespace" else place
        key = f"kubernetes/{place}/{kind}-{about['name']}"
        found[key] = RenderedObject(key, kind, about["name"], each, team)
    return Side(found)


def changes(base: Side, head: Side) -> list[EdgeChange]:
    return edge_changes(base, head, ("team-alpha", "team-beta"))


def review(found: Iterable[EdgeChange], base: Side = Side(), head: Side = Side()) -> Review:  # noqa: B008
    compared = compare(base, head)
    return Review("main", "0123456789abcdef", "dev", compared, (), (), (), True, tuple(found))


def test_an_edge_between_teams_appears_when_the_second_side_lets_it() -> None:
    (edge,) = changes(side(TO_LEDGER), side(TO_LEDGER, FROM_API))
    assert (edge.action, edge.kind) == ("appears", "cross-team")
    assert (edge.source.shown, edge.target.shown) == ("team-alpha/my-api", "team-beta/ledger")
    assert (edge.before, edge.after) == ((), ("8080/TCP",))
    assert {each.policy for each in edge.reasons} == {
        "NetworkPolicy team-alpha/out", "NetworkPolicy team-beta/in",
    }  # fmt: skip
    (gone,) = changes(side(TO_LEDGER, FROM_API), side(TO_LEDGER))
    assert (gone.action, gone.before, gone.after) == ("vanishes", ("8080/TCP",), ())
    assert {each.policy for each in gone.reasons} == {each.policy for each in edge.reasons}
    assert changes(side(), side(TO_LEDGER)) == []


def test_other_ports_of_an_edge_are_one_line() -> None:
    more = json.loads(
        json.dumps(TO_LEDGER).replace('{"port": 8080}', '{"port": 8080, "endPort": 8081}')
    )
    base, head = side(TO_LEDGER, FROM_API), side(more, FROM_API)
    found = changes(base, head)
    assert [(each.action, each.before, each.after) for each in found] == [
        ("other-ports", ("8080/TCP",), ("8080-8081/TCP",))
    ]
    said = text_report(review(found, base, head), False)
    assert (
        "  ~ team-alpha/my-api -> team-beta/ledger: 8080/TCP -> 8080-8081/TCP (crosses teams)\n"
        in said
    )


def test_the_mesh_counts_too() -> None:
    guard = authorization("team-beta", "none", action="ALLOW")
    meshed = namespace("team-beta", **{"istio-injection": "enabled"})
    found = changes(side(TO_LEDGER, FROM_API, meshed), side(TO_LEDGER, FROM_API, meshed, guard))
    assert [each.action for each in found] == ["vanishes"]


def test_what_leaves_the_cluster_or_comes_from_outside_is_marked() -> None:
    block = {"ipBlock": {"cidr": "10.200.0.0/16"}}
    out = policy("team-alpha", "block", API, egress=[egress(block, ports=[{"port": 8443}])])
    into = policy("team-beta", "block", LEDGER, ingress=[ingress(block)])
    said = text_report(review(changes(side(), side(out, into))), False)
    assert "  + team-alpha/my-api -> 10.200.0.0/16: 8443/TCP (leaves the cluster)\n" in said
    assert (
        "  + 10.200.0.0/16 -> team-beta/ledger: all ports (comes from outside the cluster)" in said
    )
    assert "      by NetworkPolicy team-alpha/block\n" in said


def test_edges_come_before_findings_and_objects_in_each_report() -> None:
    base, head = side(TO_LEDGER), side(TO_LEDGER, FROM_API)
    made = review(changes(base, head), base, head)
    said = text_report(made, False).splitlines()
    assert said[3] == (
        "who may connect to whom: 1 appears; 1 between teams, 0 to or from outside the cluster"
    )
    assert said[4:6] == [
        "  + team-alpha/my-api -> team-beta/ledger: 8080/TCP (crosses teams)",
        "      by NetworkPolicy team-alpha/out, NetworkPolicy team-beta/in",
    ]
    comment = markdown_report(made)
    line = (
        "- appears `team-alpha/my-api -> team-beta/ledger`: `8080/TCP` (**crosses teams**), by "
        "`NetworkPolicy team-alpha/out, NetworkPolicy team-beta/in`\n"
    )
    assert comment.index(line) < comment.index("must not miss") < comment.index("<details>")
    (edge,) = json.loads(json_report(made))["edges"]
    assert (edge["action"], edge["before"], edge["after"]) == ("appears", [], ["8080/TCP"])
    assert (edge["source"]["name"], edge["kind"]) == ("team-alpha/my-api", "cross-team")
    assert {each["side"] for each in edge["reasons"]} == {"egress", "ingress"}


def test_without_edges_no_report_mentions_them() -> None:
    made = review((), side(), side(deny_all("team-gamma")))
    assert "who may" not in text_report(made, False)
    assert "connect" not in markdown_report(made)
    assert json.loads(json_report(made))["edges"] == []


def test_alike_edges_are_one_line_with_their_number() -> None:
    apps = [app("team-alpha", f"worker-{number}") for number in range(10)]
    https = policy("team-alpha", "https", egress=[egress(ports=[{"port": 443}])])
    found = changes(side(*apps), side(*apps, https))
    assert len([each for each in found if each.kind == "outside"]) == 11
    said = text_report(review(found), False)
    (line,) = [line for line in said.splitlines() if "leaves the cluster" in line]
    assert line.startswith("  + team-alpha/my-api, team-alpha/worker-0, team-alpha/worker-1, ")
    assert " and 5 more -> anywhere" in line
    assert ": 443/TCP (" in line


def test_what_crosses_a_border_comes_first() -> None:
    open_to_all = policy("team-alpha", "all", egress=[{}], ingress=[{}])
    more = (app("team-alpha", "a"), app("team-alpha", "b"))
    found = changes(side(TO_LEDGER, *more), side(TO_LEDGER, FROM_API, *more, open_to_all))
    kinds = [group.one.kind for group in edge_groups(found)]
    assert kinds == sorted(kinds, key=["cross-team", "outside", "platform", "same-team"].index)
    assert {"cross-team", "outside", "same-team"} <= {*kinds}


def test_many_edges_leave_room_for_the_rest_of_a_comment() -> None:
    (edge,) = changes(side(TO_LEDGER), side(TO_LEDGER, FROM_API))
    many = [
        EdgeChange(
            type(edge.source)("app", f"team-{number:04}", "a" * 50), edge.target, edge.kind,
            (), (f"{number + 1}/TCP",), edge.reasons,
        )
        for number in range(3000)
    ]  # fmt: skip
    base, head = side(TO_LEDGER), side(TO_LEDGER, FROM_API)
    comment = markdown_report(review(many, base, head))
    assert len(comment) < LIMIT
    assert "more lines; run `./sre diff` to see them" in comment
    assert "**What a reviewer must not miss**" in comment
    assert "network access widened" in comment
    assert "<b>team-beta</b>: 1 added" in comment
    assert "lines do not fit" not in comment


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pairs of nodes of which edges were computed."""
    asked: list[str] = []
    real = module.edges

    def spy(world: Any, wanted: Any) -> Any:
        def told(source: Any, target: Any) -> bool:
            is_wanted: bool = wanted(source, target)
            if is_wanted:
                asked.append(f"{source.shown} -> {target.shown}")
            return is_wanted

        return real(world, told)

    made = module.world

    def world(*given: Any) -> Any:
        asked.append("a world")
        return made(*given)

    monkeypatch.setattr(module, "edges", spy)
    monkeypatch.setattr(module, "world", world)
    return asked


def _released(version: str) -> Object:
    made = app("team-alpha", "my-api", **{"app.kubernetes.io/version": version})
    made["spec"]["template"]["spec"]["containers"][0]["image"] = f"x:{version}"
    return made


def test_a_release_computes_nothing_unless_something_selects_by_the_version(
    computed: list[str],
) -> None:
    both = (TO_LEDGER, FROM_API)
    assert changes(side(*both, _released("v1")), side(*both, _released("v2"))) == []
    assert computed == []
    selecting = policy(
        "team-beta", "in", LEDGER,
        ingress=[ingress(named("team-alpha", **{"app.kubernetes.io/version": "v1"}))],
    )  # fmt: skip
    found = changes(
        side(TO_LEDGER, selecting, _released("v1")), side(TO_LEDGER, selecting, _released("v2"))
    )
    assert [each.action for each in found] == ["vanishes"]


def test_only_edges_of_namespaces_that_differ_are_computed(computed: list[str]) -> None:
    others = (
        namespace("team-gamma"),
        app("team-gamma", "a"),
        app("team-gamma", "b"),
        policy("team-gamma", "same", egress=[{"to": [{"podSelector": {}}]}], ingress=[{}]),
    )
    found = changes(side(TO_LEDGER, *others), side(TO_LEDGER, FROM_API, *others))
    assert len(found) == 1
    pairs = [pair for pair in computed if "->" in pair]
    assert pairs
    assert all("team-beta" in pair for pair in pairs)


def test_what_belongs_to_no_team_may_concern_all() -> None:
    root = authorization("istio-system", "closed", action="ALLOW")
    meshed = [
        namespace(team, **{"istio-injection": "enabled"}) for team in ("team-alpha", "team-beta")
    ]
    base = side(TO_LEDGER, FROM_API, *meshed)
    key = "kubernetes/istio-system/AuthorizationPolicy-closed"
    made = RenderedObject(key, "AuthorizationPolicy", "closed", root)
    head = Side({**base.objects, key: made})
    assert [each.action for each in changes(base, head)] == ["vanishes"]
