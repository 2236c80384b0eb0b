"""AuthorizationPolicies: who may call a team's pods, by the identity that mutual TLS proves.

NIST 800-53 AC-3, AC-4.
"""

from typing import Any

from pulumi_kubernetes.apiextensions import CustomResource

from components.metadata import (
    Labels,
    Place,
    app_labels,
    app_selector,
    object_meta,
    team_labels,
)
from specs.app import BaseApp, WebApp
from specs.connections import Admitted, admitted
from specs.partners import Partners
from specs.settings import MONITORING, Settings
from specs.team import Team

# The sidecar then only records what it would refuse (Istio: AuthorizationPolicy, "Dry Run").
_DRY_RUN = {"istio.io/dry-run": "true"}


def tenant_policies(team: Team, place: Place, settings: Settings) -> list[CustomResource]:
    """Those that admit whom the NetworkPolicies of the same names admit.

    Each refuses everyone whom none of them admits (Istio: Authorization, "Implicit enablement").
    Prometheus needs none at the sidecar's own port, which the sidecar does not guard.
    """
    if settings.istio.authorization is None:
        return []
    callers = {"allow-istio-gateway": settings.istio.gateway_namespaces}
    if team.namespace.internal_traffic == "open":
        callers["allow-same-namespace"] = [team.name]
    if settings.metrics.scrape == "mesh":
        callers["allow-monitoring"] = [MONITORING]
    return [
        _policy(name, _allow([_from(namespaces=namespaces)]), team_labels(team), place, settings)
        for name, namespaces in callers.items()
    ]


def app_policy(
    team: Team, app: BaseApp, place: Place, settings: Settings, partners: Partners
) -> CustomResource | None:
    """`<app.name>`: whom its team's calls and its callers admit, to its main port alone."""
    if settings.istio.authorization is None or not isinstance(app, WebApp):
        return None
    port = str(app.app.port)
    if not (rules := [_rule(caller, port) for caller in admitted(team, app, partners)]):
        return None
    spec = {"selector": {"matchLabels": app_selector(app)}, **_allow(rules)}
    return _policy(app.name, spec, app_labels(team, app), place, settings)


def _policy(
    name: str, spec: dict[str, Any], labels: Labels, place: Place, settings: Settings
) -> CustomResource:
    dry_run = _DRY_RUN if settings.istio.authorization == "audit" else None
    return CustomResource(
        place.name(name),
        api_version="security.istio.io/v1",
        kind="AuthorizationPolicy",
        metadata=object_meta(place, name, labels, dry_run),
        spec=spec,
        opts=place.options,
    )


def _allow(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"action": "ALLOW", "rules": rules}


def _from(**source: list[str]) -> dict[str, Any]:
    return {"from": [{"source": source}]}


def _rule(caller: Admitted, port: str) -> dict[str, Any]:
    operation = {"ports": [port]}
    if caller.paths:
        operation["paths"] = [*caller.paths]
    if caller.methods:
        operation["methods"] = [*caller.methods]
    # Istio reads `cluster.local` as the trust domain of the mesh, whatever its name.
    principal = f"cluster.local/ns/{caller.team}/sa/{caller.account}"
    return {**_from(principals=[principal]), "to": [{"operation": operation}]}
