"""The next step by which a team leaves (docs/lifecycle.md#offboard), as a change of files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from specs.fleet import SUFFIX, TeamsFolder
from specs.handshake import entries_in
from specs.problem import Loc, Problem, ProblemsError
from specs.settings import Settings
from specs.source import Source
from specs.stack_file import TEAMS
from specs.stack_teams import StackTeams, stacks_of
from tools.editing.lines import end, line_end, with_lines, without
from tools.editing.owners import FILE as OWNERS
from tools.editing.owners import owned_path, read_owners, without_owner
from tools.editing.scalar import written
from tools.editing.team_file import Text, open_team, problems, refuse, save

_STATE: Loc = ("lifecycle",)
_LEAVING = "offboarding"
_REMOVED = "removed"
_TEAMS: Loc = ("config", TEAMS)


@dataclass(frozen=True)
class Step:
    """A step: the team's state before and after it, the names of files, and what comes next."""

    before: str
    after: str
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    following: tuple[str, ...]


def offboard(root: Path, folder: TeamsFolder, settings: Settings, team: str) -> Step:
    """Change the files for the team's next step.

    If it raises ProblemsError or is interrupted, nothing is written.
    """
    if not folder.path.is_dir():
        refuse(folder.problems())
    stacks = list(stacks_of(root, folder))
    if team not in folder.names() and any(_was_in(stack, team) for stack in stacks):
        return _remove(root, None, folder, team, stacks)
    source = open_team(folder, team)
    if not _is_leaving(source):
        refuse(problems(source, folder, settings))
        return _revoke(source, folder, settings, team)
    refuse(_naming(folder, team))
    return _remove(root, source, folder, team, stacks)


def _revoke(source: Source, folder: TeamsFolder, settings: Settings, team: str) -> Step:
    """The step by which the team's access ends."""
    changed = Source(source.file, source.shown, text=_leaving(source))
    if changed.data != {**source.data, "lifecycle": _LEAVING}:
        message = f"is in a form that cannot be edited; set `lifecycle: {_LEAVING}` by hand"
        raise ProblemsError(source.problem(_STATE, message))
    refuse(problems(changed, folder, settings))
    naming = [f"{each.file}:{each.line}" for each in _naming(folder, team)]
    save(changed)
    return Step(
        source.data.get("lifecycle", "active"),
        _LEAVING,
        changed=(source.shown,),
        removed=(),
        following=(
            "merge this change, and run `up`, which revokes the team's access and ends its apps",
            f"copy what you must keep: volumes, images, secrets at sre/{team}/",
            f"empty the Harbor project {team}",
            *([f"have the entries that name {team} removed: {', '.join(naming)}"] * bool(naming)),
            f"run ./sre offboard {team} again, which removes the team's file",
        ),
    )


def _leaving(source: Source) -> str:
    """The file's text with the state in place of the former one, or below the team's name."""
    text = source.text
    if node := source.node(_STATE):
        return f"{text[: node.start_mark.index]}{_LEAVING}{text[end(node) :]}"
    root, name = source.node(()), source.node(("team",))
    assert isinstance(root, yaml.MappingNode)
    assert name  # the file is valid
    if root.flow_style:
        return f"{text[: end(name)]}, lifecycle: {_LEAVING}{text[end(name) :]}"
    line = f"{' ' * root.start_mark.column}lifecycle: {_LEAVING}"
    return with_lines(text, line_end(text, end(name)), [line])


def _remove(
    root: Path, source: Source | None, folder: TeamsFolder, team: str, stacks: list[StackTeams]
) -> Step:
    """The step by which the team leaves its stacks, and its file goes if it is still there."""
    changed: list[Text] = [_without_team(each, team) for each in stacks if team in each.teams]
    path, owners = owned_path(root, folder.path / f"{team}{SUFFIX}"), read_owners(root)
    if owners and path and owners.line_of(path):
        changed.append(without_owner(owners, path))
    save(*changed, remove=source)
    own = [
        each.name
        for each in stacks
        if _was_in(each, team) and set(each.teams) <= {team} and not each.platform
    ]
    beside = (folder.path / team).is_dir()
    return Step(
        _LEAVING if source else _REMOVED,
        _REMOVED,
        changed=tuple(each.shown for each in changed),
        removed=(source.shown,) if source else (),
        following=(
            "merge this change, and run `up`, which deletes what is left of the team; it refuses "
            "until the former step has been applied",
            *map(_stack_rm, own),
            *([f"delete {folder.shown}/{team}/, and its line in {OWNERS} if any"] * beside),
            f"delete the team's own secrets at sre/{team}/ in OpenBao, once nobody needs them",
        ),
    )


def _is_leaving(source: Source) -> bool:
    return isinstance(source.data, dict) and source.data.get("lifecycle") == _LEAVING


def _was_in(stack: StackTeams, team: str) -> bool:
    """Whether the stack lists the team, or nothing and has its name."""
    return team in stack.teams or (stack.name == team and stack.empty)


def _stack_rm(stack: str) -> str:
    return (
        f"run `pulumi stack rm {stack}` once `up` has succeeded, and commit that its file is gone"
    )


def _naming(folder: TeamsFolder, team: str) -> Iterator[Problem]:
    """A problem for each entry by which the apps of another team call the team's, or let them."""
    message = f"names {team}, whose file would be removed; remove this entry first"
    for file in folder.files():
        if team.encode() not in file.read_bytes():
            continue
        other = Source(file, folder.shown_as(file))
        # Of a team that is leaving too, no entry counts.
        if not _is_leaving(other):
            for loc, entry in entries_in(other.data):
                if entry.get("team") == team:
                    yield other.problem((*loc, "team"), message)


def _without_team(stack: StackTeams, team: str) -> Source:
    """The stack's file without the team. Raises ProblemsError."""
    source = stack.source
    left = tuple(each for each in stack.teams if each != team)
    if left and isinstance(source.node(_TEAMS), yaml.SequenceNode):
        text = without(source, (*_TEAMS, stack.teams.index(team)))
    else:
        text = _with_teams(source, f"[{', '.join(map(written, left))}]")
    changed = Source(source.file, source.shown, text=text)
    if changed.data != {**source.data, "config": {**source.data["config"], TEAMS: left}}:
        message = f"is in a form that cannot be edited; remove {team} by hand"
        raise ProblemsError(source.problem(_TEAMS, message))
    return changed


def _with_teams(source: Source, value: str) -> str:
    config, text = source.node(("config",)), source.text
    for key, node in config.value if isinstance(config, yaml.MappingNode) else ():
        if key.value == TEAMS:
            return f"{text[: key.end_mark.index]}: {value}{text[end(node) :]}"
    return text
