"""Settings that open or close the network for all apps at once (NIST 800-53 SC-7, AC-4)."""

from collections.abc import Iterator

from specs.settings import PlatformService, Settings
from tools.review.rendered_objects import Side
from tools.review.review_findings import ReviewFinding, Rules

_HTTPS = {
    "open": "every pod may connect to port 443 of any address",
    "declared": "only apps whose `calls` name a host or addresses with port 443 may connect there",
}
# From the least strict to the strictest.
_AUTHORIZATION = {
    None: "sidecars refuse nobody, and record nothing",
    "audit": "sidecars refuse nobody, and record whom they would refuse",
    "enforce": "sidecars refuse everyone that no AuthorizationPolicy admits",
}
_INTERNAL = {
    "open": "every pod of the namespace may connect to every other",
    "declared": "its apps connect to one another only where `calls` say so",
}
_SAME_NAMESPACE = "kubernetes/{team}/NetworkPolicy-allow-same-namespace"


def network_settings(stack: str, before: Settings, after: Settings) -> Iterator[ReviewFinding]:
    """What a stack's file changes about who may connect to whom."""
    file = f"of stack {stack}"
    was, now = before.network.https_egress, after.network.https_egress
    if was != now:
        said = f"network.httpsEgress {file}: {was} -> {now}: {_HTTPS[now]}"
        yield _finding(said, opens=now == "open")
    mode, had = after.istio.authorization, before.istio.authorization
    if mode != had:
        ranks = list(_AUTHORIZATION)
        modes = f"{had or 'not set'} -> {mode or 'not set'}"
        said = f"istio.authorization {file}: {modes}: {_AUTHORIZATION[mode]}"
        yield _finding(said, opens=ranks.index(mode) < ranks.index(had))
    services, known = after.network.platform, before.network.platform
    for name in sorted(services.keys() | known.keys()):
        one, former = services.get(name), known.get(name)
        if one == former:
            continue
        what = f"network.platform.{name} {file}"
        if one is None:
            yield _finding(f"{what}: no longer defined", opens=False)
        elif former is None:
            yield _finding(f"{what}: apps may now call {_shown(one)}", opens=True)
        else:
            said = f"{what}: its callers now connect to {_shown(one)} instead of {_shown(former)}"
            yield _finding(said, opens=True)


def internal_traffic(base: Side, head: Side) -> Iterator[ReviewFinding]:
    """Teams whose pods may newly connect to one another, or may no longer."""
    for team in sorted(base.teams & head.teams):
        namespace, policy = (
            f"kubernetes/_cluster/Namespace-{team}",
            _SAME_NAMESPACE.format(team=team),
        )
        if namespace not in base.objects or namespace not in head.objects:
            continue
        was, now = ("open" if policy in side.objects else "declared" for side in (base, head))
        if was != now:
            said = f"namespace.internalTraffic: {was} -> {now}: {_INTERNAL[now]}"
            yield _finding(said, opens=now == "open", team=team)


def _shown(service: PlatformService) -> str:
    ports = ", ".join(f"{port}/TCP" for port in service.ports)
    if service.namespace:
        labels = " and ".join(f"{key}={value}" for key, value in (service.pod_labels or {}).items())
        return f"{labels or 'all pods'} of namespace {service.namespace}, {ports}"
    return f"{service.host or ', '.join(service.cidrs)}, {ports}"


def _finding(detail: str, *, opens: bool, team: str = "") -> ReviewFinding:
    rule = Rules.NETWORK_OPENED if opens else Rules.NETWORK_CLOSED
    return ReviewFinding(rule, team, "", "", detail, rule.value.controls)
