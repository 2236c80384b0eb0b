"""Rules of NetworkPolicies: who is at the other end, and on which ports."""

from collections.abc import Iterable, Sequence

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
)

from components.metadata import Labels
from specs.network import NAMESPACE_NAME

Peers = Sequence[NetworkPolicyPeerArgs]


def in_namespace(name: str, pod_labels: Labels | None = None) -> NetworkPolicyPeerArgs:
    """The namespace's pods; only those with the labels, if any are given."""
    # Kubernetes sets this label on each namespace: no team can set another's.
    labels = {NAMESPACE_NAME: name}
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels=labels),
        pod_selector=LabelSelectorArgs(match_labels=pod_labels) if pod_labels else None,
    )


def addresses(cidr: str) -> NetworkPolicyPeerArgs:
    """All addresses of a range."""
    return NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr))


def incoming(peers: Peers, ports: Iterable[int] = ()) -> NetworkPolicyIngressRuleArgs:
    """From these peers to the ports; to every port if none is given."""
    return NetworkPolicyIngressRuleArgs(from_=peers, ports=_tcp(ports) or None)


def outgoing(peers: Peers, ports: Iterable[int] = ()) -> NetworkPolicyEgressRuleArgs:
    """To the ports of these peers; anywhere without peers, every port without ports."""
    return NetworkPolicyEgressRuleArgs(to=peers or None, ports=_tcp(ports) or None)


def _tcp(ports: Iterable[int]) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=port, protocol="TCP") for port in ports]
