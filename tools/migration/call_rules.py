"""Rules of an import that `calls` and `callers` say: written so where both sides do.

A call to another team's app counts only if that app names the caller. So a rule becomes a word only
if the other half is a word too: in the same import, or in an existing file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specs.app import BaseApp, WebApp
from specs.call_words import callers_of, calls_of, written
from specs.calls import Call, Caller
from specs.fleet import SUFFIX, TeamsFolder
from specs.load import load_team
from specs.network import EgressRule, IngressRule
from specs.problem import Problem
from specs.settings import Settings
from specs.team import Team
from tools.migration.app_draft import AppDraft
from tools.migration.value import Value, value_at

_POLICY = "networkPolicy"
_LISTS = {"calls": "additionalEgress", "callers": "additionalIngress"}

# A team and one of its apps.
AppName = tuple[str, str]


@dataclass(frozen=True)
class CallRule:
    """A rule of an app, by its index, and the words that say the same."""

    team: str
    app: str
    key: str
    index: int
    words: Sequence[Call | Caller]

    def pairs(self) -> Iterator[tuple[AppName, AppName]]:
        """Caller and callee of each word that needs another team's word."""
        for word in self.words:
            if word.team and word.app:
                own, other = (self.team, self.app), (word.team, word.app)
                yield (own, other) if self.key == "calls" else (other, own)


def call_rules(
    teams: Sequence[Team], folder: TeamsFolder, settings: Settings, without: set[AppName]
) -> list[CallRule]:
    """The rules of imported teams that become words, except those of the apps in `without`."""
    known = _Known(teams, folder, settings)
    rules = [
        rule
        for team in teams
        for app in team.apps
        if (team.name, app.name) not in without
        for rule in _of_app(team, app, known, settings)
    ]
    while True:
        said = {key: {pair for r in rules if r.key == key for pair in r.pairs()} for key in _LISTS}
        kept = [
            rule
            for rule in rules
            if all(
                pair in said["callers" if rule.key == "calls" else "calls"]
                or known.says(rule, pair)
                for pair in rule.pairs()
            )
        ]
        if len(kept) == len(rules):
            return kept
        rules = kept


def with_words(app: AppDraft, rules: Sequence[CallRule]) -> tuple[AppDraft, list[Problem]]:
    """A copy of the app in which the rules are words, and a note on each at its place."""
    entry, removed = _copy(app.entry), [*app.removed]
    notes, added = list[Problem](), list[str]()
    for key, inside in _LISTS.items():
        own = [rule for rule in rules if rule.key == key]
        if not own:
            continue
        place = (_POLICY, inside)
        listed, _ = entry.find(place)
        values = [listed.data[rule.index] for rule in own]
        for rule, value in zip(own, values, strict=True):
            notes.append(value.problem(f"is written as `{written(key, rule.words)}`"))
        policy, _ = entry.find((_POLICY,))
        if len(own) < len(listed.data):
            gone = sorted((rule.index for rule in own), reverse=True)
            removed += [entry.remove((*place, index)) for index in gone]
        elif len(policy.data) > 1:
            removed.append(entry.remove(place))
        else:
            removed.append(entry.remove((_POLICY,)))
        words = [
            value_at(value.source, value.loc, _plain(word))
            for rule, value in zip(own, values, strict=True)
            for word in rule.words
        ]
        entry.data[key] = Value(listed.source, listed.loc, _once(words))
        added.append(key)
    return replace(app, entry=entry, removed=removed, added=added), notes


class _Known:
    """Imported apps, and those of existing files, of which each is read once at most."""

    def __init__(self, teams: Sequence[Team], folder: TeamsFolder, settings: Settings) -> None:
        self._folder, self._settings = folder, settings
        self._teams: dict[str, Team | None] = {team.name: team for team in teams}

    def app(self, team: str, name: str) -> BaseApp | None:
        """An app of a team that stays."""
        if team not in self._teams:
            file = self._folder.path / f"{team}{SUFFIX}"
            self._teams[team] = (
                load_team(file, self._folder.shown_as(file), self._settings).team
                if file.is_file()
                else None
            )
        found = self._teams[team]
        if found is None or found.offboarding:
            return None
        return next((app for app in found.apps if app.name == name), None)

    def says(self, rule: CallRule, pair: tuple[AppName, AppName]) -> bool:
        """Whether the other side's file has its word for the pair."""
        caller, callee = pair
        other = self.app(*(callee if rule.key == "calls" else caller))
        if rule.key == "callers":
            return other is not None and any(
                (each.team, each.app) == callee for each in other.calls
            )
        callers = other.callers if isinstance(other, WebApp) else ()
        return any((each.team, each.app) == caller for each in callers)


def _of_app(team: Team, app: BaseApp, known: _Known, settings: Settings) -> Iterator[CallRule]:
    policy = app.network_policy
    rules: Mapping[str, Sequence[EgressRule | IngressRule]] = {
        "calls": policy.additional_egress,
        "callers": policy.additional_ingress,
    }
    for key, listed in rules.items():
        for index, rule in enumerate(listed):
            words: Sequence[Call | Caller]
            if isinstance(rule, EgressRule):
                words = calls_of(rule, team.name, known.app, settings.network.platform)
            else:
                words = callers_of(rule, team.name, app, known.app)
            if words:
                yield CallRule(team.name, app.name, key, index, words)


def _copy(value: Value) -> Value:
    data = value.data
    if isinstance(data, dict):
        data = {key: _copy(inner) for key, inner in data.items()}
    elif isinstance(data, list):
        data = [_copy(inner) for inner in data]
    return Value(value.source, value.loc, data)


def _plain(word: Call | Caller) -> dict[str, Any]:
    return word.model_dump(by_alias=True, exclude_none=True)


def _once(words: Sequence[Value]) -> list[Value]:
    """Two rules may say the same, which a list must not."""
    found: list[Value] = []
    for each in words:
        if all(each.plain != other.plain for other in found):
            found.append(each)
    return found
