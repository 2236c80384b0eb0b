"""A review: what a change does to one stack, and whether it needs a second reviewer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specs.fleet import SUFFIX, TeamsFolder
from specs.settings import Settings
from specs.stack_file import read_stack, stack_names
from tools.review.comparison import (
    ComparedObject,
    Comparison,
    compare,
    in_order,
)
from tools.review.edge_changes import EdgeChange, edge_changes
from tools.review.file_changes import (
    SettingChange,
    code_findings,
    findings_beside,
    lifecycle_findings,
    link_findings,
    override_findings,
    own_settings,
    platform_code,
    setting_changes,
    unreadable_settings,
)
from tools.review.git import changed_files, copy_of, merge_base
from tools.review.rendered_objects import Side
from tools.review.review_findings import ReviewFinding
from tools.review.rules.hosts import platform_hosts
from tools.review.rules.network_settings import internal_traffic, network_settings
from tools.review.sides import two_sides
from tools.review.word_findings import words_instead

# Exit codes of `./sre diff`.
NONE, CHANGES, SECOND_REVIEWER = 0, 2, 3


@dataclass(frozen=True)
class Review:
    """The effect on `stack` of a change since `commit`, where HEAD and `base` diverged.

    `code`: files of the program that differ. `reached`: teams that they, or the stack's settings,
    affect. `protection`: whether both sides have information about protection, which an older base
    does not. `edges`: who may newly connect to whom, and who no longer may.
    """

    base: str
    commit: str
    stack: str
    comparison: Comparison
    settings: tuple[SettingChange, ...]
    code: tuple[str, ...]
    reached: tuple[str, ...]
    protection: bool
    edges: tuple[EdgeChange, ...] = ()

    @property
    def findings(self) -> tuple[ReviewFinding, ...]:
        """In the order of the report."""
        return self.comparison.findings

    @property
    def entries(self) -> tuple[ComparedObject, ...]:
        """Objects that differ."""
        return self.comparison.entries

    @property
    def exit_code(self) -> int:
        """NONE, CHANGES or SECOND_REVIEWER."""
        if any(finding.needs_second for finding in self.findings):
            return SECOND_REVIEWER
        return CHANGES if self.entries or self.findings or self.settings else NONE


def review(
    root: Path, ref: str, stack: str, settings: Settings, folder: TeamsFolder, teams: Sequence[str]
) -> Review:
    """Differences of the working tree from the point where HEAD and `ref` diverged.

    `teams` are the stack's, whose files have been checked. Raises GitError and SideError, a
    line for the user.
    """
    commit = merge_base(root, ref)
    files = changed_files(root, commit)
    code = platform_code(files)
    same_code = not code and not any(file.endswith(".py") for file in files)
    with copy_of(root, commit) as tree:
        base, head = two_sides(tree, root, stack, teams, folder.path, same_code=same_code)
        comparison = compare(base, head)
        changes = setting_changes(tree, root)
        shared = [*code, *own_settings(stack, changes)]
        reached = comparison.teams if shared else []
        former = tree / settings.tenants
        known = {file.stem for place in (former, folder.path) for file in place.glob(f"*{SUFFIX}")}
        gone = sorted(set(stack_names(tree)) - set(stack_names(root)))
        findings = [
            *comparison.findings,
            *code_findings(shared, reached),
            *findings_beside(stack, files, changes, gone),
            *override_findings(tree, root, stack),
            *link_findings(root, files),
            *_setting_findings(tree, stack, settings, head),
            *internal_traffic(base, head),
            *lifecycle_findings(former, folder.path, comparison.all_teams),
            *words_instead(former, folder, settings, comparison.all_teams),
        ]
    return Review(
        base=ref,
        commit=commit,
        stack=stack,
        comparison=replace(comparison, findings=in_order(findings)),
        settings=tuple(changes),
        code=tuple(code),
        reached=tuple(reached),
        protection=base.indexed and head.indexed,
        edges=tuple(edge_changes(base, head, known)),
    )


def _setting_findings(
    tree: Path, stack: str, settings: Settings, head: Side
) -> list[ReviewFinding]:
    """Changes to the platform's hosts and to the network; a new stack had neither."""
    if stack not in stack_names(tree):
        return []
    before, _ = read_stack(tree, stack)
    if before is None:
        return [unreadable_settings(stack)]
    return [
        *platform_hosts(stack, before, settings, head),
        *network_settings(stack, before, settings),
    ]
