"""Compares two sides: what is added, changed and removed, and the findings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from dryrun.recording import SECRET
from plain.trees import within
from specs.controls import PURPOSES
from tools.review.masking import conceal_text
from tools.review.object_changes import FieldChange, field_changes, leaves, shown
from tools.review.object_kinds import KINDS, ORDINARY, ObjectKind
from tools.review.pair import Hit, Pair
from tools.review.renames import renames
from tools.review.rendered_objects import (
    OPTIONS,
    PROVIDER,
    RenderedObject,
    Side,
)
from tools.review.review_findings import ORDER, ReviewFinding, Rules
from tools.review.rules.network import network

Action = Literal["added", "changed", "removed"]


@dataclass(frozen=True)
class ComparedObject:
    """An object that one side has, or that differs; `changes` is set if it differs."""

    action: Action
    object: RenderedObject
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What a change does to a stack's objects, in a fixed order; `all_teams` are the stack's."""

    entries: tuple[ComparedObject, ...]
    findings: tuple[ReviewFinding, ...]
    all_teams: tuple[str, ...]

    @cached_property
    def teams(self) -> list[str]:
        """The affected teams: all of them if an object of the platform differs."""
        touched = {entry.object.team for entry in self.entries}
        return sorted({*self.all_teams, *touched} - {""} if "" in touched else touched)


def compare(base: Side, head: Side) -> Comparison:
    """Every object that differs between two sides, and every finding."""
    if not (base.indexed and head.indexed):
        base, head = _without_options(base), _without_options(head)
    pairs = [
        Pair(base.objects.get(key), head.objects.get(key), base, head)
        for key in sorted(base.objects.keys() | head.objects.keys())
    ]
    entries, findings = list[ComparedObject](), set[ReviewFinding]()
    for pair in pairs:
        changes = _changes(pair)
        if pair.before and pair.after and not changes and not _known_otherwise(pair):
            continue
        entries.append(_entry(pair, changes))
        findings |= {_finding(pair.object, hit) for hit in _hits(pair, changes)}
    findings |= {_finding(policy, hit) for policy, hit in network(base, head)}
    findings |= {
        ReviewFinding(Rules.NEW_TEAM, team, "", "", team, Rules.NEW_TEAM.value.controls)
        for team in head.teams - base.teams
    }
    findings |= set(renames(base, head))
    teams = tuple(sorted(base.teams | head.teams))
    return Comparison(tuple(entries), in_order(findings), teams)


def in_order(findings: Sequence[ReviewFinding] | set[ReviewFinding]) -> tuple[ReviewFinding, ...]:
    """Findings in the order of a review."""
    return tuple(
        sorted(
            findings,
            key=lambda each: (
                not each.needs_second, ORDER[each.rule], each.team, each.app, each.detail,
                each.object,
            ),
        )
    )  # fmt: skip


def _changes(pair: Pair) -> list[FieldChange]:
    """The differences, unmasked: not to be shown."""
    if pair.before is None or pair.after is None:
        return []
    return list(field_changes(pair.before.fields, pair.after.fields))


def _entry(pair: Pair, changes: Sequence[FieldChange]) -> ComparedObject:
    if pair.before and pair.after:
        masked = tuple(shown(change, pair.object.kind) for change in changes)
        return ComparedObject("changed", pair.object, masked)
    return ComparedObject("added" if pair.after else "removed", pair.object)


def _hits(pair: Pair, changes: Sequence[FieldChange]) -> Iterator[Hit]:
    kind = KINDS.get(pair.object.kind)
    if pair.after is None:
        yield from _destroyed(pair, kind)
        return
    if kind is None:
        yield Hit(Rules.UNKNOWN, f"{pair.object.shown}: no rule covers this kind")
        return
    yield from kind.rule(pair)
    if pair.before is None:
        return
    yield from _replaced(pair, kind, changes)
    for change in changes:
        if change.before == SECRET:
            yield Hit(Rules.SECRET_PLAIN, f"{change.path} of {pair.object.shown}")
    yield from _options(pair)
    yield from _unclassified(pair, kind, changes)


def _destroyed(pair: Pair, kind: ObjectKind | None) -> Iterator[Hit]:
    if kind and kind.stays(pair):
        yield Hit(Rules.KEPT, pair.object.shown)
        return
    # A removed namespace takes everything in it with it.
    stays = f"kubernetes/_cluster/Namespace-{pair.object.place}" in pair.head.objects
    if kind and stays and (meant := [*kind.removal(pair)]):
        yield from meant
        return
    rule = Rules.DATA_DESTROYED if kind and kind.data else Rules.DESTROYED
    protected = pair.was(f"{OPTIONS}.protect")
    note = " (protected until now, so `up` refuses)" if protected else ""
    purpose = PURPOSES.get(pair.object.kind)
    yield Hit(rule, pair.object.shown + note, purpose.controls if purpose else ())


def _replaced(pair: Pair, kind: ObjectKind, changes: Sequence[FieldChange]) -> Iterator[Hit]:
    fixed = [
        change.path
        for change in changes
        if any(within(path, field) for path in leaves(change) for field in kind.fixed)
    ]
    for path in fixed:
        yield Hit(Rules.REPLACED, f"{pair.object.shown}: {path} cannot change in place")
    if not fixed and _known_otherwise(pair):
        yield Hit(Rules.REPLACED, f"{pair.object.shown}: Pulumi tracks it under another name")


def _known_otherwise(pair: Pair) -> bool:
    """Whether Pulumi would not find the object in its state: no alias has its former name."""
    before, after = pair.before, pair.after
    if before is None or after is None or not (before.type and after.type):
        return False
    return any(
        was != now and was not in after.aliases
        for was, now in (
            (before.type, after.type),
            (before.logical_name, after.logical_name),
        )
    )


def _options(pair: Pair) -> Iterator[Hit]:
    if pair.was(f"{OPTIONS}.protect") and not pair.now(f"{OPTIONS}.protect"):
        yield Hit(Rules.UNPROTECTED, pair.object.shown)
    path = f"{OPTIONS}.secretOutputs"
    if lost := set(pair.was(path, ())) - set(pair.now(path, ())):
        yield Hit(Rules.SECRET_PLAIN, f"{', '.join(sorted(lost))} of {pair.object.shown}")


def _unclassified(pair: Pair, kind: ObjectKind, changes: Sequence[FieldChange]) -> Iterator[Hit]:
    options = tuple(f"{OPTIONS}.{option}" for option in ("protect", "secretOutputs"))
    known = (*kind.judged, *kind.ordinary, *kind.fixed, *ORDINARY, *options)
    for change in changes:
        if SECRET in (change.before, change.after):
            continue
        for path in leaves(change):
            if not any(within(path, each) for each in known):
                yield Hit(Rules.UNKNOWN, f"{pair.object.shown}: {path}")


def _finding(about: RenderedObject, hit: Hit) -> ReviewFinding:
    controls = tuple(dict.fromkeys((*hit.rule.value.controls, *hit.controls)))
    return ReviewFinding(
        hit.rule, about.team, about.app, about.key, conceal_text(hit.detail), controls
    )


def _without_options(side: Side) -> Side:
    """The side as an older revision writes it: without Pulumi's options and providers."""
    objects: Mapping[str, RenderedObject] = {
        key: replace(
            each,
            fields={name: value for name, value in each.fields.items() if name != OPTIONS},
            type="",
            logical_name="",
        )
        for key, each in side.objects.items()
        if each.kind != PROVIDER
    }
    return Side(objects, indexed=False)
