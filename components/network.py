"""NetworkPolicies: those of each namespace, and each app's own.

NIST 800-53 SC-7; guide: Networking.
"""

from collections.abc import Iterator, Sequence

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from components import calls
from components.metadata import Labels, Place, app_labels, app_selector, object_meta, team_labels
from components.monitoring import scraped_port
from components.network_rules import Peers, in_namespace, incoming, outgoing
from specs import network as spec
from specs.app import BaseApp, WebApp
from specs.calls import HTTPS
from specs.partners import Partners
from specs.settings import (
    MONITORING,
    ControlPlane,
    IstioSettings,
    Settings,
    namespace_of_gateway,
)
from specs.team import Team

_IN, _OUT = "Ingress", "Egress"


def tenant_policies(team: Team, place: Place, settings: Settings) -> list[NetworkPolicy]:
    """The policies that every namespace starts with.

    The six of the guide (Default network rules), and one without which no sidecar starts. Where
    apps' calls must be declared, those that would open more than calls say are left out.
    """
    everything = LabelSelectorArgs()
    policies = {
        "default-deny-all": NetworkPolicySpecArgs(
            pod_selector=everything, policy_types=[_IN, _OUT]
        ),
        "allow-dns": NetworkPolicySpecArgs(
            pod_selector=everything, policy_types=[_OUT], egress=[_to_dns()]
        ),
        "allow-monitoring": NetworkPolicySpecArgs(
            pod_selector=everything, policy_types=[_IN], ingress=[incoming(_monitoring())]
        ),
        "allow-istio-gateway": NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_IN],
            ingress=[incoming(_gateways(settings.istio.gateway_namespaces, settings.istio))],
        ),
    }
    if _open_inside(team):
        policies["allow-same-namespace"] = NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_IN, _OUT],
            ingress=[incoming(_same_namespace())],
            egress=[outgoing(_same_namespace())],
        )
    if _https_open(settings):
        policies["allow-https-egress"] = NetworkPolicySpecArgs(
            pod_selector=everything, policy_types=[_OUT], egress=[_to_https()]
        )
    if settings.istio.control_plane:
        policies["allow-istio-control-plane"] = NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_OUT],
            egress=[_to_control_plane(settings.istio.control_plane)],
        )
    return [_policy(name, policy, team_labels(team), place) for name, policy in policies.items()]


def app_policy(
    team: Team,
    app: BaseApp,
    place: Place,
    settings: Settings,
    partners: Partners,
    gateway: str | None,
) -> NetworkPolicy:
    """An app's own policy: the guide's default rules, its calls and callers, and its additions.

    `gateway` ("namespace/name") is the one for traffic from outside, if any.
    """
    ingress = [
        *_default_ingress(team, app, settings, gateway),
        *calls.from_callers(team, app, partners),
        *(_ingress_rule(rule) for rule in app.network_policy.additional_ingress),
    ]
    egress = [
        *_default_egress(team, settings),
        *calls.to_called(team, app, settings, partners),
        *(_egress_rule(rule) for rule in app.network_policy.additional_egress),
    ]
    policy = NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=app_selector(app)),
        policy_types=[_IN, _OUT],
        ingress=ingress or None,
        egress=egress,
    )
    return _policy(app.name, policy, app_labels(team, app), place)


def _default_ingress(
    team: Team, app: BaseApp, settings: Settings, gateway: str | None
) -> Iterator[NetworkPolicyIngressRuleArgs]:
    """Who may connect to a web-app's ports, and Prometheus to the metrics of any app."""
    if isinstance(app, WebApp) and gateway:
        namespaces = [namespace_of_gateway(gateway)]
        yield incoming(_gateways(namespaces, settings.istio), [app.app.port])
    if scraped := scraped_port(app, settings):
        yield incoming(_monitoring(), [scraped])
    if isinstance(app, WebApp) and _open_inside(team):
        yield incoming(_same_namespace(), [*app.ports.values()])


def _default_egress(team: Team, settings: Settings) -> Iterator[NetworkPolicyEgressRuleArgs]:
    yield _to_dns()
    if _open_inside(team):
        yield outgoing(_same_namespace())
    if _https_open(settings):
        yield _to_https()


def _open_inside(team: Team) -> bool:
    """Whether a team's apps may connect to each other without a call that says so."""
    return team.namespace.internal_traffic == "open"


def _https_open(settings: Settings) -> bool:
    """Whether every pod may connect to port 443 of any address."""
    return settings.network.https_egress == "open"


def _policy(
    name: str, policy: NetworkPolicySpecArgs, labels: Labels, place: Place
) -> NetworkPolicy:
    return NetworkPolicy(
        place.name(name),
        metadata=object_meta(place, name, labels),
        spec=policy,
        opts=place.options,
    )


def _monitoring() -> Peers:
    return [in_namespace(MONITORING)]


def _gateways(namespaces: Sequence[str], istio: IstioSettings) -> Peers:
    return [in_namespace(name, istio.gateway_pod_labels) for name in namespaces]


def _same_namespace() -> Peers:
    return [NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())]


def _to_dns() -> NetworkPolicyEgressRuleArgs:
    ports = [NetworkPolicyPortArgs(port=53, protocol=protocol) for protocol in ("UDP", "TCP")]
    return NetworkPolicyEgressRuleArgs(to=[in_namespace("kube-system")], ports=ports)


def _to_https() -> NetworkPolicyEgressRuleArgs:
    return outgoing([], [HTTPS])


def _to_control_plane(plane: ControlPlane) -> NetworkPolicyEgressRuleArgs:
    """To istiod's port for configuration and certificates, over TLS (Istio: Ports used by Istio).

    Sidecars use no other: 15010 is the same in plain text, 15014 is for Prometheus, and the API
    server calls the webhooks.
    """
    return outgoing([in_namespace(plane.namespace, plane.pod_labels)], [15012])


def _ingress_rule(rule: spec.IngressRule) -> NetworkPolicyIngressRuleArgs:
    return NetworkPolicyIngressRuleArgs(
        from_=[_peer(peer) for peer in rule.from_] or None,
        ports=[_port(port) for port in rule.ports] or None,
    )


def _egress_rule(rule: spec.EgressRule) -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(
        to=[_peer(peer) for peer in rule.to] or None,
        ports=[_port(port) for port in rule.ports] or None,
    )


def _peer(peer: spec.NetworkPolicyPeer) -> NetworkPolicyPeerArgs:
    block = peer.ip_block
    return NetworkPolicyPeerArgs(
        namespace_selector=_selector(peer.namespace_selector),
        pod_selector=_selector(peer.pod_selector),
        ip_block=IPBlockArgs(cidr=block.cidr, except_=list(block.except_) or None)
        if block
        else None,
    )


def _selector(selector: spec.LabelSelector | None) -> LabelSelectorArgs | None:
    if selector is None:
        return None
    expressions = [
        LabelSelectorRequirementArgs(
            key=expression.key,
            operator=expression.operator,
            values=list(expression.values) or None,
        )
        for expression in selector.match_expressions
    ]
    return LabelSelectorArgs(
        match_labels=selector.match_labels or None, match_expressions=expressions or None
    )


def _port(port: spec.NetworkPolicyPort) -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=port.port, end_port=port.end_port, protocol=port.protocol)
