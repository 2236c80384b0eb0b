"""Converts a tree of manifests into teams' files, and finds what they would not carry over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from specs.fleet import SUFFIX, Fleet, TeamsFolder, validate_loaded
from specs.handshake import named_teams
from specs.idle_labels import is_idle_label
from specs.labels import TEAM_LABEL
from specs.load import check_source
from specs.problem import WHOLE_FILE, Loc, Problem
from specs.settings import Settings
from specs.team import Team
from tools.migration.app_draft import AppDraft
from tools.migration.call_rules import AppName, call_rules, with_words
from tools.migration.charts import read_charts
from tools.migration.config_maps import read_config_maps
from tools.migration.import_findings import ACCEPT, Findings
from tools.migration.object_teams import TeamObjects, sort_objects
from tools.migration.release import read_release
from tools.migration.rendered import hold_against, made_objects
from tools.migration.routes import read_routes
from tools.migration.team_text import comments
from tools.migration.tenant_draft import TenantDraft, read_tenant
from tools.migration.tightened import note_tightened
from tools.migration.tree import Tree, read_tree
from tools.migration.written import Draft

# Each round leaves out what the last one's checks rejected, and may find the consequences.
_ROUNDS = 20


@dataclass(frozen=True)
class Import:
    """The result.

    `texts` are the files by team; `lost` is what they do not contain, `refused` why they cannot be
    written at all.
    """

    texts: Mapping[str, str]
    lost: Sequence[Problem]
    notes: Sequence[Problem]
    refused: Sequence[Problem]


@dataclass
class _TeamImport:
    tenant: TenantDraft
    objects: TeamObjects
    apps: list[AppDraft]
    # VirtualServices that became an app's ingress, by name, and that app.
    routes: Mapping[str, str]
    # Notes about the tenant, if it is imported.
    notes: list[Problem] = field(default_factory=list)
    # The parts of the tenant that were left out.
    left_out: list[Loc] = field(default_factory=list)

    def lacks(self, loc: Loc) -> bool:
        """Whether something at `loc` of the team's file, or around it, was left out."""
        if loc[:1] == ("apps",) and len(loc) > 1 and isinstance(loc[1], int):
            loc, left_out = loc[2:], self.apps[loc[1]].left_out
        else:
            left_out = self.left_out
        return any(gone[: len(loc)] == loc[: len(gone)] for gone in left_out)


def import_tree(
    root: Path, stack: str, settings: Settings, folder: TeamsFolder, paths: Sequence[str]
) -> Import:
    """Import what is at the paths. Raises ValueError, a message, for a missing path."""
    findings = Findings()
    tree = read_tree(paths, findings)
    imports = _read_teams(tree, settings, findings)
    if not imports:
        return _result(findings, {}, [_nothing(paths, findings)])
    if refused := list(_in_the_way(folder, imports)):
        return _result(findings, {}, refused)
    drafts, fleet = _settle(imports, folder, settings, findings)
    for each in imports:
        findings.notes += each.notes
    if not imports:
        return _result(findings, {}, [_nothing(paths, findings)])
    if fleet.problems:
        return _result(findings, {}, fleet.problems)
    for each, team in zip(imports, fleet.teams, strict=True):
        _report_nulls(each, team, findings)
    drafts, fleet = _say_calls(imports, drafts, fleet, folder, settings, findings)
    texts = {team.name: draft.text for draft, team in zip(drafts, fleet.teams, strict=True)}
    made = made_objects(root, stack, texts, _named(fleet, folder))
    for warning in fleet.warnings:
        findings.note(warning)
    for each in imports:
        manifests, here = each.objects.others, made[each.tenant.team]
        hold_against(each.tenant.team, manifests, here, each.routes, findings)
        note_tightened(manifests, each.apps, here, findings)
    _report_comments(tree, imports, drafts, findings)
    return _result(findings, texts, [])


def _nothing(paths: Sequence[str], findings: Findings) -> Problem:
    message = (
        "nothing here can be imported; fix what is reported above"
        if findings.lost
        else "contains no namespace and no app; name the folder of a team, or of all teams"
    )
    return Problem(", ".join(paths), 1, 1, WHOLE_FILE, message)


def _read_teams(tree: Tree, settings: Settings, findings: Findings) -> list[_TeamImport]:
    maps, charts = read_config_maps(tree), read_charts(tree)
    imports = []
    teams = sort_objects(tree, findings)
    for team, objects in teams.items():
        if torn := tree.torn.get(team):
            findings.lost.append(torn)
            continue
        apps = [
            app
            for release, namespace in objects.releases
            if (app := read_release(release, namespace, team, maps, charts, findings))
        ]
        routes = read_routes(team, objects.others, apps, findings)
        start = len(findings.notes)
        tenant = read_tenant(team, objects.home, objects.others, settings, findings)
        notes = findings.notes[start:]
        del findings.notes[start:]
        imports.append(_TeamImport(tenant, objects, apps, routes, notes))
    findings.lost += maps.unused()
    for kustomization in tree.kustomizations.values():
        for loc, key, value in kustomization.labels():
            if not is_idle_label(key) and (key != TEAM_LABEL or str(value) not in teams):
                message = f"is not a label that the program sets; {ACCEPT}"
                findings.lost.append(kustomization.manifest.problem(loc, message, at_key=True))
    return imports


def _in_the_way(folder: TeamsFolder, imports: Sequence[_TeamImport]) -> Iterator[Problem]:
    if not folder.path.is_dir():
        yield from folder.problems()
    for each in imports:
        for file in folder.in_the_way(each.tenant.team):
            message = (
                "already exists; move it, or import into another folder (--tenants) and copy "
                "what you need"
            )
            yield Problem(folder.shown_as(file), 1, 1, WHOLE_FILE, message)


def _settle(
    imports: list[_TeamImport], folder: TeamsFolder, settings: Settings, findings: Findings
) -> tuple[list[Draft], Fleet]:
    """Leave out what the checks of a team's file reject, until they reject nothing.

    What is left out is lost; so is a team that cannot do without it, which leaves `imports`.
    Problems that remain are with existing files.
    """
    for _ in range(_ROUNDS):
        drafts = [_draft(each, folder) for each in imports]
        loaded = [check_source(draft, settings) for draft in drafts]
        fleet = validate_loaded(loaded, folder, settings)
        refused = set(fleet.problems)
        locs = [[draft.locs[p] for p in draft.locs if p in refused] for draft in drafts]
        # Later rounds miss what earlier ones left out, which is already reported.
        follows = {
            problem
            for each, draft in zip(imports, drafts, strict=True)
            for problem, loc in draft.locs.items()
            if each.lacks(loc)
        }
        findings.lost += [problem for problem in fleet.problems if problem not in follows]
        if not any(locs):
            break
        for each, refusals in zip(tuple(imports), locs, strict=True):
            if not _leave_out(each, refusals, findings):
                imports.remove(each)
                message = "the whole team is left out: it needs something that was refused"
                findings.note(each.tenant.home.problem(("metadata", "name"), message))
    return drafts, fleet


def _named(fleet: Fleet, folder: TeamsFolder) -> dict[str, str]:
    """The texts of existing files that the imported teams' calls and callers name."""
    imported = {team.name for team in fleet.teams}
    named = {other for team in fleet.teams for other in named_teams(team)} - imported
    files = {name: folder.path / f"{name}{SUFFIX}" for name in sorted(named)}
    return {name: file.read_text("utf-8") for name, file in files.items() if file.is_file()}


def _say_calls(
    imports: Sequence[_TeamImport],
    drafts: list[Draft],
    fleet: Fleet,
    folder: TeamsFolder,
    settings: Settings,
    findings: Findings,
) -> tuple[list[Draft], Fleet]:
    """Write network rules as `calls` and `callers` where the files stay valid."""
    without: set[AppName] = set()
    while rules := call_rules(fleet.teams, folder, settings, without):
        changed, notes = list[_TeamImport](), list[Problem]()
        for each, team in zip(imports, fleet.teams, strict=True):
            apps = []
            for app, model in zip(each.apps, team.apps, strict=True):
                own = [rule for rule in rules if (rule.team, rule.app) == (team.name, model.name)]
                said, noted = with_words(app, own)
                apps.append(said)
                notes += noted
            changed.append(replace(each, apps=apps))
        written = [_draft(each, folder) for each in changed]
        loaded = [check_source(draft, settings) for draft in written]
        checked = validate_loaded(loaded, folder, settings)
        if not checked.problems:
            for each, other in zip(imports, changed, strict=True):
                each.apps[:] = other.apps
            for note in notes:
                findings.note(note)
            return written, checked
        refused = {*_refused(written, fleet, checked.problems)}
        without |= refused or {(rule.team, rule.app) for rule in rules}
    return drafts, fleet


def _refused(
    drafts: Sequence[Draft], fleet: Fleet, problems: Sequence[Problem]
) -> Iterator[AppName]:
    """The apps in which the problems are."""
    for draft, team in zip(drafts, fleet.teams, strict=True):
        for problem, loc in draft.locs.items():
            if problem in problems and loc[:1] == ("apps",) and len(loc) > 1:
                yield team.name, team.apps[int(loc[1])].name


def _draft(each: _TeamImport, folder: TeamsFolder) -> Draft:
    file = folder.path / f"{each.tenant.team}{SUFFIX}"
    return Draft(file, folder.shown_as(file), each.tenant, each.apps)


def _leave_out(each: _TeamImport, locs: Sequence[Loc], findings: Findings) -> bool:
    """Remove the source of that place in the team's file; return False if that is impossible."""
    in_apps: dict[int, list[Loc]] = {}
    for loc in locs:
        if loc[:1] == ("apps",) and len(loc) > 1 and isinstance(loc[1], int):
            in_apps.setdefault(loc[1], []).append(loc[2:])
        elif not each.tenant.leave_out(loc):
            return False
        else:
            each.left_out.append(loc)
    for index, inner in sorted(in_apps.items(), reverse=True):
        app = each.apps[index]
        if not app.leave_out(inner) or "app" not in app.entry.data:
            del each.apps[index]
            message = "the whole app is left out: it needs something that was refused"
            findings.note(app.release.problem(("metadata", "name"), message))
    return True


def _report_nulls(each: _TeamImport, team: Team, findings: Findings) -> None:
    """A null in a chart's values removes the default: lost if there is one."""
    for app, model in zip(each.apps, team.apps, strict=True):
        values: Any = model.model_dump(by_alias=True)
        for loc, value in app.nulls:
            default = values
            for step in loc:
                default = _step_into(default, step)
            if not _is_empty(default):
                message = "unsets the chart's default, which applies here; write a value"
                findings.lost.append(value.problem(message))


def _step_into(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (LookupError, TypeError):
        return None


def _is_empty(default: Any) -> bool:
    if isinstance(default, dict):
        return all(map(_is_empty, default.values()))
    return default in (None, "", ())


def _report_comments(
    tree: Tree, imports: Sequence[_TeamImport], drafts: Sequence[Draft], findings: Findings
) -> None:
    """Report places of comments that the teams' files do not have."""
    sources = list(tree.sources)
    kept: set[tuple[str, int]] = set()
    for each, draft in zip(imports, drafts, strict=True):
        for app, entry in zip(each.apps, draft.entries, strict=True):
            sources += (layer.source for layer in app.layers if layer.source not in sources)
            if app.whole:
                kept.update((app.whole.source.shown, line) for line in entry.kept)
    lost: dict[str, set[int]] = {}
    for source in sources:
        lines = {line for line in comments(source) if (source.shown, line) not in kept}
        if lines:
            lost.setdefault(source.shown, set()).update(lines)
    for shown, lines in lost.items():
        message = f"{len(lines)} comments, starting here, are not kept"
        if len(lines) == 1:
            message = "the comment here is not kept"
        findings.note(Problem(shown, min(lines) + 1, 1, WHOLE_FILE, message))


def _result(findings: Findings, texts: Mapping[str, str], refused: Sequence[Problem]) -> Import:
    # Lost values may also be missed at their places.
    lost: dict[tuple[str, int, int, str], Problem] = {}
    for problem in findings.lost:
        if problem in refused:
            continue
        lost.setdefault((problem.file, problem.line, problem.column, problem.path), problem)
    return Import(texts, sorted(lost.values()), sorted(set(findings.notes)), sorted(set(refused)))
