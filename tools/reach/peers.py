"""Whom a NetworkPolicy's rule names at the other end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from specs.network import NAMESPACE_NAME
from specs.openings import Selector, selector_shown
from specs.selectors import matches

Labels = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Peer:
    """A peer with its namespace; `given` is None for everyone."""

    given: Mapping[str, Any] | None

    @cached_property
    def block(self) -> Mapping[str, Any] | None:
        """Its ipBlock, if it is one."""
        return (self.given or {}).get("ipBlock")

    @cached_property
    def namespaces(self) -> Selector:
        """Selects the namespaces."""
        return (self.given or {}).get("namespaceSelector") or {}

    @cached_property
    def pods(self) -> Selector:
        """Selects the pods in them."""
        return (self.given or {}).get("podSelector") or {}

    @cached_property
    def everyone(self) -> bool:
        """Whether any address is meant, and so pods as well, whatever their addresses."""
        if self.given is None:
            return True
        block = self.block or {}
        return block.get("cidr", "").endswith("/0") and not block.get("except")

    @cached_property
    def names(self) -> frozenset[str] | None:
        """The names of the namespaces, if it selects them by name."""
        if self.given is None or self.block:
            return None
        equal = (self.namespaces.get("matchLabels") or {}).get(NAMESPACE_NAME)
        sets = [{equal}] if equal is not None else []
        asked = [
            each
            for each in self.namespaces.get("matchExpressions") or ()
            if each["key"] == NAMESPACE_NAME
        ]
        sets += [set(each["values"]) for each in asked if each["operator"] == "In"]
        if not sets:
            return None
        meeting = {"matchExpressions": asked}
        return frozenset(
            name for name in set.intersection(*sets) if matches(meeting, {NAMESPACE_NAME: name})
        )

    @cached_property
    def shown(self) -> str:
        """In a few words."""
        if self.given is None:
            return "anywhere, in the cluster and outside"
        if self.block:
            left_out = ", ".join(self.block.get("except") or ())
            return f"{self.block['cidr']}{f' except {left_out}' if left_out else ''}"
        return f"{self.pods_shown} of {self.namespaces_shown}"

    @cached_property
    def pods_shown(self) -> str:
        """The pods, in a few words."""
        pods = selector_shown(self.pods, "")
        return f"pods {pods}" if pods else "all pods"

    @cached_property
    def namespaces_shown(self) -> str:
        """The namespaces, in a few words."""
        if not self.namespaces:
            return "all namespaces"
        if by_name(self.namespaces) and self.names and len(self.names) == 1:
            return f"namespace {next(iter(self.names))}"
        return f"namespaces {selector_shown(self.namespaces, '')}"


def by_name(selector: Selector) -> bool:
    """Whether namespaces are selected by nothing but their name."""
    keys = [*(selector.get("matchLabels") or {})]
    keys += [each["key"] for each in selector.get("matchExpressions") or ()]
    return set(keys) == {NAMESPACE_NAME}


@dataclass
class Peers:
    """One `Peer` for all that are written alike."""

    known: dict[str, Peer] = field(default_factory=dict)

    def of(self, given: Mapping[str, Any] | None) -> Peer:
        """The peer."""
        key = json.dumps(given, sort_keys=True)
        if (peer := self.known.get(key)) is None:
            peer = self.known[key] = Peer(given)
        return peer
