"""AuthorizationPolicies: who may call a team's pods, by the identity that mutual TLS proves.

NIST 800-53 AC-3, AC-4.
"""

from typing import Any

from pulumi_kubernetes.apiextensions import CustomResource

from components.metadata import Place, object_meta, team_labels
from specs.settings import MONITORING, Settings
from specs.team import Team

# The sidecar then only records what it would refuse (Istio: AuthorizationPolicy, "Dry Run").
_DRY_RUN = {"istio.io/dry-run": "true"}


def tenant_policies(team: Team, place: Place, settings: Settings) -> list[CustomResource]:
    """Those that admit whom the NetworkPolicies of the same names admit.

    Each refuses everyone whom none of them admits (Istio: Authorization, "Implicit enablement").
    Prometheus needs none at the sidecar's own port, which the sidecar does not guard.
    """
    mode = settings.istio.authorization
    if mode is None:
        return []
    callers = {
        "allow-istio-gateway": settings.istio.gateway_namespaces,
        "allow-same-namespace": [team.name],
    }
    if settings.metrics.scrape == "mesh":
        callers["allow-monitoring"] = [MONITORING]
    return [
        CustomResource(
            place.name(name),
            api_version="security.istio.io/v1",
            kind="AuthorizationPolicy",
            metadata=object_meta(
                place, name, team_labels(team), _DRY_RUN if mode == "audit" else None
            ),
            spec=_from(namespaces),
            opts=place.options,
        )
        for name, namespaces in callers.items()
    ]


def _from(namespaces: list[str]) -> dict[str, Any]:
    return {"action": "ALLOW", "rules": [{"from": [{"source": {"namespaces": namespaces}}]}]}
