"""What `./sre diff` says about who may connect to whom: settings, and edges."""

from typing import Any

import pytest

from tests.written import settings
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules
from tools.review.rules.network_settings import internal_traffic, network_settings

OPENS, CLOSES = Rules.NETWORK_OPENED, Rules.NETWORK_CLOSED


# Settings


def said(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Rules, str]]:
    found = network_settings("dev", settings(**before), settings(**after))
    return [(each.rule, each.detail) for each in found]


def test_port_443_that_opens_or_closes_is_reported_as_what_it_is() -> None:
    declared = {"network": {"httpsEgress": "declared"}}
    where = "network.httpsEgress of Pulumi.dev.yaml:"
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
        ("audit", "enforce", CLOSES, "audit -> enforce: sidecars refuse everyone whom"),
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
    assert text.startswith(f"istio.authorization of Pulumi.dev.yaml: {detail}")


def test_a_platform_service_is_reported_with_what_its_name_stands_for() -> None:
    def stack(**services: Any) -> dict[str, Any]:
        return {"network": {"platform": services}}

    pods = {"namespace": "databases", "podLabels": {"app": "postgresql"}, "ports": (5432,)}
    where = "network.platform.databases of Pulumi.dev.yaml:"
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
        assert detail.startswith(f"{where} who calls it connects to {text}")
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
