"""Whether something that disappears and something that appears are a rename."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from tools.review.rendered_objects import OPTIONS, RenderedObject, Side
from tools.review.review_findings import ReviewFinding, Rules

# The share of both sides' objects that must be the same except for the name.
_ALIKE = 0.5

_Named = Mapping[str, list[RenderedObject]]


def renames(base: Side, head: Side) -> Iterator[ReviewFinding]:
    """A team that resembles a removed one; an app that does, within its team."""
    before, after = _by_team(base), _by_team(head)
    for old, new in _matches(before, after):
        yield _finding(new, "", old, new, "images, secrets and stored data are not moved")
    for team in sorted(before.keys() & after.keys()):
        for old, new in _matches(_by_app(before[team]), _by_app(after[team])):
            yield _finding(team, new, old, new, "callers no longer find it by its name")


def _finding(team: str, app: str, old: str, new: str, besides: str) -> ReviewFinding:
    detail = (
        f"{new} looks like {old} renamed: all objects of {old} are destroyed and recreated as "
        f"{new}; {besides}"
    )
    return ReviewFinding(Rules.RENAMED, team, app, "", detail, Rules.RENAMED.value.controls)


def _by_team(side: Side) -> _Named:
    return _grouped(side.objects.values(), lambda each: each.team)


def _by_app(objects: list[RenderedObject]) -> _Named:
    return _grouped(objects, lambda each: each.app)


def _grouped(objects: Iterable[RenderedObject], name: Callable[[RenderedObject], str]) -> _Named:
    """Objects by a name, except those without one."""
    groups: dict[str, list[RenderedObject]] = {}
    for each in objects:
        if name(each):
            groups.setdefault(name(each), []).append(each)
    return groups


def _matches(before: _Named, after: _Named) -> Iterator[tuple[str, str]]:
    """Each name that disappears, and the most similar one that appears, if any is similar."""
    new = sorted(after.keys() - before.keys())
    for old in sorted(before.keys() - after.keys()):
        likeness = {name: _likeness(before[old], after[name], old, name) for name in new}
        best = max(new, key=lambda name: likeness[name], default=None)
        if best is not None and likeness[best] >= _ALIKE:
            yield old, best


def _likeness(
    before: list[RenderedObject], after: list[RenderedObject], old: str, new: str
) -> float:
    # Objects that every team has do not count, if there are apps to compare.
    if any(each.app for each in (*before, *after)):
        before, after = ([each for each in side if each.app] for side in (before, after))
    if not before or not after:
        return 0
    was, now = {_nameless(each, old) for each in before}, {_nameless(each, new) for each in after}
    return len(was & now) / max(len(was), len(now))


def _nameless(made: RenderedObject, name: str) -> str:
    """Kind and fields, with the name left out everywhere."""
    fields = {key: value for key, value in made.fields.items() if key != OPTIONS}
    text = json.dumps([made.kind, fields], sort_keys=True)
    return re.sub(rf"(?<![a-z0-9-]){re.escape(name)}(?![a-z0-9])", "\0", text)
