"""Of a fleet's objects, those on which the edges of some namespaces depend.

Others are left out by namespace: those of which no pod can have a connection with one of these,
because on one side or the other no NetworkPolicy names the other namespace. That takes far less
than an answer for each pod.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from specs.network import NAMESPACE_NAME
from specs.openings import EGRESS, INGRESS, directions, openings, selects_all
from specs.selectors import matches
from tools.reach.mesh import ROOT_NAMESPACE
from tools.reach.peers import Labels, Peer, Peers
from tools.reach.policies import EVERYONE
from tools.reach.world import TEMPLATES, Object

# Other namespaces see their hosts, and know gateways from them.
_SHARED = ("Namespace", "ServiceEntry", "VirtualService")

# By direction.
_Named = Mapping[str, Collection[Peer]]
_EVERYONE: _Named = {EGRESS: (EVERYONE,), INGRESS: (EVERYONE,)}


def around(objects: Iterable[Object], within: Collection[str]) -> list[Object]:
    """The objects of which the edges with an end in namespaces `within` are those of all."""
    known = list(objects)
    left_out = _unrelated(known, within) - {ROOT_NAMESPACE}
    return [
        each
        for each in known
        if each["kind"] in _SHARED or each["metadata"]["namespace"] not in left_out
    ]


def _unrelated(objects: Iterable[Object], within: Collection[str]) -> set[str]:
    """Namespaces with pods of which none can have a connection with pods of those `within`."""
    labels: dict[str, Labels] = {}
    policies: defaultdict[str, list[Object]] = defaultdict(list)
    with_pods = set[str]()
    for each in objects:
        kind, about = each["kind"], each["metadata"]
        if kind == "Namespace":
            name = about["name"]
            labels[name] = {**(about.get("labels") or {}), NAMESPACE_NAME: name}
        elif kind == "NetworkPolicy":
            policies[about["namespace"]].append(each)
        elif kind in TEMPLATES:
            with_pods.add(about["namespace"])
    peers = Peers()
    named = {name: _named(policies[name], peers) for name in {*with_pods, *within}}
    own = {name: labels.get(name, {NAMESPACE_NAME: name}) for name in within}
    out, into = (_Namespaces.of(named[name][way] for name in within) for way in (EGRESS, INGRESS))

    @cache
    def means_own(peer: Peer) -> bool:
        return _means(peer, own)

    return {
        name
        # One that is not among the objects counts as unknown where policies name it.
        for name in with_pods & labels.keys() - own.keys()
        if not (out.has(name, labels[name]) and any(map(means_own, named[name][INGRESS])))
        if not (into.has(name, labels[name]) and any(map(means_own, named[name][EGRESS])))
    }


def _named(policies: Iterable[Object], peers: Peers) -> _Named:
    """Whom a namespace's policies name: everyone, unless they close all its pods."""
    found: dict[str, set[Peer]] = {EGRESS: set(), INGRESS: set()}
    closed = set[str]()
    for policy in policies:
        if selects_all(policy):
            closed.update(directions(policy))
        for each in openings(policy, policy["metadata"]["namespace"]):
            found[each.direction].add(peers.of(each.peer))
    return {way: found[way] if way in closed else _EVERYONE[way] for way in found}


@dataclass(frozen=True)
class _Namespaces:
    """Those that peers mean: by name, and all others for which one of `wide` stands."""

    names: frozenset[str]
    wide: Collection[Peer]

    @classmethod
    def of(cls, named: Iterable[Collection[Peer]]) -> "_Namespaces":
        """Those of all the peers."""
        peers = {peer for each in named for peer in each}
        names = frozenset(name for peer in peers for name in peer.names or ())
        return cls(names, [peer for peer in peers if peer.names is None])

    def has(self, name: str, labels: Labels) -> bool:
        """Whether a namespace is meant."""
        return name in self.names or any(_means(peer, {name: labels}) for peer in self.wide)


def _means(peer: Peer, namespaces: Mapping[str, Labels]) -> bool:
    """Whether a peer stands for pods of one of the namespaces, if it has such pods."""
    if peer.names is not None:
        return not peer.names.isdisjoint(namespaces)
    if peer.everyone or peer.block:
        return peer.everyone
    return any(matches(peer.namespaces, labels) for labels in namespaces.values())
