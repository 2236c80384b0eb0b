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

from components.metadata import Labels, Place, app_labels, app_selector, object_meta, team_labels
from components.monitoring import scraped_port
from specs import network as spec
from specs.app import BaseApp, WebApp
from specs.settings import (
    MONITORING,
    ControlPlane,
    IstioSettings,
    Settings,
    namespace_of_gateway,
)
from specs.team import Team

_IN, _OUT = "Ingress", "Egress"
_Peers = Sequence[NetworkPolicyPeerArgs]


def tenant_policies(team: Team, place: Place, settings: Settings) -> list[NetworkPolicy]:
    """The policies that every namespace starts with.

    The six of the guide (Default network rules), and one without which no sidecar starts.
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
            pod_selector=everything, policy_types=[_IN], ingress=[_from(_monitoring())]
        ),
        "allow-istio-gateway": NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_IN],
            ingress=[_from(_gateways(settings.istio.gateway_namespaces, settings.istio))],
        ),
        "allow-same-namespace": NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_IN, _OUT],
            ingress=[_from(_same_namespace())],
            egress=[NetworkPolicyEgressRuleArgs(to=_same_namespace())],
        ),
        "allow-https-egress": NetworkPolicySpecArgs(
            pod_selector=everything, policy_types=[_OUT], egress=[_to_https()]
        ),
    }
    if settings.istio.control_plane:
        policies["allow-istio-control-plane"] = NetworkPolicySpecArgs(
            pod_selector=everything,
            policy_types=[_OUT],
            egress=[_to_control_plane(settings.istio.control_plane)],
        )
    return [_policy(name, policy, team_labels(team), place) for name, policy in policies.items()]


def app_policy(
    team: Team, app: BaseApp, place: Place, settings: Settings, gateway: str | None
) -> NetworkPolicy:
    """An app's own policy: the guide's default rules and the team's additions.

    `gateway` ("namespace/name") is the one for traffic from outside, if any.
    """
    ingress = [
        *_default_ingress(app, settings, gateway),
        *(_ingress_rule(rule) for rule in app.network_policy.additional_ingress),
    ]
    egress = [
        _to_dns(),
        NetworkPolicyEgressRuleArgs(to=_same_namespace()),
        _to_https(),
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
    app: BaseApp, settings: Settings, gateway: str | None
) -> Iterator[NetworkPolicyIngressRuleArgs]:
    """Who may connect to a web-app's ports, and Prometheus to the metrics of any app."""
    if isinstance(app, WebApp) and gateway:
        namespaces = [namespace_of_gateway(gateway)]
        yield _from(_gateways(namespaces, settings.istio), [app.app.port])
    if scraped := scraped_port(app, settings):
        yield _from(_monitoring(), [scraped])
    if isinstance(app, WebApp):
        yield _from(_same_namespace(), [*app.ports.values()])


def _policy(
    name: str, policy: NetworkPolicySpecArgs, labels: Labels, place: Place
) -> NetworkPolicy:
    return NetworkPolicy(
        place.name(name),
        metadata=object_meta(place, name, labels),
        spec=policy,
        opts=place.options,
    )


def _namespace(name: str, pod_labels: Labels | None = None) -> NetworkPolicyPeerArgs:
    """The namespace's pods; only those with the labels, if any are given."""
    # Kubernetes sets this label on each namespace: no team can set another's.
    labels = {"kubernetes.io/metadata.name": name}
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels=labels),
        pod_selector=LabelSelectorArgs(match_labels=pod_labels) if pod_labels else None,
    )


def _monitoring() -> _Peers:
    return [_namespace(MONITORING)]


def _gateways(namespaces: Sequence[str], istio: IstioSettings) -> _Peers:
    return [_namespace(name, istio.gateway_pod_labels) for name in namespaces]


def _same_namespace() -> _Peers:
    return [NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())]


def _from(peers: _Peers, ports: Sequence[int] = ()) -> NetworkPolicyIngressRuleArgs:
    """From these peers to the ports; to every port if none is given."""
    opened = [NetworkPolicyPortArgs(port=port, protocol="TCP") for port in ports]
    return NetworkPolicyIngressRuleArgs(from_=peers, ports=opened or None)


def _to_dns() -> NetworkPolicyEgressRuleArgs:
    ports = [NetworkPolicyPortArgs(port=53, protocol=protocol) for protocol in ("UDP", "TCP")]
    return NetworkPolicyEgressRuleArgs(to=[_namespace("kube-system")], ports=ports)


def _to_https() -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(ports=[NetworkPolicyPortArgs(port=443, protocol="TCP")])


def _to_control_plane(plane: ControlPlane) -> NetworkPolicyEgressRuleArgs:
    """To istiod's port for configuration and certificates, over TLS (Istio: Ports used by Istio).

    Sidecars use no other: 15010 is the same in plain text, 15014 is for Prometheus, and the API
    server calls the webhooks.
    """
    return NetworkPolicyEgressRuleArgs(
        to=[_namespace(plane.namespace, plane.pod_labels)],
        ports=[NetworkPolicyPortArgs(port=15012, protocol="TCP")],
    )


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
