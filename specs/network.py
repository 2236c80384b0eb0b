"""An app's own network rules: NetworkPolicy peers and ports, as a team may write them."""

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from specs.base import Port, Spec, checked
from specs.labels import LabelKey, LabelValue

NAMESPACE_NAME = "kubernetes.io/metadata.name"
LAST_PORT = 65535

_CIDR = r"[0-9A-Fa-f:.]+/[0-9]{1,3}"
_PORT_NAME = r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?"


def _check_cidr(value: str) -> None:
    given = network_of(value)
    if given is None:
        try:
            network = str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            raise ValueError(f"'{value}' is not a CIDR; write one such as 10.200.0.0/16") from None
        raise ValueError(f"'{value}' has host bits set; write {network}") from None
    if "/" not in value:
        length = 128 if ":" in value else 32
        raise ValueError(f"'{value}' has no prefix length; write {value}/{length} for one address")
    mapped = given.network_address.ipv4_mapped if given.version == 6 else None
    if mapped:  # Kubernetes warns of them: network plugins read them in different ways
        network = f"{mapped}/{max(given.prefixlen - 96, 0)}"
        raise ValueError(f"'{value}' is a range of IPv4 written as one of IPv6; write {network}")
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
        (),
        description="Values to compare with; required for In and NotIn, not allowed for "
        "other operators.",
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

    cidr: Cidr = Field(description="Range of addresses.", examples=["10.200.0.0/16"])
    except_: tuple[Cidr, ...] = Field(
        (), alias="except", description="Ranges within `cidr` to exclude."
    )


class NetworkPolicyPeer(Spec):
    """Who is at the other end: pods (by namespace, by label, or both) or an address range."""

    namespace_selector: LabelSelector | None = Field(
        None, description="Namespaces by their labels; with `podSelector`, pods in them."
    )
    pod_selector: LabelSelector | None = Field(
        None,
        description="Pods by their labels; without `namespaceSelector`, in the team's "
        "own namespace.",
    )
    ip_block: IPBlock | None = Field(
        None, description="Addresses; cannot be combined with selectors."
    )

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
        (), alias="from", description="Who may connect; default: everyone."
    )
    ports: tuple[NetworkPolicyPort, ...] = Field((), description="On which ports; default: all.")

    @property
    def peers(self) -> tuple[NetworkPolicyPeer, ...]:
        """The entries that name the other end."""
        return self.from_


class EgressRule(Spec):
    """Where the app's pods may connect to, on which ports."""

    to: tuple[NetworkPolicyPeer, ...] = Field((), description="Where to; default: anywhere.")
    ports: tuple[NetworkPolicyPort, ...] = Field((), description="On which ports; default: all.")

    @property
    def peers(self) -> tuple[NetworkPolicyPeer, ...]:
        """The entries that name the other end."""
        return self.to


class NetworkPolicy(Spec):
    """Controls network access to and from the app's pods (guide: networkPolicy)."""

    enabled: bool = Field(
        True,
        description="Creates the NetworkPolicy `<app.name>`. It opens a web-app's `app.port` to "
        "the gateway (with `ingress`), Prometheus and the namespace, and `app.ports` to the "
        "namespace; a worker's or cronjob's `serviceMonitor.port` to Prometheus; for every app, "
        "egress to DNS, the namespace and port 443; and what `calls` and `callers` list. "
        "`namespace.internalTraffic` and the stack's `network.httpsEgress` can close the "
        "namespace and port 443. Policies are additive, and the namespace's own, which always "
        "apply, open every port to these peers.",
    )
    additional_ingress: tuple[IngressRule, ...] = Field(
        (),
        description="Additional rules: who else may connect. With `istio.authorization: enforce`, "
        "the mesh still admits only `callers` from other teams.",
    )
    additional_egress: tuple[EgressRule, ...] = Field(
        (), description="Additional rules: where else the app may connect to."
    )


@lru_cache(1024)
def network_of(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for text that is not a CIDR: the check of the value reports it."""
    try:
        return ipaddress.ip_network(cidr)
    except ValueError:
        return None
