"""Sets an app's image tag and digest: changes nothing else in the team's file."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from specs.fleet import TeamsFolder
from specs.load import check_source
from specs.names import check_digest, check_tag, nearest
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

_NEW_LINE = "\n"
_LINE_END = re.compile(rf"\r?{_NEW_LINE}|\Z")


@dataclass(frozen=True)
class ImageChange:
    """A change of an app's image: the former version, and what to check before deployment."""

    before: str
    warnings: tuple[Problem, ...]


# A replacement of the text between two places.
_Edit = tuple[int, int, str]


def set_image(
    folder: TeamsFolder, settings: Settings, team: str, app: str, version: str
) -> ImageChange | None:
    """Set the app's tag, and the digest in `v1.0.0@sha256:...`; return None if it has these.

    If it raises ProblemsError, the file is unchanged.
    """
    source = open_team(folder, team)
    index = _index(source.data, app)
    if index is None:
        refuse(problems(source, folder, settings))  # these may be the reason
        raise ProblemsError(source.problem(("apps",), _unknown(source.data, app)))
    image: Loc = ("apps", index, "app", "image")
    at_tag, at_digest = (*image, "tag"), (*image, "digest")
    tag, at, digest = version.partition("@")
    wanted = _with(source.data, at_tag, _checked(source, at_tag, tag, check_tag))
    if at:
        wanted = _with(wanted, at_digest, _checked(source, at_digest, digest, check_digest))
    if wanted == source.data:
        refuse(problems(source, folder, settings))
        return None
    before, pin = source.raw(at_tag), source.raw(at_digest)
    if pin and not at:
        message = (
            f"is the digest of '{before}'; give the new one too, as {tag}@sha256:..., or remove it"
        )
        raise ProblemsError(source.problem(at_digest, message))
    changed = Source(source.file, source.shown, text=_spliced(source, image, tag, digest))
    refuse(problems(changed, folder, settings))
    if changed.data != wanted:
        message = "is at an anchor that is also used elsewhere; give this app its own tag"
        raise ProblemsError(source.problem(at_tag, message))
    save(changed)
    warnings = tuple(_warnings(changed, settings, at_tag, before))
    return ImageChange(f"{before}@{pin}" if pin else before, warnings)


def _checked(source: Source, loc: Loc, value: str, check: Callable[[str], None]) -> str:
    """The value, which is valid and so no more than a scalar."""
    try:
        check(value)
    except ValueError as error:
        raise ProblemsError(source.problem(loc, str(error))) from None
    return value


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


def _spliced(source: Source, image: Loc, tag: str, digest: str) -> str:
    """The file's text with another tag and, if given, another digest."""
    edits = [_replaced(source, (*image, "tag"), tag)]
    if digest:
        edits.append(_replaced(source, (*image, "digest"), digest) or _added(source, image, digest))
    text = source.text  # without an edit, its problems report what is missing
    for start, end, inside in sorted(filter(None, edits), reverse=True):
        text = f"{text[:start]}{inside}{text[end:]}"
    return text


def _replaced(source: Source, loc: Loc, value: str) -> _Edit | None:
    """The scalar at `loc`, quoted like the former one; None if there is none."""
    node = source.node(loc)
    if node is None:
        return None
    start, end = node.start_mark.index, node.end_mark.index
    typed = source.text[start:end]
    properties = _PROPERTIES.match(typed)
    kept = properties[0] if properties else ""
    style = typed[len(kept) : len(kept) + 1]
    if style in ("|", ">"):
        raise ProblemsError(source.problem(loc, "is a block scalar; write it on the key's line"))
    word = f"{style}{value}{style}" if style in ("'", '"') else written(value)
    return start, end, f"{kept}{word if typed else f' {word}'}"


def _added(source: Source, image: Loc, digest: str) -> _Edit | None:
    """The digest after the tag: in the same braces, or on a line of its own."""
    block, tag = source.node(image), source.node((*image, "tag"))
    if block is None or tag is None:
        return None
    assert isinstance(block, yaml.MappingNode)  # it has a tag
    key, end = f'digest: "{digest}"', tag.end_mark.index
    if block.flow_style:
        return end, end, f", {key}"
    line_end = _LINE_END.search(source.text, end)
    assert line_end  # the end of the text, if nothing else
    at, indent = line_end.start(), " " * block.start_mark.column
    return at, at, f"{line_end[0] or _NEW_LINE}{indent}{key}"


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
