"""What `./sre reach` reports: who may reach whom, on which ports, and why."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["app", "gateway", "prometheus", "platform", "outside"]
EdgeKind = Literal["same-team", "cross-team", "platform", "outside"]
ReasonSide = Literal["egress", "ingress", "mesh"]


@dataclass(frozen=True, order=True)
class Node:
    """One end of an edge.

    `team` is the namespace, "" for addresses and hosts outside and for pods that a policy selects
    in namespaces by other labels than their name. `app` is the app, the labels of pods that are not
    an app's, "*" for all pods of a namespace, or the addresses or host.
    """

    kind: Kind
    team: str
    app: str

    @property
    def shown(self) -> str:
        """Its name, as text and on the command line: `team-alpha/my-api`, `10.200.0.0/16`."""
        return f"{self.team}/{self.app}" if self.team else self.app


@dataclass(frozen=True)
class Reason:
    """What lets traffic through on one side, or stops it (`allows` is false).

    `policy` is its kind, namespace and name, such as `NetworkPolicy team-alpha/my-api`; "" if it is
    that no policy applies. `side` is `egress` for policies of the source, `ingress` for those of
    the target, and `mesh` for the AuthorizationPolicies of the target's sidecar.
    """

    side: ReasonSide
    policy: str
    text: str
    allows: bool = True


@dataclass(frozen=True)
class Edge:
    """`source` may reach `target` on `port`, such as `8080/TCP` or `all ports`."""

    source: Node
    target: Node
    port: str
    kind: EdgeKind
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Answer:
    """Whether one end may reach the other, with the reasons of each side.

    `ports` are those of the question on which it may.
    """

    allowed: bool
    reasons: tuple[Reason, ...]
    ports: tuple[str, ...] = ()
