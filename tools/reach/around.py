"""Of a fleet's objects, those on which the edges of some namespaces depend.

Others are left out by namespace: those of which no pod can have a connection with one of these,
because on one side or the other no NetworkPolicy names the other namespace. That takes far less
than an answer for each pod.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


def around(sides: Sequence[Sequence[Object]], within: Collection[str]) -> list[list[Object]]:
    """Of each side, the objects of which edges with an end in namespaces `within` are those of all.

    Outside of these namespaces, the sides are alike.
    """
    left_out = _unrelated(sides, within) - {ROOT_NAMESPACE}
    return [
        [each for each in objects if each["kind"] in _SHARED or _place(each) not in left_out]
        for objects in sides
    ]


def _unrelated(sides: Sequence[Sequence[Object]], within: Collection[str]) -> set[str]:
    """Namespaces with pods of which none can have a connection with pods of those `within`."""
    peers = Peers()
    first, *others = sides
    whole = _Read.of(first)
    changed = [whole, *(_Read.of(e for e in each if _place(e) in within) for each in others)]
    named = {name: _named(whole.policies[name], peers) for name in whole.with_pods}
    own = [_named(each.policies[name], peers) for each in changed for name in within]
    labels = [each.labels_of(name) for each in changed for name in within]
    out, into = (_Namespaces.of(each[way] for each in own) for way in (EGRESS, INGRESS))

    @cache
    def means_own(peer: Peer) -> bool:
        return _means(peer, within, labels)

    return {
        name
        # One that is not among the objects counts as unknown where policies name it.
        for name in whole.with_pods & whole.labels.keys() - set(within)
        if not (out.has(name, whole.labels[name]) and any(map(means_own, named[name][INGRESS])))
        if not (into.has(name, whole.labels[name]) and any(map(means_own, named[name][EGRESS])))
    }


@dataclass(frozen=True)
class _Read:
    """What is needed of objects, by namespace."""

    labels: dict[str, Labels] = field(default_factory=dict)
    policies: defaultdict[str, list[Object]] = field(default_factory=lambda: defaultdict(list))
    with_pods: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, objects: Iterable[Object]) -> "_Read":
        """The objects, once."""
        found = cls()
        for each in objects:
            kind, place = each["kind"], _place(each)
            if kind == "Namespace":
                labels = each["metadata"].get("labels") or {}
                found.labels[place] = {**labels, NAMESPACE_NAME: place}
            elif kind == "NetworkPolicy":
                found.policies[place].append(each)
            elif kind in TEMPLATES:
                found.with_pods.add(place)
        return found

    def labels_of(self, name: str) -> Labels:
        """Those of a namespace; of one that is not among the objects, what it has anyway."""
        return self.labels.get(name, {NAMESPACE_NAME: name})


def _place(each: Object) -> str:
    about = each["metadata"]
    name: str = about["name"] if each["kind"] == "Namespace" else about["namespace"]
    return name


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
        return name in self.names or any(_means(peer, [name], [labels]) for peer in self.wide)


def _means(peer: Peer, names: Iterable[str], labels: Iterable[Labels]) -> bool:
    """Whether a peer stands for pods of one of the namespaces, if these have such."""
    if peer.names is not None:
        return not peer.names.isdisjoint(names)
    if peer.everyone or peer.block:
        return peer.everyone
    return any(matches(peer.namespaces, each) for each in labels)
