"""An app's own network rules: NetworkPolicy peers and ports, as a team may write them."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from specs.base import Port, Spec, checked
from specs.labels import LabelKey, LabelValue
from specs.problem import Finding, Loc

NAMESPACE_NAME = "kubernetes.io/metadata.name"
LAST_PORT = 65535
# An `except` with this prefix length or a longer one leaves a block practically whole.
_SIZEABLE = 16

_CIDR = r"[0-9A-Fa-f:.]+/[0-9]{1,3}"
_PORT_NAME = r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?"


def _check_cidr(value: str) -> None:
    if _network(value) is None:
        try:
            network = str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            raise ValueError(f"'{value}' is not a CIDR; write one such as 10.200.0.0/16") from None
        raise ValueError(f"'{value}' has host bits set; write {network}") from None
    if "/" not in value:
        raise ValueError(f"'{value}' has no prefix length; write {value}/32 for one address")
    if not re.fullmatch(_CIDR, value):  # Python reads netmasks and zones, Kubernetes does not
        raise ValueError(f"'{value}' is not a CIDR; write one such as 10.200.0.0/16")


def _check_port(value: int | str) -> int | str:
    if isinstance(value, str) and not re.fullmatch(_PORT_NAME, value):
        raise ValueError(f"'{value}' is not a port's name; write a number, or a name such as http")
    return value


Cidr = Annotated[str, checked(_check_cidr, _CIDR)]
PortOrName = Annotated[
    Port | str,
    AfterValidator(_check_port),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LAST_PORT},
                {"type": "string", "pattern": f"^({_PORT_NAME})$"},
            ]
        }
    ),
]


class LabelSelectorRequirement(Spec):
    """One expression of a label selector."""

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label is compared."
    )
    values: tuple[LabelValue, ...] = Field(
        (), description="What it is compared with: for In and NotIn only, and then at least one."
    )


class LabelSelector(Spec):
    """Which namespaces or pods a peer means; an empty one means all of them."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels that must be equal."
    )
    match_expressions: tuple[LabelSelectorRequirement, ...] = Field(
        (), description="Further conditions on labels."
    )

    @property
    def selects_all(self) -> bool:
        """Whether it requires nothing: it is empty, or lists only what must be absent.

        Every namespace has the label `kubernetes.io/metadata.name`, so requiring it does not
        restrict anything.
        """
        return not self.match_labels and all(
            expression.operator in ("NotIn", "DoesNotExist")
            or (expression.operator == "Exists" and expression.key == NAMESPACE_NAME)
            for expression in self.match_expressions
        )


class IPBlock(Spec):
    """A range of addresses outside the cluster."""

    cidr: Cidr = Field(description="The range.", examples=["10.200.0.0/16"])
    except_: tuple[Cidr, ...] = Field(
        (), alias="except", description="Ranges within `cidr` that are left out."
    )


class NetworkPolicyPeer(Spec):
    """Who is at the other end: pods (by namespace, by label, or both) or an address range."""

    namespace_selector: LabelSelector | None = Field(
        None, description="Namespaces by their labels; with `podSelector`, pods in them."
    )
    pod_selector: LabelSelector | None = Field(
        None, description="Pods by their labels; without `namespaceSelector`, of the own namespace."
    )
    ip_block: IPBlock | None = Field(None, description="Addresses; not together with selectors.")

    @property
    def selects_all(self) -> bool:
        """Whether it selects every namespace, or all pods of every namespace."""
        everywhere = self.namespace_selector is not None and self.namespace_selector.selects_all
        return everywhere and (self.pod_selector is None or self.pod_selector.selects_all)


class NetworkPolicyPort(Spec):
    """A port, or a range of them."""

    port: PortOrName | None = Field(
        None, description="Number or name of the port; without it, every port of the protocol."
    )
    end_port: Port | None = Field(None, description="Last port of a range that begins at `port`.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="Transport protocol.")

    @property
    def numbers(self) -> range:
        """The port numbers that it covers; none for a named port."""
        if self.port is None:
            return range(1, LAST_PORT + 1)
        first = self.port if isinstance(self.port, int) else 0
        return range(first, (self.end_port or first) + 1) if first else range(0)


class IngressRule(Spec):
    """Who may connect to the app's pods, on which ports."""

    from_: tuple[NetworkPolicyPeer, ...] = Field(
        (), alias="from", description="Who may connect; left out, everybody."
    )
    ports: tuple[NetworkPolicyPort, ...] = Field((), description="On which ports; left out, all.")

    @property
    def peers(self) -> tuple[NetworkPolicyPeer, ...]:
        """The entries that name the other end."""
        return self.from_


class EgressRule(Spec):
    """Where the app's pods may connect to, on which ports."""

    to: tuple[NetworkPolicyPeer, ...] = Field((), description="Where to; left out, everywhere.")
    ports: tuple[NetworkPolicyPort, ...] = Field((), description="On which ports; left out, all.")

    @property
    def peers(self) -> tuple[NetworkPolicyPeer, ...]:
        """The entries that name the other end."""
        return self.to


class NetworkPolicy(Spec):
    """Controls network access to and from the app's pods (guide: networkPolicy)."""

    enabled: bool = Field(
        True,
        description="Makes the NetworkPolicy `<app.name>`. Into a web-app it opens `app.port` to "
        "the gateway (with `ingress`), Prometheus and the namespace; into a worker or cronjob "
        "`serviceMonitor.port` to Prometheus; out of all of them DNS, the namespace and port 443. "
        "Policies add up, and the namespace's own, which stand either way, open every port to "
        "these peers.",
    )
    additional_ingress: tuple[IngressRule, ...] = Field(
        (), description="Rules beside the default ones: who else may connect."
    )
    additional_egress: tuple[EgressRule, ...] = Field(
        (), description="Rules beside the default ones: where else the app may connect to."
    )


def check_policy(policy: NetworkPolicy, at: Loc) -> Iterator[Finding]:
    """What is wrong with rules whose individual values are valid; `at` is their place."""
    for key, peers, rules in (
        ("additionalIngress", "from", policy.additional_ingress),
        ("additionalEgress", "to", policy.additional_egress),
    ):
        for index, rule in enumerate(rules):
            yield from _check_rule(rule, peers, (*at, key, index))


def _check_rule(rule: IngressRule | EgressRule, key: str, at: Loc) -> Iterator[Finding]:
    for index, peer in enumerate(rule.peers):
        yield from _check_peer(peer, (*at, key, index))
    for index, port in enumerate(rule.ports):
        yield from _check_port_range(port, (*at, "ports", index))
    everyone = (
        not rule.peers
        or any(peer.selects_all for peer in rule.peers)
        or _all_addresses([peer.ip_block for peer in rule.peers if peer.ip_block])
    )
    if everyone and (not rule.ports or _all_ports(rule.ports)):
        yield at, f"allows everything; name who (`{key}`) or which `ports`"


def _all_addresses(blocks: Sequence[IPBlock]) -> bool:
    """Whether the blocks cover nearly all of IPv4 or IPv6, alone or together."""
    networks = [
        network
        for block in blocks
        if (network := _network(block.cidr))
        and not any(
            excluded.prefixlen <= _SIZEABLE
            for text in block.except_
            if (excluded := _network(text))
        )
    ]
    v4 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    return any(network.prefixlen == 0 for network in (*v4, *v6))


def _all_ports(ports: Sequence[NetworkPolicyPort]) -> bool:
    """Whether the entries cover every port of a protocol, alone or together."""
    for protocol in {port.protocol for port in ports}:
        ranges = [port.numbers for port in ports if port.protocol == protocol and port.numbers]
        next_port = 1
        for numbers in sorted(ranges, key=lambda numbers: numbers.start):
            if numbers.start <= next_port:
                next_port = max(next_port, numbers.stop)
        if next_port > LAST_PORT:
            return True
    return False


def _check_peer(peer: NetworkPolicyPeer, at: Loc) -> Iterator[Finding]:
    selectors = {"namespaceSelector": peer.namespace_selector, "podSelector": peer.pod_selector}
    given = [key for key, selector in selectors.items() if selector is not None]
    if peer.ip_block is None and not given:
        yield at, "names nobody; add namespaceSelector, podSelector or ipBlock"
    elif peer.ip_block is not None and given:
        yield (*at, "ipBlock"), f"cannot stand beside {given[0]}; make two entries of it"
    for key, selector in selectors.items():
        if selector is not None:
            yield from _check_selector(selector, (*at, key))
    if peer.ip_block is not None:
        for index, excluded in enumerate(peer.ip_block.except_):
            if not _within(excluded, peer.ip_block.cidr):
                yield (
                    (*at, "ipBlock", "except", index),
                    f"{excluded} is not within {peer.ip_block.cidr}; remove it or widen `cidr`",
                )


def _within(inner: str, outer: str) -> bool:
    small, large = _network(inner), _network(outer)
    if small is None or large is None:
        return True
    return small.version == large.version and small != large and small.subnet_of(large)  # type: ignore[arg-type]


def _check_selector(selector: LabelSelector, at: Loc) -> Iterator[Finding]:
    for index, expression in enumerate(selector.match_expressions):
        needs_values = expression.operator in ("In", "NotIn")
        loc: Loc = (*at, "matchExpressions", index, "values")
        if needs_values and not expression.values:
            yield loc, f"is empty, and {expression.operator} compares with something; add a value"
        elif not needs_values and expression.values:
            yield loc, f"goes with In and NotIn only, not {expression.operator}; remove it"


def _check_port_range(port: NetworkPolicyPort, at: Loc) -> Iterator[Finding]:
    if port.end_port is None:
        return
    if not isinstance(port.port, int):
        yield (*at, "endPort"), "needs a number as `port`, where the range begins; add it"
    elif port.end_port < port.port:
        yield (*at, "endPort"), f"{port.end_port} is below `port` {port.port}; swap them"


@lru_cache(1024)
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for text that is not a CIDR: the check of the value reports it."""
    try:
        return ipaddress.ip_network(cidr)
    except ValueError:
        return None
