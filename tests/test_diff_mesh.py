"""What `./sre diff` says about who the mesh admits, and which hosts outside of it are known."""

from typing import Any

import pytest

from tools.review.comparison import Comparison, compare
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules

TEAM = "team-alpha"
NAMESPACE = RenderedObject(
    f"kubernetes/_cluster/Namespace-{TEAM}", "Namespace", TEAM, {"metadata": {}}, TEAM
)
PODS = {"selector": {"matchLabels": {"app.kubernetes.io/name": "my-api"}}}


def _object(kind: str, name: str, spec: Any, **annotations: str) -> RenderedObject:
    fields = {"kind": kind, "metadata": {"annotations": annotations}, "spec": spec}
    return RenderedObject(f"kubernetes/{TEAM}/{kind}-{name}", kind, name, fields, TEAM)


def _side(*objects: RenderedObject) -> Side:
    return Side({each.key: each for each in (NAMESPACE, *objects)})


def _rule(caller: str = "consumer", **operation: list[str]) -> dict[str, Any]:
    principals = [f"cluster.local/ns/team-beta/sa/{caller}"]
    operation = {"ports": ["8080"], **operation}
    return {"from": [{"source": {"principals": principals}}], "to": [{"operation": operation}]}


def _policy(*rules: Any, **spec: Any) -> RenderedObject:
    whole = {**PODS, "action": "ALLOW", "rules": list(rules), **spec}
    return _object("AuthorizationPolicy", "my-api", whole)


def _told(comparison: Comparison) -> list[tuple[Rules, str]]:
    return [(each.rule, each.detail) for each in comparison.findings]


EVERYONE = {"to": [{"operation": {"ports": ["8080"]}}]}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([_rule()], [_rule(), _rule("report")], "sa/report to port 8080"),
        ([_rule()], [_rule(ports=["9000"])], "sa/consumer to port 9000"),
        ([_rule(paths=["/v1/*"])], [_rule()], "sa/consumer to port 8080"),
        ([_rule(paths=["/v1/*"])], [_rule(paths=["/*"])], "sa/consumer to port 8080 /*"),
        ([_rule(methods=["GET"])], [_rule(methods=["GET", "POST"])], "to port 8080 POST"),
        ([_rule()], [EVERYONE], "admits everyone to port 8080"),
        ([_rule()], [{}], "admits everyone to every port"),
        ([_rule()], [{**_rule(), "when": []}], "has a rule that no review reads"),
    ],
)
def test_more_callers_need_a_second_reviewer(
    before: list[Any], after: list[Any], said: str
) -> None:
    comparison = compare(_side(_policy(*before)), _side(_policy(*after)))
    ((rule, detail),) = _told(comparison)
    assert rule is Rules.MESH_WIDER
    assert said in detail
    (finding,) = comparison.findings
    assert finding.needs_second
    assert set(finding.controls) >= {"AC-4", "SC-7"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([_rule(), _rule("report")], [_rule()]),
        ([_rule()], [_rule(paths=["/v1/*"], methods=["GET"])]),
        ([_rule(methods=["GET", "POST"])], [_rule(methods=["POST"])]),
        ([EVERYONE], [_rule()]),
        ([_rule(), _rule("report")], [_rule("report"), _rule()]),
    ],
)
def test_fewer_callers_are_ordinary(before: list[Any], after: list[Any]) -> None:
    comparison = compare(_side(_policy(*before)), _side(_policy(*after)))
    assert len(comparison.entries) == 1
    assert _told(comparison) == []


@pytest.mark.parametrize("changed", [{"action": "DENY"}, {"selector": {}}])
def test_another_use_of_the_same_rules_needs_a_second_reviewer(changed: dict[str, Any]) -> None:
    ((rule, _),) = _told(compare(_side(_policy(_rule())), _side(_policy(_rule(), **changed))))
    assert rule is Rules.MESH_WIDER


def test_a_policy_that_only_records_from_now_on_needs_a_second_reviewer() -> None:
    spec = {**PODS, "action": "ALLOW", "rules": [_rule()]}
    enforced = _object("AuthorizationPolicy", "my-api", spec)
    dry = _object("AuthorizationPolicy", "my-api", spec, **{"istio.io/dry-run": "true"})
    ((rule, _),) = _told(compare(_side(enforced), _side(dry)))
    assert rule is Rules.MESH_AUDIT
    assert _told(compare(_side(dry), _side(enforced))) == []


def test_the_first_policies_of_a_namespace_close_it() -> None:
    assert _told(compare(_side(), _side(_policy(_rule())))) == []
    others = _object("AuthorizationPolicy", "allow-istio-gateway", {"rules": [{}]})
    ((rule, _),) = _told(compare(_side(others), _side(others, _policy(_rule()))))
    assert rule is Rules.MESH_WIDER


ALL = _object("AuthorizationPolicy", "allow-istio-gateway", {"action": "ALLOW", "rules": []})


def _pods(name: str) -> RenderedObject:
    labels = {"app.kubernetes.io/name": name}
    return _object("Deployment", name, {"template": {"metadata": {"labels": labels}}})


@pytest.mark.parametrize(
    ("gone", "others", "said"),
    [
        (_policy(_rule()), [], "admit everyone"),
        (_policy(), [], "admit everyone"),
        (ALL, [_policy(_rule())], "admit everyone"),  # which guards only some of the pods
        (_policy(_rule()), [_object("AuthorizationPolicy", "no", {"action": "DENY"})], "everyone"),
        (_policy(_rule()), [_pods("my-api")], "admit everyone"),
        (_policy(_rule(), action="DENY"), [ALL], "refuses no one any more"),
        (_policy(_rule(), action="CUSTOM"), [ALL], "refuses no one any more"),
    ],
)
def test_a_policy_that_is_gone_and_opens_pods_needs_a_second_reviewer(
    gone: RenderedObject, others: list[RenderedObject], said: str
) -> None:
    (finding,) = compare(_side(gone, *others), _side(*others)).findings
    assert finding.rule is Rules.MESH_WIDER
    assert said in finding.detail
    assert finding.needs_second
    assert "AC-4" in finding.controls


def test_a_policy_that_only_records_opens_nothing_that_stays_guarded() -> None:
    dry = _object("AuthorizationPolicy", "dry", {}, **{"istio.io/dry-run": "true"})
    gone = _policy(_rule())
    (finding,) = compare(_side(gone, dry), _side(dry)).findings
    assert finding.rule is Rules.MESH_WIDER
    (finding,) = compare(_side(dry), _side()).findings
    assert finding.rule is Rules.DESTROYED


@pytest.mark.parametrize(
    ("gone", "with_it", "stays"),
    [
        ([_policy(_rule())], [], [ALL]),
        ([_policy(_rule())], [_pods("my-api")], []),
        ([_policy(_rule())], [_pods("my-api")], [_pods("frontend")]),
    ],
)
def test_a_policy_that_is_gone_narrows_what_others_still_guard(
    gone: list[RenderedObject], with_it: list[RenderedObject], stays: list[RenderedObject]
) -> None:
    found = compare(_side(*gone, *with_it, *stays), _side(*stays)).findings
    (finding,) = [each for each in found if each.object == gone[0].key]
    assert finding.rule is Rules.NARROWER
    assert not finding.needs_second


def test_a_policy_that_goes_with_its_namespace_is_destroyed() -> None:
    found = compare(_side(ALL, _policy(_rule())), Side()).findings
    assert {each.rule for each in found} == {Rules.DATA_DESTROYED, Rules.DESTROYED}


def test_a_host_that_no_sidecar_knows_any_more_is_no_wider() -> None:
    (finding,) = compare(_side(_entry()), _side()).findings
    assert finding.rule is Rules.NARROWER
    assert "api.example.com:443 is no longer known; a mesh with REGISTRY_ONLY" in finding.detail
    other = _entry("other")
    (finding,) = compare(_side(_entry(), other), _side(other)).findings
    assert "api.example.com:443 stays known by another" in finding.detail
    assert not finding.needs_second


def test_an_entry_that_led_elsewhere_and_is_gone_needs_a_second_reviewer() -> None:
    led = _entry(endpoints=[{"address": "192.0.2.1"}])
    (finding,) = compare(_side(led), _side()).findings
    assert finding.rule is Rules.DESTROYED


def _entry(name: str = "my-api-api-example-com", **spec: Any) -> RenderedObject:
    whole = {
        "hosts": ["api.example.com"],
        "location": "MESH_EXTERNAL",
        "exportTo": ["."],
        "ports": [{"number": 443, "name": "tls-443", "protocol": "TLS"}],
        "resolution": "DNS",
        **spec,
    }
    return _object("ServiceEntry", name, whole)


def _range(cidr: str, **spec: Any) -> RenderedObject:
    named = {"hosts": ["x.my-api.invalid"], "addresses": [cidr], "resolution": "NONE", **spec}
    return _entry("my-api-x", **named)


TWO_PORTS = [{"number": number, "name": f"tcp-{number}", "protocol": "TCP"} for number in (443, 25)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [_entry()], "api.example.com:443"),
        ([_entry()], [_entry(ports=TWO_PORTS)], "api.example.com:25"),
        ([_entry()], [_entry(hosts=["*.example.com"])], "*.example.com:443"),
        ([_entry()], [_entry(exportTo=["*"])], "applies to other namespaces"),
        ([_entry()], [_entry(endpoints=[{"address": "192.0.2.1"}])], "leads elsewhere: endpoints"),
        ([_entry()], [_entry(resolution="NONE")], "leads elsewhere: resolution"),
        ([], [_range("10.1.0.0/16")], "10.1.0.0/16:443 ("),
        ([_range("10.1.0.0/16")], [_range("10.0.0.0/8")], "10.0.0.0/8:443 ("),
        ([_range("10.1.0.0/16")], [_range("10.1.0.0/16", ports=TWO_PORTS)], "10.1.0.0/16:25 ("),
        ([_entry()], [_entry(), _range("10.1.0.0/16")], "10.1.0.0/16:443 ("),
        ([_range("::/1")], [_range("10.1.0.0/16")], "10.1.0.0/16:443 ("),
        ([_range("10.1.0.0/16")], [_range("", addresses=None)], "every address:443 ("),
    ],
)
def test_another_host_outside_the_mesh_needs_a_second_reviewer(
    before: list[RenderedObject], after: list[RenderedObject], said: str
) -> None:
    comparison = compare(_side(*before), _side(*after))
    ((rule, detail),) = _told(comparison)
    assert rule is Rules.HOST_OUTSIDE
    assert said in detail
    assert all(finding.needs_second for finding in comparison.findings)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([_entry(ports=TWO_PORTS)], [_entry(ports=TWO_PORTS[:1])]),
        ([_entry(hosts=["*.example.com"])], [_entry()]),
        ([_entry()], [_entry(), _entry("other-api-example-com")]),
        ([_range("10.0.0.0/8")], [_range("10.1.0.0/16")]),
    ],
)
def test_what_a_namespace_s_sidecars_know_already_is_ordinary(
    before: list[RenderedObject], after: list[RenderedObject]
) -> None:
    assert _told(compare(_side(*before), _side(*after))) == []
