"""Sets an app's image tag: changes one value in the team's file and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specs.fleet import TeamsFolder
from specs.load import check_source
from specs.names import check_tag, nearest
from specs.problem import Loc, Problem, ProblemsError, key_path
from specs.retention import KEPT, is_older
from specs.settings import Settings
from specs.source import Source
from tools.editing.scalar import written
from tools.editing.team_file import (
    open_team,
    problems,
    refuse,
    save,
)

# An anchor or a YAML tag before the value itself.
_PROPERTIES = re.compile(r"([&!]\S*\s+)*")


@dataclass(frozen=True)
class TagChange:
    """A change of an app's tag: the former tag, and what to check before deployment."""

    before: str
    warnings: tuple[Problem, ...]


def set_tag(
    folder: TeamsFolder, settings: Settings, team: str, app: str, tag: str
) -> TagChange | None:
    """Set the app's tag; return None if it has that tag already.

    If it raises ProblemsError, the file is unchanged.
    """
    source = open_team(folder, team)
    index = _index(source.data, app)
    if index is None:
        refuse(problems(source, folder, settings))  # these may be the reason
        raise ProblemsError(source.problem(("apps",), _unknown(source.data, app)))
    loc: Loc = ("apps", index, "app", "image", "tag")
    try:
        check_tag(tag)  # and so nothing that could be more than a scalar
    except ValueError as error:
        raise ProblemsError(source.problem(loc, str(error))) from None
    wanted = _with(source.data, loc, tag)
    if wanted == source.data:
        refuse(problems(source, folder, settings))
        return None
    changed = Source(source.file, source.shown, text=_spliced(source, loc, tag))
    refuse(problems(changed, folder, settings))
    if changed.data != wanted:
        message = "is at an anchor that is also used elsewhere; give this app its own tag"
        raise ProblemsError(source.problem(loc, message))
    save(changed)
    return TagChange(source.raw(loc), tuple(_warnings(changed, settings, loc, source.raw(loc))))


def _warnings(changed: Source, settings: Settings, loc: Loc, before: str) -> Iterator[Problem]:
    """Warn if Harbor may have deleted the image, or will delete another that runs."""
    loaded = check_source(changed, settings)
    yield from (each for each in loaded.warnings if each.path == key_path(KEPT))
    tag = changed.raw(loc)
    if loaded.team and is_older(tag, before):
        kept = loaded.team.registry.retention.most_recently_pushed
        images = "image" if kept == 1 else f"{kept} images"
        yield changed.problem(
            loc,
            f"'{tag}' is older than '{before}', and Harbor keeps only the {images} last pushed to "
            "a repository; check that it still exists before you deploy it",
        )


def _names(data: dict[str, Any]) -> list[object]:
    """The names of the file's apps, as they are: the file may be wrong."""
    apps = data.get("apps")
    entries = apps if isinstance(apps, tuple) else ()
    blocks = [entry.get("app") if isinstance(entry, dict) else None for entry in entries]
    return [block.get("name") if isinstance(block, dict) else None for block in blocks]


def _index(data: dict[str, Any], app: str) -> int | None:
    names = _names(data)
    return names.index(app) if app in names else None


def _unknown(data: dict[str, Any], app: str) -> str:
    names = [str(name) for name in _names(data)]
    hint = nearest(app, names)
    known = f"use one of: {', '.join(names)}" if names else "add it with ./sre new app"
    return f"has no app '{app}'; {f'did you mean {hint}?' if hint else known}"


def _spliced(source: Source, loc: Loc, tag: str) -> str:
    """The file's text with another scalar at `loc`, quoted like the former one."""
    node = source.node(loc)
    if node is None:
        return source.text  # and its problems report what is missing
    start, end = node.start_mark.index, node.end_mark.index
    typed = source.text[start:end]
    properties = _PROPERTIES.match(typed)
    kept = properties[0] if properties else ""
    style = typed[len(kept) : len(kept) + 1]
    if style in ("|", ">"):
        raise ProblemsError(source.problem(loc, "is a block scalar; write it on the key's line"))
    word = f"{style}{tag}{style}" if style in ("'", '"') else written(tag)
    return f"{source.text[:start]}{kept}{word if typed else f' {word}'}{source.text[end:]}"


def _with(data: Any, loc: Loc, value: str) -> Any:
    """`data` with `value` at `loc`, provided that mappings and lists lead there."""
    if not loc:
        return value
    first, rest = loc[0], loc[1:]
    if isinstance(data, dict):
        return {**data, first: _with(data.get(first), rest, value)}
    if isinstance(data, tuple) and isinstance(first, int):
        return (*data[:first], _with(data[first], rest, value), *data[first + 1 :])
    return data
