"""New network rules of team files that `calls` or `callers` would say (NIST 800-53 SC-7)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from specs.app import BaseApp
from specs.call_words import callers_of, calls_of, written
from specs.calls import Call, Caller
from specs.fleet import SUFFIX, TeamsFolder
from specs.load import TeamFile, load_team
from specs.network import EgressRule, IngressRule
from specs.problem import Loc
from specs.settings import Settings
from tools.review.review_findings import ReviewFinding, Rules

_EGRESS, _INGRESS = "additionalEgress", "additionalIngress"
_Rule = EgressRule | IngressRule


def words_instead(
    base: Path, head: TeamsFolder, settings: Settings, teams: Iterable[str]
) -> Iterator[ReviewFinding]:
    """A note on each new rule that has a word; `base` is the folder of the base's team files."""
    files = _Files(base, head, settings)
    for team in teams:
        yield from files.found(team)


class _Files:
    """The team files of both sides; each of the head's is read once at most."""

    def __init__(self, base: Path, head: TeamsFolder, settings: Settings) -> None:
        self._base, self._head, self._settings = base, head, settings
        self._files: dict[str, TeamFile | None] = {}

    def found(self, team: str) -> Iterator[ReviewFinding]:
        """A note on each rule that is new to one of the team's apps and has a word."""
        name = f"{team}{SUFFIX}"
        before, after = (_text(folder / name) for folder in (self._base, self._head.path))
        if before == after or not any(key.encode() in after for key in (_EGRESS, _INGRESS)):
            return
        known = load_team(self._base / name, name, self._settings).team if before else None
        former = {app.name: _rules(app) for app in known.apps} if known else {}
        for app, loc, rule in self._placed(team):
            if rule not in former.get(app.name, {}).values():
                said = self._said(team, app, loc, rule)
                yield from (_note(team, app, detail) for detail in said)

    def _said(self, team: str, app: BaseApp, loc: Loc, rule: _Rule) -> Iterator[str]:
        """What says the same as the rule, if anything, and what the other side says."""
        key, words = self._words(team, app, rule)
        if not words:
            return
        where = self._place(team, loc)
        other = "; ".join(filter(None, (self._other_side(team, app, word) for word in words)))
        same = f"{where} says the same as `{written(key, words)}`"
        yield f"{same}; {other}" if other else same

    def _other_side(self, team: str, app: BaseApp, word: Call | Caller) -> str:
        """What the other team's file says, or what it must say before the word counts."""
        if word.team is None or word.app is None:
            return ""
        callee = self._app(word.team, word.app)
        wanted: Call | Caller
        if isinstance(word, Call):
            key, wanted = "callers", Caller(team=team, app=app.name)
            granted = [(each.team, each.app) for each in getattr(callee, "callers", ())]
        else:
            key, wanted = "calls", Call(team=team, app=app.name)
            granted = [(each.team, each.app) for each in callee.calls] if callee else []
        if (team, app.name) in granted:
            return ""
        text = f"`{written(key, [wanted])}`"
        for there, loc, rule in self._placed(word.team):
            if there.name == word.app and wanted in self._words(word.team, there, rule)[1]:
                return f"{self._place(word.team, loc)} is its other half, and the same as {text}"
        shown = self._head.shown_as(Path(f"{word.team}{SUFFIX}"))
        return f"{shown} then needs {text} at {word.app}"

    def _words(
        self, team: str, app: BaseApp, rule: _Rule
    ) -> tuple[str, tuple[Call, ...] | tuple[Caller, ...]]:
        """The key that says the same as the rule, and its entries: none if no key does."""
        if isinstance(rule, EgressRule):
            services = self._settings.network.platform
            return "calls", calls_of(rule, team, self._app, services)
        return "callers", callers_of(rule, team, app, self._app)

    def _placed(self, team: str) -> Iterator[tuple[BaseApp, Loc, _Rule]]:
        """The rules of a team's apps, each with its app and its place in the team."""
        file = self._file(team)
        for index, app in enumerate(file.team.apps if file and file.team else ()):
            for (key, number), rule in _rules(app).items():
                yield app, ("apps", index, "networkPolicy", key, number), rule

    def _place(self, team: str, loc: Loc) -> str:
        file = self._file(team)
        assert file
        place = file.problem(loc, "")
        return f"{place.file}:{place.line}"

    def _app(self, team: str, name: str) -> BaseApp | None:
        """An app of a team that stays."""
        file = self._file(team)
        if file is None or file.team is None or file.team.offboarding:
            return None
        return next((app for app in file.team.apps if app.name == name), None)

    def _file(self, team: str) -> TeamFile | None:
        if team not in self._files:
            file = self._head.path / f"{team}{SUFFIX}"
            self._files[team] = (
                load_team(file, self._head.shown_as(file), self._settings)
                if file.is_file()
                else None
            )
        return self._files[team]


def _rules(app: BaseApp) -> dict[tuple[str, int], _Rule]:
    """The rules that a team added to an app's policy, if it has one."""
    policy = app.network_policy
    if not policy.enabled:
        return {}
    lists: tuple[tuple[str, tuple[_Rule, ...]], ...] = (
        (_EGRESS, policy.additional_egress),
        (_INGRESS, policy.additional_ingress),
    )
    return {(key, index): rule for key, rules in lists for index, rule in enumerate(rules)}


def _note(team: str, app: BaseApp, detail: str) -> ReviewFinding:
    rule = Rules.WORD
    return ReviewFinding(rule, team, app.name, "", detail, rule.value.controls)


def _text(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
