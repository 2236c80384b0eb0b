"""The text of a team's file: keys in their usual order, values as their author wrote them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from specs.readers import OddNumber, style
from specs.source import Loader, Source
from tools.migration.app_draft import AppDraft
from tools.migration.value import Value

SCHEMA = "# yaml-language-server: $schema=../schemas/team.schema.json\n"

_INSIDE = "    "  # an entry of `apps` begins with "  - "

# Begins with digits, but no reader takes it for a number.
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([KMGTPE]i|[kMGTPm])")


@dataclass(frozen=True)
class AppText:
    """An entry of `apps`; `kept` are the lines of its source, from 0, that it copies."""

    text: str
    kept: range = range(0)


def team_text(team: str, tenant: Mapping[str, Any], entries: Sequence[AppText]) -> str:
    """The file; `tenant` has the keys beside `apps`."""
    parts = [f"{SCHEMA}team: {_flow(team)}\n"]
    for key, value in tenant.items():
        lines = "".join(f"  {name}: {_flow(_styled(inner))}\n" for name, inner in value.items())
        parts.append(f"{key}:\n{lines}")
    if entries:
        parts.append("apps:\n" + "\n".join(entry.text for entry in entries))
    return "\n".join(parts)


def app_entry(app: AppDraft) -> AppText:
    """The entry: copied from its source if possible, otherwise written from its values."""
    wanted = app.entry.plain
    head = f"  - archetype: {wanted['archetype']}\n"
    copied = _copied(app)
    added = {key: app.entry.data[key] for key in app.added}
    text = head + copied.text + (_entry_lines(added) if added else "") if copied else ""
    if copied and _reads_as(text, wanted):
        return AppText(text, copied.kept)
    values = {key: value for key, value in app.entry.data.items() if key != "archetype"}
    return AppText(head + _entry_lines(values))


def _entry_lines(values: Mapping[str, Any]) -> str:
    return _indented(_block(_styled(dict(values))).removesuffix("\n").split("\n"), 0)


def comments(source: Source) -> Iterator[int]:
    """The lines, from 0, that contain a comment."""
    end = 0
    for token in yaml.scan(source.text, Loader=Loader):
        gap = source.text[end : token.start_mark.index]
        first = source.text.count("\n", 0, end)
        yield from (first + number for number, line in enumerate(gap.split("\n")) if "#" in line)
        end = max(end, token.end_mark.index)


def _copied(app: AppDraft) -> AppText | None:
    """The lines of the values, without those that were left out."""
    values = app.whole
    if values is None or not values.data:
        return None
    lines = [line.rstrip("\r") for line in values.source.text.split("\n")]
    start = values.problem("", (next(iter(values.data)),), at_key=True)
    first, column = start.line - 1, start.column - 1
    if lines[first][:column].strip():
        return None
    kept = _extent(lines, first, lambda line: _indent(line) >= column)
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    kept = range(first, kept.stop)
    removed = [each for each in app.removed if each.source is values.source]
    gone = {line for each in removed for line in _lines_of(each, lines)}
    return AppText(_indented([lines[at] for at in kept if at not in gone], column), kept)


def _lines_of(value: Value, lines: Sequence[str]) -> range:
    """The lines of an entry of a mapping, with its key, or of a list."""
    place = value.problem("", at_key=True)
    first, column = place.line - 1, place.column - 1
    if isinstance(value.loc[-1], int):
        column = lines[first].rfind("-", 0, column)
        return _extent(lines, first, lambda line: _indent(line) > column)
    return _extent(
        lines,
        first,
        lambda line: _indent(line) > column or line.startswith(f"{' ' * column}- "),
    )


def _extent(lines: Sequence[str], first: int, belongs: Callable[[str], bool]) -> range:
    end = first + 1
    while end < len(lines) and (_is_idle(lines[end]) or belongs(lines[end])):
        end += 1
    while end > first + 1 and (
        not lines[end - 1].strip() or (_is_idle(lines[end - 1]) and not belongs(lines[end - 1]))
    ):
        end -= 1
    return range(first, end)


def _is_idle(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _indented(lines: Sequence[str], columns: int) -> str:
    """The lines, which began at `columns`, as lines of an entry of `apps`."""
    moved = (line[min(columns, _indent(line)) :] for line in lines)
    return "".join(f"{_INSIDE}{line}\n" if line.strip() else "\n" for line in moved)


def _reads_as(entry: str, wanted: Any) -> bool:
    read = Source(Path(), "", text=f"apps:\n{entry}")
    return not read.problems and _typed(read.data["apps"]) == _typed((wanted,))


def _typed(data: Any) -> Any:
    """Data in which 1, 1.0 and true are not equal."""
    if isinstance(data, dict):
        return {key: _typed(value) for key, value in data.items()}
    return [_typed(value) for value in data] if isinstance(data, tuple) else (type(data), data)


class _Quoted(str):
    """Text that its author put in quotes."""

    __slots__ = ()


def _styled(data: Any) -> Any:
    """The content of Values in dicts and lists, with text quoted as it was."""
    if isinstance(data, Value):
        return _quoted(data) if isinstance(data.data, str) else _styled(data.data)
    if isinstance(data, dict):
        return {key: _styled(value) for key, value in data.items()}
    return [_styled(value) for value in data] if isinstance(data, list) else data


def _quoted(value: Value) -> str:
    place = value.problem("")
    line = value.source.text.split("\n")[place.line - 1]
    is_quoted = line[place.column - 1 : place.column] in ("'", '"')
    return _Quoted(value.data) if is_quoted else str(value.data)


class _Dumper(yaml.SafeDumper):
    """Writes text so that every YAML reader gets that text, and indents lists as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    chosen = '"' if isinstance(text, _Quoted) else None
    if not chosen and not _QUANTITY.fullmatch(text):
        chosen = style(text, '"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=chosen)


def _represent_odd(dumper: yaml.SafeDumper, number: OddNumber) -> yaml.ScalarNode:
    return _represent_text(dumper, number.typed)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Quoted, _represent_text)
_Dumper.add_representer(OddNumber, _represent_odd)


def _dump(data: Any, *, flow: bool) -> str:
    return yaml.dump(
        data,
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )


def _block(data: Any) -> str:
    return _dump(data, flow=False)


def _flow(data: Any) -> str:
    return _dump(data, flow=True).removesuffix("\n").removesuffix("\n...")
