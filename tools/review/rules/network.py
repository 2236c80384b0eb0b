"""What NetworkPolicies allow, by namespace (NIST 800-53 SC-7).

Policies are additive, so one alone means little: the comparison is between everything that a
namespace's policies allow before and after, and which pods are closed unless a policy opens them.
"""

from collections.abc import Iterator

from specs.openings import Opening, directions, openings, selected, selector_shown, selects
from tools.review.pair import Hit
from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules

_Found = Iterator[tuple[RenderedObject, Hit]]


def network(base: Side, head: Side) -> _Found:
    """What is open after a change and was not before."""
    before, after = _policies(base), _policies(head)
    for namespace in sorted(after):
        yield from _openings_found(before.get(namespace, []), after[namespace])
    for namespace in sorted(before):
        # A removed namespace takes its pods with it.
        if f"kubernetes/_cluster/Namespace-{namespace}" in head.objects:
            yield from _isolation_lost(before[namespace], after.get(namespace, []))


def _policies(side: Side) -> dict[str, list[RenderedObject]]:
    """The policies by namespace."""
    found: dict[str, list[RenderedObject]] = {}
    for each in side.of("NetworkPolicy"):
        found.setdefault(each.place, []).append(each)
    return found


def _openings_found(before: list[RenderedObject], after: list[RenderedObject]) -> _Found:
    opened = [(policy, opening) for policy in after for opening in _openings(policy)]
    if before:
        known = [opening for policy in before for opening in _openings(policy)]
    else:
        # In a new namespace, rules for all its pods are only what every team has.
        known = [opening for _, opening in opened if selects(opening.pods, {})]
    for policy, opening in opened:
        if not any(each.covers(opening) for each in known):
            yield policy, Hit(Rules.NETWORK, f"{opening} ({policy.name})")


def _openings(policy: RenderedObject) -> Iterator[Opening]:
    return openings(policy.fields, policy.place)


def _isolation_lost(before: list[RenderedObject], after: list[RenderedObject]) -> _Found:
    for policy in before:
        for direction in directions(policy.fields):
            # A remaining policy that no longer selects its pods is reported, even if others still
            # do.
            itself = [other for other in after if other.key == policy.key]
            if not any(_closes(other, direction, policy) for other in itself or after):
                pods = selector_shown(selected(policy.fields), "all pods")
                detail = f"{direction.lower()} of {pods}: {policy.name} closed it"
                yield policy, Hit(Rules.ISOLATION, detail)


def _closes(other: RenderedObject, direction: str, policy: RenderedObject) -> bool:
    """Whether the other policy closes, in that direction, all pods that this one closes."""
    pods, closed = selected(policy.fields), selected(other.fields)
    return direction in directions(other.fields) and selects(closed, pods)
