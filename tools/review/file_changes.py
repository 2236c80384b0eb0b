"""What a change affects besides objects: settings, lifecycles, the program, its packages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plain.trees import ABSENT
from specs.fleet import SUFFIX
from specs.settings import PREFIX
from specs.source import Source
from specs.stack_file import config_in, stack_names
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
    """A key of `Pulumi.<stack>.yaml` that differs, and how."""

    stack: str
    key: str
    change: FieldChange


def platform_code(changed: Sequence[str]) -> list[str]:
    """The changed files that belong to the program."""
    return [file for file in changed if _within(file, PROGRAM)]


def setting_changes(base: Path, head: Path) -> list[SettingChange]:
    """Settings that differ, in all stacks, without secrets."""
    stacks = sorted({*stack_names(base), *stack_names(head)})
    return [
        SettingChange(stack, key, change)
        for stack in stacks
        for key, change in _differing(_settings(base, stack), _settings(head, stack))
    ]


def own_settings(stack: str, settings: Sequence[SettingChange]) -> list[str]:
    """Keys of the stack's own file that differ."""
    keys = sorted({each.key for each in settings if each.stack == stack})
    return [f"{key} of Pulumi.{stack}.yaml" for key in keys]


def findings_beside(
    stack: str, changed: Sequence[str], settings: Sequence[SettingChange], gone: Sequence[str]
) -> Iterator[ReviewFinding]:
    """Findings that no object of the stack can show."""
    for file in changed:
        if _is_supply(file):
            yield _finding(Rules.SUPPLY, file)
    for other in sorted({each.stack for each in settings} - {stack, *gone}):
        yield _finding(Rules.OTHER_STACK, f"{other}: see `./sre diff --stack {other}`")
    for name in gone:
        yield _finding(Rules.OTHER_STACK, f"{name} no longer has a file; its resources stay")
    file = f"Pulumi.{stack}.yaml"
    for each in settings:
        if each.stack != stack:
            continue
        if each.key in _ENCRYPTION:
            where = f"{each.key} of {file}: how secrets are encrypted in the state"
            yield _finding(Rules.SETTING, where, ("SC-28", "SC-12"))
        elif not each.key.startswith(PREFIX):
            yield _finding(Rules.SETTING, f"{each.key} of {file}")
        elif each.key == _ADOPT and each.change.after is True:
            yield _finding(Rules.ADOPTED, f"{_ADOPT} of {file}")


def unreadable_settings(stack: str) -> ReviewFinding:
    """The program does not understand the base's settings."""
    return _finding(Rules.SETTING, f"this program cannot read Pulumi.{stack}.yaml of the base")


def code_findings(changed: Sequence[str], teams: Sequence[str]) -> Iterator[ReviewFinding]:
    """Changes that belong to no team, and the teams that they affect."""
    if changed:
        first, more = ", ".join(changed[:_FEW]), len(changed) - _FEW
        what = f"{first} and {more} more" if more > 0 else first
        reached = ", ".join(teams) or "no team's object in this stack"
        yield _finding(Rules.CODE, f"{what}: reaches {reached}")


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


def _settings(root: Path, stack: str) -> dict[str, Any]:
    """The stack's config, and the keys beside it."""
    file = root / f"Pulumi.{stack}.yaml"
    data = Source(file, file.name).data if file.exists() else None
    if not isinstance(data, dict):
        return {}
    beside = {key: value for key, value in data.items() if key != "config"}
    return _lists({**config_in(data), **beside})


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
