"""What a change affects besides objects: settings, lifecycles, the program, its packages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plain.trees import ABSENT
from specs.cluster_file import cluster_file, cluster_names
from specs.fleet import SUFFIX
from specs.problem import key_path
from specs.settings import PREFIX
from specs.source import Source
from specs.stack_file import CLUSTER, config_in, overridden, stack_config, stack_names
from tools.review.affected import PROGRAM
from tools.review.masking import HIDDEN
from tools.review.object_changes import FieldChange, field_changes, shown
from tools.review.review_findings import ReviewFinding, Rules

# Files whose effect no rendered object shows: packages, what runs the program, and this review.
_SUPPLY = (
    "requirements.txt", "requirements.lock", "Pulumi.yaml", "Makefile", "sre", "scripts/",
    ".github/", ".ci/", "CODEOWNERS", "docs/CODEOWNERS", "cli/", "dryrun/",
    "tools/__init__.py", "tools/review/", "tools/rendering/", ".venv/",
)  # fmt: skip

# Lists what Git leaves out of a copy of the base, in any folder.
_ATTRIBUTES = ".gitattributes"

# Python looks for modules in the program's folder first: one there replaces an installed one.
_STAND_IN = re.compile(r"[^/]+(?:/__init__)?\.(?:py|pyc|so)")

# Keys that Pulumi keeps in a stack's file beside its config.
_ENCRYPTION = ("secretsprovider", "encryptedkey", "encryptionsalt")

# The most files that are named.
_FEW = 8

_ADOPT = f"{PREFIX}adopt"


@dataclass(frozen=True)
class SettingChange:
    """A key of a stack's file that differs, and how; or of its cluster's, if it says so there.

    `stacks`: those whose settings this changes.
    """

    stacks: tuple[str, ...]
    cluster: str | None
    key: str
    change: FieldChange

    @property
    def file(self) -> str:
        """The file that has the key."""
        return cluster_file(self.cluster) if self.cluster else f"Pulumi.{self.stacks[0]}.yaml"


def platform_code(changed: Sequence[str]) -> list[str]:
    """The changed files that belong to the program."""
    return [file for file in changed if _within(file, PROGRAM)]


def setting_changes(base: Path, head: Path) -> list[SettingChange]:
    """Settings that differ, in all stacks, without secrets.

    Values that move between a stack's file and its cluster's do not differ.
    """
    clusters = {
        name: list(_differing(_cluster(base, name), _cluster(head, name)))
        for name in sorted({*cluster_names(base), *cluster_names(head)})
    }
    of_clusters: dict[tuple[str, int], list[str]] = {}
    of_stacks = []
    for stack in sorted({*stack_names(base), *stack_names(head)}):
        before, after = _both(base, head, stack, clusters)
        cluster = str(after.get(CLUSTER, ""))
        for key, change in _differing(before, after):
            shared = clusters.get(cluster, [])
            if (key, change) in shared:
                at = (cluster, shared.index((key, change)))
                of_clusters.setdefault(at, []).append(stack)
            else:
                of_stacks.append(SettingChange((stack,), None, key, change))
    return [
        *(
            _of_cluster(cluster, stacks, *clusters[cluster][index])
            for (cluster, index), stacks in sorted(of_clusters.items())
        ),
        *of_stacks,
    ]


def own_settings(stack: str, settings: Sequence[SettingChange]) -> list[str]:
    """Keys that differ in the stack's own file, or for the stack in its cluster's."""
    return sorted({f"{each.key} of {each.file}" for each in settings if stack in each.stacks})


def findings_beside(
    stack: str, changed: Sequence[str], settings: Sequence[SettingChange], gone: Sequence[str]
) -> Iterator[ReviewFinding]:
    """Findings that no object of the stack can show."""
    for file in changed:
        if _is_supply(file):
            yield _finding(Rules.SUPPLY, file)
    own = {each.stacks[0] for each in settings if not each.cluster and each.key != CLUSTER}
    for other in sorted(own - {stack, *gone}):
        yield _finding(Rules.OTHER_STACK, f"{other}: see `./sre diff --stack {other}`")
    for cluster in sorted({each.cluster for each in settings if each.cluster}):
        found = {name for each in settings if each.cluster == cluster for name in each.stacks}
        if others := sorted(found - {stack}):
            yield _finding(Rules.OTHER_STACK, f"{_few(others)}, by {cluster_file(cluster)}")
    for name in gone:
        yield _finding(Rules.OTHER_STACK, f"{name} no longer has a file; its resources stay")
    for each in settings:
        if stack not in each.stacks or each.cluster:
            continue
        if each.key in _ENCRYPTION:
            where = f"{each.key} of {each.file}: how secrets are encrypted in the state"
            yield _finding(Rules.SETTING, where, ("SC-28", "SC-12"))
        elif not each.key.startswith(PREFIX):
            yield _finding(Rules.SETTING, f"{each.key} of {each.file}")
        elif each.key == _ADOPT and each.change.after is True:
            yield _finding(Rules.ADOPTED, f"{_ADOPT} of {each.file}")


def override_findings(base: Path, head: Path, stack: str) -> Iterator[ReviewFinding]:
    """Settings with which the stack newly replaces those of its cluster."""
    before = overridden(base, stack) if stack in stack_names(base) else {}
    file = cluster_file(str(stack_config(head, stack).get(CLUSTER)))
    for loc, value in overridden(head, stack).items():
        if before.get(loc, ABSENT) != value:
            yield _finding(Rules.OVERRIDE, f"{key_path(loc)} of Pulumi.{stack}.yaml, over {file}")


def unreadable_settings(stack: str) -> ReviewFinding:
    """The program does not understand the base's settings."""
    return _finding(Rules.SETTING, f"this program cannot read the base's settings of stack {stack}")


def code_findings(changed: Sequence[str], teams: Sequence[str]) -> Iterator[ReviewFinding]:
    """Changes that belong to no team, and the teams that they affect."""
    if changed:
        reached = ", ".join(teams) or "no team's object in this stack"
        yield _finding(Rules.CODE, f"{_few(changed)}: reaches {reached}")


def lifecycle_findings(base: Path, head: Path, teams: Sequence[str]) -> Iterator[ReviewFinding]:
    """Teams whose lifecycle changes; `base` and `head` are the folders of their files."""
    for team in teams:
        files = [folder / f"{team}{SUFFIX}" for folder in (base, head)]
        texts = [file.read_bytes() if file.exists() else b"" for file in files]
        if texts[0] == texts[1]:
            continue
        before, after = map(_lifecycle, files)
        if before != after:
            rule = Rules.LIFECYCLE
            yield ReviewFinding(rule, team, "", "", f"{before} -> {after}", rule.value.controls)


def link_findings(root: Path, changed: Sequence[str]) -> Iterator[ReviewFinding]:
    """Symbolic links: their targets can change later without a change of their own path."""
    for file in changed:
        if (root / file).is_symlink():
            yield _finding(Rules.UNKNOWN, f"{file} is a link, and can point anywhere")


def _is_supply(file: str) -> bool:
    stands_in = _STAND_IN.fullmatch(file) and not _within(file, PROGRAM)
    return _within(file, _SUPPLY) or Path(file).name == _ATTRIBUTES or bool(stands_in)


def _within(file: str, places: Sequence[str]) -> bool:
    """Whether the file is one of `places`, or in a folder among them."""
    return any(file == place or (place[-1] == "/" and file.startswith(place)) for place in places)


def _finding(rule: Rules, detail: str, controls: tuple[str, ...] = ()) -> ReviewFinding:
    return ReviewFinding(rule, "", "", "", detail, (*rule.value.controls, *controls))


def _few(names: Sequence[str]) -> str:
    first, more = ", ".join(names[:_FEW]), len(names) - _FEW
    return f"{first} and {more} more" if more > 0 else first


def _of_cluster(
    cluster: str, stacks: Sequence[str], key: str, change: FieldChange
) -> SettingChange:
    """Named as in the cluster's file."""
    own = replace(change, path=change.path.removeprefix(PREFIX))
    return SettingChange(tuple(stacks), cluster, key.removeprefix(PREFIX), own)


def _both(
    base: Path, head: Path, stack: str, clusters: Mapping[str, Sequence[object]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stack's settings on both sides; of a stack that is new or gone, those of its own file."""
    files = [root / f"Pulumi.{stack}.yaml" for root in (base, head)]
    are_both = all(file.exists() for file in files)
    if are_both and files[0].read_bytes() == files[1].read_bytes() and not any(clusters.values()):
        return {}, {}
    documents = [_data(file) for file in files]
    if are_both:
        configs = [stack_config(root, stack) for root in (base, head)]
    else:
        configs = [config_in(data) for data in documents]
    before, after = (
        _lists({**config, **{key: value for key, value in data.items() if key != "config"}})
        for config, data in zip(configs, documents, strict=True)
    )
    return before, after


def _data(file: Path) -> dict[str, Any]:
    data = Source(file, file.name).data if file.exists() else None
    return data if isinstance(data, dict) else {}


def _cluster(root: Path, name: str) -> dict[str, Any]:
    """The settings of a cluster, with the keys that a stack's file has for them."""
    data = _data(root / cluster_file(name))
    return {PREFIX + key: _lists(value) for key, value in data.items()}


def _lists(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _lists(value) for key, value in data.items()}
    return [_lists(value) for value in data] if isinstance(data, tuple) else data


def _differing(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, FieldChange]]:
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, ABSENT), after.get(key, ABSENT)
        yield from ((key, _shown(key, change)) for change in field_changes(was, now, key))


def _shown(key: str, change: FieldChange) -> FieldChange:
    """Without values of other projects' keys: they may be anything."""
    if key.startswith(PREFIX):
        return shown(change, "")
    before, after = (
        value if value is ABSENT else HIDDEN for value in (change.before, change.after)
    )
    return FieldChange(change.path, before, after)


def _lifecycle(file: Path) -> str:
    data = Source(file, file.name).data if file.exists() else None
    return str(data.get("lifecycle", "active")) if isinstance(data, dict) else "active"
