"""Reads one YAML file into plain data and remembers the position of each value."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from specs.credentials import without_credentials
from specs.problem import WHOLE_FILE, Loc, Problem, key_path
from specs.readers import OddNumber

# Far above any real team file, and far below what causes trouble.
_MAX_BYTES = 1024 * 1024
_MAX_VALUES = 20_000
_MAX_DEPTH = 100

_TAG = "tag:yaml.org,2002:"
_STR = f"{_TAG}str"
_MERGE = f"{_TAG}merge"
_KNOWN_TAGS = {
    f"{_TAG}{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value")
}
_DECIMAL = {
    int: re.compile(r"[+-]?(0|[1-9][0-9]*)"),
    float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"),
}

_TOO_DEEP = "is nested too deep; keep to the levels of the documented keys"

# The parser's messages for common mistakes, and their replacements.
_QUOTE = "put the value in quotes"
_SYNTAX = {
    "mapping values are not allowed": f"a ':' is not allowed here; fix the indentation or {_QUOTE}",
    "while scanning an alias": f"a '*' begins an alias in YAML; {_QUOTE}",
    "while scanning an anchor": f"a '&' begins an anchor in YAML; {_QUOTE}",
    "undefined alias": f"no anchor above has this name; name one, or {_QUOTE}",
    "cannot start any token": f"no value begins with this character in YAML; {_QUOTE}",
    "could not find expected ':'": "this line is not `key: value`; add the ':', or remove it",
    "while scanning a quoted scalar": "a quote is never closed; close it",
    "while parsing a flow": "a bracket or brace is not closed, or a ',' is missing; fix it",
    "while parsing a block": "this does not line up with the lines above; fix the indentation",
}

_Entries = dict[str, tuple[yaml.ScalarNode, yaml.Node]]

# libyaml, included in PyYAML's wheels; the pure-Python parser is the same but ten times slower.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_SafeLoader):  # type: ignore[misc]
    """Reads YAML like the safe loader, but faster."""

    # Finding a plain scalar's type means matching many patterns, and files repeat the same words.
    resolve = staticmethod(lru_cache(4096)(yaml.resolver.Resolver().resolve))


class Source:
    """One YAML document.

    `data` has mappings as dict, sequences as tuple and scalars as YAML 1.1 reads them; it is None
    if the file is not one YAML document. `problems` lists what is wrong with the YAML itself.
    `text` is the text of the document: the file's content, unless given.

    Positions are kept as long as needed: `forget_places` drops them, which for a thousand files is
    most of the memory, and a later question parses the file again.
    """

    def __init__(
        self, file: Path, shown: str, first_key: str = "team", *, text: str | None = None
    ) -> None:
        self.file = file
        self._first_key = first_key
        self.shown = shown
        self.problems: list[Problem] = []
        self.data: Any = None
        self._root: yaml.Node | None = None
        if text is None:
            text = self._read()
        self.text = text or ""
        if text is not None:
            self._parse(text)

    def problem(self, loc: Loc, message: str, *, at_key: bool = False) -> Problem:
        """A problem at the value of `loc`, or its key; if neither exists, at the parent."""
        node = self._nearest(loc, at_key=at_key)
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node else (1, 1)
        typed = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        said = without_credentials(message, typed) if typed else message
        return Problem(self.shown, line, column, key_path(loc), said)

    def raw(self, loc: Loc) -> str:
        """The scalar at `loc` as it was typed, without quotes."""
        node = self.node(loc)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    def node(self, loc: Loc) -> yaml.Node | None:
        """The node at `loc`, None if there is none; for an alias, its target."""
        node = self._nearest(loc)
        return None if loc and node is self._nearest(loc[:-1]) else node

    def forget_places(self) -> None:
        """Drop the positions of values: for a file without problems."""
        self._root = None

    def _fail(self, message: str, line: int = 1, column: int = 1) -> None:
        self.problems.append(Problem(self.shown, line, column, WHOLE_FILE, message))

    def _read(self) -> str | None:
        if self.file.exists() and not self.file.is_file() and not self.file.is_dir():
            self._fail("is not a regular file; use one")
            return None
        try:
            raw = self.file.read_bytes()
        except FileNotFoundError:
            self._fail("no such file; check the path")
        except IsADirectoryError:
            self._fail("is a directory; use a YAML file")
        except PermissionError:
            self._fail("cannot be read: no permission; make it readable (chmod +r)")
        except OSError as error:
            self._fail(f"cannot be read: {error.strerror}; check the file")
        else:
            if len(raw) > _MAX_BYTES:
                self._fail(f"has {len(raw)} bytes, but at most {_MAX_BYTES} are allowed; split it")
                return None
            try:
                return raw.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                before = raw[: error.start]
                column = error.start - (before.rfind(b"\n") + 1) + 1
                self._fail(
                    f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8",
                    before.count(b"\n") + 1,
                    column,
                )
        return None

    def _parse(self, text: str) -> None:
        try:
            # libyaml's composer recurses on the C stack: a file that is too deep never reaches it.
            if deep := _too_deep(text):
                self._fail(_TOO_DEEP, *deep)
                return
            root = yaml.compose(text, Loader=Loader)
        except yaml.MarkedYAMLError as error:
            self._fail_to_parse(error, text)
            return
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, error.position - before.rfind("\n")
            self._fail("contains a control character; remove it", line, column)
            return
        if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == f"{_TAG}null"):
            self._fail(f"is empty; write at least the key `{self._first_key}`")
            return
        if not isinstance(root, yaml.MappingNode):
            self._fail(
                f"must be a mapping; write `key: value` lines, such as `{self._first_key}: ...`"
            )
            return
        # A bound that needs no walk: each of these adds two values at most, an anchor any number.
        most = 1 + 2 * sum(map(text.count, ":?,-[{"))
        if ("&" in text or most > _MAX_VALUES) and self._size(root, (), {}) is None:
            return
        self._root = root
        self.data = self._build(root, ())

    def _fail_to_parse(self, error: yaml.MarkedYAMLError, text: str) -> None:
        lines = text.splitlines()
        mark = error.problem_mark or error.context_mark
        if mark and mark.line >= len(lines) and error.context_mark:
            mark = error.context_mark  # an unclosed bracket or quote is reported where it begins
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        line = max(1, min(line, len(lines)))
        typed = lines[line - 1] if lines else ""
        indent = typed[: len(typed) - len(typed.lstrip())]
        what = " ".join(filter(None, (error.context, error.problem)))
        if "single document" in what:
            self._fail(
                "contains several documents; keep one, and move the others to separate files",
                line,
                column,
            )
        elif "\t" in indent or typed[column - 1 : column] == "\t":
            self._fail(
                "YAML does not allow tabs for indentation; use spaces",
                line,
                indent.find("\t") + 1 or column,
            )
        else:
            message = next((do for said, do in _SYNTAX.items() if said in what), None)
            message = message or f"is not valid YAML: {what}; fix the syntax here"
            self._fail(message, line, column)

    def _size(self, node: yaml.Node, within: tuple[int, ...], sizes: dict[int, int]) -> int | None:
        """How many values `node` has with every alias expanded; None if too many."""
        known = sizes.get(id(node))
        if known is not None:
            return known
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if id(node) in within:
            self._fail("an anchor contains itself; write the value out", line, column)
            return None
        total = 1
        for child in _children(node):
            size = self._size(child, (*within, id(node)), sizes)
            if size is None:
                return None
            total += size
        if total > _MAX_VALUES:
            self._fail(
                f"its anchors expand to over {_MAX_VALUES} values; write the values out",
                line,
                column,
            )
            return None
        sizes[id(node)] = total
        return total

    def _build(self, node: yaml.Node, loc: Loc) -> Any:
        if node.tag not in _KNOWN_TAGS:
            message = f"the YAML tag '{node.tag.removeprefix(_TAG)}' is not supported; remove it"
            line, column = node.start_mark.line + 1, node.start_mark.column + 1
            self.problems.append(Problem(self.shown, line, column, key_path(loc), message))
            return None
        if isinstance(node, yaml.ScalarNode):
            if "\0" in node.value:  # written as an escape sequence
                message = "contains a zero character, which ends text for programs; remove it"
                line, column = node.start_mark.line + 1, node.start_mark.column + 1
                self.problems.append(Problem(self.shown, line, column, key_path(loc), message))
            return node.value if node.tag == _STR else _scalar(node.tag, node.value)
        if isinstance(node, yaml.MappingNode):
            entries = {
                key.value: value
                for key, value in node.value
                if key.tag == _STR and isinstance(key, yaml.ScalarNode)
            }
            if len(entries) < len(node.value):  # a key is not a plain word, or is listed twice
                self._check_keys(node, loc)
                entries = {key: value for key, (_, value) in _entries(node).items()}
            return {key: self._build(value, (*loc, key)) for key, value in entries.items()}
        return tuple(self._build(item, (*loc, index)) for index, item in enumerate(node.value))

    def _check_keys(self, node: yaml.MappingNode, loc: Loc) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode):
                message = "a key must be text; quote it or fix the braces"
                self.problems.append(Problem(self.shown, line, column, key_path(loc), message))
            elif key.tag == _MERGE:
                merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
                if not all(isinstance(item, yaml.MappingNode) for item in merged):
                    message = "`<<` merges mappings only; name an anchor of a mapping"
                    self.problems.append(Problem(self.shown, line, column, key_path(loc), message))
            elif key.value in seen:
                message = f"this key is already set on line {seen[key.value]}; remove one"
                self.problems.append(
                    Problem(self.shown, line, column, key_path((*loc, key.value)), message)
                )
            else:
                seen[key.value] = line

    def _nearest(self, loc: Loc, *, at_key: bool = False) -> yaml.Node | None:
        if self._root is None and self.data is not None:
            self._root = yaml.compose(self.text, Loader=Loader)
        node = self._root
        for depth, part in enumerate(loc):
            if isinstance(node, yaml.MappingNode) and part in (entries := _entries(node)):
                key, value = entries[str(part)]
                node = key if at_key and depth == len(loc) - 1 else value
            elif (
                isinstance(node, yaml.SequenceNode)
                and isinstance(part, int)
                and part < len(node.value)
            ):
                node = node.value[part]
            else:
                break
        return node


def frozen(data: Any) -> Any:
    """`data` with tuples for lists, as the models require."""
    if isinstance(data, dict):
        return {key: frozen(value) for key, value in data.items()}
    return tuple(frozen(value) for value in data) if isinstance(data, (list, tuple)) else data


_constructor = yaml.constructor.SafeConstructor()


@lru_cache(4096)
def _scalar(tag: str, text: str) -> Any:
    if tag == f"{_TAG}value":
        return text
    try:
        value = _constructor.construct_object(yaml.ScalarNode(tag, text))
    except (ValueError, KeyError, AttributeError):  # the value does not match its tag
        return text
    # YAML 1.1 reads 010 as 8 and 1:30 as 90. As a float, it is rejected where a count is expected.
    decimal = _DECIMAL.get(type(value))
    return OddNumber(value, text) if decimal and not decimal.fullmatch(text) else value


def _too_deep(text: str) -> tuple[int, int] | None:
    """The line and column where `text` exceeds `_MAX_DEPTH`."""
    # A bound that needs no parsing: a level is a bracket, or an indentation at a line's beginning
    # (a list in a mapping needs none). Line beginnings are not checked: in YAML, more than a line
    # feed ends a line.
    blank = text.replace("\t", " ").replace("- ", "  ").replace("? ", "  ").replace(": ", "  ")
    steps = (_MAX_DEPTH - text.count("[") - text.count("{")) // 2
    if steps >= 0 and " " * (steps + 1) not in blank:
        return None
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                return event.start_mark.line + 1, event.start_mark.column + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _entries(node: yaml.MappingNode) -> _Entries:
    """The mapping's keys with `<<` merges: its own keys win, then the first merged mapping."""
    own: _Entries = {}
    merged: _Entries = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.tag == _MERGE:
            for item in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(item, yaml.MappingNode):
                    merged = _entries(item) | merged
        else:
            own.setdefault(key.value, (key, value))
    return merged | own
